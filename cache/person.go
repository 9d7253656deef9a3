package cache

import "encoding/json"

// Person returns what is kept of a user in a guild that is loaded: see
// [Options.People]. It never asks Discord; false means that nothing is known.
// What is known comes from GUILD_CREATE and from events, so of a guild that was
// loaded by requests only of those who have done something since. The bot's own
// member is there when that part of the guild is.
func (c *Cache) Person(guild, user uint64) (Person, bool) {
	sh := c.shard(guild)
	sh.mu.Lock()
	e, h := c.readable(sh, guild)
	if e == nil {
		sh.mu.Unlock()
		return Person{}, false
	}
	p, known := e.people.get(user)
	sh.mu.Unlock()
	if user == c.me() {
		p.Member = ownMember(h)
		known = known || p.Member != nil
	}
	return p, known
}

// VoiceStates returns those of a guild that are known, in the order of the
// users: all if the guild came by GUILD_CREATE, else of those whose voice state
// has changed since it was loaded.
func (c *Cache) VoiceStates(guild uint64) []json.RawMessage {
	sh := c.shard(guild)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	e, _ := c.readable(sh, guild)
	if e == nil {
		return nil
	}
	return e.people.voiceStates()
}

// readable finds a loaded guild for a reader, who keeps it active; the caller
// holds the shard's lock. Nil: there is none, or it is unavailable.
func (c *Cache) readable(sh *shard, guild uint64) (*entry, *held) {
	e := c.find(sh, guild)
	if e == nil {
		return nil, nil
	}
	h := e.held.Load()
	if h.down {
		return nil, nil
	}
	c.active(e)
	return e, h
}

// ownMember is the bot's member as a part of its guild, nil if it is not known.
func ownMember(h *held) json.RawMessage {
	if m := h.Part(PartMember); isObject(m) {
		return m
	}
	return nil
}
