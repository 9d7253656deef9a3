package simulator

import (
	"context"
	"time"
)

// Join lets a user join a guild; user 0 makes a new one. It returns the user, 0 when there is no such guild.
func (s *Server) Join(guild, user uint64) uint64 {
	s.await(guild)
	ok := s.in(guild, func(g *guildState) {
		if user == 0 {
			user = s.mint.id()
		}
		m := &member{user: user, joined: time.Now()}
		g.setMember(user, m)
		s.emit(g, "GUILD_MEMBER_ADD", func(o *jsonOut) {
			o.open('{')
			o.id("guild_id", g.id)
			o.userObject(s, "user", user)
			o.member(m)
			o.shut('}')
		})
	})
	if !ok {
		return 0
	}
	return user
}

// Leave lets a user leave, or be kicked.
func (s *Server) Leave(guild, user uint64) {
	s.await(guild)
	s.in(guild, func(g *guildState) { s.leaveLocked(g, user) })
}

func (s *Server) leaveLocked(g *guildState, user uint64) {
	g.setMember(user, nil)
	s.emitUser(g, "GUILD_MEMBER_REMOVE", user)
}

// emitUser dispatches an event whose data is a guild and a user.
func (s *Server) emitUser(g *guildState, name string, user uint64) {
	s.emit(g, name, func(o *jsonOut) {
		o.open('{')
		o.id("guild_id", g.id)
		o.userObject(s, "user", user)
		o.shut('}')
	})
}

// Ban bans a user: GUILD_BAN_ADD, and GUILD_MEMBER_REMOVE when he was a member.
func (s *Server) Ban(guild, user uint64) {
	s.await(guild)
	s.in(guild, func(g *guildState) { s.banLocked(g, user, "") })
}

func (s *Server) banLocked(g *guildState, user uint64, reason string) {
	if g.bans == nil {
		g.bans = make(map[uint64]string)
	}
	g.bans[user] = reason
	s.emitUser(g, "GUILD_BAN_ADD", user)
	if g.member(user) != nil {
		s.leaveLocked(g, user)
	}
}

// Unban lifts a ban.
func (s *Server) Unban(guild, user uint64) {
	s.await(guild)
	s.in(guild, func(g *guildState) { s.unbanLocked(g, user) })
}

func (s *Server) unbanLocked(g *guildState, user uint64) bool {
	if _, banned := g.bans[user]; !banned {
		return false
	}
	delete(g.bans, user)
	s.emitUser(g, "GUILD_BAN_REMOVE", user)
	return true
}

// ChangeMember sets a member's nick and roles. The bot's own GUILD_MEMBER_UPDATE needs no intent.
func (s *Server) ChangeMember(guild, user uint64, nick string, roles []uint64) {
	s.await(guild)
	s.in(guild, func(g *guildState) {
		m := *g.someone(user)
		m.nick, m.roles = nick, roles
		s.memberLocked(g, &m)
	})
}

func (s *Server) memberLocked(g *guildState, m *member) {
	g.setMember(m.user, m)
	need := needed("GUILD_MEMBER_UPDATE", true)
	if m.user == s.world.bot {
		need = 0
	}
	o := s.scratch()
	o.open('{')
	o.id("guild_id", g.id)
	o.userObject(s, "user", m.user)
	o.member(m)
	o.raw(`"unusual_dm_activity_until":null`)
	o.shut('}')
	s.dispatch(g, &event{name: "GUILD_MEMBER_UPDATE", guild: g.id, need: need, data: s.finish(o)})
}

// MassLeave lets n members leave, spread over these guilds, at a rate a second (0: as fast as possible). It
// returns how many left: fewer when the guilds have fewer members or ctx ends. Owners never do.
func (s *Server) MassLeave(ctx context.Context, guilds []uint64, n int, rate float64) int {
	return s.mass(ctx, guilds, n, rate, s.Leave)
}

// MassBan bans n members but owners, spread over these guilds, at a rate a second (0: as fast as possible).
func (s *Server) MassBan(ctx context.Context, guilds []uint64, n int, rate float64) int {
	return s.mass(ctx, guilds, n, rate, s.Ban)
}

func (s *Server) mass(ctx context.Context, guilds []uint64, n int, rate float64, act func(guild, user uint64)) int {
	if len(guilds) == 0 {
		return 0
	}
	hit := make(map[uint64]uint64, len(guilds)) // guild → the member who was last
	done, barren := 0, 0
	_ = s.Run(ctx, Rate{PerSecond: rate}, func(i int) bool { // the count tells how far it came
		guild := guilds[i%len(guilds)]
		var user uint64
		s.in(guild, func(g *guildState) {
			for _, m := range g.members(max(hit[guild], g.id+memberBase), 2) {
				if m.user != s.world.bot {
					user = m.user
					return
				}
			}
		})
		if user == 0 {
			barren++
			return barren < len(guilds)
		}
		barren = 0
		hit[guild] = user
		act(guild, user)
		done++
		return done < n
	})
	return done
}
