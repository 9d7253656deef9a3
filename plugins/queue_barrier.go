package plugins

import (
	"context"
	"time"
)

// pause is the barrier of a reload: what is in flight may land, nothing more is
// sent. What arrives meanwhile waits for the next instance.
func (q *queue) pause() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.paused = true
}

// resume lifts the barrier.
func (q *queue) resume() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.paused = false
	q.signal(q.wake)
}

// waitLanded returns when nothing is in flight. Pause first.
func (q *queue) waitLanded(ctx context.Context) error {
	q.mu.Lock()
	if len(q.inFlight) == 0 {
		q.mu.Unlock()
		return nil
	}
	if q.landed == nil {
		q.landed = make(chan struct{})
	}
	landed := q.landed
	q.mu.Unlock()
	select {
	case <-landed:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// slowest is the event that has been in flight longest, for the operator.
func (q *queue) slowest() (name string, guild uint64, since time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, i := range q.inFlight {
		if since.IsZero() || i.sent.Before(since) {
			name, guild, since = i.event.Name, i.event.Guild, i.sent
		}
	}
	return name, guild, since
}

// keep drops what a new build does not ask for: it counts as handled, as it
// would have with that build from the start. Pause first, with nothing in
// flight.
func (q *queue) keep(wanted func(name string) bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	redeliver := q.redeliver[:0]
	for _, i := range q.redeliver {
		if wanted(i.event.Name) {
			redeliver = append(redeliver, i)
			continue
		}
		q.land(i)
	}
	clear(q.redeliver[len(redeliver):])
	q.redeliver = redeliver
	for _, l := range q.lanes {
		q.keepInLane(l, wanted)
	}
	q.keepInLane(&q.interactions, wanted)
	q.signal(q.room)
	q.checkIdle()
}

func (q *queue) keepInLane(l *lane, wanted func(string) bool) {
	kept := lane{}
	for l.head != nil {
		i := q.pop(l)
		if !wanted(i.event.Name) {
			q.release(i)
			continue
		}
		if kept.tail == nil {
			kept.head = i
		} else {
			kept.tail.next = i
		}
		kept.tail = i
		q.linkAge(i)
		q.count.queued++
		q.count.queuedBytes += i.cost()
	}
	l.head, l.tail = kept.head, kept.tail
	q.retire(l)
}
