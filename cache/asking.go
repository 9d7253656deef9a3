package cache

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// asking is a member that Discord is being asked for, by all calls of one caller
// that want it at the moment. The lock of the guild's shard guards all but done
// and the outcome.
type asking struct {
	who    whose
	caller string
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

// asks are a guild's members that are being asked for, by user: one for each
// caller, as who joined another's would wait in that one's queue at the gate.
type asks map[uint64][]*asking

// memberPatience is how long a GUILD_CREATE is waited for that may bring a member. At a
// start they come for minutes; asking for one member costs one request, and who wants it
// to answer an interaction has 3 s.
const memberPatience = time.Second

// Member returns a member object without guild_id: the bot's own from its
// guild, others from what is kept, else what ask answers. Calls of the same
// caller that want the same member meanwhile share that answer, and what events
// say of it meanwhile lies on top: no caller gets a member older than an event
// that was applied before its call. If members are kept and the guild is loaded
// the answer is kept; if they are kept and its GUILD_CREATE is to come, that is
// waited for, but for a second only.
//
// ask gets Discord's GET /guilds/{guild}/members/{user}; it runs in a goroutine
// of the cache and must end when its context does: at Close, or when nobody
// waits any more. The error is ask's own, a *LoadError with status 404 if an
// event tells that the member has left, a *MissingError of a guild that the bot
// is not in or may not see, or ctx's.
func (c *Cache) Member(ctx context.Context, caller string, guild, user uint64, ask func(context.Context) (json.RawMessage, error)) (json.RawMessage, error) {
	sh := c.shard(guild)
	sh.mu.Lock()
	if l := c.coming(sh, guild); l != nil {
		sh.mu.Unlock()
		patience := time.NewTimer(memberPatience)
		defer patience.Stop()
		select {
		case <-l.done: // or it does not come: then Discord is asked
		case <-patience.C:
		case <-ctx.Done():
			return nil, fmt.Errorf("get member %d of guild %d: %w", user, guild, ctx.Err())
		}
		sh.mu.Lock()
	}
	m, a, err := c.memberOrAsk(ctx, sh, caller, whose{guild, user}, ask)
	if a != nil {
		a.wanted++
	}
	sh.mu.Unlock()
	if a == nil {
		return m, err
	}
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

// coming is what brings a guild with members that are kept, nil if nothing does;
// the caller holds the shard's lock.
func (c *Cache) coming(sh *shard, guild uint64) *load {
	if c.people&Members == 0 || c.closed.Load() || !sh.awaits(guild, time.Now()) {
		return nil
	}
	return c.await(sh, guild)
}

// memberOrAsk finds a member, or the caller's question for it, or why Discord is
// not asked; the caller holds the shard's lock.
func (c *Cache) memberOrAsk(ctx context.Context, sh *shard, caller string, who whose, ask func(context.Context) (json.RawMessage, error)) (json.RawMessage, *asking, error) {
	if m := c.heldMember(sh, who.guild, who.user); m != nil {
		return m, nil, nil
	}
	of := sh.asks[who.guild][who.user]
	if at := slices.IndexFunc(of, func(a *asking) bool { return a.caller == caller }); at >= 0 {
		return nil, of[at], nil
	}
	if c.closed.Load() {
		return nil, nil, &MissingError{Guild: who.guild, Reason: Closed}
	}
	if err := c.outside(sh, who.guild); err != nil {
		c.counts.refuse(err)
		return nil, nil, err
	}
	return nil, c.begin(ctx, sh, caller, who, ask), nil
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

// outside tells of a guild that it shows nobody to the bot: each answer would
// count towards Discord's ban. Other failures are those of the guild's own
// requests, and one that is there shows that the bot is in it. The caller holds
// the shard's lock.
func (c *Cache) outside(sh *shard, guild uint64) error {
	if c.find(sh, guild) != nil {
		return nil
	}
	if rec, holds := sh.records.look(guild, time.Now()); holds && (rec.reason == Removed || rec.reason == Forbidden) {
		return refusal(guild, rec)
	}
	return c.outsider(guild)
}

// begin asks for a member; the caller holds the shard's lock. It takes as long
// as somebody waits, so that who joins late has all of its own time.
func (c *Cache) begin(ctx context.Context, sh *shard, caller string, who whose, ask func(context.Context) (json.RawMessage, error)) *asking {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	a := &asking{who: who, caller: caller, cancel: cancel, done: make(chan struct{})}
	if sh.asks == nil {
		sh.asks = make(map[uint64]asks)
	}
	if sh.asks[who.guild] == nil {
		sh.asks[who.guild] = make(asks)
	}
	sh.asks[who.guild][who.user] = append(sh.asks[who.guild][who.user], a)
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

// answered lays what came in the meantime over the answer, keeps it, and tells
// all who wait.
func (c *Cache) answered(a *asking, m json.RawMessage, err error) {
	sh := c.shard(a.who.guild)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	defer close(a.done)
	m, err = afterwards(m, err, a.meantime)
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
	guild := sh.asks[a.who.guild]
	of := guild[a.who.user]
	at := slices.Index(of, a)
	if at < 0 {
		return
	}
	c.asking.Add(-1)
	if guild[a.who.user] = slices.Delete(of, at, at+1); len(of) == 1 {
		delete(guild, a.who.user)
	}
	if len(guild) == 0 {
		delete(sh.asks, a.who.guild)
	}
}

// partAll parts all that a guild is asked for, as events may have been missed;
// the caller holds the shard's lock.
func (c *Cache) partAll(sh *shard, guild uint64) {
	for _, of := range sh.asks[guild] {
		for _, a := range of {
			a.apart = true
			c.asking.Add(-1)
		}
	}
	delete(sh.asks, guild)
}
