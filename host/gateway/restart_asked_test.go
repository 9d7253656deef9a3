package gateway

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/holdfast-bot/holdfast/host/simulator"
)

// TestRestartAsked: under load an operator has one shard's connection replaced, again and again, then its session:
// every message once and in order but for what an identify misses, and the others do not notice.
func TestRestartAsked(t *testing.T) {
	const asked, times = 1, 5
	w := newRestarts(t, simulator.Config{Shards: restartShards, World: simulator.World{Guilds: 12}, VaryKeys: true})
	l := w.begin(Config{})
	l.until(w.allReady)
	restart := func(identify bool) bool {
		t.Helper()
		done, resumed := make(chan error, 1), false
		go func() {
			var err error
			resumed, err = l.set.Restart(t.Context(), asked, identify)
			done <- err
		}()
		for {
			select {
			case e := <-l.events:
				w.keep(l.set, &e)
			case err := <-done:
				if err != nil {
					t.Error(err)
				}
				return resumed
			}
		}
	}
	for range times {
		w.say(200)
		before := w.resumed[asked]
		if !restart(false) {
			t.Error("not resumed")
		}
		l.until(func() bool { return w.heard == w.said && w.resumed[asked] > before })
	}
	before := w.ready[asked]
	if restart(true) {
		t.Error("resumed where it was to identify")
	}
	l.until(func() bool { return w.ready[asked] > before })
	w.say(24)
	l.until(func() bool { return w.heard == w.said })
	for _, st := range l.set.Status() {
		want := ShardStatus{Connections: 1, Identifies: 1}
		if st.Shard == asked {
			want = ShardStatus{Connections: times + 2, Identifies: 2, Resumes: times}
		}
		if st.Connections != want.Connections || st.Identifies != want.Identifies || st.Resumes != want.Resumes || st.Lost != 0 || st.Gaps != 0 || st.State != StateReady {
			t.Errorf("status %+v", st)
		}
	}
	l.finish()
	if counts := w.discord.Counts(); counts.Identifies != restartShards+1 || counts.Resumes != times || len(w.discord.Breaches()) != 0 {
		t.Errorf("%d identifies, %d resumes, breaches %v", counts.Identifies, counts.Resumes, w.discord.Breaches())
	}
}

// TestRestartOfOthers: a shard that does not run here is named beside those that do.
func TestRestartOfOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t, CompressNone)
		for want, shards := range map[string][]int{
			"shard 9 does not run here: this host runs the shards 2-4, 6": {6, 2, 4, 3},
			"shard 9 does not run here: this host runs the shards 0-1":    {0, 1},
			"shard 9 does not run here: this host runs shard 5":           {5},
		} {
			set, err := NewSet(Config{Token: "token", URL: "ws://gateway.test", Shards: shards, Count: 12, Events: make(chan Event), dial: f.dial})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := set.Restart(t.Context(), 9, false); err == nil || err.Error() != want {
				t.Errorf("got %v, want %s", err, want)
			}
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			if _, err := set.Restart(ctx, shards[0], false); !errors.Is(err, context.Canceled) {
				t.Errorf("a set that does not run: %v", err)
			}
		}
	})
}

// TestRestartGoesOnWithoutItsOperator: who asked has gone, and the shard is resumed all the same.
func TestRestartGoesOnWithoutItsOperator(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t, CompressNone)
		set, stop := run(t, f, Config{Events: make(chan Event, 9)})
		c := <-f.conns
		c.must(t, f, "HELLO", "40000")
		c.expect(t, "IDENTIFY token, shard 0 of 1, intents 0")
		c.must(t, f, "READY", "session-1")
		synctest.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		gone := make(chan error, 1)
		go func() {
			_, err := set.Restart(ctx, 0, false)
			gone <- err
		}()
		c.expect(t, "CLOSE 4000")
		cancel()
		if err := <-gone; !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		c = <-f.conns
		c.must(t, f, "HELLO", "40000")
		c.expect(t, "RESUME token, session-1, seq 1")
		c.must(t, f, "RESUMED", "2")
		synctest.Wait()
		if st := set.Status()[0]; st.State != StateReady || st.Resumes != 1 {
			t.Errorf("status %+v", st)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
		if _, err := set.Restart(t.Context(), 0, false); !errors.Is(err, ErrStopped) {
			t.Errorf("after the end: %v", err)
		}
	})
}
