package cache

import (
	"context"
	"errors"
	"time"
)

// finish lays what came in the meantime over the answers, keeps the guild, and
// tells all who wait.
func (c *Cache) finish(ctx context.Context, l *load, got Snapshot, err error) {
	w := world{guild: l.guild}
	if err == nil {
		w.Snapshot = got
	}
	for left := flushes; !c.finished(l, &w, err, left == 0); left-- {
		if c.keeper.flush(ctx) != nil {
			left = 1 // the last look
		}
	}
	how := succeeded
	switch {
	case c.closed.Load():
		how = abandoned
	case err != nil:
		how = failed
		c.counts.failed.Add(1)
		c.log.Debug("guild not loaded", "guild", l.guild, "error", err)
	}
	if until, opened := c.guard.ended(l.ticket, how); opened {
		c.log.Warn("guild loads stop: too many fail", "until", until, "guild", l.guild, "error", err)
	}
	close(l.done)
}

// flushes is how often a load waits for room among the bytes on their way to
// ristretto.
const flushes = 3

// finished ends the load; false: there is no room now, and this is not the last
// look.
func (c *Cache) finished(l *load, w *world, err error, last bool) bool {
	sh := c.shard(l.guild)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	w.self = c.me()
	for _, e := range l.meantime {
		w.apply(e)
	}
	l.meantime, l.bytes = nil, 0
	if err == nil && l.overflow {
		err = errTooMuchMeanwhile
	}
	switch {
	case err != nil && c.closed.Load():
		l.err = &MissingError{Guild: l.guild, Reason: Closed}
	case w.removed:
		l.err = c.missing(l.guild, sh.records.fail(l.guild, Removed, 0, c.guard.options), nil)
	case w.down:
		l.err = c.missing(l.guild, sh.records.fail(l.guild, Outage, 0, c.guard.options), nil)
	case !w.loaded() || l.overflow:
		why, least := judge(err)
		rec := sh.records.fail(l.guild, why, least, c.guard.options)
		l.err = c.missing(l.guild, rec, err)
	default:
		return c.take(sh, l, w, last)
	}
	delete(sh.loads, l.guild)
	return true
}

var errTooMuchMeanwhile = errors.New("more events came during the load than are kept")

// take keeps a loaded guild; the caller holds the shard's lock. Who waits gets
// it even if it does not fit.
func (c *Cache) take(sh *shard, l *load, w *world, last bool) bool {
	w.tighten()
	charge := chargeFor(w.size())
	fits := charge <= c.books.limit
	if fits && !c.books.enter(charge) {
		if !last {
			return false
		}
		fits = false
	}
	w.Version = c.version.Add(1)
	h := &held{Snapshot: w.Snapshot}
	l.snapshot = &h.Snapshot
	delete(sh.loads, l.guild)
	if !fits {
		sh.records.fail(l.guild, Memory, 0, c.guard.options)
		return true
	}
	e := newEntry(&c.books, l.guild, h, charge, c.now())
	e.transit = charge
	sh.pin(e)
	c.keeper.enqueue(e)
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
