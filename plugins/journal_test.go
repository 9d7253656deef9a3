package plugins

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/holdfast-bot/holdfast/sdk/wire"
)

// memoryJournal is a Journal that outlives the host of a test.
type memoryJournal struct {
	mu      sync.Mutex
	events  []wire.Event // of index 1, 2, …
	gone    uint64       // all up to it are dropped
	cursors map[string]*memoryCursor
	broken  int    // reads that fail
	atEnd   func() // called once, by a reader that finds no more
}

func newMemoryJournal() *memoryJournal {
	return &memoryJournal{cursors: make(map[string]*memoryCursor)}
}

// add journals an event and returns it with its index.
func (j *memoryJournal) add(e wire.Event) *wire.Event {
	j.mu.Lock()
	defer j.mu.Unlock()
	e.Index = uint64(len(j.events) + 1)
	j.events = append(j.events, e)
	return &e
}

func (j *memoryJournal) Cursor(plugin string) (Cursor, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	c := j.cursors[plugin]
	if c == nil {
		c = &memoryCursor{acked: make(map[uint64]bool), window: CursorWindow}
		j.cursors[plugin] = c
	}
	c.open++
	if c.open > 1 {
		return nil, errors.New("opened twice")
	}
	return c, nil
}

func (j *memoryJournal) Cursors() (names []string, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for name := range j.cursors {
		names = append(names, name)
	}
	return names, nil
}

func (j *memoryJournal) Forget(plugin string) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if c := j.cursors[plugin]; c != nil && c.open > 0 {
		return errors.New("forgotten while open")
	}
	delete(j.cursors, plugin)
	return nil
}

func (j *memoryJournal) Last() uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return uint64(len(j.events))
}

func (j *memoryJournal) Read(from uint64) Reader { return &memoryReader{j, from} }

type memoryReader struct {
	j    *memoryJournal
	next uint64
}

func (r *memoryReader) Next(e *wire.Event) (lost uint64, ok bool, err error) {
	lost, ok, err = r.read(e)
	if ok || err != nil {
		return lost, ok, err
	}
	r.j.mu.Lock()
	atEnd := r.j.atEnd
	r.j.atEnd = nil
	r.j.mu.Unlock()
	if atEnd != nil {
		atEnd()
	}
	return lost, ok, err
}

func (r *memoryReader) read(e *wire.Event) (lost uint64, ok bool, err error) {
	r.j.mu.Lock()
	defer r.j.mu.Unlock()
	if r.j.broken > 0 {
		r.j.broken--
		return 0, false, errors.New("the disk is broken")
	}
	events := r.j.events
	if r.next > uint64(len(events)) {
		return 0, false, nil
	}
	if gone := r.j.gone; r.next <= gone {
		first := events[r.next-1]
		for lost = 1; r.next+lost <= gone && events[r.next+lost-1].Name == first.Name; lost++ {
		}
		*e = wire.Event{Index: r.next, Name: first.Name}
		r.next += lost
		return lost, true, nil
	}
	*e = events[r.next-1]
	e.Data = bytes.Clone(e.Data)
	r.next++
	return 0, true, nil
}

func (r *memoryReader) Index() uint64 { return r.next }
func (r *memoryReader) Close() error  { return nil }

type memoryCursor struct {
	mu        sync.Mutex
	open      int
	full      bool // the disk takes nothing
	window    uint64
	acked     map[uint64]bool
	low, sent uint64
	known     bool
}

func (c *memoryCursor) AckRange(first, last uint64) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open == 0 {
		return errors.New("closed")
	}
	if c.full {
		return errors.New("no space left")
	}
	if first > c.low+1 && last > c.low+c.window {
		return fmt.Errorf("event %d is too far above %d", last, c.low)
	}
	c.known = true
	if first <= c.low+1 {
		c.low = max(c.low, last)
	} else {
		for n := first; n <= last; n++ {
			c.acked[n] = true
		}
	}
	for c.acked[c.low+1] {
		c.low++
		delete(c.acked, c.low)
	}
	return nil
}

func (c *memoryCursor) Acked(index uint64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return index <= c.low || c.acked[index]
}

func (c *memoryCursor) Position() (low, sent uint64, known bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.low, c.sent, c.known
}

func (c *memoryCursor) SetSent(index uint64) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sent = max(c.sent, index)
	return nil
}

func (c *memoryCursor) Landed(index uint64) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sent = min(c.sent, index)
	return nil
}

func (c *memoryCursor) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open = 0
	return nil
}

// keptQueue is a queue with its place in a journal, and its refill.
type keptQueue struct {
	*queue
	over func()
}

