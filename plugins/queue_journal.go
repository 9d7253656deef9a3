package plugins

import (
	"fmt"

	"github.com/holdfast-bot/holdfast/sdk/wire"
)

// aheadMost bounds how many interactions beyond the cursor's window are
// remembered. The rest waits in the journal, for a plugin that is down for days.
const aheadMost = 1 << 16

// kept is a queue's place in the journal.
//
//	live    what is pushed is queued; next follows it
//	behind  what is pushed stays in the journal; refill reads from next on,
//	        until it has caught up with the last that was pushed
type kept struct {
	journal Journal // nil: events live in memory only
	cursor  Cursor  // nil: what is acknowledged is not remembered
	fault   func(what string, err error)
	closed  bool

	next   uint64 // all events below it are queued, or were, or are not for us
	gone   uint64 // those from next up to it, without it, are lost
	behind bool
	pushed uint64          // the last event that was left to the journal
	ahead  map[uint64]bool // interactions above next that are queued all the same; true: handled
	low    uint64          // all up to it are acknowledged; the cursor may know of more
	sent   uint64          // the last event that was handed to a process
	opened uint64          // the last event of earlier lives of the host
	maybe  uint64          // what is up to it and open may have been handled in an earlier life
	reader Reader          // refill's
}

// open takes the place that the cursor remembers. What the plugin has missed is
// read from the journal; one that is new begins after the last event.
func (q *queue) open(j Journal, c Cursor) {
	last := j.Last()
	q.mu.Lock()
	defer q.mu.Unlock()
	k := &q.kept
	k.journal, k.cursor = j, c
	k.opened, k.next = last, last+1
	if c == nil {
		return
	}
	low, sent, known := c.Position()
	if !known {
		k.low = last
		q.acknowledged(0, last)
		return
	}
	k.next, k.low, k.sent, k.maybe = low+1, low, sent, sent
	if k.next <= last {
		q.fallBehind(last)
	}
}

// close gives the place in the journal up; refill has ended. Acknowledgements
// count no more.
func (q *queue) close() {
	close(q.closing)
	q.parked.Wait()
	q.mu.Lock()
	defer q.mu.Unlock()
	k := &q.kept
	if k.reader != nil {
		_ = k.reader.Close() // it was only read
		k.reader = nil
	}
	k.closed = true
	if k.cursor != nil {
		q.allLanded()
		if err := k.cursor.Close(); err != nil {
			k.fault("close the cursor", err)
		}
		k.cursor = nil
	}
}

// allLanded remembers after an orderly end that what waits was never sent, but
// for what an earlier life of the host may have sent.
func (q *queue) allLanded() {
	if len(q.inFlight)+len(q.redeliver) > 0 {
		return
	}
	if err := q.kept.cursor.Landed(q.kept.maybe); err != nil {
		q.kept.fault("remember what is not sent", err)
	}
}

// admit says whether an event that is pushed shall be queued now.
func (q *queue) admit(e *wire.Event) bool {
	k := &q.kept
	switch {
	case k.closed:
		return false
	case k.journal == nil, !journaled(e):
		return q.admitLoose(e)
	case e.Index < k.next:
		return false // refill was quicker
	case e.Name == interactionCreate && k.behind && len(k.ahead) < aheadMost:
		// Interactions wait for nobody: refill passes over this one.
		if k.ahead == nil {
			k.ahead = make(map[uint64]bool)
		}
		k.ahead[e.Index] = false
		k.pushed = e.Index
		q.makeRoomForInteraction()
		return true
	case k.behind || !q.fits() || !q.inWindow(e.Index):
		q.fallBehind(e.Index)
		return false
	}
	q.pass(e.Index - 1)
	k.next = e.Index + 1
	if e.Name == interactionCreate {
		q.makeRoomForInteraction()
	}
	return true
}

func journaled(e *wire.Event) bool { return e.Index&wire.NotJournaled == 0 }

// admitLoose takes an event that the journal does not have: there is no second
// chance for it. While older events are still in the journal it would overtake
// them.
func (q *queue) admitLoose(e *wire.Event) bool {
	if e.Name == interactionCreate {
		q.makeRoomForInteraction()
		return true
	}
	if q.kept.behind || !q.fits() {
		q.count.dropped[e.Name]++
		return false
	}
	return true
}

// makeRoomForInteraction drops the oldest of too many: its user has given up.
func (q *queue) makeRoomForInteraction() {
	if q.fresh >= q.limits.fresh {
		q.drop(q.pop(&q.interactions))
	}
}

// inWindow says whether the cursor can tell this event apart.
func (q *queue) inWindow(index uint64) bool {
	k := &q.kept
	if k.cursor == nil || index <= k.low+q.limits.window {
		return true
	}
	if k.low, _, _ = k.cursor.Position(); index <= k.low+q.limits.window {
		return true
	}
	return q.catchUpCursor() && index <= k.low+q.limits.window
}

