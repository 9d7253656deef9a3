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

// resume lifts the barrier, unless it is the last one.
func (q *queue) resume() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.paused = q.ending
	q.signal(q.wake)
}

// end is the barrier that is not lifted any more: what waits is for the next
// start of the host.
func (q *queue) end() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.paused, q.ending = true, true
}

// hasEnded says whether nothing will be sent any more.
func (q *queue) hasEnded() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.ending
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

// widen prepares for a build that asks for further kinds: these begin for it
// with what is pushed from now on, although older ones are in the journal, where
// a plugin that falls behind reads again from its last event on.
func (q *queue) widen(next wanted) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.kept.journal == nil {
		return
	}
	last := q.kept.journal.Last()
	for name := range next.kinds {
		if !q.wanted.names(name) {
			q.wanted.begin(name, last+1)
		}
	}
}

// keep drops what a new build does not ask for: it counts as handled, as it
// would have with that build from the start. Pause first, with nothing in
// flight.
func (q *queue) keep(next wanted) {
	q.mu.Lock()
	defer q.mu.Unlock()
	next.since = q.wanted.since
	q.wanted = next
	redeliver := q.redeliver[:0]
	for _, i := range q.redeliver {
		if next.names(i.event.Name) {
			redeliver = append(redeliver, i)
			continue
		}
		q.acknowledge(i)
		q.land(i)
	}
	clear(q.redeliver[len(redeliver):])
	q.redeliver = redeliver
	for _, l := range q.lanes {
		q.keepInLane(l)
	}
	q.feedOn()
	q.checkIdle()
}

func (q *queue) keepInLane(l *lane) {
	kept := lane{}
	for l.head != nil {
		i := q.pop(l)
		if !q.wanted.names(i.event.Name) {
			q.acknowledge(i)
			q.release(i)
			continue
		}
		i.guild = q.wanted.guildState(i.event)
		if kept.tail == nil {
			kept.head = i
		} else {
			kept.tail.next = i
		}
		kept.tail = i
		q.count.queued++
		q.count.queuedBytes += i.cost()
	}
	l.head, l.tail = kept.head, kept.tail
	q.retire(l)
}