func openQueue(t *testing.T, j *memoryJournal, l limits, m *wire.Manifest) *keptQueue {
	t.Helper()
	q := newQueue(l, time.Now)
	cursor, err := j.Cursor("p")
	if err != nil {
		t.Fatal(err)
	}
	j.cursors["p"].window = l.window
	q.kept.fault = func(what string, err error) { t.Logf("%s: %v", what, err) }
	if m != nil {
		q.keep(wants(m))
	}
	q.open(j, cursor)
	var running sync.WaitGroup
	ctx, cancel := context.WithCancel(context.Background())
	running.Go(func() { q.refill(ctx, func(*wire.Event) bool { return true }) })
	k := &keptQueue{queue: q}
	k.over = sync.OnceFunc(func() {
		cancel()
		running.Wait()
		q.close()
	})
	t.Cleanup(k.over)
	return k
}

// taken takes until n events have come, and acknowledges them if ack says so.
func (q *keptQueue) takenUntil(t *testing.T, n int, ack func(wire.Event) bool) []wire.Event {
	t.Helper()
	var out []wire.Event
	for len(out) < n {
		got := sentBy(t, q.queue)
		for _, e := range got {
			if ack(e) {
				q.ack(ackOf(e))
			}
		}
		out = append(out, got...)
		if len(got) == 0 {
			<-q.wake
		}
	}
	return out
}

func always(wire.Event) bool { return true }

func smallLimits() limits {
	l := defaultLimits()
	l.queued, l.away = 20_000, 5_000
	return l
}

// smallWindow are limits of a cursor that tells few events apart, for tests that
// go beyond it.
func smallWindow() limits {
	l := defaultLimits()
	l.window = 1 << 14
	return l
}

func manifestOf(events ...string) *wire.Manifest {
	m := &wire.Manifest{Name: "p"}
	for _, e := range events {
		m.Events = append(m.Events, &wire.Subscription{Event: e})
	}
	return m
}

// TestWhatFindsNoRoomComesFromTheJournal: a queue that is full reads on from the
// journal, in order, each event once, while others are pushed.
func TestWhatFindsNoRoomComesFromTheJournal(t *testing.T) {
	j := newMemoryJournal()
	q := openQueue(t, j, smallLimits(), manifestOf("MESSAGE_CREATE"))
	const total = 5000
	pushed := make(chan struct{})
	go func() {
		defer close(pushed)
		for n := range uint64(total) {
			q.push(j.add(*message(0, 1+n%7, 500)))
			if n%3 == 0 { // of another plugin
				other := message(0, 1, 10)
				other.Name = "TYPING_START"
				j.add(*other)
			}
		}
	}()
	last := map[uint64]uint64{}
	for _, e := range q.takenUntil(t, total, always) {
		if e.Index <= last[e.Lane] {
			t.Fatalf("event %d of lane %d after %d", e.Index, e.Lane, last[e.Lane])
		}
		if e.Name != "MESSAGE_CREATE" || e.Flags != 0 {
			t.Fatalf("got %s %d", e.Name, e.Flags)
		}
		last[e.Lane] = e.Index
	}
	<-pushed
	if c, inFlight, _ := q.snapshot(); c.queued != 0 || inFlight != 0 || len(c.dropped) != 0 || c.delivered != total {
		t.Fatalf("left: %+v, %d in flight", c, inFlight)
	}
	q.passed(j.Last())
	if err := q.waitIdle(t.Context()); err != nil {
		t.Fatal(err)
	}
	q.passed(j.Last())
	if low, _, _ := j.cursors["p"].Position(); low != j.Last() {
		t.Fatalf("all is handled up to %d, want %d", low, j.Last())
	}
}

// TestQueueOverHostsLives drives queues at random over kills and orderly ends of
// the host: each event comes, twice only what was in flight at a kill, and that
// is marked.
func TestQueueOverHostsLives(t *testing.T) {
	for seed := range uint64(20) {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) { randomLives(t, seed) })
	}
}

