package rest

import (
	"slices"
	"strings"
	"time"
)

// counts are the totals since the gate was made.
type counts struct {
	requests uint64
	limited  uint64
	retries  uint64
}

// Caller is what one caller has done.
type Caller struct {
	Name     string
	Requests uint64 // answers of Discord since the gate was made
	Limited  uint64 // of these, 429
	Invalid  int    // 401, 403 and 429 (but for scope shared) in the last 10 minutes
	Stopped  uint64 // requests that the ledger did not let pass
	Queued   int    // requests inside the gate, those of interactions left out
	Standing string // good, repeats stopped, writes stopped, stopped
	Route    string // the one that was last counted as invalid
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
	Limit    int    // of Invalid, at which Discord bans
	Standing string // of all callers together, as in [Caller]

	PausedUntil time.Time // nothing, or nothing but interactions, is sent before; zero if not so
	BannedUntil time.Time // Cloudflare's ban; zero if there is none
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
		Queued: g.room.normal.requests + g.room.express.requests - g.room.inflight,
		Limit:  g.cfg.Invalid, Standing: g.ledger.ofAll(now).String(),
	}
	if g.banned.After(now) {
		s.BannedUntil = g.banned
	}
	if until := later(g.banned, g.pace.blocked); until.After(now) {
		s.PausedUntil = until
	}
	if g.cause != nil {
		s.Stopped = g.cause.Error()
	}
	return s
}

// Callers tells what each caller has done, by name. Those beyond the first thousand share one account, "others".
func (g *Gate) Callers() []Caller {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	var out []Caller
	for name, a := range g.ledger.accounts {
		out = append(out, Caller{
			Name: name, Requests: a.requests, Limited: a.limited, Invalid: a.count(g.ledger.cell(now)), Stopped: a.stopped,
			Queued: g.room.normal.callers[name].requests, Standing: g.ledger.ofCaller(a, now).String(), Route: a.last,
		})
	}
	slices.SortFunc(out, func(a, b Caller) int { return strings.Compare(a.Name, b.Name) })
	return out
}
