package plugins

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-bot/holdfast/sdk/wire"
	"google.golang.org/protobuf/proto"
)

// sentBy reads back what take put into the batch.
func sentBy(t *testing.T, q *queue) []wire.Event {
	t.Helper()
	var b wire.Batch
	n := q.take(&b)
	if n == 0 {
		return nil
	}
	buffers, err := wire.StreamCodec().Marshal(&b)
	if err != nil {
		t.Fatal(err)
	}
	var batch wire.EventBatch
	if err := proto.Unmarshal(buffers.Materialize(), &batch); err != nil {
		t.Fatal(err)
	}
	var out []wire.Event
	for rest := batch.GetFrames(); len(rest) > 0; {
		var e wire.Event
		if rest, err = wire.ParseFrame(rest, &e, nil); err != nil {
			t.Fatal(err)
		}
		out = append(out, e)
	}
	if len(out) != n {
		t.Fatalf("take said %d, the batch holds %d", n, len(out))
	}
	return out
}

func message(index, lane uint64, size int) *wire.Event {
	return &wire.Event{Index: index, Lane: lane, Guild: lane, Name: "MESSAGE_CREATE", Data: make([]byte, size)}
}

func ackOf(events ...wire.Event) *wire.Acks {
	a := new(wire.Acks)
	for _, e := range events {
		a.Shards = append(a.Shards, e.Shard)
		a.Indexes = append(a.Indexes, e.Index)
	}
	return a
}

func pushAll(t *testing.T, q *queue, events ...*wire.Event) {
	t.Helper()
	for _, e := range events {
		q.push(e)
	}
}

func upQueue(l limits) *queue {
	return newQueue(l, time.Now)
}

func TestLaneCreditIs16(t *testing.T) {
	q := upQueue(defaultLimits())
	for n := range uint64(40) {
		pushAll(t, q, message(n, 1, 10))
	}
	got := sentBy(t, q)
	if len(got) != 16 {
		t.Fatalf("%d of one lane in flight, want 16", len(got))
	}
	if more := sentBy(t, q); len(more) != 0 {
		t.Fatalf("%d more without an acknowledgement", len(more))
	}
	q.ack(ackOf(got[3]))
	if more := sentBy(t, q); len(more) != 1 || more[0].Index != 16 {
		t.Fatalf("after one acknowledgement: %v", more)
	}
}

func TestInstanceCredit(t *testing.T) {
	q := upQueue(defaultLimits())
	for n := range uint64(400) {
		pushAll(t, q, message(n, 1000+n, 10))
	}
	total := 0
	for got := sentBy(t, q); len(got) > 0; got = sentBy(t, q) {
		total += len(got)
	}
	if total != 256 {
		t.Fatalf("%d events in flight, want 256", total)
	}
	for n := range uint64(100) {
		e := message(5000+n, 1, 10)
		e.Name = interactionCreate
		e.Received = time.Now().UnixNano()
		pushAll(t, q, e)
	}
	total = 0
	for got := sentBy(t, q); len(got) > 0; got = sentBy(t, q) {
		for _, e := range got {
			if e.Name != interactionCreate {
				t.Fatalf("%s took the credit of interactions", e.Name)
			}
			total++
		}
	}
	if total != 64 {
		t.Fatalf("%d interactions in flight, want 64", total)
	}
}

func TestInteractionsGoFirst(t *testing.T) {
	q := upQueue(defaultLimits())
	i := message(9, 1, 10)
	i.Name, i.Received = interactionCreate, time.Now().UnixNano()
	pushAll(t, q, message(1, 1, 10), message(2, 2, 10), i)
	if got := sentBy(t, q); len(got) != 3 || got[0].Name != interactionCreate {
		t.Fatalf("got %v", got)
	}
}

func TestOldInteractionIsNotDelivered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := upQueue(defaultLimits())
		i := message(9, 1, 10)
		i.Name, i.Received = interactionCreate, time.Now().UnixNano()
		pushAll(t, q, i)
		time.Sleep(interactionLife + time.Second)
		idle := make(chan error, 1)
		go func() { idle <- q.waitIdle(t.Context()) }()
		synctest.Wait()
		if got := sentBy(t, q); len(got) != 0 {
			t.Fatalf("delivered after its token had ended: %v", got)
		}
		if c, _, _ := q.snapshot(); c.dropped[interactionCreate] != 1 || c.queued != 0 {
			t.Fatalf("counts %+v", c)
		}
		if err := <-idle; err != nil {
			t.Fatalf("the queue is empty, and still waited for: %v", err)
		}
	})
}

