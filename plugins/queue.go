package plugins

import (
	"sync"
	"time"

	"github.com/holdfast-bot/holdfast/sdk/wire"
)

// limits of a queue. What is in flight bounds what a crash delivers twice;
// what is queued bounds memory; window is what a cursor can tell apart.
type limits struct {
	perLane      int // unacknowledged events a lane
	events       int // unacknowledged events an instance, without interactions
	bytes        int // unacknowledged bytes an instance, without interactions
	interactions int // unacknowledged interactions, a credit of their own
	queued       int // bytes that wait in memory
	away         int // bytes that wait in memory while no instance takes any
	fresh        int // interactions that wait

	window uint64 // how far above the oldest open event one is taken from the journal
}

func defaultLimits() limits {
	return limits{
		perLane: 16, events: 256, bytes: 1 << 20, interactions: 64,
		queued: 64 << 20, away: 1 << 20, fresh: 1024, window: CursorWindow,
	}
}

const (
	interactionCreate = "INTERACTION_CREATE"
	// interactionLife is how long an interaction's token works (Discord's
	// documentation, "Receiving and Responding"): later nobody can answer it.
	interactionLife = 15 * time.Minute
	// itemOverhead is what a queued event costs beside its frame, in bytes.
	itemOverhead = 256
	// maxAlone is how many crashes an event may cause alone before it becomes
	// a dead letter.
	maxAlone = 2
)

// item is one event on its way to one plugin. It is either queued (in its
// lane's list), in flight, or waiting for redelivery.
type item struct {
	event   *wire.Event
	lane    *lane // nil for an interaction
	flags   wire.Flags
	version uint64 // of the guild, if it was looked for after the event came
	guild   guildState
	order   uint64 // of sending, within the queue
	sent    time.Time
	alone   int // crashes at which it was alone in flight
	next    *item
}

func (i *item) cost() int { return i.event.FrameSize() + itemOverhead }

// lane keeps the order of one guild (or channel, or shard).
type lane struct {
	key        uint64
	head, tail *item
	inFlight   int       // sent and not acknowledged, also while it waits for redelivery
	progress   time.Time // when it last had an event acknowledged
	ready      bool      // is in the ring
	parked     bool      // waits for its guild
	next       *lane
}

// queue holds the events of one plugin from the router until their
// acknowledgement, over all instances of the plugin. What finds no room in
// memory stays in the journal and is read from there later. push and passed are
// for one goroutine, take for one, refill for one, the rest for any.
type queue struct {
	limits    limits
	now       func() time.Time
	wake      chan struct{}  // something may be sendable; capacity 1
	hungry    chan struct{}  // something may be read from the journal; capacity 1
	closing   chan struct{}  // closed by close
	asked     Interactions   // nil: nobody knows of them
	guilds    Guilds         // nil: nobody waits for guilds
	guildWait time.Duration  // how long an event may wait for its guild
	parked    sync.WaitGroup // of lanes and interactions that do

	mu           sync.Mutex
	kept         kept
	wanted       wanted
	paused       bool // at the barrier of a reload: nothing is sent
	ending       bool // that barrier stays
	away         bool // no instance takes events
	lanes        map[uint64]*lane
	readyHead    *lane
	readyTail    *lane
	interactions lane          // its inFlight counts interactions in flight
	fresh        int           // interactions that wait in their list
	held         int           // interactions that wait for their guild
	detached     []*wire.Event // interactions that something in the instance may answer although it has acknowledged them
	waiting      wait          // of awaitsGuild's last answer
	redeliver    []*item
	recovering   bool             // what was redelivered has not been acknowledged wholly
	inFlight     map[uint64]*item // by index
	flightBytes  int              // without interactions
	order        uint64
	taken        time.Time     // when take was called last
	idle         chan struct{} // closed when nothing is left, nil when nobody waits
	landed       chan struct{} // closed when nothing is in flight, nil when nobody waits
	freeItems    *item
	freeLanes    *lane
	count        counts
}

// counts of a queue since the host started.
type counts struct {
	queued, queuedBytes                        int
	delivered, acked, redelivered, deadLetters uint64
	errors, deadlines, unreadable              uint64
	dropped                                    map[string]uint64
}

func newQueue(l limits, now func() time.Time) *queue {
	return &queue{
		limits:    l,
		now:       now,
		wake:      make(chan struct{}, 1),
		hungry:    make(chan struct{}, 1),
		closing:   make(chan struct{}),
		guildWait: defaultGuildWait,
		lanes:     make(map[uint64]*lane),
		inFlight:  make(map[uint64]*item),
		kept:      kept{fault: func(string, error) {}},
		count:     counts{dropped: make(map[string]uint64)},
	}
}

