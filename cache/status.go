package cache

import (
	"errors"
	"sync/atomic"
	"time"
)

// Status counts since the start, and tells what is now.
type Status struct {
	Hits    uint64 // found
	Misses  uint64 // not found, whatever came of it
	Loads   uint64 // begun
	Failed  uint64 // loads that failed
	Applied uint64 // events that changed a loaded guild
	// Missing is how often Guild gave none, by reason; only reasons that occurred.
	Missing map[Reason]uint64

	Evicted  uint64 // gone for room
	Expired  uint64 // gone for want of activity
	Rejected uint64 // loaded, and not kept for want of room

	Guilds     int64 // kept
	Bytes      int64 // that they are charged, and hold in parts that have just changed
	Loading    int   // loads under way or in line
	Remembered int   // guilds whose failures are remembered
	Awaited    int   // guilds whose GUILD_CREATE is to come

	Guard      string    // closed (all is well), open, half-open
	GuardUntil time.Time // while it is open; zero: while GuardOptions.Allowed says no
	Tokens     float64   // loads that could begin now
}

type counts struct {
	hits, misses, loads, failed, applied atomic.Uint64
	missing                              [10]atomic.Uint64
}

// refuse counts an error of Guild by its reason; nil is none.
func (c *counts) refuse(err error) {
	if err == nil {
		return
	}
	var m *MissingError
	if !errors.As(err, &m) {
		return
	}
	for i, r := range reasons() {
		if r == m.Reason {
			c.missing[i].Add(1)
		}
	}
}

// Status returns the counters.
func (c *Cache) Status() Status {
	s := Status{
		Hits: c.counts.hits.Load(), Misses: c.counts.misses.Load(),
		Loads: c.counts.loads.Load(), Failed: c.counts.failed.Load(), Applied: c.counts.applied.Load(),
		Missing: make(map[Reason]uint64),
		Evicted: c.store.evicted.Load(), Expired: c.store.expired.Load(), Rejected: c.store.rejected.Load(),
		Guilds: c.books.guilds.Load(), Bytes: c.books.bytes.Load() + c.books.raw.Load(),
	}
	for i, r := range reasons() {
		if n := c.counts.missing[i].Load(); n > 0 {
			s.Missing[r] = n
		}
	}
	for i := range c.shards {
		sh := &c.shards[i]
		sh.mu.Lock()
		s.Remembered += len(sh.records.byGuild)
		s.Awaited += len(sh.awaited)
		sh.mu.Unlock()
	}
	c.guard.status(&s)
	return s
}

func (g *guard) status(s *Status) {
	allowed := g.allowed()
	now := time.Now()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.fill(now)
	s.Loading, s.Tokens = g.running, max(0, g.tokens)
	switch s.Guard = g.breaker.state(now); {
	case s.Guard == "open":
		s.GuardUntil = g.breaker.until
	case !allowed:
		s.Guard = "open"
	}
}
