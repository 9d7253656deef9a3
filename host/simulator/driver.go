package simulator

import (
	"slices"
	"strings"
	"time"
)

// Guild names a guild and a few of what it contains, for a driver to choose from.
type Guild struct {
	ID       uint64
	Name     string
	Owner    uint64
	Channels []uint64 // text channels
	Voice    []uint64
	Threads  []uint64 // archived ones, too
	Roles    []uint64 // beside @everyone
	Members  []uint64 // the first members, at most 100, without the bot
}

const namedMembers = 100

// Guilds lists the guilds that the bot is in, in the order of their ids.
func (s *Server) Guilds() []Guild {
	list := s.world.all()
	out := make([]Guild, len(list))
	for i, g := range list {
		g.mu.Lock()
		out[i] = g.describe()
		g.mu.Unlock()
	}
	return out
}

// Guild describes one guild. False: the bot is not in it.
func (s *Server) Guild(id uint64) (d Guild, ok bool) {
	ok = id != 0 && s.in(id, func(g *guildState) { d = g.describe() })
	return d, ok
}

func (g *guildState) describe() Guild {
	c := g.view()
	d := Guild{ID: g.id, Name: c.name, Owner: c.owner}
	for i := range c.channels {
		switch ch := &c.channels[i]; ch.kind {
		case kindText:
			d.Channels = append(d.Channels, ch.id)
		case kindVoice:
			d.Voice = append(d.Voice, ch.id)
		}
	}
	for i := range c.threads {
		d.Threads = append(d.Threads, c.threads[i].id)
	}
	for _, r := range c.roles[1:] {
		d.Roles = append(d.Roles, r.id)
	}
	for _, m := range g.members(0, namedMembers+1) {
		if m.user != g.bot && len(d.Members) < namedMembers {
			d.Members = append(d.Members, m.user)
		}
	}
	return d
}