// push queues e, or leaves it to the journal when there is no room. It never
// waits.
func (q *queue) push(e *wire.Event) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.admit(e) {
		q.append(q.newItem(e))
		q.signal(q.wake)
	}
}

// fits says whether there is room in memory for one more event. One always fits.
func (q *queue) fits() bool {
	limit := q.limits.queued
	if q.away {
		limit = q.limits.away
	}
	return q.count.queued == 0 || q.count.queuedBytes < limit
}

func (q *queue) newItem(e *wire.Event) *item {
	i := q.freeItems
	if i == nil {
		i = new(item)
	} else {
		q.freeItems = i.next
	}
	*i = item{event: e, guild: q.wanted.guildState(e)}
	return i
}

func (q *queue) append(i *item) {
	l := &q.interactions
	if i.event.Name == interactionCreate {
		q.fresh++
	} else {
		l = q.laneOf(i.event.Lane)
		i.lane = l
	}
	if l.tail == nil {
		l.head = i
	} else {
		l.tail.next = i
	}
	l.tail = i
	q.count.queued++
	q.count.queuedBytes += i.cost()
	q.makeReady(l)
}

func (q *queue) laneOf(key uint64) *lane {
	l, ok := q.lanes[key]
	if ok {
		return l
	}
	if l = q.freeLanes; l == nil {
		l = new(lane)
	} else {
		q.freeLanes = l.next
	}
	*l = lane{key: key}
	q.lanes[key] = l
	return l
}

// makeReady puts l at the end of the ring if it has something that may go.
func (q *queue) makeReady(l *lane) {
	if l == &q.interactions || l.ready || l.parked || l.head == nil || l.inFlight >= q.limits.perLane {
		return
	}
	l.ready = true
	l.next = nil
	if q.readyTail == nil {
		q.readyHead = l
	} else {
		q.readyTail.next = l
	}
	q.readyTail = l
}

func (q *queue) popReady() *lane {
	l := q.readyHead
	if q.readyHead = l.next; q.readyHead == nil {
		q.readyTail = nil
	}
	l.ready, l.next = false, nil
	return l
}

// pop takes the first item of l out of the queue.
func (q *queue) pop(l *lane) *item {
	i := l.head
	if l.head = i.next; l.head == nil {
		l.tail = nil
	}
	i.next = nil
	if l == &q.interactions {
		q.fresh--
	}
	q.count.queued--
	q.count.queuedBytes -= i.cost()
	return i
}

// drop counts an event that nobody will handle as acknowledged, and by name.
func (q *queue) drop(i *item) {
	q.lose(i)
	q.count.dropped[i.event.Name]++
	q.acknowledge(i)
	q.release(i)
}

// release gives the item back for the next event.
func (q *queue) release(i *item) {
	*i = item{next: q.freeItems}
	q.freeItems = i
}

// retire forgets a lane that has nothing left. A lane in the ring goes when
// its turn comes.
func (q *queue) retire(l *lane) {
	if l == &q.interactions || l.ready || l.parked || l.head != nil || l.inFlight > 0 {
		return
	}
	delete(q.lanes, l.key)
	l.next = q.freeLanes
	q.freeLanes = l
}

// ack takes acknowledgements. Ones that it does not know are ignored: a
// plugin may acknowledge twice. The index alone names an event.
func (q *queue) ack(acks *wire.Acks) {
	now := q.now()
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, index := range acks.GetIndexes() {
		i, ok := q.inFlight[index]
		if !ok {
			continue
		}
		delete(q.inFlight, index)
		q.count.acked++
		q.acknowledge(i)
		q.answered(i, acks)
		if i.lane != nil {
			i.lane.progress = now
		}
		q.land(i)
	}
	for _, f := range acks.GetFailures() {
		switch f.GetReason() {
		case wire.Failure_DEADLINE:
			q.count.deadlines++
		case wire.Failure_UNREADABLE:
			q.count.unreadable++
		default:
			q.count.errors++
		}
	}
	q.signal(q.wake)
	q.feedOn()
	q.checkIdle()
}

// land gives back the credit of an item that is in flight no more.
func (q *queue) land(i *item) {
	if l := i.lane; l == nil {
		q.interactions.inFlight--
	} else {
		q.flightBytes -= i.event.FrameSize()
		l.inFlight--
		q.makeReady(l)
		q.retire(l)
	}
	q.release(i)
}

func (q *queue) signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// checkIdle tells those who wait that nothing is left, or nothing in flight.
func (q *queue) checkIdle() {
	if q.idle != nil && q.empty() {
		close(q.idle)
		q.idle = nil
	}
	if q.landed != nil && len(q.inFlight) == 0 {
		close(q.landed)
		q.landed = nil
	}
}

func (q *queue) empty() bool {
	return q.count.queued == 0 && len(q.inFlight) == 0 && len(q.redeliver) == 0 && q.held == 0 && !q.kept.behind
}
