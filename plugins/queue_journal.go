package plugins

import (
	"fmt"

	"github.com/holdfast-bot/holdfast/sdk/wire"
)

// aheadMost bounds how many interactions beyond the cursor's window are
// remembered. The rest waits in the journal, for a plugin that is down for days.
const aheadMost = 1 << 16

// kept is a queue's place in the journal.
type kept struct {
	journal Journal // nil: events live in memory only
	cursor  Cursor  // nil: what is acknowledged is not remembered
	fault   func(what string, err error)
	feeds   map[uint32]*feed
	behind  int // feeds that are
	closed  bool
}

// feed is the queue's place in one shard's journal.
//
//	live    what is pushed is queued; next follows it
//	behind  what is pushed stays in the journal; refill reads from next on,
//	        until it has caught up with the last that was pushed
type feed struct {
	shard  uint32
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
// read from the journal; where it never was it begins after the last event.
func (q *queue) open(j Journal, c Cursor) {
	last := j.Last()
	q.mu.Lock()
	defer q.mu.Unlock()
	q.kept.journal, q.kept.cursor = j, c
	for shard, index := range last {
		f := q.feedOf(shard, index+1)
		f.opened = index
		if f.next <= index {
			q.fallBehind(f, index)
		}
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
	for _, f := range k.feeds {
		if f.reader != nil {
			_ = f.reader.Close() // it was only read
			f.reader = nil
		}
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
	for _, f := range q.kept.feeds {
		if err := q.kept.cursor.Landed(f.shard, f.maybe); err != nil {
			q.kept.fault("remember what is not sent", err)
		}
	}
}

// feedOf is the place in a shard's journal, where the plugin's cursor stands,
// else at start.
func (q *queue) feedOf(shard uint32, start uint64) *feed {
	k := &q.kept
	if f := k.feeds[shard]; f != nil {
		return f
	}
	f := &feed{shard: shard, next: start}
	k.feeds[shard] = f
	if k.cursor == nil {
		return f
	}
	low, sent, known := k.cursor.Position(shard)
	if known {
		f.next, f.low, f.sent, f.maybe = low+1, low, sent, sent
		return f
	}
	f.low = start - 1
	q.acknowledged(shard, 0, start-1)
	return f
}

// admit says whether an event that is pushed shall be queued now, and where it
// stands in the journal.
func (q *queue) admit(e *wire.Event) (f *feed, queued bool) {
	switch {
	case q.kept.closed:
		return nil, false
	case q.kept.journal == nil, e.Index&wire.NotJournaled != 0:
		return q.admitLoose(e)
	}
	f = q.feedOf(e.Shard, e.Index)
	switch {
	case e.Index < f.next:
		return nil, false // refill was quicker
	case e.Name == interactionCreate && f.behind && len(f.ahead) < aheadMost:
		// Interactions wait for nobody: refill passes over this one.
		if f.ahead == nil {
			f.ahead = make(map[uint64]bool)
		}
		f.ahead[e.Index] = false
		f.pushed = e.Index
		q.makeRoomForInteraction()
		return f, true
	case f.behind || !q.fits() || !q.inWindow(f, e.Index):
		q.fallBehind(f, e.Index)
		return nil, false
	}
	q.pass(f, e.Index-1)
	f.next = e.Index + 1
	if e.Name == interactionCreate {
		q.makeRoomForInteraction()
	}
	return f, true
}

// admitLoose takes an event that the journal does not have: there is no second
// chance for it. While older events of its shard are still in the journal it
// would overtake them.
func (q *queue) admitLoose(e *wire.Event) (*feed, bool) {
	f := q.kept.feeds[e.Shard]
	if e.Name == interactionCreate {
		q.makeRoomForInteraction()
		return nil, true
	}
	if f != nil && f.behind || !q.fits() {
		q.count.dropped[e.Name]++
		return nil, false
	}
	return nil, true
}

// makeRoomForInteraction drops the oldest of too many: its user has given up.
func (q *queue) makeRoomForInteraction() {
	if q.fresh >= q.limits.fresh {
		q.drop(q.pop(&q.interactions))
	}
}

// inWindow says whether the cursor can tell this event apart.
func (q *queue) inWindow(f *feed, index uint64) bool {
	if q.kept.cursor == nil || index <= f.low+CursorWindow {
		return true
	}
	if f.low, _, _ = q.kept.cursor.Position(f.shard); index <= f.low+CursorWindow {
		return true
	}
	return q.catchUpCursor(f) && index <= f.low+CursorWindow
}

// catchUpCursor tells a cursor that has missed acknowledgements, when the disk did
// not take them, what is handled. It is false if nothing is gained.
func (q *queue) catchUpCursor(f *feed) bool {
	handled := q.oldestOpen(f) - 1
	if q.held > 0 || handled <= f.low {
		return false
	}
	q.acknowledged(f.shard, 0, handled)
	f.low, _, _ = q.kept.cursor.Position(f.shard)
	return true
}

// oldestOpen is the first event of a shard that is queued and not acknowledged,
// or that has not come yet.
func (q *queue) oldestOpen(f *feed) uint64 {
	oldest := f.next
	look := func(i *item) {
		if i.feed == f {
			oldest = min(oldest, i.event.Index)
		}
	}
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
func (q *queue) fallBehind(f *feed, index uint64) {
	f.pushed = index
	if !f.behind {
		f.behind = true
		q.kept.behind++
		q.feedOn()
	}
}

// caughtUp says whether refill has read all that was left to the journal; then
// what is pushed next is queued again.
func (q *queue) caughtUp(f *feed) bool {
	if f.pushed >= f.next {
		return false
	}
	f.behind, f.ahead = false, nil
	q.kept.behind--
	q.checkIdle()
	return true
}

// passed says that all events up to index that were not pushed are not for this
// plugin.
func (q *queue) passed(shard uint32, index uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.kept.closed || q.kept.journal == nil {
		return
	}
	f := q.feedOf(shard, index+1)
	if !f.behind && q.inWindow(f, index) {
		q.pass(f, index)
		f.next = max(f.next, index+1)
	}
}

// pass acknowledges the events from next up to index: nobody wants them here.
func (q *queue) pass(f *feed, index uint64) {
	if index >= f.next {
		q.acknowledged(f.shard, f.next, index)
	}
}

// passGone acknowledges what is lost, and reports whether that is all of it: the
// cursor may have to wait for an older event.
func (q *queue) passGone(f *feed) (all bool) {
	for f.next < f.gone {
		last := f.gone - 1
		if !q.inWindow(f, last) && f.next > f.low+1 {
			last = f.low + CursorWindow
		}
		if last < f.next {
			return false
		}
		q.pass(f, last)
		f.next = last + 1
	}
	return true
}

// acknowledge remembers that the event needs no handling any more.
func (q *queue) acknowledge(i *item) {
	f, index := i.feed, i.event.Index
	if f == nil {
		return
	}
	if _, ahead := f.ahead[index]; ahead {
		if q.kept.cursor == nil || !q.inWindow(f, index) {
			f.ahead[index] = true // refill does it, within the window
			return
		}
		delete(f.ahead, index) // the cursor tells refill
	}
	q.acknowledged(f.shard, index, index)
}

// acknowledged tells the cursor that the events from first to last need no
// handling any more.
func (q *queue) acknowledged(shard uint32, first, last uint64) {
	if q.kept.cursor == nil {
		return
	}
	if err := q.kept.cursor.AckRange(shard, first, last); err != nil {
		q.kept.fault("remember what is handled", fmt.Errorf("events %d to %d of shard %d: %w", first, last, shard, err))
	}
}

// handing remembers that the event goes to a process: from now on it may be
// handled, whatever becomes of the host.
func (q *queue) handing(i *item) {
	f := i.feed
	if f == nil || i.event.Index <= f.sent {
		return
	}
	if _, ahead := f.ahead[i.event.Index]; ahead {
		return // else all that it has overtaken would look as if it were sent
	}
	f.sent = i.event.Index
	if q.kept.cursor == nil {
		return
	}
	if err := q.kept.cursor.SetSent(f.shard, f.sent); err != nil {
		q.kept.fault("remember what is sent", err)
	}
}

// behindBy is how many events wait in the journal at most: others' are among
// them.
func (q *queue) behindBy() (n uint64) {
	for _, f := range q.kept.feeds {
		if f.behind && f.pushed >= f.next {
			n += f.pushed - f.next + 1
		}
	}
	return n
}

// feedOn wakes refill when it has something to do and room for it.
func (q *queue) feedOn() {
	if q.kept.behind > 0 && q.hasAppetite() {
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
