package plugins

import (
	"time"

	"github.com/holdfast-bot/holdfast/sdk/wire"
)

// take fills b with what may be sent now and returns how many events it put
// there. They are in flight from here on.
func (q *queue) take(b *wire.Batch) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.paused {
		return 0
	}
	q.taken = q.now() // once for the batch
	if q.recovering && !q.takeRedelivered(b) {
		return b.Len()
	}
	q.takeInteractions(b)
	for q.readyHead != nil {
		l := q.readyHead
		if l.head != nil && !q.mayGo(b, l.head) {
			break
		}
		q.popReady()
		if l.head == nil || l.inFlight >= q.limits.perLane {
			q.retire(l)
			continue
		}
		if q.awaitsGuild(l.head) {
			q.park(l)
			continue
		}
		q.send(b, q.pop(l))
		q.makeReady(l)
	}
	q.feedOn()
	q.checkIdle() // what was dropped leaves nothing to acknowledge
	return b.Len()
}

// takeRedelivered sends what an earlier instance may have handled, one at a
// time: if one of them is what kills the plugin, it is found. It reports
// whether all of it is done, so that the rest may flow.
func (q *queue) takeRedelivered(b *wire.Batch) (done bool) {
	if len(q.inFlight) > 0 {
		return false
	}
	for len(q.redeliver) > 0 {
		i := q.redeliver[0]
		q.redeliver[0] = nil
		q.redeliver = q.redeliver[1:]
		if !q.stale(i) {
			q.fly(b, i)
			return false
		}
		q.count.dropped[i.event.Name]++
		q.acknowledge(i)
		q.land(i)
	}
	q.recovering, q.redeliver = false, nil
	return true
}

func (q *queue) takeInteractions(b *wire.Batch) {
	l := &q.interactions
	for l.head != nil && l.inFlight < q.limits.interactions {
		switch {
		case q.taken.Sub(time.Unix(0, l.head.event.Received)) > interactionLife:
			q.drop(q.pop(l))
			continue
		case !b.Fits(l.head.event):
			return
		case q.awaitsGuild(l.head):
			q.hold(q.pop(l))
			continue
		}
		i := q.pop(l)
		if q.stale(i) { // asked last of all: from here on it is with a process
			q.drop(i)
			continue
		}
		q.send(b, i)
	}
}

// mayGo holds the instance's credit. An event larger than all of it goes when
// nothing else is in flight.
func (q *queue) mayGo(b *wire.Batch, i *item) bool {
	ordinary := len(q.inFlight) - q.interactions.inFlight
	if ordinary >= q.limits.events || !b.Fits(i.event) {
		return false
	}
	return ordinary == 0 || q.flightBytes+i.event.FrameSize() <= q.limits.bytes
}

// send takes credit for i and puts it into the batch.
func (q *queue) send(b *wire.Batch, i *item) {
	if i.lane == nil {
		q.interactions.inFlight++
	} else {
		i.lane.inFlight++
		q.flightBytes += i.event.FrameSize()
	}
	q.order++
	i.order = q.order
	q.fly(b, i)
}

func (q *queue) fly(b *wire.Batch, i *item) {
	i.sent = q.taken
	q.inFlight[i.event.Index] = i
	q.handing(i)
	q.count.delivered++
	if i.flags == 0 && i.version == 0 {
		b.Add(i.event)
		return
	}
	marked := *i.event
	marked.Flags |= i.flags
	if i.version != 0 {
		marked.GuildVersion = i.version
	}
	if i.flags != 0 {
		q.count.redelivered++
	}
	b.Add(&marked)
}