func TestLargeEventGoesAlone(t *testing.T) {
	q := upQueue(defaultLimits())
	pushAll(t, q, message(1, 1, 10), message(2, 2, 3<<20), message(3, 3, 10))
	small := sentBy(t, q)
	if len(small) != 1 || small[0].Index != 1 {
		t.Fatalf("first batch %d events", len(small))
	}
	if got := sentBy(t, q); len(got) != 0 {
		t.Fatalf("%d events beside a large one that waits", len(got))
	}
	q.ack(ackOf(small...))
	large := sentBy(t, q)
	if len(large) != 1 || large[0].Index != 2 {
		t.Fatalf("large event did not go alone: %d", len(large))
	}
	if got := sentBy(t, q); len(got) != 0 {
		t.Fatalf("%d events beside the large one", len(got))
	}
	q.ack(ackOf(large...))
	if got := sentBy(t, q); len(got) != 1 || got[0].Index != 3 {
		t.Fatalf("after the large one: %v", got)
	}
}

func TestFullQueueWithoutJournalDrops(t *testing.T) {
	l := defaultLimits()
	l.queued = 4000
	q := newQueue(l, time.Now)
	for n := range uint64(5) {
		pushAll(t, q, message(n, n+1, 1500))
	}
	got := sentBy(t, q)
	if len(got) != 3 || got[0].Index != 0 || got[2].Index != 2 {
		t.Fatalf("kept %v", got)
	}
	if c, _, _ := q.snapshot(); c.dropped["MESSAGE_CREATE"] != 2 {
		t.Fatalf("counted %v", c.dropped)
	}
}

func TestCrashRedeliversOneAtATime(t *testing.T) {
	q := upQueue(defaultLimits())
	pushAll(t, q, message(1, 1, 10), message(2, 1, 10), message(3, 2, 10))
	if got := sentBy(t, q); len(got) != 3 {
		t.Fatalf("sent %v", got)
	}
	q.ack(ackOf(*message(3, 2, 10)))
	if dead := q.crashed(); len(dead) != 0 {
		t.Fatalf("dead letters %v", dead)
	}
	pushAll(t, q, message(4, 1, 10), message(5, 3, 10))
	for _, want := range []uint64{1, 2} {
		got := sentBy(t, q)
		if len(got) != 1 || got[0].Index != want || got[0].Flags != wire.Redelivered {
			t.Fatalf("want %d alone and marked, got %v", want, got)
		}
		if more := sentBy(t, q); len(more) != 0 {
			t.Fatalf("%v flowed beside a redelivered event", more)
		}
		q.ack(ackOf(got...))
	}
	rest := sentBy(t, q)
	if len(rest) != 2 || rest[0].Flags != 0 || rest[1].Flags != 0 {
		t.Fatalf("the rest: %v", rest)
	}
}

func TestDeadLetterAfterTwoFurtherCrashes(t *testing.T) {
	q := upQueue(defaultLimits())
	pushAll(t, q, message(1, 1, 10), message(2, 1, 10))
	sentBy(t, q)
	var dead []wire.Event
	for crash := range 3 {
		if dead = q.crashed(); len(dead) != 0 && crash < 2 {
			t.Fatalf("dead letter at crash %d", crash+1)
		}
		if crash < 2 {
			if got := sentBy(t, q); len(got) != 1 || got[0].Index != 1 {
				t.Fatalf("crash %d: redelivered %v", crash+1, got)
			}
		}
	}
	if len(dead) != 1 || dead[0].Index != 1 {
		t.Fatalf("dead letters %v, want event 1", dead)
	}
	got := sentBy(t, q)
	if len(got) != 1 || got[0].Index != 2 {
		t.Fatalf("after the dead letter: %v", got)
	}
	q.ack(ackOf(got...))
	if !q.empty() {
		t.Fatal("something is left")
	}
}

// TestQueueKeepsEverything drives a queue at random, crashes included, and
// checks the promises: in order within a lane, nothing lost, nothing unmarked
// twice, credit never exceeded.
func TestQueueKeepsEverything(t *testing.T) {
	for seed := range uint64(10) {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) { randomQueue(t, seed) })
	}
}

