package simulator

import (
	"slices"
	"time"
)

// Outage makes a guild unavailable: GUILD_DELETE with unavailable true. False: there is no such guild.
func (s *Server) Outage(guild uint64) bool {
	s.await(guild)
	return s.in(guild, func(g *guildState) {
		g.down = true
		s.emit(g, "GUILD_DELETE", func(o *jsonOut) {
			o.open('{')
			o.id("id", g.id)
			o.raw(`"unavailable":true`)
			o.shut('}')
		})
	})
}

// Restore ends an outage: GUILD_CREATE.
func (s *Server) Restore(guild uint64) bool {
	s.await(guild)
	return s.in(guild, func(g *guildState) {
		g.down = false
		s.dispatch(g, &event{name: "GUILD_CREATE", guild: g.id, need: intentGuilds})
	})
}

// Remove throws the bot out of a guild: GUILD_DELETE without unavailable. Return brings it back.
func (s *Server) Remove(guild uint64) bool {
	s.await(guild)
	return s.leaveGuild(guild)
}

func (s *Server) leaveGuild(guild uint64) bool {
	return guild != 0 && s.in(guild, func(g *guildState) {
		s.world.drop(g)
		s.emit(g, "GUILD_DELETE", func(o *jsonOut) {
			o.open('{')
			o.id("id", g.id)
			o.shut('}')
		})
	})
}

// Invite lets the bot join a guild that is not in the world yet, and returns its id: GUILD_CREATE.
func (s *Server) Invite() uint64 {
	s.mu.Lock()
	index := s.invited + s.cfg.World.Guilds
	s.invited++
	s.mu.Unlock()
	g := newGuild(s.world, index)
	s.await(g.id)
	g.mu.Lock()
	defer g.mu.Unlock()
	s.enterGuild(g)
	return g.id
}

// enterGuild lets the bot join a guild that is not in the world; the caller holds its lock.
func (s *Server) enterGuild(g *guildState) {
	g.joined = time.Now()
	s.world.put(g)
	s.dispatch(g, &event{name: "GUILD_CREATE", guild: g.id, need: intentGuilds})
}

// RenameGuild changes a guild's name: GUILD_UPDATE.
func (s *Server) RenameGuild(guild uint64, name string) bool {
	s.await(guild)
	return s.in(guild, func(g *guildState) {
		g.keep().name = name
		s.emitGuild(g)
	})
}

func (s *Server) emitGuild(g *guildState) {
	s.emit(g, "GUILD_UPDATE", func(o *jsonOut) {
		o.open('{')
		o.guild(g, g.view(), true)
		o.shut('}')
	})
}

// CreateChannel makes a text channel, and returns its id.
func (s *Server) CreateChannel(guild uint64, name string) (id uint64) {
	s.await(guild)
	s.in(guild, func(g *guildState) {
		id = s.channelLocked(g, channel{kind: kindText, name: name})
	})
	return id
}

// channelLocked adds a channel or a thread; the caller holds the guild's lock.
func (s *Server) channelLocked(g *guildState, ch channel) uint64 {
	c := g.keep()
	ch.id, ch.guild, ch.version = s.mint.id(), g.id, c.version
	s.world.adopt(ch.id, g)
	if ch.kind == kindThread {
		c.threads = append(c.threads, ch)
	} else {
		ch.position = len(c.channels)
		c.channels = append(c.channels, ch)
	}
	s.emitChannel(g, &ch, "CREATE")
	return ch.id
}

// emitChannel dispatches CHANNEL_… or THREAD_… for a channel.
func (s *Server) emitChannel(g *guildState, ch *channel, what string) {
	name := "CHANNEL_" + what
	if ch.kind == kindThread {
		name = "THREAD_" + what
	}
	s.emit(g, name, func(o *jsonOut) {
		o.open('{')
		if name == "THREAD_DELETE" {
			o.id("id", ch.id)
			o.id("guild_id", g.id)
			o.id("parent_id", ch.parent)
			o.num("type", int64(ch.kind))
		} else {
			o.channel(ch, g.lastMessage(ch.id), false)
		}
		if name == "THREAD_CREATE" {
			o.raw(`"newly_created":true`)
		}
		o.shut('}')
	})
}

// DeleteChannel removes a channel or a thread. False: there is none.
func (s *Server) DeleteChannel(guild, id uint64) bool {
	s.await(guild)
	ok := false
	s.in(guild, func(g *guildState) { ok = s.deleteChannelLocked(g, id) })
	return ok
}

func (s *Server) deleteChannelLocked(g *guildState, id uint64) bool {
	c := g.keep()
	found := c.find(id)
	if found == nil {
		return false
	}
	ch := *found
	same := func(o channel) bool { return o.id == id }
	c.channels = slices.DeleteFunc(c.channels, same)
	c.threads = slices.DeleteFunc(c.threads, same)
	delete(g.rooms, id)
	s.world.forget(id)
	s.deleteThreads(g, &ch) // before the event: it may be what introduces the guild
	s.emitChannel(g, &ch, "DELETE")
	s.orphan(g, &ch)
	return true
}

// CreateRole makes a role, and returns its id.
func (s *Server) CreateRole(guild uint64, name string, permissions uint64) (id uint64) {
	s.await(guild)
	s.in(guild, func(g *guildState) {
		id = s.roleLocked(g, role{name: name, permissions: permissions}).id
	})
	return id
}

func (s *Server) roleLocked(g *guildState, r role) *role {
	c := g.keep()
	r.id, r.version, r.position = s.mint.id(), c.version, 1
	s.world.adopt(r.id, g)
	c.roles = append(c.roles, r)
	s.emitRole(g, "GUILD_ROLE_CREATE", &r)
	return &c.roles[len(c.roles)-1]
}

func (s *Server) emitRole(g *guildState, name string, r *role) {
	s.emit(g, name, func(o *jsonOut) {
		o.open('{')
		o.id("guild_id", g.id)
		o.key("role")
		o.open('{')
		o.role(r, true)
		o.shut('}')
		o.shut('}')
	})
}

// DeleteRole removes a role. False: there is none.
func (s *Server) DeleteRole(guild, id uint64) bool {
	s.await(guild)
	ok := false
	s.in(guild, func(g *guildState) { ok = s.deleteRoleLocked(g, id) })
	return ok
}

func (s *Server) deleteRoleLocked(g *guildState, id uint64) bool {
	c := g.keep()
	before := len(c.roles)
	c.roles = slices.DeleteFunc(c.roles, func(r role) bool { return r.id == id && id != g.id })
	if len(c.roles) == before {
		return false
	}
	s.world.forget(id)
	if g.fewer == nil {
		g.fewer = make(map[uint64]bool)
	}
	g.fewer[id] = true
	s.emit(g, "GUILD_ROLE_DELETE", func(o *jsonOut) {
		o.open('{')
		o.id("guild_id", g.id)
		o.id("role_id", id)
		o.shut('}')
	})
	return true
}
