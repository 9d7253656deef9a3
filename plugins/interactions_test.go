package plugins

import (
	"slices"
	"testing"
	"time"

	"github.com/holdfast-bot/holdfast/sdk/wire"
)

// asked says of each interaction whether it is still wanted, and keeps what is lost.
type asked struct {
	stale map[uint64]bool
	lost  []uint64
	done  []uint64
	wrong []uint64 // of done, those that failed
}

func (a *asked) Hand(e *wire.Event) bool { return !a.stale[e.Index] }
func (a *asked) Done(e *wire.Event, failed bool) {
	a.done = append(a.done, e.Index)
	if failed {
		a.wrong = append(a.wrong, e.Index)
	}
}
func (a *asked) Lost(e *wire.Event) { a.lost = append(a.lost, e.Index) }

func interactionEvent(index uint64) *wire.Event {
	e := message(index, 1, 10)
	e.Name, e.Received = interactionCreate, time.Now().UnixNano()
	return e
}

// TestStaleInteractionsAreNotHanded: neither fresh ones nor those that come again
// after a crash; they are counted as dropped, and the rest flows.
func TestStaleInteractionsAreNotHanded(t *testing.T) {
	q := upQueue(defaultLimits())
	a := &asked{stale: map[uint64]bool{2: true}}
	q.asked = a
	pushAll(t, q, interactionEvent(1), interactionEvent(2), interactionEvent(3))
	got := sentBy(t, q)
	if len(got) != 2 || got[0].Index != 1 || got[1].Index != 3 {
		t.Fatalf("handed %v", got)
	}
	pushAll(t, q, message(4, 2, 10))
	q.crashed()
	a.stale[1] = true
	again := sentBy(t, q)
	if len(again) != 1 || again[0].Index != 3 || again[0].Flags != wire.Redelivered {
		t.Fatalf("handed again %v", again)
	}
	q.ack(ackOf(again...))
	if rest := sentBy(t, q); len(rest) != 1 || rest[0].Index != 4 {
		t.Errorf("the rest: %v", rest)
	}
	if c, inFlight, _ := q.snapshot(); c.dropped[interactionCreate] != 2 || inFlight != 1 || q.interactions.inFlight != 0 {
		t.Errorf("dropped %v, %d in flight, %d of them interactions", c.dropped, inFlight, q.interactions.inFlight)
	}
}

// TestOnlyStaleInteractionsAreLeftOfACrash: then nothing waits for an acknowledgement.
func TestOnlyStaleInteractionsAreLeftOfACrash(t *testing.T) {
	q := upQueue(defaultLimits())
	a := &asked{stale: map[uint64]bool{}}
	q.asked = a
	pushAll(t, q, interactionEvent(1), interactionEvent(2))
	sentBy(t, q)
	q.crashed()
	a.stale = map[uint64]bool{1: true, 2: true}
	if got := sentBy(t, q); len(got) != 0 {
		t.Fatalf("handed again %v", got)
	}
	if !q.empty() || q.recovering {
		t.Error("something is left")
	}
}

// TestLostInteractionsAreTold: the oldest of too many, and what crashes its plugin
// again and again.
func TestLostInteractionsAreTold(t *testing.T) {
	l := defaultLimits()
	l.fresh = 2
	q := upQueue(l)
	a := new(asked)
	q.asked = a
	pushAll(t, q, interactionEvent(1), interactionEvent(2), interactionEvent(3))
	if !slices.Equal(a.lost, []uint64{1}) {
		t.Errorf("lost for want of room: %v", a.lost)
	}
	sentBy(t, q)
	for range 3 {
		q.crashed()
		sentBy(t, q)
	}
	if !slices.Equal(a.lost, []uint64{1, 2}) {
		t.Errorf("lost after its crashes: %v", a.lost)
	}
}

// TestEndedInteractionsAreTold: at their acknowledgement, once, and whether they went
// well; those that are left to something in the process when it has ended. Other
// events are not, and neither is what nobody can answer any more.
func TestEndedInteractionsAreTold(t *testing.T) {
	now := time.Now()
	q := newQueue(defaultLimits(), func() time.Time { return now })
	q.setAway(false)
	a := new(asked)
	q.asked = a
	pushAll(t, q, interactionEvent(1), interactionEvent(2), interactionEvent(3), message(4, 2, 10))
	sentBy(t, q)
	acks := &wire.Acks{Shards: []uint32{0, 0, 0, 0}, Indexes: []uint64{1, 2, 3, 4}, Detached: []uint64{3, 4}, Failures: []*wire.Failure{{Index: 2}}}
	q.ack(acks)
	q.ack(acks)
	if !slices.Equal(a.done, []uint64{1, 2}) || !slices.Equal(a.wrong, []uint64{2}) || len(a.lost) != 0 {
		t.Errorf("done %v, failed %v, lost %v", a.done, a.wrong, a.lost)
	}
	q.left()
	q.left()
	if !slices.Equal(a.lost, []uint64{3}) {
		t.Errorf("lost with the process: %v", a.lost)
	}
	pushAll(t, q, interactionEvent(5))
	sentBy(t, q)
	q.ack(&wire.Acks{Indexes: []uint64{5}, Detached: []uint64{5}})
	now = now.Add(interactionLife + time.Second)
	q.left()
	if len(a.lost) != 1 {
		t.Errorf("lost after its time: %v", a.lost)
	}
}

// TestDetachedInteractionsAreBounded by number and by age.
func TestDetachedInteractionsAreBounded(t *testing.T) {
	now := time.Now()
	q := newQueue(defaultLimits(), func() time.Time { return now })
	q.setAway(false)
	q.asked = new(asked)
	detach := func(index uint64) {
		e := interactionEvent(index)
		e.Received = now.UnixNano()
		pushAll(t, q, e)
		sentBy(t, q)
		q.ack(&wire.Acks{Indexes: []uint64{index}, Detached: []uint64{index}})
	}
	for index := range uint64(maxDetached + 10) {
		detach(index + 1)
	}
	if len(q.detached) != maxDetached || q.detached[0].Index != 11 {
		t.Errorf("%d are remembered, the oldest is %d", len(q.detached), q.detached[0].Index)
	}
	now = now.Add(interactionLife + time.Second)
	if detach(5000); len(q.detached) != 1 {
		t.Errorf("%d are remembered after their time", len(q.detached))
	}
}
