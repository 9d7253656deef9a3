package host

import (
	"slices"
	"time"
)

const (
	// A host that ends soon after its start, and is started again and again, may
	// spend loopStarts IDENTIFYs of each shard within loopWindow.
	loopStarts = 5
	loopWindow = time.Hour
)

// loopPause is how long after the last of n starts within loopWindow the next one
// may identify. One start costs nothing: an operator has a reason for the second.
func loopPause(n int) time.Duration {
	switch {
	case n < 2:
		return 0
	case n == 2:
		return 30 * time.Second
	case n == 3:
		return 2 * time.Minute
	default:
		return 8 * time.Minute
	}
}

// recentStarts are the starts that count still. A clock that was set back makes
// nobody wait longer than if they had all been just now.
func recentStarts(all []time.Time, now time.Time) []time.Time {
	var out []time.Time
	for _, at := range all {
		if at.After(now) {
			at = now
		}
		if now.Sub(at) < loopWindow {
			out = append(out, at)
		}
	}
	slices.SortFunc(out, time.Time.Compare)
	return out
}

// pausedUntil is when this start may identify. What begins by resuming is no
// start in this sense before it must identify.
func (b *budget) pausedUntil(now time.Time) time.Time {
	n := len(b.known.Starts)
	if b.identified || n == 0 {
		return now
	}
	until := b.known.Starts[n-1].Add(loopPause(n))
	if n >= loopStarts {
		until = b.known.Starts[n-loopStarts].Add(loopWindow)
	}
	return until
}

// noteStart counts this start at its first IDENTIFY.
func (b *budget) noteStart(now time.Time) {
	if b.identified {
		return
	}
	b.identified = true
	b.known.Starts = append(recentStarts(b.known.Starts, now), now)
}

// Settled implements gateway.Permits. When every session has lived for a minute
// since it began, whatever ended the hosts before is over.
func (p *permits) Settled(shard int) {
	p.mu.Lock()
	delete(p.unsettled, place{p.set, shard})
	over := len(p.unsettled) == 0 && len(p.known.Starts) > 0
	p.mu.Unlock()
	if over {
		p.change(func(time.Time) { p.known.Starts = nil })
	}
}
