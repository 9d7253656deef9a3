package cache

import (
	"context"
	"errors"
	"sync"
	"time"
)

// finish lays what came in the meantime over the answers, keeps the guild, and
// tells all who wait.
func (c *Cache) finish(ctx context.Context, l *load, got bodies, err error) {
	h := c.overlaid(l, got)
	for left := flushes; !c.finished(l, &h, err, left == 0); left-- {
		if c.keeper.flush(ctx) != nil {
			left = 1 // the last look
		}
	}
	if err != nil && !c.closed.Load() {
		c.counts.failed.Add(1)
		c.complain(l.guild, err)
	}
	if until, opened := c.guard.ended(l.ticket, c.howItWent(l.guild, err)); opened {
		c.log.Warn("guild loads stop: too many fail", "until", until, "guild", l.guild, "error", err)
	}
	close(l.done)
}

// complainEvery is how often the log tells of a guild that could not be loaded:
// many may fail at once.
const complainEvery = 10 * time.Second

// complaints are what the log is spared of.
type complaints struct {
	mu   sync.Mutex
	last time.Time
	kept int // failures since then that were not told
}

// complain tells why a guild could not be loaded.
func (c *Cache) complain(guild uint64, err error) {
	c.complaints.mu.Lock()
	defer c.complaints.mu.Unlock()
	about := []any{"guild", guild, "error", err}
	if l, ok := errors.AsType[*LoadError](err); ok {
		about = append(about, "status", l.Status)
	}
	now := time.Now()
	if !c.complaints.last.IsZero() && now.Sub(c.complaints.last) < complainEvery {
		c.complaints.kept++
		c.log.Debug("guild not loaded", about...)
		return
	}
	c.log.Warn("guild not loaded: handlers go on without it, and it is tried again later", append(about, "others_not_told", c.complaints.kept)...)
	c.complaints.last, c.complaints.kept = now, 0
}

// flushes is how often a load waits for room among the bytes on their way to
// ristretto.
const flushes = 3

// overlaid is the answers with what has come up to now on top. No lock is held
// for what that costs; what comes from here on finds a guild that is packed.
func (c *Cache) overlaid(l *load, got bodies) held {
	sh := c.shard(l.guild)
	sh.mu.Lock()
	meantime := l.meantime
	l.meantime = nil // bytes stay counted: they bound the whole load
	sh.mu.Unlock()
	w := c.world(l.guild)
	w.bodies = got
	for _, e := range meantime {
		w.apply(e)
	}
	return held{Snapshot: w.packed(c.packing), down: w.down, removed: w.removed}
}

// finished ends the load; false: there is no room now, and this is not the last
// look.
func (c *Cache) finished(l *load, h *held, err error, last bool) bool {
	sh := c.shard(l.guild)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	now := time.Now()
	for _, e := range l.meantime {
		*h, _ = h.edited(c.world(l.guild), e, rawNever)
	}
	l.meantime = nil
	if err == nil && l.overflow {
		err = errTooMuchMeanwhile
	}
	e := c.find(sh, l.guild)
	switch {
	case e != nil && e.held.Load().answers(l.want): // GUILD_CREATE was quicker, or it is down
		l.snapshot, l.err = e.held.Load().answer(l.guild)
	case err != nil && c.closed.Load():
		l.err = &MissingError{Guild: l.guild, Reason: Closed}
	case h.removed:
		l.err = c.missing(l.guild, sh.records.fail(l.guild, Removed, 0, c.guard.options), nil)
	case h.down && sh.awaits(l.guild, now):
		l.err = &MissingError{Guild: l.guild, Reason: Outage}
	case h.down:
		l.err = c.missing(l.guild, sh.records.fail(l.guild, Outage, 0, c.guard.options), nil)
	case h.Parts() == 0 || l.overflow:
		why, least := judge(err)
		rec := sh.records.fail(l.guild, why, least, c.guard.options)
		l.err = c.missing(l.guild, rec, err)
		if e != nil {
			e.failed = true
		}
	case e != nil:
		if !c.complete(sh, l, e, h, last) {
			return false
		}
	case !c.take(sh, l, h, last):
		return false
	}
	l.again = l.err != nil && sh.awaits(l.guild, now)
	sh.ended(l)
	return true
}

var errTooMuchMeanwhile = errors.New("more events came during the load than are kept")

// take keeps a loaded guild; the caller holds the shard's lock. Who waits gets
// it even if it does not fit. False: there is no room now.
func (c *Cache) take(sh *shard, l *load, h *held, last bool) bool {
	size := sizeOf(&h.Snapshot)
	l.people.shed(c.roomFor(size))
	charge := chargeFor(size + l.people.size())
	fits := charge <= c.books.limit
	if fits && !c.books.enter(charge) {
		if !last {
			return false
		}
		fits = false
	}
	h.Version = c.version.Add(1)
	l.snapshot = &h.Snapshot
	if !fits {
		sh.records.fail(l.guild, Memory, 0, c.guard.options)
		return true
	}
	e := newEntry(&c.books, l.guild, h, charge, c.now())
	if e.people = l.people; e.people == nil {
		e.people = newPeople(l.guild, c.people, &c.keeps)
	}
	e.beside = e.people.size()
	e.transit = charge
	sh.pin(e)
	c.keeper.enqueue(e)
	return true
}

// complete adds parts that were loaded to those that are there, which are as
// true; the caller holds the shard's lock. What does not fit leaves the entry as
// it is. False: there is no room now.
func (c *Cache) complete(sh *shard, l *load, e *entry, h *held, last bool) bool {
	for p, b := range e.held.Load().pieces {
		if b != nil {
			h.pieces[p] = b
		}
	}
	h.raw = e.held.Load().raw
	size := sizeOf(&h.Snapshot)
	e.people.shed(c.roomFor(size))
	e.beside = e.people.size()
	size += e.beside
	fits := c.resized(sh, e, size)
	if !fits && !last && chargeFor(size) <= c.books.limit {
		return false
	}
	h.Version = c.version.Add(1)
	l.snapshot = &h.Snapshot
	if !fits {
		sh.records.fail(l.guild, Memory, 0, c.guard.options)
		e.failed = true
		return true
	}
	e.held.Store(h)
	e.failed = false
	sh.records.forget(l.guild)
	c.active(e)
	return true
}

// missing tells of a failure that has just been recorded.
func (c *Cache) missing(guild uint64, rec record, err error) error {
	return &MissingError{Guild: guild, Reason: rec.reason, Until: rec.until, Err: err}
}

// refusal tells of a failure that was recorded before.
func refusal(guild uint64, rec record) error {
	why := rec.reason
	if why == Failed || why == Timeout {
		why = BackingOff
	}
	return &MissingError{Guild: guild, Reason: why, Until: rec.until}
}

// now is the cache's clock.
func (c *Cache) now() int64 { return int64(time.Since(c.began)) }
