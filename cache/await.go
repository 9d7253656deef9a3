package cache

import (
	"context"
	"strconv"
	"time"
)

// After READY Discord sends each guild that it lists, as GUILD_CREATE. Until
// then what is known of it may be older than the session, and asking for it
// would cost requests for what comes by itself. The same holds for a guild in an
// outage. Such guilds are awaited: no load is begun for them, whoever wants one
// waits for its GUILD_CREATE.

// ready takes note of a new session: of who the bot is, which guilds the session
// has, and which it has not any more. Discord lists all of the shard's.
func (c *Cache) ready(data []byte) {
	if id := idOf(field(data, "user")); id != 0 {
		c.know(id)
	}
	list := field(data, "guilds")
	if !isList(list) {
		return
	}
	listed := make(map[uint64]struct{})
	elements(list, func(g []byte) bool {
		if id := idOf(g); id != 0 {
			listed[id] = struct{}{}
			if isTrue(field(g, "unavailable")) {
				c.expect(id)
			}
		}
		return true
	})
	c.drop(field(data, "shard"), listed)
}

// Resumed tells the guilds of a session that goes on from before the start: no
// READY lists them. Call it before Apply is told the session's events. For some
// GUILD_CREATE is still to come, when the start was in the middle of them or in an
// outage, and that does not mean that the bot has joined; for most it will not, so
// nobody waits for it.
func (c *Cache) Resumed(guilds []uint64) {
	for _, guild := range guilds {
		sh := c.shard(guild)
		sh.mu.Lock()
		if sh.resumed == nil {
			sh.resumed = make(map[uint64]struct{})
		}
		sh.resumed[guild] = struct{}{}
		sh.mu.Unlock()
	}
}

// expect has a guild be awaited.
func (c *Cache) expect(guild uint64) {
	sh := c.shard(guild)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.records.of(guild).reason != Memory {
		sh.records.forget(guild) // of the session before
	}
	sh.await(guild)
	if l := sh.loads[guild]; l != nil {
		l.remember(event{"GUILD_DELETE", with([]byte(`{"unavailable":true}`), "id", quoted(guild))})
		l.people = nil
	}
	c.partAll(sh, guild)
	if e := c.find(sh, guild); e != nil {
		h := *e.held.Load()
		h.down, e.failed = true, false
		e.held.Store(&h)
	}
}

// drop has the guilds of a shard be gone that are not listed.
func (c *Cache) drop(shard []byte, listed map[uint64]struct{}) {
	var of []uint64 // the shard's number, and how many there are
	elements(shard, func(text []byte) bool {
		n, err := strconv.ParseUint(string(text), 10, 32)
		if err == nil {
			of = append(of, n)
		}
		return err == nil
	})
	if len(of) != 2 || of[0] >= of[1] {
		return
	}
	known := c.Kept()
	for i := range c.shards {
		sh := &c.shards[i]
		sh.mu.Lock()
		for _, more := range [...]map[uint64]struct{}{sh.awaited, sh.resumed} {
			for guild := range more {
				known = append(known, guild)
			}
		}
		for guild := range sh.loads {
			known = append(known, guild)
		}
		sh.mu.Unlock()
	}
	for _, guild := range known {
		if guild>>22%of[1] != of[0] { // Discord's formula, "Gateway", Sharding
			continue // most are: at a start each of many shards has its READY
		}
		if _, is := listed[guild]; !is {
			c.change(guild, event{"GUILD_DELETE", append(appendMember([]byte{'{'}, "id", quoted(guild)), '}')})
		}
	}
}

// await has a guild be awaited; the caller holds the lock.
func (sh *shard) await(guild uint64) {
	if sh.awaited == nil {
		sh.awaited = make(map[uint64]struct{})
	}
	sh.awaited[guild] = struct{}{}
}

// had reports whether a guild is one that the bot was in before its GUILD_CREATE;
// the caller holds the lock.
func (sh *shard) had(guild uint64) bool {
	_, awaited := sh.awaited[guild]
	_, resumed := sh.resumed[guild]
	return awaited || resumed
}

// awaits reports whether who wants the guild is to wait for its GUILD_CREATE; the
// caller holds the lock. Who has waited in vain is told so for a while. A caller
// that looks at the record, too, looks at both at one moment: else it begins a load
// beside the wait.
func (sh *shard) awaits(guild uint64, now time.Time) bool {
	if _, awaited := sh.awaited[guild]; !awaited {
		return false
	}
	_, holds := sh.records.look(guild, now)
	return !holds
}