// catchUpCursor tells a cursor that has missed acknowledgements, when the disk did
// not take them, what is handled. It is false if nothing is gained.
func (q *queue) catchUpCursor() bool {
	handled := q.oldestOpen() - 1
	if q.held > 0 || handled <= q.kept.low {
		return false
	}
	q.acknowledged(0, handled)
	q.kept.low, _, _ = q.kept.cursor.Position()
	return true
}

// oldestOpen is the first event that is queued and not acknowledged, or that has
// not come yet. Those that the journal does not have are above all others.
func (q *queue) oldestOpen() uint64 {
	oldest := q.kept.next
	look := func(i *item) { oldest = min(oldest, i.event.Index) }
	for _, i := range q.inFlight {
		look(i)
	}
	for _, i := range q.redeliver {
		look(i)
	}
	for i := q.interactions.head; i != nil; i = i.next {
		look(i)
	}
	for _, l := range q.lanes {
		for i := l.head; i != nil; i = i.next {
			look(i)
		}
	}
	return oldest
}

// fallBehind leaves events up to index to the journal.
func (q *queue) fallBehind(index uint64) {
	q.kept.pushed = index
	if !q.kept.behind {
		q.kept.behind = true
		q.feedOn()
	}
}

// caughtUp says whether refill has read all that was left to the journal; then
// what is pushed next is queued again.
func (q *queue) caughtUp() bool {
	k := &q.kept
	if k.pushed >= k.next {
		return false
	}
	k.behind, k.ahead = false, nil
	q.checkIdle()
	return true
}

// passed says that all events up to index that were not pushed are not for this
// plugin.
func (q *queue) passed(index uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	k := &q.kept
	if !k.closed && k.journal != nil && !k.behind && q.inWindow(index) {
		q.pass(index)
		k.next = max(k.next, index+1)
	}
}

// pass acknowledges the events from next up to index: nobody wants them here.
func (q *queue) pass(index uint64) {
	if index >= q.kept.next {
		q.acknowledged(q.kept.next, index)
	}
}

// passGone acknowledges what is lost, and reports whether that is all of it: the
// cursor may have to wait for an older event.
func (q *queue) passGone() (all bool) {
	k := &q.kept
	for k.next < k.gone {
		last := k.gone - 1
		if !q.inWindow(last) && k.next > k.low+1 {
			last = k.low + q.limits.window
		}
		if last < k.next {
			return false
		}
		q.pass(last)
		k.next = last + 1
	}
	return true
}

// acknowledge remembers that the event needs no handling any more.
func (q *queue) acknowledge(i *item) {
	if !journaled(i.event) {
		return
	}
	k, index := &q.kept, i.event.Index
	if _, ahead := k.ahead[index]; ahead {
		if k.cursor == nil || !q.inWindow(index) {
			k.ahead[index] = true // refill does it, within the window
			return
		}
		delete(k.ahead, index) // the cursor tells refill
	}
	q.acknowledged(index, index)
}

// acknowledged tells the cursor that the events from first to last need no
// handling any more.
func (q *queue) acknowledged(first, last uint64) {
	if q.kept.cursor == nil {
		return
	}
	if err := q.kept.cursor.AckRange(first, last); err != nil {
		q.kept.fault("remember what is handled", fmt.Errorf("events %d to %d: %w", first, last, err))
	}
}

// handing remembers that the event goes to a process: from now on it may be
// handled, whatever becomes of the host.
func (q *queue) handing(i *item) {
	k, index := &q.kept, i.event.Index
	if !journaled(i.event) || index <= k.sent {
		return
	}
	if _, ahead := k.ahead[index]; ahead {
		return // else all that it has overtaken would look as if it were sent
	}
	k.sent = index
	if k.cursor == nil {
		return
	}
	if err := k.cursor.SetSent(index); err != nil {
		k.fault("remember what is sent", err)
	}
}

// behindBy is how many events wait in the journal at most: others' are among
// them.
func (q *queue) behindBy() uint64 {
	if k := &q.kept; k.behind && k.pushed >= k.next {
		return k.pushed - k.next + 1
	}
	return 0
}

// feedOn wakes refill when it has something to do and room for it.
func (q *queue) feedOn() {
	if q.kept.behind && q.hasAppetite() {
		q.signal(q.hungry)
	}
}

// hasAppetite is fits with some distance, so that refill reads many events at a
// time.
func (q *queue) hasAppetite() bool {
	limit := q.limits.queued
	if q.away {
		limit = q.limits.away
	}
	return q.count.queuedBytes <= limit/2
}
