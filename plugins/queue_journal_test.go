package plugins

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-bot/holdfast/sdk/wire"
)

// TestMoreIsLostThanTheCursorSpans: the journal lets go of more events than the
// cursor can tell apart while an older one is open. The plugin goes on
// afterwards.
func TestMoreIsLostThanTheCursorSpans(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newMemoryJournal()
		l := smallWindow()
		l.queued = 300
		q := openQueue(t, j, l, manifestOf("MESSAGE_CREATE"))
		last := 2*l.window + 5000
		for range last {
			q.push(j.add(*message(0, 1, 1)))
		}
		j.mu.Lock()
		j.gone = last
		j.mu.Unlock()
		open := sentBy(t, q.queue)
		if len(open) != 1 {
			t.Fatalf("%d events found room", len(open))
		}
		synctest.Wait() // the loss is found while the event is open
		q.ack(ackOf(open...))
		synctest.Wait()
		q.push(j.add(*message(0, 1, 1)))
		synctest.Wait()
		got := sentBy(t, q.queue)
		if len(got) != 1 || got[0].Index != last+1 {
			t.Fatalf("after the loss comes %v", got)
		}
		q.ack(ackOf(got...))
		if c, _, behind := q.snapshot(); c.dropped["MESSAGE_CREATE"] != last-1 || behind != 0 {
			t.Errorf("%d dropped, %d behind", c.dropped["MESSAGE_CREATE"], behind)
		}
		if low, _, _ := j.cursors["p"].Position(); low != last+1 {
			t.Errorf("handled up to %d, want %d", low, last+1)
		}
	})
}

// TestNewKindIsTakenFromTheBarrierOn: also by a plugin that was not behind at the
// barrier and is soon after.
func TestNewKindIsTakenFromTheBarrierOn(t *testing.T) {
	j := newMemoryJournal()
	l := smallLimits()
	l.queued = 300
	q := openQueue(t, j, l, manifestOf("MESSAGE_CREATE"))
	q.push(j.add(*message(0, 1, 200)))
	typing := message(0, 1, 10)
	typing.Name = "TYPING_START"
	before := j.add(*typing) // another plugin's
	q.pause()
	next := wants(manifestOf("MESSAGE_CREATE", "TYPING_START"))
	q.widen(next)
	q.keep(next)
	for range 3 {
		q.push(j.add(*message(0, 1, 200)))
	}
	after := j.add(*typing)
	q.push(after)
	q.resume()
	for _, e := range q.takenUntil(t, 5, always) {
		if e.Index == before.Index {
			t.Fatalf("%s %d is from before the barrier", e.Name, e.Index)
		}
	}
}

// TestNewKindIsTakenWhileTheSwitchIsMade: the router follows the new build at
// once, and a plugin that is behind reads on in the journal meanwhile.
func TestNewKindIsTakenWhileTheSwitchIsMade(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newMemoryJournal()
		q := openQueue(t, j, defaultLimits(), manifestOf("MESSAGE_CREATE"))
		q.push(j.add(*message(0, 1, 10)))
		q.takenUntil(t, 1, always)
		q.over()
		j.add(*message(0, 1, 10)) // while no host ran
		j.broken = 1              // for a second
		q = openQueue(t, j, defaultLimits(), manifestOf("MESSAGE_CREATE"))
		q.pause()
		p := &Plugin{queue: q.queue, set: new(Set)}
		next := &instance{manifest: manifestOf("MESSAGE_CREATE", "TYPING_START")}
		p.settle(&swap{next: next, done: make(chan outcome, 1), switching: func() {
			typing := message(0, 1, 10)
			typing.Name = "TYPING_START"
			q.push(j.add(*typing))
			time.Sleep(2 * refillPause)
		}})
		q.resume()
		if got := sentBy(t, q.queue); len(got) != 2 || got[1].Name != "TYPING_START" {
			t.Errorf("sent %v", got)
		}
	})
}

// TestInteractionThatOvertookIsNotHandledTwice: it was handled before the host
// stopped, although the events before it were not.
func TestInteractionThatOvertookIsNotHandledTwice(t *testing.T) {
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
	q.push(j.add(*i))
	q.resume()
	got := sentBy(t, q.queue)
	if len(got) == 0 || got[0].Name != interactionCreate {
		t.Fatalf("sent %v", got)
	}
	q.end()
	q.ack(ackOf(got...))
	q.over()
	q = openQueue(t, j, defaultLimits(), manifestOf("MESSAGE_CREATE"))
	for _, e := range q.takenUntil(t, 50-(len(got)-1), always) {
		if e.Name == interactionCreate {
			t.Fatalf("interaction %d again, flags %d", e.Index, e.Flags)
		}
	}
}

