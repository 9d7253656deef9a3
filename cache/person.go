package cache

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
)

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

// asking is a member that Discord is being asked for, by all who want it at the
// moment. The lock of the guild's shard guards all but done and the outcome.
type asking struct {
	who    whose
	wanted int // how many wait
	cancel context.CancelFunc
	done   chan struct{} // closed when member or err is there
	member json.RawMessage
	err    error

	meantime []event // of this member, or of a role that may be its, in order
	apart    bool    // what came in between is not known: nobody joins it, nothing is kept of it
}

// whose member it is.
type whose struct{ guild, user uint64 }

// maxMemberMeantime bounds the events of one member while it is being asked for.
const maxMemberMeantime = 64

// Member returns a member object without guild_id: the bot's own from its
// guild, others from what is kept, else what ask answers. Whoever wants the same
// member meanwhile shares that answer, and what events say of it meanwhile lies
// on top: no caller gets a member older than an event that was applied before
// its call. If members are kept and the guild is loaded the answer is kept.
//
// ask gets Discord's GET /guilds/{guild}/members/{user}; it runs in a goroutine
// of the cache and must end when its context does: at the cache's timeout, at
// Close, or when nobody waits any more. The error is ask's own, a *LoadError
// with status 404 if an event tells that the member has left, or ctx's.
func (c *Cache) Member(ctx context.Context, guild, user uint64, ask func(context.Context) (json.RawMessage, error)) (json.RawMessage, error) {
	sh := c.shard(guild)
	sh.mu.Lock()
	if m := c.heldMember(sh, guild, user); m != nil {
		sh.mu.Unlock()
		return m, nil
	}
	a := sh.asks[whose{guild, user}]
	if a == nil {
		if c.closed.Load() {
			sh.mu.Unlock()
			return nil, &MissingError{Guild: guild, Reason: Closed}
		}
		a = c.begin(ctx, sh, whose{guild, user}, ask)
	}
	a.wanted++
	sh.mu.Unlock()
	select {
	case <-a.done:
		return a.member, a.err
	case <-ctx.Done():
	}
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if a.wanted--; a.wanted == 0 {
		c.part(sh, a)
		a.cancel()
	}
	return nil, fmt.Errorf("get member %d of guild %d: %w", user, guild, ctx.Err())
}

// heldMember is a member that need not be asked for, or nil; the caller holds
// the shard's lock.
func (c *Cache) heldMember(sh *shard, guild, user uint64) json.RawMessage {
	e, h := c.readable(sh, guild)
	if e == nil {
		return nil
	}
	if user == c.me() {
		return ownMember(h)
	}
	p, _ := e.people.get(user)
	return p.Member
}

// begin asks for a member; the caller holds the shard's lock.
func (c *Cache) begin(ctx context.Context, sh *shard, who whose, ask func(context.Context) (json.RawMessage, error)) *asking {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.timeout)
	a := &asking{who: who, cancel: cancel, done: make(chan struct{})}
	if sh.asks == nil {
		sh.asks = make(map[whose]*asking)
	}
	sh.asks[who] = a
	c.asking.Add(1)
	c.running.Go(func() { // Close cancels and waits
		defer cancel()
		m, err := ask(ctx)
		if err == nil {
			m, err = memberOf(m, who.user)
		}
		c.answered(a, m, err)
	})
	return a
}

func memberOf(answer json.RawMessage, user uint64) (json.RawMessage, error) {
	if !json.Valid(answer) || idOf(field(answer, "user")) != user {
		return nil, fmt.Errorf("get member %d: the answer of %d bytes is no such member", user, len(answer))
	}
	return strip(answer, "guild_id"), nil
}

var errLeft = errors.New("the member has left")

// answered lays what came in the meantime over the answer, keeps it, and tells
// all who wait.
func (c *Cache) answered(a *asking, m json.RawMessage, err error) {
	sh := c.shard(a.who.guild)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	defer close(a.done)
	if err == nil {
		for _, e := range a.meantime {
			m = memberAfter(m, e)
		}
		if m == nil {
			err = &LoadError{Status: http.StatusNotFound, Err: errLeft}
		}
	}
	if err != nil && c.closed.Load() {
		err = &MissingError{Guild: a.who.guild, Reason: Closed, Err: err}
	}
	if a.err = err; err != nil {
		c.part(sh, a)
		return
	}
	a.member = c.keeps.ofMember(m)
	if e, _ := c.readable(sh, a.who.guild); e != nil && e.people != nil && !a.apart && a.who.user != c.me() {
		e.people.set(a.who.user, Members, a.member)
		c.fit(sh, e)
	}
	c.part(sh, a)
}

// part keeps others from joining what is asked for; the caller holds the
// shard's lock.
func (c *Cache) part(sh *shard, a *asking) {
	a.apart = true
	if sh.asks[a.who] == a {
		delete(sh.asks, a.who)
		c.asking.Add(-1)
	}
}

// memberAfter is a member after an event of its own, or of a role; nil: it has left.
func memberAfter(m json.RawMessage, e event) json.RawMessage {
	switch e.name {
	case "GUILD_MEMBER_ADD":
		return strip(e.data, "guild_id")
	case "GUILD_MEMBER_REMOVE":
		return nil
	case "GUILD_MEMBER_UPDATE":
		return merge(m, e.data, "guild_id")
	case "GUILD_ROLE_DELETE":
		if rest := withoutRole(m, snowflake(field(e.data, "role_id"))); rest != nil {
			return rest
		}
	}
	return m
}

// ofMembers reports whether events of this name may change a member that is
// being asked for.
func ofMembers(name string) bool {
	switch name {
	case "GUILD_MEMBER_ADD", "GUILD_MEMBER_UPDATE", "GUILD_MEMBER_REMOVE", "GUILD_MEMBERS_CHUNK",
		"GUILD_ROLE_DELETE", "GUILD_CREATE", "GUILD_DELETE":
		return true
	}
	return false
}

// meanwhile notes an event for the members that are being asked for.
func (c *Cache) meanwhile(guild uint64, ev event) {
	sh := c.shard(guild)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if !json.Valid(ev.data) {
		return
	}
	switch ev.name {
	case "GUILD_MEMBER_ADD", "GUILD_MEMBER_UPDATE", "GUILD_MEMBER_REMOVE":
		c.note(sh, sh.asks[whose{guild, idOf(field(ev.data, "user"))}], ev)
		return
	case "GUILD_MEMBERS_CHUNK":
		elements(field(ev.data, "members"), func(m []byte) bool {
			if a := sh.asks[whose{guild, idOf(field(m, "user"))}]; a != nil {
				c.note(sh, a, event{"GUILD_MEMBER_ADD", bytes.Clone(m)})
			}
			return true
		})
		return
	}
	for who, a := range sh.asks {
		switch {
		case who.guild != guild:
		case ev.name == "GUILD_CREATE", ev.name == "GUILD_DELETE": // events may have been missed
			c.part(sh, a)
		default:
			c.note(sh, a, ev)
		}
	}
}

func (c *Cache) note(sh *shard, a *asking, ev event) {
	switch {
	case a == nil:
	case len(a.meantime) < maxMemberMeantime:
		a.meantime = append(a.meantime, ev)
	default:
		c.part(sh, a)
	}
}
