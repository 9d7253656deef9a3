package plugins

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/holdfast-bot/holdfast/sdk/wire"
)

// setAway says whether no instance takes events: then most of what comes waits in
// the journal and not in memory.
func (q *queue) setAway(away bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.away = away
	q.feedOn()
	q.signal(q.wake)
}

// crashed takes back what was in flight when an instance died: it goes first
// to the next one, in the order of sending, marked. It returns what became a
// dead letter, because it was alone in flight at too many crashes.
func (q *queue) crashed() (dead []wire.Event) {
	q.mu.Lock()
	defer q.mu.Unlock()
	back := slices.SortedFunc(maps.Values(q.inFlight), func(a, b *item) int {
		return cmp.Compare(a.order, b.order)
	})
	clear(q.inFlight)
	alone := len(back) == 1 && back[0].flags&wire.Redelivered != 0
	again := make([]*item, 0, len(back)+len(q.redeliver))
	for _, i := range back {
		i.flags |= wire.Redelivered
		if alone {
			i.alone++
		}
		if i.alone < maxAlone {
			again = append(again, i)
			continue
		}
		q.lose(i)
		dead = append(dead, *i.event)
		q.count.deadLetters++
		q.acknowledge(i)
		q.land(i)
	}
	// What still waits from an earlier crash was sent later than the one
	// that was in flight since, so it stays behind it.
	q.redeliver = append(again, q.redeliver...)
	q.recovering = len(q.redeliver) > 0
	q.checkIdle()
	return dead
}

// stuckSince returns since when the instance could have acknowledged an event
// and has not, the longest of all; ok is false when nothing is in flight. An
// event's turn comes when the one before it in its lane is done.
func (q *queue) stuckSince() (oldest time.Time, name string, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, i := range q.inFlight {
		since := i.sent
		if i.lane != nil && i.lane.progress.After(since) {
			since = i.lane.progress
		}
		if !ok || since.Before(oldest) {
			oldest, name, ok = since, i.event.Name, true
		}
	}
	return oldest, name, ok
}

// waitIdle returns when nothing is queued or in flight or left to the journal.
func (q *queue) waitIdle(ctx context.Context) error {
	q.mu.Lock()
	if q.empty() {
		q.mu.Unlock()
		return nil
	}
	if q.idle == nil {
		q.idle = make(chan struct{})
	}
	idle := q.idle
	q.mu.Unlock()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// snapshot returns the counters, how many events are in flight, and how many
// wait in the journal.
func (q *queue) snapshot() (c counts, inFlight int, behind uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	c = q.count
	c.dropped = maps.Clone(q.count.dropped)
	return c, len(q.inFlight) + len(q.redeliver), q.behindBy()
}
