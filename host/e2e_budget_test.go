package host_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-bot/holdfast/host/control"
	"github.com/holdfast-bot/holdfast/host/simulator"
	"github.com/holdfast-bot/holdfast/host/state"
)

// TestStartThatWouldSpendTheReserve: it is refused before a single IDENTIFY, with the remedy.
func TestStartThatWouldSpendTheReserve(t *testing.T) {
	sim := discord(t, simulator.Config{SessionStarts: 11, Shards: 2})
	h := launch(t, sim, options{})
	<-h.exited
	if code := h.cmd.ProcessState.ExitCode(); code != 1 {
		t.Errorf("exit code %d", code)
	}
	for _, words := range []string{"holdfast: start 2 of 2 shards", "11 more until 20", "the last 10", "start again after that time"} {
		if !strings.Contains(h.log.String(), words) {
			t.Errorf("no %q in:\n%s", words, h.log.String())
		}
	}
	if c := sim.Counts(); c.Identifies != 0 || c.SessionStarts != 11 {
		t.Errorf("%d identifies, %d left", c.Identifies, c.SessionStarts)
	}
}

// TestLostSessionsWaitAtTheReserve: the host does not end, says it once, and goes on to resume.
func TestLostSessionsWaitAtTheReserve(t *testing.T) {
	t.Parallel() // most of its time is waiting
	sim := discord(t, simulator.Config{SessionStarts: 14, Shards: 2})
	h := start(t, sim, options{}) // 12 left: the reserve and one start of both
	if sim.Invalidate(0, false) != 1 {
		t.Fatal("shard 0 has no connection")
	}
	h.await("shard 0 waits", func(s control.Status) bool {
		return s.Identifies != nil && s.Identifies.Waiting == 1 && s.Shards[0].State == "queued"
	})
	resumes := h.last.Shards[1].Resumes
	sim.Drop(1)
	h.await("shard 1 is resumed meanwhile", func(s control.Status) bool {
		return s.Shards[1].Resumes > resumes && s.Shards[1].State == "ready"
	})
	if i := h.last.Identifies; i.Remaining != 12 || i.Total != 14 || i.Reserve != 10 || !i.Until.Equal(i.Reset) {
		t.Errorf("status %+v", i)
	}
	h.stop()
	if n := strings.Count(h.log.String(), "too many identifies today"); n != 1 {
		t.Errorf("told %d times:\n%s", n, h.log.String())
	}
	if c := sim.Counts(); c.Identifies != 2 {
		t.Errorf("%d identifies", c.Identifies)
	}

	// A start may use what was kept for it.
	if err := os.Remove(filepath.Join(h.state, "sessions.json")); err != nil {
		t.Fatal(err)
	}
	again := start(t, sim, options{again: h})
	again.stop()
	if c := sim.Counts(); c.Identifies != 4 || c.SessionStarts != 10 {
		t.Errorf("%d identifies, %d left", c.Identifies, c.SessionStarts)
	}
}

// TestCrashLoopWaits: a host that follows five which had to identify and did not live waits, is told
// of, and can be stopped.
func TestCrashLoopWaits(t *testing.T) {
	t.Parallel() // most of its time is waiting
	sim := discord(t, simulator.Config{})
	h := start(t, sim, options{})
	if err := h.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-h.exited
	// It may have been killed before it had saved its session.
	if err := os.Remove(filepath.Join(h.state, "sessions.json")); err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	folder, err := state.Open(h.state, nil)
	if err != nil {
		t.Fatal(err)
	}
	known, err := folder.Identifies()
	if err != nil {
		t.Fatal(err)
	}
	if known.Last.IsZero() || known.Remaining != 999 {
		t.Errorf("a killed host has left %+v", known)
	}
	now := time.Now()
	known.Starts = []time.Time{now, now, now, now, now}
	if err := errors.Join(folder.SetIdentifies(known), folder.Close()); err != nil {
		t.Fatal(err)
	}
	again := launch(t, sim, options{again: h})
	again.await("the start waits", func(s control.Status) bool {
		return s.Phase == "running" && s.Identifies != nil && s.Identifies.Waiting == 1 && s.Shards[0].State == "queued"
	})
	if until := again.last.Identifies.Until; !until.Equal(now.Add(time.Hour)) {
		t.Errorf("it waits until %s, want an hour after %s", until, now)
	}
	again.stop()
	if !strings.Contains(again.log.String(), "the next identify waits") || sim.Counts().Identifies != 1 {
		t.Errorf("%d identifies:\n%s", sim.Counts().Identifies, again.log.String())
	}
}
