package gateway

import (
	"slices"
	"time"
)

// handoverLane holds what one set has shown and the other has not.
type handoverLane struct {
	shard  int                         // of the new set
	once   map[fingerprint]time.Time   // shown by the old set, and when: what is made once
	shown  map[fingerprint][]time.Time // the same of what may look alike, ascending
	room   int                         // how much the old set may show before the oldest are looked for
	record []recorded                  // by the new set, until the switch
	wait   map[fingerprint]int         // how many of each mark are in record
}

type recorded struct {
	mark  fingerprint
	event Event
}

// lookAlike is how many times as far as two sessions lie apart what looks alike may do
// so and count as the same: to give one twice is better than to lose one, but both sessions may be
// late on a busy machine.
const lookAlike = 3

// leastRoom keeps lanes with little in them from being looked through each time.
const leastRoom = 16

// takeRecorded says whether the new set has shown an event before the old one, and
// notes that now both have: of those that look alike the first.
func (h *Handover) takeRecorded(l *handoverLane, mark fingerprint) bool {
	if l.wait[mark] == 0 {
		return false
	}
	n := slices.IndexFunc(l.record, func(r recorded) bool { return r.mark == mark })
	h.kept--
	h.bytes -= len(l.record[n].event.Data)
	l.record = slices.Delete(l.record, n, n+1)
	if l.wait[mark]--; l.wait[mark] == 0 {
		delete(l.wait, mark)
	}
	return true
}

// takeShown says whether the old set has shown an event before the new one, and
// notes that now both have: of those that look alike the first. What looks alike and
// was shown long ago, for two sessions, is not the same event, unless the
// new session was away meanwhile, or is late: on a busy machine it may be read so much later.
func (h *Handover) takeShown(l *handoverLane, mark fingerprint, e *Event) bool {
	if madeOnce(e) {
		at, found := l.once[mark]
		if found {
			delete(l.once, mark)
			h.kept--
			h.passed(l, at)
			h.lag[e.Shard] = max(0, e.Received.Sub(at))
		}
		return found
	}
	times := l.shown[mark]
	if !e.Replayed {
		times = since(times, e.Received.Add(-lookAlike*h.skew-2*h.lag[e.Shard]))
	}
	found := len(times) > 0
	if found {
		times = times[1:]
	}
	h.show(l, mark, times)
	return found
}

// passed takes note that the new set is as far in a lane as the old one was at a
// time: what that has shown before and may look like others, the new one has shown
// by now, or never will. In a lane both show the same in the same order.
func (h *Handover) passed(l *handoverLane, at time.Time) {
	for mark, times := range l.shown {
		h.show(l, mark, since(times, at))
	}
}

// forget drops what the old set has shown before a time.
func (h *Handover) forget(l *handoverLane, before time.Time) {
	h.passed(l, before)
	for mark, at := range l.once {
		if at.Before(before) {
			delete(l.once, mark)
			h.kept--
		}
	}
}

// since is the part of ascending times that is not before t.
func since(times []time.Time, t time.Time) []time.Time {
	n := 0
	for n < len(times) && times[n].Before(t) {
		n++
	}
	return times[n:]
}

// show sets when the old set has shown those that look alike.
func (h *Handover) show(l *handoverLane, mark fingerprint, times []time.Time) {
	h.kept -= len(l.shown[mark]) - len(times)
	if len(times) == 0 {
		delete(l.shown, mark)
	} else {
		l.shown[mark] = times
	}
}

func (h *Handover) lane(e *Event) *handoverLane {
	key := e.Guild
	if key == 0 {
		key = e.Channel
	}
	l := h.lanes[key]
	if l == nil {
		// Discord's documentation, "Sharding"; what belongs to no guild comes by shard 0.
		shard := int(e.Guild >> 22 % uint64(h.count))
		l = &handoverLane{shard: shard, once: make(map[fingerprint]time.Time), shown: make(map[fingerprint][]time.Time), wait: make(map[fingerprint]int), room: leastRoom}
		h.lanes[key] = l
	}
	return l
}
