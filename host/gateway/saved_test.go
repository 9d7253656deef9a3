package gateway

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"
)

// told is a log whose lines a test reads.
func told() (hclog.Logger, lineWriter) {
	lines := make(lineWriter, 256)
	return hclog.New(&hclog.LoggerOptions{Output: lines, DisableTime: true}), lines
}

// find reads on to a line that has all these words.
func (w lineWriter) find(t *testing.T, words ...string) {
	t.Helper()
	var all strings.Builder
	for {
		select {
		case line := <-w:
			all.WriteString(line)
			if !lacksAny(line, words) {
				return
			}
		default:
			t.Fatalf("no line with %q in:\n%s", words, all.String())
		}
	}
}

func lacksAny(line string, words []string) bool {
	for _, word := range words {
		if !strings.Contains(line, word) {
			return true
		}
	}
	return false
}

// TestRestartIsTold: that a session was resumed from before, or which span of events is missed.
func TestRestartIsTold(t *testing.T) {
	since := func() time.Time { return time.Now().Add(-90 * time.Second) }
	tests := map[string]struct {
		since func() time.Time
		then  func(t *testing.T, f *fake, c *fakeConn)
		words []string
		lost  uint64
	}{
		"resumed": {since, func(t *testing.T, f *fake, c *fakeConn) {
			c.must(t, f, "EVENT", "8")
			c.must(t, f, "EVENT", "9")
			c.must(t, f, "RESUMED", "10")
		}, []string{"[INFO]", "resumed from before the restart", "shard=0", "seq=9", "repeated=2", "since=1999-12-31T23:58:30Z", "until=2000-01-01T00:00:00Z"}, 0},
		"refused": {since, func(t *testing.T, f *fake, c *fakeConn) {
			c.must(t, f, "INVALID", "false")
		}, []string{"[WARN]", "could not be resumed after the restart", "are missed", "seq=7", "since=1999-12-31T23:58:30Z", "took=1m30s"}, 1},
		"refused, partly repeated": {since, func(t *testing.T, f *fake, c *fakeConn) {
			c.must(t, f, "EVENT", "8")
			synctest.Wait()
			c.close(4007)
		}, []string{"[WARN]", "could not be resumed after the restart", "seq=8", "since=1999-12-31T23:58:30Z", "took=1m30s"}, 1},
		"nobody knows since when": {func() time.Time { return time.Time{} }, func(_ *testing.T, _ *fake, c *fakeConn) {
			c.close(4009)
		}, []string{"could not be resumed after the restart", "since=unknown"}, 1},
		"a clock set back": {func() time.Time { return time.Now().Add(time.Hour) }, func(_ *testing.T, _ *fake, c *fakeConn) {
			c.close(4009)
		}, []string{"could not be resumed after the restart", "took=0s"}, 1},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake(t, CompressZstd)
				log, lines := told()
				saved := Saved{ID: "session-1", ResumeURL: "ws://resume.test", Seq: 7, Since: test.since().UTC()}
				set, stop := run(t, f, Config{Events: make(chan Event, 9), Resume: map[int]Saved{0: saved}, Log: log})
				c := <-f.conns
				c.must(t, f, "HELLO", "40000")
				c.expect(t, "RESUME token, session-1, seq 7")
				test.then(t, f, c)
				synctest.Wait()
				lines.find(t, test.words...)
				if st := set.Status()[0]; st.Lost != test.lost || st.Resumes != 1-test.lost || st.Identifies != 0 {
					t.Errorf("status %+v", st)
				}
				if err := stop(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// TestRestartIsToldOnce: what happens to the session after it was resumed is no matter of the restart any more.
func TestRestartIsToldOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t, CompressZstd)
		log, lines := told()
		_, stop := run(t, f, Config{
			Events: make(chan Event, 9), Log: log, Resume: map[int]Saved{0: {ID: "session-1", ResumeURL: "ws://resume.test", Seq: 7}},
		})
		for i, words := range []string{"resumed from before the restart", "session resumed: shard=0", "session lost"} {
			c := <-f.conns
			c.must(t, f, "HELLO", "40000")
			c.expect(t, "RESUME token, session-1, seq 7")
			if i < 2 {
				c.must(t, f, "RESUMED", "7") // Discord does not say that it counts it
				synctest.Wait()
				c.abort()
			} else {
				c.close(4009)
			}
			synctest.Wait()
			lines.find(t, words)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

// TestSavedNonsense: values that cannot be right are left out and said; those of another's shard do not matter.
func TestSavedNonsense(t *testing.T) {
	tests := map[string]struct {
		saved Saved
		says  string
	}{
		"nothing":      {Saved{}, "no session id"},
		"no id":        {Saved{ResumeURL: "ws://resume.test", Seq: 7}, "no session id"},
		"no number":    {Saved{ID: "session-1", ResumeURL: "ws://resume.test"}, "no sequence number"},
		"a high one":   {Saved{ID: "session-1", ResumeURL: "ws://resume.test", Seq: 1<<64 - 1}, "no session lives that long"},
		"a long id":    {Saved{ID: strings.Repeat("x", 5000), Seq: 7}, "5000 bytes"},
		"a known time": {Saved{Seq: 7, Since: time.Date(1999, 12, 31, 23, 59, 0, 0, time.UTC)}, "since=1999-12-31T23:59:00Z took=1m0s"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake(t, CompressZstd)
				log, lines := told()
				set, stop := run(t, f, Config{
					Events: make(chan Event, 9), Log: log,
					Resume: map[int]Saved{0: test.saved, 1: {ID: "session-2", Seq: 3}},
				})
				synctest.Wait()
				lines.find(t, "[WARN]", "makes no sense", "are missed", "shard=0", test.says)
				c := <-f.conns
				if !strings.HasPrefix(c.address, "gateway.test") {
					t.Errorf("connected to %s", c.address)
				}
				c.must(t, f, "HELLO", "40000")
				c.expect(t, "IDENTIFY token, shard 0 of 1, intents 0")
				c.must(t, f, "READY", "session-3")
				synctest.Wait()
				if st := set.Status()[0]; len(set.Status()) != 1 || st.Lost != 1 || st.Seq != 1 || st.Handled != 0 {
					t.Errorf("status %+v", set.Status())
				}
				if err := stop(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// TestSavedAddress: a resume address that cannot be used is replaced by the first one.
func TestSavedAddress(t *testing.T) {
	for address, want := range map[string]string{
		"ws://resume.test/?v=9": "resume.test/?", "": "gateway.test/?", "https://resume.test": "gateway.test/?", "ws://": "gateway.test/?",
	} {
		t.Run(address, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake(t, CompressZstd)
				_, stop := run(t, f, Config{
					Events: make(chan Event, 9), Resume: map[int]Saved{0: {ID: "session-1", ResumeURL: address, Seq: 7}},
				})
				c := <-f.conns
				if !strings.HasPrefix(c.address, want) {
					t.Errorf("connected to %s, want %s", c.address, want)
				}
				c.must(t, f, "HELLO", "40000")
				c.expect(t, "RESUME token, session-1, seq 7")
				if err := stop(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// TestMixedStart: shards with a session resume at once, the others identify in their order, at Discord's
// pace, the interval since the process before included; whose resume is refused takes its place among them.
func TestMixedStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const interval = 10 * time.Second
		f := newFake(t, CompressZstd)
		start := time.Now()
		set, stop := run(t, f, Config{
			Shards: []int{0, 1, 2, 3, 4}, Count: 5, Events: make(chan Event, 99), IdentifyInterval: interval, LastIdentify: start,
			Resume: map[int]Saved{
				1: {ID: "one", ResumeURL: "ws://resume.test", Seq: 11}, 3: {ID: "three", ResumeURL: "ws://resume.test", Seq: 13},
			},
		})
		// next is the next connection's first words, and when they came.
		next := func() (c *fakeConn, words string, at time.Duration) {
			c = <-f.conns
			c.must(t, f, "HELLO", "400000")
			words = <-c.got
			return c, words, time.Since(start)
		}
		for range 2 {
			c, words, at := next()
			switch {
			case at != 0:
				t.Errorf("%s after %s", words, at)
			case words == "RESUME token, one, seq 11":
				c.must(t, f, "INVALID", "false")
			case words == "RESUME token, three, seq 13":
				c.must(t, f, "RESUMED", "14")
			default:
				t.Errorf("the client sent %q", words)
			}
		}
		for i, shard := range []int{0, 1, 2, 4} {
			c, words, at := next()
			want := fmt.Sprintf("IDENTIFY token, shard %d of 5, intents 0", shard)
			if words != want || at != time.Duration(i+1)*interval {
				t.Errorf("%q after %s, want %q after %s", words, at, want, time.Duration(i+1)*interval)
			}
			c.must(t, f, "READY", fmt.Sprint("new-", shard))
			synctest.Wait()
		}
		for _, st := range set.Status() {
			resumes, lost := uint64(0), uint64(0)
			if st.Shard == 3 {
				resumes = 1
			}
			if st.Shard == 1 {
				lost = 1
			}
			if st.State != StateReady || st.Resumes != resumes || st.Identifies != 1-resumes || st.Lost != lost {
				t.Errorf("status %+v", st)
			}
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

// TestSavedIsGivenUp: a session of an earlier process that Discord neither takes nor refuses, whatever it answers
// instead, is given up after resumeReach; one that it has shown to know is not.
func TestSavedIsGivenUp(t *testing.T) {
	tests := map[string]struct {
		then  func(t *testing.T, f *fake, c *fakeConn, seq int)
		knows bool
	}{
		"close code": {func(_ *testing.T, _ *fake, c *fakeConn, _ int) { c.close(4000) }, false},
		"silence":    {func(*testing.T, *fake, *fakeConn, int) {}, false},
		"op 9 true":  {func(t *testing.T, f *fake, c *fakeConn, _ int) { c.must(t, f, "INVALID", "true") }, false},
		"an event each": {func(t *testing.T, f *fake, c *fakeConn, seq int) {
			c.must(t, f, "EVENT", fmt.Sprint(seq))
			synctest.Wait()
			time.Sleep(10 * time.Second)
			c.close(4000)
		}, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake(t, CompressZstd)
				set, stop := run(t, f, Config{
					Events: make(chan Event, 999), Resume: map[int]Saved{0: {ID: "session-1", ResumeURL: "ws://resume.test", Seq: 7}},
				})
				start := time.Now()
				words := ""
				for seq := 8; time.Since(start) < 2*resumeReach; seq++ {
					c := <-f.conns
					c.must(t, f, "HELLO", "400000")
					if words = <-c.got; strings.HasPrefix(words, "IDENTIFY") {
						break
					}
					test.then(t, f, c, seq)
				}
				took := time.Since(start)
				if identified := strings.HasPrefix(words, "IDENTIFY"); identified == test.knows || identified && took <= resumeReach {
					t.Errorf("the client sent %q after %s", words, took)
				}
				if st := set.Status()[0]; st.Lost != st.Identifies || (st.Lost == 0) != test.knows {
					t.Errorf("status %+v", st)
				}
				if err := stop(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// TestStopResumedAnywhere ends the set at every point of a start from saved values: the session is kept, Run
// returns nil, and the bubble finds whatever is left.
func TestStopResumedAnywhere(t *testing.T) {
	steps := []func(t *testing.T, f *fake, c *fakeConn){
		func(t *testing.T, f *fake, c *fakeConn) { c.must(t, f, "HELLO", "40000") },
		func(t *testing.T, _ *fake, c *fakeConn) { c.expect(t, "RESUME token, session-1, seq 7") },
		func(t *testing.T, f *fake, c *fakeConn) { c.must(t, f, "EVENT", "8") },
		func(t *testing.T, f *fake, c *fakeConn) { c.must(t, f, "EVENT", "9") }, // finds no room
		func(t *testing.T, f *fake, c *fakeConn) { c.must(t, f, "RESUMED", "10") },
	}
	for n := range len(steps) + 1 {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake(t, CompressZstd)
				_, stop := run(t, f, Config{
					Events: make(chan Event, 1), Resume: map[int]Saved{0: {ID: "session-1", ResumeURL: "ws://resume.test", Seq: 7}},
				})
				c := <-f.conns
				for _, step := range steps[:n] {
					step(t, f, c)
					synctest.Wait()
				}
				if err := stop(); err != nil {
					t.Errorf("run ended with %v", err)
				}
				for got := range c.got {
					if !strings.HasPrefix(got, "RESUME") {
						if got != "CLOSE 4000" && (n > 0 || got != "END") { // n is 0: it was not yet known to be open
							t.Errorf("ended with %q", got)
						}
						return
					}
				}
			})
		})
	}
}

// TestWholeIsTold: a quiet shard is known to have missed nothing up to its last ACK; not
// while an event of it is still to be handled.
func TestWholeIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		f := newFake(t, CompressZstd)
		log, _ := told()
		var whole []string
		set, stop := run(t, f, Config{Events: make(chan Event, 9), Log: log, Whole: func(shard int, session string, at time.Time) {
			whole = append(whole, fmt.Sprint(shard, session, at.Sub(begin)))
		}})
		c := identified(t, f, "session-1")
		beat := func(seq string) {
			t.Helper()
			c.expect(t, "HEARTBEAT "+seq)
			c.must(t, f, "ACK", "")
			synctest.Wait()
		}
		beat("null") // READY is not handled yet
		set.Handled(0, 1)
		beat("1")
		c.must(t, f, "EVENT", "2")
		beat("1")
		set.Handled(0, 2)
		beat("2")
		if want := []string{"0session-11m0s", "0session-12m20s"}; !slices.Equal(whole, want) {
			t.Errorf("told %q, want %q", whole, want)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

// TestMissedBeforeTheFirstReady: sessions that cannot be resumed because they would be
// others now leave a span, too, and it has an end.
func TestMissedBeforeTheFirstReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t, CompressZstd)
		log, lines := told()
		since := time.Now().Add(-time.Minute)
		_, stop := run(t, f, Config{Events: make(chan Event, 9), Log: log, MissedSince: since})
		identified(t, f, "session-1")
		synctest.Wait()
		lines.find(t, "[WARN]", "session ready, events were missed", "since="+stamp(since), "until="+stamp(time.Now()), "took=1m0s")
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}