// in runs change with the guild locked; guild 0 is where direct messages live. False: there is no such guild.
func (s *Server) in(guild uint64, change func(g *guildState)) bool {
	g := s.world.direct
	if guild != 0 {
		g = s.world.guild(guild)
	}
	if g == nil {
		return false
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	change(g)
	return true
}

// Say lets a user say something. It waits when a session reads slowly, and returns the message's id: 0 when
// there is no such guild or channel.
func (s *Server) Say(guild, channel, user uint64, content string) uint64 {
	s.await(guild)
	m := &message{channel: channel, author: user, content: content}
	ok := false
	s.in(guild, func(g *guildState) {
		if ok = g.has(channel); ok {
			m.id = s.mint.id()
			m.findMentions()
			g.room(channel).add(m)
			s.emitMessage(g, "MESSAGE_CREATE", m)
		}
	})
	if !ok {
		return 0
	}
	return m.id
}

// Edit changes what a user said. False: there is no such message.
func (s *Server) Edit(guild, channel, message uint64, content string) bool {
	s.await(guild)
	ok := false
	s.in(guild, func(g *guildState) {
		if m := g.room(channel).find(message); m != nil {
			changed := *m
			changed.content, changed.edited, changed.mentions, changed.mentionRoles = content, time.Now(), nil, nil
			changed.findMentions()
			*m = changed
			s.emitMessage(g, "MESSAGE_UPDATE", m)
			ok = true
		}
	})
	return ok
}

// Delete removes a message. False: there is no such message.
func (s *Server) Delete(guild, channel, message uint64) bool {
	s.await(guild)
	ok := false
	s.in(guild, func(g *guildState) {
		if ok = g.room(channel).remove(message) != nil; ok {
			s.emitDeleted(g, channel, message)
		}
	})
	return ok
}

func (s *Server) emitDeleted(g *guildState, channel, message uint64) {
	s.emit(g, "MESSAGE_DELETE", func(o *jsonOut) {
		o.open('{')
		o.id("id", message)
		o.id("channel_id", channel)
		o.guildID(g)
		o.shut('}')
	})
}

func (o *jsonOut) guildID(g *guildState) {
	if g.id != 0 {
		o.id("guild_id", g.id)
	}
}

// DirectMessage lets a user write to the bot, and returns the channel and the message.
func (s *Server) DirectMessage(user uint64, content string) (channel, message uint64) {
	s.await(0)
	s.in(0, func(g *guildState) {
		ch := s.directLocked(g, user)
		channel = ch.id
		m := newMessage(s, ch.id, user, content)
		message = m.id
		g.room(ch.id).add(m)
		s.emitMessage(g, "MESSAGE_CREATE", m)
	})
	return channel, message
}

func newMessage(s *Server, channel, author uint64, content string) *message {
	m := &message{id: s.mint.id(), channel: channel, author: author, content: content}
	m.findMentions()
	return m
}

// directLocked gives the direct-message channel with a user, made when it is needed.
func (s *Server) directLocked(g *guildState, user uint64) *channel {
	if g.kept == nil {
		g.kept = &content{}
	}
	if i := slices.IndexFunc(g.kept.channels, func(c channel) bool { return c.recipient == user }); i >= 0 {
		return &g.kept.channels[i]
	}
	ch := channel{id: s.mint.id(), kind: kindDM, recipient: user}
	g.kept.channels = append(g.kept.channels, ch)
	g.room(ch.id)
	s.world.adopt(ch.id, g)
	return &g.kept.channels[len(g.kept.channels)-1]
}

// Typing shows a user typing.
func (s *Server) Typing(guild, channel, user uint64) {
	s.await(guild)
	s.in(guild, func(g *guildState) {
		s.emit(g, "TYPING_START", func(o *jsonOut) {
			o.open('{')
			o.id("channel_id", channel)
			o.id("user_id", user)
			o.num("timestamp", time.Now().Unix())
			o.guildID(g)
			if g.id != 0 {
				o.key("member")
				o.memberObject(s, g.someone(user))
			}
			o.shut('}')
		})
	})
}

// React adds a user's reaction, as "👍" or "name:id". False: there is no such message.
func (s *Server) React(guild, channel, message, user uint64, emoji string) bool {
	s.await(guild)
	ok := false
	s.in(guild, func(g *guildState) {
		if m := g.room(channel).find(message); m != nil {
			s.reactLocked(g, m, user, emoji)
			ok = true
		}
	})
	return ok
}

// Unreact takes a user's reaction away. False: there is none.
func (s *Server) Unreact(guild, channel, message, user uint64, emoji string) bool {
	s.await(guild)
	ok := false
	s.in(guild, func(g *guildState) {
		if m := g.room(channel).find(message); m != nil {
			ok = s.unreactLocked(g, m, user, emoji)
		}
	})
	return ok
}

func (s *Server) reactLocked(g *guildState, m *message, user uint64, emoji string) {
	i := slices.IndexFunc(m.reactions, func(r reaction) bool { return r.emoji == emoji })
	if i < 0 {
		i = len(m.reactions)
		m.reactions = append(m.reactions, reaction{emoji: emoji})
	}
	if slices.Contains(m.reactions[i].users, user) {
		return
	}
	m.reactions[i].users = append(m.reactions[i].users, user)
	s.emit(g, "MESSAGE_REACTION_ADD", func(o *jsonOut) {
		o.open('{')
		o.reacted(g, m, user, emoji)
		o.id("message_author_id", m.author)
		if g.id != 0 {
			o.key("member")
			o.memberObject(s, g.someone(user))
		}
		o.shut('}')
	})
}

func (s *Server) unreactLocked(g *guildState, m *message, user uint64, emoji string) bool {
	for i := range m.reactions {
		r := &m.reactions[i]
		at := slices.Index(r.users, user)
		if r.emoji != emoji || at < 0 {
			continue
		}
		r.users = slices.Delete(r.users, at, at+1)
		if len(r.users) == 0 {
			m.reactions = slices.Delete(m.reactions, i, i+1)
		}
		s.emit(g, "MESSAGE_REACTION_REMOVE", func(o *jsonOut) {
			o.open('{')
			o.reacted(g, m, user, emoji)
			o.shut('}')
		})
		return true
	}
	return false
}

func (o *jsonOut) reacted(g *guildState, m *message, user uint64, emoji string) {
	o.id("user_id", user)
	o.id("message_id", m.id)
	o.id("channel_id", m.channel)
	o.emoji(strings.TrimPrefix(emoji, "a:"))
	o.guildID(g)
	o.raw(`"burst":false,"type":0`)
}