// TestInteractionsOfAnAwayPluginAreForgotten: a plugin that is down for days keeps
// no list of all interactions that were meant for it.
func TestInteractionsOfAnAwayPluginAreForgotten(t *testing.T) {
	j := newMemoryJournal()
	l := smallWindow()
	l.away, l.fresh = 300, 10
	q := openQueue(t, j, l, manifestOf("MESSAGE_CREATE"))
	q.setAway(true)
	interactions := func(n int) (remembered int) {
		i := message(0, 1, 10)
		i.Name, i.Received = interactionCreate, time.Now().UnixNano()
		for range n {
			q.push(j.add(*i))
		}
		q.mu.Lock()
		defer q.mu.Unlock()
		return len(q.kept.ahead)
	}
	for range 3 {
		q.push(j.add(*message(0, 1, 200)))
	}
	if n := interactions(1000); n > l.fresh {
		t.Errorf("%d interactions are remembered", n)
	}
	for range l.window {
		j.add(*message(0, 1, 10)) // of another plugin
	}
	if n := interactions(2 * aheadMost); n > aheadMost {
		t.Errorf("%d interactions are remembered beyond the window", n)
	}
}

// TestWhatWasNeverSentIsNotMarked: after an orderly stop it is known what a
// process was given.
func TestWhatWasNeverSentIsNotMarked(t *testing.T) {
	j := newMemoryJournal()
	l := defaultLimits()
	l.perLane = 1
	q := openQueue(t, j, l, manifestOf("MESSAGE_CREATE"))
	const total = 10
	for n := range uint64(total) {
		q.push(j.add(*message(0, 1+n/9, 10))) // the last in a lane of its own
	}
	sent := sentBy(t, q.queue)
	if len(sent) != 2 || sent[1].Index != total {
		t.Fatalf("sent %v", sent)
	}

	q.end()
	q.ack(ackOf(sent...))
	q.over()
	for life, marked := range []bool{false, true} {
		if marked {
			j.cursors["p"].sent = total - 1 // as a kill leaves it
		}
		q = openQueue(t, j, l, manifestOf("MESSAGE_CREATE"))
		got := q.takenUntil(t, 1, func(wire.Event) bool { return false })
		if got[0].Index != uint64(2+life) || (got[0].Flags&wire.Redelivered != 0) != marked {
			t.Errorf("life %d begins with event %d, flags %d", life+2, got[0].Index, got[0].Flags)
		}
		q.end()
		q.ack(ackOf(got...))
		q.over()
	}
	q = openQueue(t, j, l, manifestOf("MESSAGE_CREATE"))
	if got := q.takenUntil(t, 1, always); got[0].Flags&wire.Redelivered == 0 {
		t.Errorf("event %d was perhaps sent before the kill, and is not marked", got[0].Index)
	}
}

// TestWhatComesAtTheEndOfTheJournal: an event that is left to the journal when
// refill has just found no more there is not forgotten.
func TestWhatComesAtTheEndOfTheJournal(t *testing.T) {
	j := newMemoryJournal()
	l := smallLimits()
	l.queued = 300
	q := openQueue(t, j, l, manifestOf("MESSAGE_CREATE"))
	const before = 10
	for range before {
		q.push(j.add(*message(0, 1, 200)))
	}
	came := make(chan struct{})
	j.mu.Lock()
	j.atEnd = func() {
		defer close(came)
		q.push(j.add(*message(0, 1, 200)))
	}
	j.mu.Unlock()
	got := q.takenUntil(t, before, always)
	<-came
	q.push(j.add(*message(0, 1, 200)))
	got = append(got, q.takenUntil(t, 1, always)...)
	if len(got) == before+1 {
		got = append(got, q.takenUntil(t, 1, always)...)
	}
	for n, e := range got {
		if e.Index != uint64(n)+1 {
			t.Fatalf("event %d at place %d", e.Index, n+1)
		}
	}
}

// TestLooseEventOvertakesNothing: one that the journal could not take is dropped
// while older ones wait there, although there is room. An interaction goes at once.
func TestLooseEventOvertakesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newMemoryJournal()
		openQueue(t, j, defaultLimits(), manifestOf("MESSAGE_CREATE")).over()
		const missed = 5
		for range missed {
			j.add(*message(0, 1, 10)) // while no host ran
		}
		j.broken = 1 // for a second
		q := openQueue(t, j, defaultLimits(), manifestOf("MESSAGE_CREATE"))
		synctest.Wait()
		q.push(message(wire.NotJournaled|1, 1, 0))
		interaction := message(wire.NotJournaled|2, 1, 0)
		interaction.Name, interaction.Received = interactionCreate, time.Now().UnixNano()
		q.push(interaction)
		expect(t, "at once", sentBy(t, q.queue), interaction.Index)
		time.Sleep(2 * refillPause)
		synctest.Wait()
		expect(t, "from the journal", sentBy(t, q.queue), 1, 2, 3, 4, 5)
		if c, _, _ := q.snapshot(); c.dropped["MESSAGE_CREATE"] != 1 {
			t.Errorf("dropped %v", c.dropped)
		}
	})
}
