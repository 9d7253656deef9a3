package cache

import "time"

// outcome is how a load went, for the breaker.
type outcome uint8

const (
	succeeded outcome = iota
	failed
	abandoned // the cache was closed, or it says nothing about Discord
)

// breaker opens when many loads fail, whatever guild they are for: each of them
// may count against the bot's invalid requests.
//
//	closed ── many failures ──> open ── time is up ──> half-open (one load at a time)
//	   └───────<── success ──────┴──<── failure, twice as long ──┘
//
// The guard's lock guards it.
type breaker struct {
	options GuardOptions
	slots   [windowSlots]slot
	opened  int // times in a row; 0: closed
	until   time.Time
	probing bool
}

// windowSlots is how finely the window slides.
const windowSlots = 6

type slot struct {
	number     int64
	ok, failed int
}

// refuses reports whether a load may not start now, and until when.
func (b *breaker) refuses(now time.Time) (until time.Time, yes bool) {
	if b.opened == 0 {
		return time.Time{}, false
	}
	return b.until, b.probing || now.Before(b.until)
}

// started reports whether the load that starts is the one that tries a breaker
// that is half-open.
func (b *breaker) started() (probe bool) {
	b.probing = b.opened > 0
	return b.probing
}

func (b *breaker) ended(now time.Time, o outcome, probe bool) {
	if probe {
		b.tried(now, o)
		return
	}
	if b.opened > 0 {
		return // it began before the breaker opened: nothing new
	}
	s := b.slot(now)
	switch o {
	case succeeded:
		s.ok++
	case failed:
		s.failed++
		if ok, bad := b.count(now); bad >= b.options.Failures && bad >= ok {
			b.open(now)
		}
	case abandoned:
	}
}

func (b *breaker) tried(now time.Time, o outcome) {
	b.probing = false
	switch o {
	case succeeded:
		*b = breaker{options: b.options}
	case failed:
		b.open(now)
	case abandoned:
	}
}

func (b *breaker) open(now time.Time) {
	wait := b.options.OpenMin << min(b.opened, 20)
	if wait <= 0 || wait > b.options.OpenMax {
		wait = b.options.OpenMax
	}
	b.opened++
	b.until = now.Add(wait)
}

func (b *breaker) slot(now time.Time) *slot {
	n := now.UnixNano() / max(int64(b.options.Window)/windowSlots, 1)
	s := &b.slots[n%windowSlots]
	if s.number != n {
		*s = slot{number: n}
	}
	return s
}

func (b *breaker) count(now time.Time) (ok, bad int) {
	current := b.slot(now).number
	for _, s := range b.slots {
		if s.number > current-windowSlots {
			ok += s.ok
			bad += s.failed
		}
	}
	return ok, bad
}

// state in the words of Status.
func (b *breaker) state(now time.Time) string {
	switch {
	case b.opened == 0:
		return "closed"
	case now.Before(b.until):
		return "open"
	default:
		return "half-open"
	}
}