// await is a load without requests: it ends with the guild's GUILD_CREATE, or
// with its time as an outage. The caller holds the shard's lock.
func (c *Cache) await(sh *shard, guild uint64) *load {
	if l := sh.loads[guild]; l != nil {
		return l // begun before the guild was awaited
	}
	l := sh.waits[guild]
	if l != nil {
		return l
	}
	l = &load{guild: guild, done: make(chan struct{})}
	l.timer = time.AfterFunc(c.timeout, func() {
		sh.mu.Lock()
		defer sh.mu.Unlock()
		if sh.waits[guild] == l {
			rec := sh.records.fail(guild, Outage, 0, c.guard.options)
			sh.answer(guild, nil, c.missing(guild, rec, context.DeadlineExceeded))
		}
	})
	if sh.waits == nil {
		sh.waits = make(map[uint64]*load)
	}
	sh.waits[guild] = l
	return l
}

// answer ends the wait for a guild, if somebody waits; the caller holds the lock.
// With neither a snapshot nor an error, who waits looks again.
func (sh *shard) answer(guild uint64, s *Snapshot, err error) {
	l := sh.waits[guild]
	if l == nil {
		return
	}
	l.timer.Stop()
	if l.snapshot, l.err = s, err; s == nil && err == nil {
		l.err, l.again = &MissingError{Guild: guild, Reason: Outage}, true
	}
	close(l.done)
	if delete(sh.waits, guild); len(sh.waits) == 0 {
		sh.waits = nil // a map does not shrink
	}
}

// settle ends the wait for a guild that is not awaited any more.
func (sh *shard) settle(guild uint64, s *Snapshot, err error) {
	if delete(sh.awaited, guild); len(sh.awaited) == 0 {
		sh.awaited = nil
	}
	if delete(sh.resumed, guild); len(sh.resumed) == 0 {
		sh.resumed = nil
	}
	sh.answer(guild, s, err)
}

// endWaits tells who waits that the cache is closed; the caller holds the lock.
func (c *Cache) endWaits(sh *shard) {
	for guild := range sh.waits {
		sh.answer(guild, nil, &MissingError{Guild: guild, Reason: Closed})
	}
	for _, guild := range sh.asks {
		for _, of := range guild {
			for _, a := range of {
				a.cancel()
			}
		}
	}
}

// isMissing remembers that a guild is not to be had, Removed or Outage, and tells
// who waits for it. One in an outage is awaited.
func (c *Cache) isMissing(sh *shard, guild uint64, why Reason) {
	err := c.missing(guild, sh.records.fail(guild, why, 0, c.guard.options), nil)
	if why == Outage {
		sh.await(guild)
		sh.answer(guild, nil, err)
		return
	}
	sh.settle(guild, nil, err)
}

// created decides what becomes of the GUILD_CREATE of a guild that is not there:
// it is kept if somebody waits for it, if the bot has just joined the guild, or
// if the cache is to be warm.
func (c *Cache) created(sh *shard, guild uint64, under *load, ev event) {
	if under != nil { // the load takes it
		sh.settle(guild, nil, nil)
		c.populate(under.others(c), ev)
		return
	}
	l := sh.waits[guild]
	if sh.had(guild) && l == nil && (c.warm == nil || !c.warm(guild)) {
		sh.settle(guild, nil, nil)
		return
	}
	w := c.world(guild)
	if !w.apply(ev) || w.down {
		return
	}
	if l == nil {
		l = &load{guild: guild}
	}
	c.populate(l.others(c), ev)
	h := &held{Snapshot: w.packed(c.packing)}
	c.take(sh, l, h, true)
	sh.settle(guild, l.snapshot, nil)
}

// others are the people that are heard of while a guild is on its way.
func (l *load) others(c *Cache) *people {
	if l.people == nil {
		l.people = newPeople(l.guild, c.people, &c.keeps)
	}
	return l.people
}

// roomWait bounds how long an event waits for room, with all that comes behind it: a
// guild that finds none is not kept, or goes. Taking 15,000 guilds that have all grown
// takes ristretto 40 to 80 ms, more on a busy machine.
const roomWait = 500 * time.Millisecond

// makeRoom waits until ristretto has taken what is on its way to it, if so many bytes
// more would find no room there: GUILD_CREATE may come in masses, and what is there grows.
func (c *Cache) makeRoom(bytes int64) {
	full := func() bool {
		on := c.books.transit.Load()
		return on > 0 && on+chargeFor(bytes) > c.books.limit
	}
	if !full() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), roomWait)
	defer cancel()
	for range flushes {
		if c.keeper.flush(ctx) != nil || !full() {
			return
		}
	}
}

// growth is how many bytes an event may add to what a guild is charged: its own, and the
// little that a charge is above what is held.
func (c *Cache) growth(guild uint64, ev event) int64 {
	bytes := int64(len(ev.data))
	if e := c.store.get(guild); e != nil {
		bytes += e.charge.Load() / 16
	}
	return bytes
}