func randomLives(t *testing.T, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 1))
	j := newMemoryJournal()
	lives := 1 + r.IntN(5)
	const each = 1500
	handled := map[uint64]int{}
	atKill := map[uint64]bool{}
	lastOf := map[uint64]uint64{}
	flying := map[uint64]wire.Event{}
	for life := range lives {
		q := openQueue(t, j, smallLimits(), manifestOf("MESSAGE_CREATE"))
		clear(flying)
		last := life == lives-1
		pushed := 0
		for step := 0; pushed < each || last && !func() bool { q.mu.Lock(); defer q.mu.Unlock(); return q.empty() }(); step++ {
			switch n := r.IntN(100); {
			case n < 50 && pushed < each:
				pushed++
				lane := r.Uint64N(20)
				e := message(0, 1+lane, r.IntN(800))
				e.Shard = uint32(lane) % uint32(life+1) // lanes move with each life
				if r.IntN(4) == 0 {
					e.Name = "TYPING_START"
					j.add(*e)
					continue
				}
				q.push(j.add(*e))
			case n < 80:
				for _, e := range sentBy(t, q.queue) {
					at := e.Index
					marked := e.Flags&wire.Redelivered != 0
					if handled[at] > 0 || atKill[at] && !marked {
						t.Fatalf("event %v again: handled %d times, marked %v", at, handled[at], marked)
					}
					if !marked && e.Index <= lastOf[e.Lane] {
						t.Fatalf("event %v of lane %d after %d", at, e.Lane, lastOf[e.Lane])
					}
					lastOf[e.Lane] = max(lastOf[e.Lane], e.Index)
					flying[at] = e
				}
			case len(flying) > 0:
				for at, e := range flying {
					q.ack(ackOf(e))
					handled[at]++
					delete(flying, at)
					break
				}
			default:
				select {
				case <-q.wake:
				case <-time.After(time.Millisecond):
				}
			}
		}
		if r.IntN(2) == 0 { // an orderly end: what is in flight lands
			for at, e := range flying {
				q.ack(ackOf(e))
				handled[at]++
			}
			clear(flying)
		}
		for at := range flying {
			atKill[at] = true
		}
		q.over()
	}
	for _, e := range j.events {
		if want, got := e.Name == "MESSAGE_CREATE", handled[e.Index]; want && got != 1 || !want && got != 0 {
			t.Errorf("event %d, %s: handled %d times", e.Index, e.Name, got)
		}
	}
}

// TestNewPluginBeginsWithWhatComes: what was journaled before its time is not
// its own.
func TestNewPluginBeginsWithWhatComes(t *testing.T) {
	j := newMemoryJournal()
	for range 10 {
		j.add(*message(0, 1, 10))
	}
	q := openQueue(t, j, defaultLimits(), manifestOf("MESSAGE_CREATE"))
	q.push(j.add(*message(0, 1, 10)))
	if got := q.takenUntil(t, 1, always); got[0].Index != 11 {
		t.Fatalf("began with %d", got[0].Index)
	}
}

// TestNewKindBeginsAtTheBarrier: a build that asks for a further kind does not
// get those that wait in the journal from before.
func TestNewKindBeginsAtTheBarrier(t *testing.T) {
	j := newMemoryJournal()
	l := smallLimits()
	l.queued = 300
	q := openQueue(t, j, l, manifestOf("MESSAGE_CREATE"))
	q.pause()
	typing := func() wire.Event {
		e := message(0, 1, 200)
		e.Name = "TYPING_START"
		return *e
	}
	for range 10 {
		q.push(j.add(*message(0, 1, 200)))
		j.add(typing())
	}
	next := wants(manifestOf("MESSAGE_CREATE", "TYPING_START"))
	q.widen(next)
	want := j.add(typing())
	q.push(want)
	q.keep(next)
	q.resume()
	got := q.takenUntil(t, 11, always)
	index := slices.IndexFunc(got, func(e wire.Event) bool { return e.Name == "TYPING_START" })
	if index != 10 || got[10].Index != want.Index {
		t.Fatalf("the new kind came at place %d: %+v", index, got[max(index, 0)])
	}
}

// TestLostEventsAreCounted: what the journal had to let go is told by name, and
// the rest comes.
func TestLostEventsAreCounted(t *testing.T) {
	j := newMemoryJournal()
	l := smallLimits()
	l.queued = 300
	q := openQueue(t, j, l, manifestOf("MESSAGE_CREATE"))
	q.pause()
	for range 100 {
		q.push(j.add(*message(0, 1, 200)))
	}
	j.mu.Lock()
	j.gone = 50
	j.broken = 1 // and the first look at it fails
	j.mu.Unlock()
	c, _, behind := q.snapshot()
	if behind == 0 {
		t.Fatal("nothing waits in the journal")
	}
	queued := c.queued
	q.resume()
	got := q.takenUntil(t, queued+50, always)
	if got[len(got)-1].Index != 100 {
		t.Fatalf("last is %d", got[len(got)-1].Index)
	}
	if err := q.waitIdle(t.Context()); err != nil {
		t.Fatal(err)
	}
	if c, _, _ := q.snapshot(); c.dropped["MESSAGE_CREATE"] != uint64(50-queued) {
		t.Fatalf("%d queued, dropped %v", queued, c.dropped)
	}
}

