package rest

import (
	"container/list"
	"time"
)

// windowSlack is added to every wait that Discord gives, because its numbers are cut off at milliseconds.
const windowSlack = 3 * time.Millisecond

type bucketKey struct{ id, major string }

// bucket is what Discord counts together. Its conditions are drawn in the package's documentation. It is guarded by the
// gate's lock.
type bucket struct {
	key    bucketKey
	exempt bool

	free      bool // Discord names no limit for it
	counted   bool
	remaining int
	reset     time.Time
	window    uint64  // number of the window that is counted, or was last
	probe     *ticket // the one request under way while neither free nor counted
	passed    int     // requests that ended while the probe was under way: its answer may not have counted them
	inflight  int
	inherited int     // of these, sent under the name of before, so that one of them is the probe
	heir      *bucket // counts what is in flight too: Discord's name for the bucket has become known meanwhile
	refusals  refusals
	told      uint64 // the newest grant when the last 429 was counted in refusals
	granted   uint64 // the newest grant, and
	heard     uint64 // the newest grant whose answer has been applied

	lanes  []*lane // in the order of their turns
	queued int

	wakeAt time.Time // when schedule looks at it again
	index  int       // in the gate's wakes, or -1
}

// lane is what one caller has waiting in one bucket, oldest first.
type lane struct {
	bucket *bucket
	caller *caller
	queue  list.List // of *ticket
	writer *ticket   // the write that the lane's other writes wait for
	first  uint64    // the head's age when the lane was last put in order
	index  int       // in the caller's ready lanes, or -1
}

// roll ends a window that has passed: what the next one holds, a probe finds out.
func (b *bucket) roll(now time.Time) {
	if b.counted && !now.Before(b.reset) {
		b.counted, b.probe, b.passed = false, nil, 0
	}
}

// open tells whether a request may be granted.
func (b *bucket) open() bool {
	switch {
	case b.free:
		return true
	case b.counted:
		return b.remaining > 0
	}
	// The first of a window goes alone.
	return b.probe == nil && b.inherited == 0
}

// unused tells whether nothing of the bucket waits or is under way.
func (b *bucket) unused() bool { return len(b.lanes) == 0 && b.inflight == 0 }

// idle tells whether nothing would be lost by forgetting the bucket: without a window it is as good as new.
func (b *bucket) idle() bool { return b.unused() && !b.counted }

// charge spends one request of the bucket on t.
func (b *bucket) charge(t *ticket) {
	t.charged, t.alone = b, b.inflight == 0
	b.inflight++
	b.granted++
	t.grant, t.window = b.granted, b.window
	switch {
	case b.free:
	case b.counted:
		b.remaining--
	default:
		b.probe, b.passed = t, 0
	}
}

// discharge ends what charge began. unused says that the request was never sent.
func (b *bucket) discharge(t *ticket, unused bool) {
	b.leave(t)
	if b.heir != nil {
		b.heir.leave(t)
		b.heir.inherited--
	}
	if b.probe == t {
		b.probe = nil
	} else if unused && b.counted && t.window == b.window {
		b.remaining++
	}
	t.charged = nil
}

func (b *bucket) leave(t *ticket) {
	b.inflight--
	if b.probe != t {
		b.passed++
	}
}

// inherit counts what is on its way under the bucket's name of before.
func (b *bucket) inherit(from *bucket) {
	from.heir = b
	b.inflight += from.inflight
	b.inherited += from.inflight
	b.granted++ // nobody is alone with Discord now
}

// apply takes over what an answer to t said. Answers overtake each other, so within a window the smaller number of
// remaining requests holds, unless t was alone with Discord. Of one that was granted by another bucket, before this one's
// name was known, nobody knows whether it was alone, nor its place in the order.
func (b *bucket) apply(t *ticket, said limits, own, probed bool, now time.Time) {
	reset := now.Add(said.resetAfter + windowSlack)
	switch {
	case !b.counted && b.probe != nil && (!own || !probed):
		return // an old window's answer; the probe's is on its way
	case own && t.alone && t.grant == b.granted:
		b.remaining, b.reset = said.remaining, reset
	case !b.counted:
		b.remaining, b.reset = max(said.remaining-b.inflight-b.passed, 0), reset
	default:
		b.remaining = min(b.remaining, said.remaining)
		if own && t.grant > b.heard {
			b.reset = reset
		}
	}
	if !b.counted {
		b.window++
	}
	b.free, b.counted, b.probe = false, true, nil
	if own {
		b.heard = max(b.heard, t.grant)
	}
}

// limited closes the bucket for as long as a 429 says.
func (b *bucket) limited(wait time.Duration, now time.Time) {
	until := now.Add(wait + windowSlack)
	if b.counted && b.remaining == 0 && b.reset.After(until) {
		until = b.reset
	}
	b.free, b.counted, b.probe = false, true, nil
	b.remaining, b.reset = 0, until
	b.told = b.granted
}

// granting ends a row of 429s with an answer to t, unless that was under way together with the last of them.
func (b *bucket) granting(t *ticket, own bool) {
	if !own || t.grant > b.told {
		b.refusals = 0
	}
}

// lane returns the caller's lane, new if there was none.
func (b *bucket) lane(c *caller) *lane {
	for _, l := range b.lanes {
		if l.caller == c {
			return l
		}
	}
	l := &lane{bucket: b, caller: c, index: -1}
	b.lanes = append(b.lanes, l)
	c.lanes++
	return l
}

// waiting is how many requests of a caller wait in the bucket.
func (b *bucket) waiting(caller string) int {
	for _, l := range b.lanes {
		if l.caller.name == caller {
			return l.queue.Len()
		}
	}
	return 0
}

// add puts t at its place by age; one that comes again is older than what came after it.
func (l *lane) add(t *ticket) {
	at := l.queue.Back()
	for at != nil && ticketAt(at).age > t.age {
		at = at.Prev()
	}
	if at == nil {
		t.place = l.queue.PushFront(t)
	} else {
		t.place = l.queue.InsertAfter(t, at)
	}
	t.lane = l
	l.bucket.queued++
}

// take removes t from the queue, not from the lane.
func (l *lane) take(t *ticket) {
	l.queue.Remove(t.place)
	t.place = nil
	l.bucket.queued--
}

// head is the ticket whose turn it is, or nil.
func (l *lane) head() *ticket {
	if at := l.queue.Front(); at != nil {
		return ticketAt(at)
	}
	return nil
}

func ticketAt(place *list.Element) *ticket {
	return place.Value.(*ticket) //nolint:forcetypeassert // it holds nothing else
}

// ready tells whether the head may go as far as its lane and bucket are concerned.
func (l *lane) ready() bool {
	t := l.head()
	return t != nil && (!t.route.write || l.writer == nil || l.writer == t) && l.bucket.open()
}

// toBack ends a lane's turn, so that callers take turns in a bucket.
func (b *bucket) toBack(l *lane) {
	for i, other := range b.lanes {
		if other == l {
			copy(b.lanes[i:], b.lanes[i+1:])
			b.lanes[len(b.lanes)-1] = l
			return
		}
	}
}
