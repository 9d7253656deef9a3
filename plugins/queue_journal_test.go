package plugins

import (
	"testing"
	"testing/synctest"
)

// TestMoreIsLostThanTheCursorSpans: the journal lets go of more events than the
// cursor can tell apart while an older one is open. The plugin goes on
// afterwards.
func TestMoreIsLostThanTheCursorSpans(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newMemoryJournal()
		l := smallLimits()
		l.queued = 300
		q := openQueue(t, j, l, manifestOf("MESSAGE_CREATE"))
		const last = 2*CursorWindow + 5000
		for range last {
			q.push(j.add(*message(0, 1, 1)))
		}
		j.mu.Lock()
		j.gone[0] = last
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
		if low, _, _ := j.cursors["p"].Position(0); low != last+1 {
			t.Errorf("handled up to %d, want %d", low, last+1)
		}
	})
}
