package simulator

import "slices"

// ChangeChannel gives a channel or thread a name and a topic (a thread has none): CHANNEL_UPDATE or THREAD_UPDATE.
// False: there is no such channel.
func (s *Server) ChangeChannel(guild, id uint64, name, topic string) bool {
	return s.changeChannel(guild, id, func(ch *channel) {
		ch.name = name
		if ch.kind != kindThread {
			ch.topic = topic
		}
	})
}

// Overwrite is a permission overwrite of a channel, for a role or a member.
type Overwrite struct {
	ID          uint64
	Member      bool
	Allow, Deny uint64
}

// SetOverwrites replaces the permission overwrites of a channel: CHANNEL_UPDATE. False: there is no such channel.
func (s *Server) SetOverwrites(guild, id uint64, list ...Overwrite) bool {
	return s.changeChannel(guild, id, func(ch *channel) {
		ch.overwrites = nil
		for _, w := range list {
			ch.overwrites = append(ch.overwrites, overwrite{w.ID, w.Member, w.Allow, w.Deny})
		}
	})
}

func (s *Server) changeChannel(guild, id uint64, change func(ch *channel)) bool {
	s.await(guild)
	ok := false
	s.in(guild, func(g *guildState) {
		if !g.has(id) {
			return
		}
		ok = true
		ch := g.keep().find(id)
		change(ch)
		ch.version = g.kept.version
		s.emitChannel(g, ch, "UPDATE")
	})
	return ok
}

// CreateThread makes a thread in a text channel, and returns its id: THREAD_CREATE. 0: there is no such channel.
func (s *Server) CreateThread(guild, parent uint64, name string) (id uint64) {
	s.await(guild)
	s.in(guild, func(g *guildState) {
		if g.has(parent) && g.kindOf(parent) == kindText {
			id = s.channelLocked(g, channel{kind: kindThread, name: name, parent: parent, owner: g.owner()})
		}
	})
	return id
}

// Archive archives a thread, or takes it back among the active ones: THREAD_UPDATE. The bot is told of its own
// membership again when a thread comes back (THREAD_MEMBER_UPDATE, which Discord calls a signal that one is a member
// of the thread). False: there is no such thread.
func (s *Server) Archive(guild, thread uint64, archived bool) bool {
	s.await(guild)
	ok := false
	s.in(guild, func(g *guildState) {
		th := g.thread(thread)
		if ok = th != nil; !ok {
			return
		}
		th.archived = archived
		s.emitChannel(g, th, "UPDATE")
		if !archived && th.botSince != 0 {
			s.emit(g, "THREAD_MEMBER_UPDATE", func(o *jsonOut) {
				o.open('{')
				o.threadMember(s, th)
				o.id("guild_id", g.id)
				o.shut('}')
			})
		}
	})
	return ok
}

// thread gives a thread to change, nil when there is none; the caller holds the lock.
func (g *guildState) thread(id uint64) *channel {
	if !g.has(id) || g.kindOf(id) != kindThread {
		return nil
	}
	return g.keep().find(id)
}

// JoinThread lets the bot join a thread, or leave it: THREAD_MEMBERS_UPDATE, which needs no privileged intent when it
// tells of the bot. False: there is no such active thread.
func (s *Server) JoinThread(guild, thread uint64, in bool) bool {
	s.await(guild)
	ok := false
	s.in(guild, func(g *guildState) {
		th := g.thread(thread)
		if ok = th != nil && !th.archived; !ok || in == (th.botSince != 0) {
			return
		}
		th.botSince = 0
		if in {
			th.botSince = s.mint.id()
		}
		s.emit(g, "THREAD_MEMBERS_UPDATE", func(o *jsonOut) {
			o.open('{')
			o.id("id", th.id)
			o.id("guild_id", g.id)
			o.num("member_count", th.people())
			o.threadJoined(s, g, th)
			o.shut('}')
		})
	})
	return ok
}

// threadJoined writes who was added to a thread, or removed from it: the bot.
func (o *jsonOut) threadJoined(s *Server, g *guildState, th *channel) {
	if th.botSince == 0 {
		o.ids("removed_member_ids", []uint64{s.world.bot})
		return
	}
	o.key("added_members")
	o.open('[')
	o.open('{')
	o.threadMember(s, th)
	o.key("member")
	o.memberObject(s, g.someone(s.world.bot))
	o.raw(`"presence":null`)
	o.shut('}')
	o.shut(']')
}

// ChangeRole gives a role a name and permissions: GUILD_ROLE_UPDATE. False: there is no such role.
func (s *Server) ChangeRole(guild, id uint64, name string, permissions uint64) bool {
	s.await(guild)
	ok := false
	s.in(guild, func(g *guildState) {
		if g.view().role(id) == nil {
			return
		}
		ok = true
		r := g.keep().role(id)
		r.name, r.permissions, r.version = name, permissions, g.kept.version
		s.emitRole(g, "GUILD_ROLE_UPDATE", r)
	})
	return ok
}

// SetEmojis replaces a guild's emojis by new ones of these names: GUILD_EMOJIS_UPDATE.
func (s *Server) SetEmojis(guild uint64, names ...string) bool {
	s.await(guild)
	return s.in(guild, func(g *guildState) {
		c := g.keep()
		c.emojis = nil
		for _, name := range names {
			c.emojis = append(c.emojis, emoji{id: s.mint.id(), name: name})
		}
		s.emit(g, "GUILD_EMOJIS_UPDATE", func(o *jsonOut) {
			o.open('{')
			o.id("guild_id", g.id)
			o.emojis(c.emojis)
			o.shut('}')
		})
	})
}

// SetStickers replaces a guild's stickers by new ones of these names: GUILD_STICKERS_UPDATE.
func (s *Server) SetStickers(guild uint64, names ...string) bool {
	s.await(guild)
	return s.in(guild, func(g *guildState) {
		c := g.keep()
		c.stickers = nil
		for _, name := range names {
			c.stickers = append(c.stickers, sticker{s.mint.id(), name})
		}
		s.emit(g, "GUILD_STICKERS_UPDATE", func(o *jsonOut) {
			o.open('{')
			o.id("guild_id", g.id)
			o.stickers(g.id, c.stickers)
			o.shut('}')
		})
	})
}

// Return brings the bot back into a guild that it was removed from, as a new member of it: GUILD_CREATE. The rest is
// as it was. False: it was not removed from it.
func (s *Server) Return(guild uint64) bool {
	s.await(guild)
	g := s.world.takeLeft(guild)
	if g == nil {
		return false
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.changed, g.bot)
	g.down = false
	s.enterGuild(g)
	return true
}

// deleteThreads takes the threads of a channel that is deleted out of the guild, as Discord does. Nothing is told of
// them.
func (s *Server) deleteThreads(g *guildState, of *channel) {
	c := g.keep()
	for _, th := range c.threads {
		if th.parent == of.id {
			delete(g.rooms, th.id)
			s.world.forget(th.id)
		}
	}
	c.threads = slices.DeleteFunc(c.threads, func(th channel) bool { return th.parent == of.id })
}

// orphan takes the children out of a category that is deleted, as Discord does, and tells that they have changed.
func (s *Server) orphan(g *guildState, of *channel) {
	c := g.keep()
	for i := range c.channels {
		if ch := &c.channels[i]; ch.parent == of.id {
			ch.parent = 0
			s.emitChannel(g, ch, "UPDATE")
		}
	}
}