// TestInteractionsOvertakeTheJournal: a plugin that is behind gets interactions
// at once, and once.
func TestInteractionsOvertakeTheJournal(t *testing.T) {
	j := newMemoryJournal()
	l := smallLimits()
	l.queued = 300
	q := openQueue(t, j, l, manifestOf("MESSAGE_CREATE"))
	q.pause()
	for range 50 {
		q.push(j.add(*message(0, 1, 200)))
	}
	i := message(0, 1, 10)
	i.Name, i.Received = interactionCreate, time.Now().UnixNano()
	at := j.add(*i)
	q.push(at)
	for range 50 {
		q.push(j.add(*message(0, 1, 200)))
	}
	q.resume()
	got := q.takenUntil(t, 101, always)
	if got[0].Index != at.Index {
		t.Fatalf("first is %s %d", got[0].Name, got[0].Index)
	}
	for n, e := range got[1:] {
		if e.Name != "MESSAGE_CREATE" {
			t.Fatalf("at place %d comes %s", n+1, e.Name)
		}
	}
	if err := q.waitIdle(t.Context()); err != nil {
		t.Fatal(err)
	}
	if low, _, _ := j.cursors["p"].Position(); low != 101 {
		t.Fatalf("handled up to %d", low)
	}
}

// TestCursorWindowIsKept: while the oldest event hangs, no more is read than the
// cursor can tell apart.
func TestCursorWindowIsKept(t *testing.T) {
	j := newMemoryJournal()
	l := smallWindow()
	if ours := defaultLimits().window; ours != CursorWindow {
		t.Errorf("a queue takes %d events above the oldest open one, a cursor tells %d apart", ours, CursorWindow)
	}
	q := openQueue(t, j, l, manifestOf("MESSAGE_CREATE"))
	hung := j.add(*message(0, 1, 1))
	q.push(hung)
	if got := sentBy(t, q.queue); len(got) != 1 {
		t.Fatal("not sent")
	}
	over := l.window + 1000
	for n := range over {
		q.push(j.add(*message(0, 2+n%300, 1)))
		if n%200 == 0 {
			for _, e := range sentBy(t, q.queue) {
				q.ack(ackOf(e))
			}
		}
	}
	for got := sentBy(t, q.queue); len(got) > 0; got = sentBy(t, q.queue) {
		for _, e := range got {
			q.ack(ackOf(e))
		}
	}
	if c, _, behind := q.snapshot(); c.delivered != l.window || behind == 0 {
		t.Fatalf("delivered %d, behind by %d", c.delivered, behind)
	}
	q.ack(ackOf(*hung))
	q.takenUntil(t, int(over+1-l.window), always)
	if low, _, _ := j.cursors["p"].Position(); low != over+1 {
		t.Fatalf("handled up to %d, want %d", low, over+1)
	}
}

// TestCursorThatMissedAcknowledgements: what it could not take while the disk was
// full does not hold up the plugin for ever.
func TestCursorThatMissedAcknowledgements(t *testing.T) {
	j := newMemoryJournal()
	l := smallWindow()
	q := openQueue(t, j, l, manifestOf("MESSAGE_CREATE"))
	c := j.cursors["p"]
	handle := func(n uint64) {
		for range n {
			q.push(j.add(*message(0, 1, 1)))
			for _, e := range sentBy(t, q.queue) {
				q.ack(ackOf(e))
			}
		}
	}
	c.mu.Lock()
	c.full = true
	c.mu.Unlock()
	handle(1000)
	c.mu.Lock()
	c.full = false
	c.mu.Unlock()
	handle(l.window + 1000)
	if counts, _, behind := q.snapshot(); counts.acked != l.window+2000 || behind != 0 {
		t.Fatalf("%d handled, behind by %d", counts.acked, behind)
	}
	if low, _, _ := c.Position(); low < l.window {
		t.Fatalf("handled up to %d by the cursor", low)
	}
}

// TestFirstEventOfAll: a plugin has a place in the empty journal from the start,
// so that a kill before its first event is delivered loses none.
func TestFirstEventOfAll(t *testing.T) {
	j := newMemoryJournal()
	openQueue(t, j, defaultLimits(), manifestOf("MESSAGE_CREATE")).over()
	first := j.add(*message(0, 1, 1)) // and the host is killed
	q := openQueue(t, j, defaultLimits(), manifestOf("MESSAGE_CREATE"))
	if got := q.takenUntil(t, 1, always); got[0].Index != first.Index || got[0].Flags != 0 {
		t.Fatalf("got %+v", got[0])
	}
}
