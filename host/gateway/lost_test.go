package gateway

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// TestLostIsTold: the span whose events are missed begins when the last was heard of a connection that brought
// everything, and not when the session was found to be gone.
func TestLostIsTold(t *testing.T) {
	// At 10 s an event, at 20 s the ACK of a heartbeat; what happens at 50 s?
	tests := map[string]struct {
		then  func(t *testing.T, f *fake, c *fakeConn)
		since time.Duration
		took  string // until the next READY
	}{
		"op 9": {func(t *testing.T, f *fake, c *fakeConn) { c.must(t, f, "INVALID", "false") }, 50 * time.Second, "3s"},
		"4009": {func(_ *testing.T, _ *fake, c *fakeConn) { c.close(4009) }, 50 * time.Second, "0s"},
		"an event, then op 9 after a while": {func(t *testing.T, f *fake, c *fakeConn) {
			c.must(t, f, "EVENT", "3")
			time.Sleep(5 * time.Second)
			c.abort()
			refused(t, f, 3)
		}, 50 * time.Second, "8s"},
		"the connection is lost, refused later": {func(t *testing.T, f *fake, c *fakeConn) {
			c.abort()
			refused(t, f, 2)
		}, 20 * time.Second, "33s"},
		"op 7, refused later": {func(t *testing.T, f *fake, c *fakeConn) {
			c.must(t, f, "RECONNECT", "")
			refused(t, f, 2)
		}, 50 * time.Second, "3s"},
		"op 9 true, refused later": {func(t *testing.T, f *fake, c *fakeConn) {
			c.must(t, f, "INVALID", "true")
			refused(t, f, 2)
		}, 50 * time.Second, "3s"},
		"half open, refused later": {func(t *testing.T, f *fake, _ *fakeConn) {
			time.Sleep(50 * time.Second) // the heartbeat at 60 s is not answered
			refused(t, f, 2)
		}, 20 * time.Second, "1m23s"},
		"lost while the missed events come": {func(t *testing.T, f *fake, c *fakeConn) {
			c.abort()
			c = resuming(t, f, 2)
			time.Sleep(5 * time.Second)
			c.must(t, f, "EVENT", "3")
			time.Sleep(25 * time.Second)
			c.expect(t, "HEARTBEAT null")
			c.must(t, f, "ACK", "")
			c.close(4007)
		}, 20 * time.Second, "1m0s"},
		"resumed and lost again": {func(t *testing.T, f *fake, c *fakeConn) {
			c.abort()
			c = resuming(t, f, 2)
			time.Sleep(5 * time.Second)
			c.must(t, f, "RESUMED", "3")
			time.Sleep(5 * time.Second)
			c.abort()
			refused(t, f, 3)
		}, 55 * time.Second, "9.5s"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begin := time.Now()
				f := newFake(t, CompressZstd)
				log, lines := told()
				set, stop := run(t, f, Config{Events: make(chan Event, 9), Log: log, IdentifyInterval: time.Nanosecond})
				c := identified(t, f, "session-1")
				time.Sleep(10 * time.Second)
				c.must(t, f, "EVENT", "2")
				c.expect(t, "HEARTBEAT null")
				c.must(t, f, "ACK", "")
				time.Sleep(30 * time.Second)
				test.then(t, f, c)
				identified(t, f, "session-2")
				synctest.Wait()
				since := "since=" + stamp(begin.Add(test.since))
				lines.find(t, "[WARN]", "session lost", "shard=0", since)
				lines.find(t, "[WARN]", "session ready, events were missed", "shard=0", "seq=1", since, "until="+stamp(time.Now()), "took="+test.took)
				if st := set.Status()[0]; st.Lost != 1 {
					t.Errorf("status %+v", st)
				}
				if err := stop(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// TestLostBehindAFullQueue: what lay unread while the router's queue was full proves nothing of the time when it is read.
func TestLostBehindAFullQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		f := newFake(t, CompressZstd)
		log, lines := told()
		events := make(chan Event, 1)
		_, stop := run(t, f, Config{Events: events, Log: log, IdentifyInterval: time.Nanosecond})
		c := identified(t, f, "session-1")
		time.Sleep(10 * time.Second)
		c.must(t, f, "EVENT", "2")
		c.must(t, f, "INVALID", "false")
		time.Sleep(30 * time.Second)
		<-events
		<-events
		identified(t, f, "session-2")
		synctest.Wait()
		lines.find(t, "session ready, events were missed", "since="+stamp(begin.Add(10*time.Second)), "took=33s")
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

// TestMissedOverARestart: the READY after a session that could not be taken over tells the whole span.
func TestMissedOverARestart(t *testing.T) {
	for name, id := range map[string]string{"refused": "session-1", "nonsense": ""} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake(t, CompressZstd)
				log, lines := told()
				since := time.Now().Add(-time.Minute)
				_, stop := run(t, f, Config{Events: make(chan Event, 9), Log: log, Resume: map[int]Saved{0: {ID: id, ResumeURL: "ws://resume.test", Seq: 7, Since: since}}})
				if id != "" {
					refused(t, f, 7)
				}
				identified(t, f, "session-2")
				synctest.Wait()
				took := "took=" + time.Since(since).String()
				lines.find(t, "[WARN]", "session ready, events were missed", "since="+stamp(since), took)
				if err := stop(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// identified goes as far as READY.
func identified(t *testing.T, f *fake, id string) *fakeConn {
	t.Helper()
	c := <-f.conns
	c.must(t, f, "HELLO", "40000")
	c.expect(t, "IDENTIFY token, shard 0 of 1, intents 0")
	c.must(t, f, "READY", id)
	return c
}

// resuming goes as far as RESUME.
func resuming(t *testing.T, f *fake, seq int) *fakeConn {
	t.Helper()
	c := <-f.conns
	c.must(t, f, "HELLO", "40000")
	c.expect(t, fmt.Sprintf("RESUME token, session-1, seq %d", seq))
	return c
}

// refused is resuming, in vain.
func refused(t *testing.T, f *fake, seq int) {
	t.Helper()
	resuming(t, f, seq).must(t, f, "INVALID", "false")
}
