package cache

import (
	"sync"
	"time"
)

// GuardOptions are the numbers of the guard. The zero value of each is its
// default.
type GuardOptions struct {
	Rate        float64       // loads a second over all guilds; 5
	Burst       int           // loads at once after a quiet time; 10
	Reserve     int           // tokens that events which come in masses leave to all else; half the burst, -1: none
	Patience    time.Duration // how long a load may wait for its token, but for events that come in masses; 1 s, -1: not at all
	Concurrency int           // loads under way at once; 4. One place is kept from events that come in masses
	Waiting     int           // loads that may wait for such a place; 16
	BackoffMin  time.Duration // after a guild's first failure, twice as long after each further one; 5 s
	BackoffMax  time.Duration // longest back-off; 15 min
	Remembered  int           // guilds whose failures are remembered; 65,536
	Window      time.Duration // in which the breaker counts; 30 s
	Failures    int           // it opens at so many failures in a window, if they are at least half of all loads; 10
	OpenMin     time.Duration // first time that it stays open, twice as long each further time; 10 s
	OpenMax     time.Duration // longest time that it stays open; 5 min

	// Allowed is asked before each load; false refuses it as GuardOpen. Here the
	// ledger of invalid requests has its say. Status asks it, too. It must be quick
	// and not call the cache. Nil allows all.
	Allowed func() bool
}

func (o GuardOptions) withDefaults() GuardOptions {
	o.Rate = orDefault(o.Rate, 5)
	o.Burst = orDefault(o.Burst, 10)
	o.Reserve = min(max(orDefault(o.Reserve, o.Burst/2), 0), o.Burst-1)
	o.Patience = max(orDefault(o.Patience, time.Second), 0)
	o.Concurrency = orDefault(o.Concurrency, 4)
	o.Waiting = orDefault(o.Waiting, 16)
	o.BackoffMin = orDefault(o.BackoffMin, 5*time.Second)
	o.BackoffMax = max(orDefault(o.BackoffMax, 15*time.Minute), o.BackoffMin)
	o.Remembered = orDefault(o.Remembered, 1<<16)
	o.Window = orDefault(o.Window, 30*time.Second)
	o.Failures = orDefault(o.Failures, 10)
	o.OpenMin = orDefault(o.OpenMin, 10*time.Second)
	o.OpenMax = max(orDefault(o.OpenMax, 5*time.Minute), o.OpenMin)
	return o
}

func orDefault[T comparable](v, d T) T {
	var zero T
	if v == zero {
		return d
	}
	return v
}

// Cause is why somebody wants a guild. When loads are scarce, Mass is refused
// first.
type Cause uint8

// The causes.
const (
	Read        Cause = iota // a handler asks for it
	Interaction              // an interaction's handler wants it before it runs
	Event                    // an event's handler wants it before it runs
	Mass                     // the same for an event of a kind that comes in masses
)

// CauseOf returns the cause for an event that wants its guild.
func CauseOf(event string) Cause {
	switch event {
	case "INTERACTION_CREATE":
		return Interaction
	case "GUILD_MEMBER_ADD", "GUILD_MEMBER_REMOVE", "GUILD_MEMBER_UPDATE", "GUILD_MEMBERS_CHUNK",
		"GUILD_BAN_ADD", "GUILD_BAN_REMOVE", "GUILD_AUDIT_LOG_ENTRY_CREATE",
		"PRESENCE_UPDATE", "TYPING_START", "MESSAGE_DELETE_BULK",
		"MESSAGE_REACTION_ADD", "MESSAGE_REACTION_REMOVE", "MESSAGE_REACTION_REMOVE_ALL", "MESSAGE_REACTION_REMOVE_EMOJI":
		return Mass
	default:
		return Event
	}
}

// guard stands before each load: tokens, places, breaker.
type guard struct {
	options GuardOptions
	places  chan struct{} // one in it for each load that runs

	mu      sync.Mutex
	tokens  float64
	filled  time.Time
	running int // admitted and not ended, running or waiting for a place
	breaker breaker
}

func newGuard(o GuardOptions) *guard {
	return &guard{
		options: o,
		places:  make(chan struct{}, o.Concurrency),
		tokens:  float64(o.Burst),
		filled:  time.Now(),
		breaker: breaker{options: o},
	}
}

// ticket is a load's admission.
type ticket struct {
	admitted bool
	probe    bool          // it tries whether Discord answers again
	wait     time.Duration // until its token is there
}

// admit takes a token and a place in line for one load, or says why not. An
// admitted load must end.
func (g *guard) admit(why Cause) (t ticket, r Reason, until time.Time) {
	if !g.allowed() {
		return ticket{}, GuardOpen, time.Time{}
	}
	now := time.Now()
	g.mu.Lock()
	defer g.mu.Unlock()
	if until, open := g.breaker.refuses(now); open {
		return ticket{}, GuardOpen, until
	}
	line, need, patience := g.options.Concurrency+g.options.Waiting, 1.0, g.options.Patience
	if why == Mass {
		line, need, patience = max(g.options.Concurrency-1, 1), 1+float64(g.options.Reserve), 0
	}
	g.fill(now)
	wait := time.Duration((need - g.tokens) / g.options.Rate * float64(time.Second))
	if g.running >= line || wait > patience {
		return ticket{}, Refused, time.Time{}
	}
	g.tokens-- // below nothing: the next token is spoken for
	g.running++
	return ticket{admitted: true, probe: g.breaker.started(), wait: wait}, "", time.Time{}
}

// allowed asks the ledger; no lock is held.
func (g *guard) allowed() bool { return g.options.Allowed == nil || g.options.Allowed() }

func (g *guard) fill(now time.Time) {
	g.tokens = min(g.tokens+now.Sub(g.filled).Seconds()*g.options.Rate, float64(g.options.Burst))
	g.filled = now
}

// ended takes back a load's place in line and counts how it went. It reports
// whether that opened the breaker, and until when.
func (g *guard) ended(t ticket, o outcome) (until time.Time, opened bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.running--
	before := g.breaker.opened
	g.breaker.ended(time.Now(), o, t.probe)
	return g.breaker.until, g.breaker.opened > before
}