func randomQueue(t *testing.T, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 0))
	q := upQueue(defaultLimits())
	const total = 3000
	var pushed uint64
	var flying []wire.Event
	acked := map[uint64]bool{}
	lastOfLane := map[uint64]uint64{}
	crashes := 0
	for len(acked) < total {
		switch n := r.IntN(100); {
		case n < 50 && pushed < total:
			pushed++
			pushAll(t, q, message(pushed, 1+r.Uint64N(20), r.IntN(5000)))
		case n < 80:
			got := sentBy(t, q)
			for _, e := range got {
				if acked[e.Index] {
					t.Fatalf("event %d delivered after its acknowledgement", e.Index)
				}
				if e.Flags == 0 {
					if e.Index <= lastOfLane[e.Lane] {
						t.Fatalf("event %d of lane %d after %d", e.Index, e.Lane, lastOfLane[e.Lane])
					}
					lastOfLane[e.Lane] = e.Index
				}
			}
			flying = append(flying, got...)
			bytes := 0
			for _, e := range flying {
				bytes += e.FrameSize()
			}
			if len(flying) > 256 || bytes > 1<<20 {
				t.Fatalf("%d events, %d bytes in flight", len(flying), bytes)
			}
		case n < 99 && len(flying) > 0:
			k := r.IntN(len(flying))
			q.ack(ackOf(flying[k]))
			q.ack(ackOf(flying[k])) // twice is ignored
			acked[flying[k].Index] = true
			flying = append(flying[:k:k], flying[k+1:]...)
		case crashes < 5 && pushed > 1000:
			crashes++
			if dead := q.crashed(); len(dead) != 0 {
				t.Fatalf("dead letters %v", dead)
			}
			flying = nil
		}
	}
	if !q.empty() || q.flightBytes != 0 || q.interactions.inFlight != 0 {
		t.Fatalf("left: %d bytes in flight", q.flightBytes)
	}
	for q.readyHead != nil {
		sentBy(t, q)
	}
	if len(q.lanes) != 0 {
		t.Fatalf("%d lanes left", len(q.lanes))
	}
}

func TestWaitIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := upQueue(defaultLimits())
		pushAll(t, q, message(1, 1, 10))
		done := make(chan error, 1)
		go func() { done <- q.waitIdle(t.Context()) }()
		synctest.Wait()
		got := sentBy(t, q)
		synctest.Wait()
		if len(done) != 0 {
			t.Fatal("idle while an event is in flight")
		}
		q.ack(ackOf(got...))
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	})
}

func BenchmarkQueue(b *testing.B) {
	q := upQueue(defaultLimits())
	codec := wire.StreamCodec()
	e := message(0, 1, 1024)
	var acks wire.Acks
	acks.Shards, acks.Indexes = make([]uint32, 0, 256), make([]uint64, 0, 256)
	b.ReportAllocs()
	var n uint64
	for b.Loop() {
		n++
		ev := *e
		ev.Index, ev.Lane = n, n%50
		q.push(&ev)
		acks.Shards, acks.Indexes = append(acks.GetShards(), 0), append(acks.GetIndexes(), n)
		if n%25 == 0 {
			var batch wire.Batch
			q.take(&batch)
			buffers, _ := codec.Marshal(&batch)
			buffers.Free()
			q.ack(&acks)
			acks.Shards, acks.Indexes = acks.GetShards()[:0], acks.GetIndexes()[:0]
		}
	}
}

// TestSlowLaneIsNotHung: sixteen slow events of one lane are in flight at once,
// each with its own deadline.
func TestSlowLaneIsNotHung(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := upQueue(defaultLimits())
		for n := range uint64(16) {
			pushAll(t, q, message(n, 1, 10))
		}
		got := sentBy(t, q)
		for n := range got {
			time.Sleep(time.Minute)
			if since, _, ok := q.stuckSince(); !ok || time.Since(since) != time.Minute {
				t.Fatalf("before acknowledgement %d: stuck for %s", n, time.Since(since))
			}
			q.ack(ackOf(got[n]))
		}
		if _, _, ok := q.stuckSince(); ok {
			t.Error("stuck with nothing in flight")
		}
	})
}
