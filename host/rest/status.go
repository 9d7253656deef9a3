package rest

import "time"

// counts are the totals since the gate was made.
type counts struct {
	requests uint64
	limited  uint64
	retries  uint64
}

// Status is a snapshot of the gate.
type Status struct {
	Requests uint64 // answers of Discord
	Limited  uint64 // of these, 429
	Retries  uint64 // attempts repeated after a fault
	Invalid  int    // 401, 403 and 429 (but for scope shared) in the last 10 minutes
	Queued   int    // requests that wait for their turn
	InFlight int    // requests under way
	Buckets  int    // buckets with a window, or with something in them

	PausedUntil time.Time // nothing, or nothing but interactions, is sent before; zero if not so
	Stopped     string    // why nothing is sent any more, or ""
}

// Status tells how the gate stands.
func (g *Gate) Status() Status {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	s := Status{
		Requests: g.counts.requests, Limited: g.counts.limited, Retries: g.counts.retries,
		Invalid: g.ledger.count(now), InFlight: g.room.inflight, Buckets: len(g.buckets),
		Queued: g.room.normal + g.room.express - g.room.inflight,
	}
	if until := later(g.banned, g.pace.blocked); until.After(now) {
		s.PausedUntil = until
	}
	if g.cause != nil {
		s.Stopped = g.cause.Error()
	}
	return s
}
