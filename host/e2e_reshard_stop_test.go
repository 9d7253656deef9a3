package host_test

import (
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/holdfast-bot/holdfast/host/control"
	"github.com/holdfast-bot/holdfast/host/simulator"
)

// TestStopAtEachStepOfAReshard: a host that is stopped at any step of it, and
// started again, goes on with the sessions that delivered: without IDENTIFY,
// nothing lost, nothing twice.
func TestStopAtEachStepOfAReshard(t *testing.T) {
	beside(t)
	// There are no interactions: one that is older than 3 s when the host is back nobody gets.
	asked := slices.DeleteFunc(kinds(), func(kind string) bool { return kind == "INTERACTION_CREATE" })
	x, o := prepareTrial(t, simulator.Config{Shards: 2, IdentifyInterval: quickIdentify, RateLimits: simulator.RateLimits{Off: true}}, asked)
	o.quick = true
	h := start(t, x.sim, o)
	x.status = func() control.Status {
		s, _ := h.status()
		return s
	}
	x.begin()
	x.driver.alone = true
	steps := []string{"bringing up", "1 of 3", "3 of 3", "3 sessions have taken over"}
	if !full() {
		steps = steps[2:]
	}
	identifies := x.sim.Counts().Identifies
	x.drive(func() {
		for _, step := range steps {
			h.reshardUntil(3, step)
			if c := x.sim.Counts().Identifies; c > identifies+3 {
				t.Errorf("stopped at %q: %d identifies", step, c-identifies)
			}
			identifies = x.sim.Counts().Identifies
			o.again = h
			h = start(t, x.sim, o)
			x.connected(len(x.status().Shards))
			if c := x.sim.Counts().Identifies; c != identifies {
				t.Errorf("started after %q: %d identifies", step, c-identifies)
			}
			t.Logf("stopped at %q: %d shards", step, len(x.status().Shards))
		}
	})
	x.clean()
	h.stop()
}

// connected checks that the sessions of so many shards are there. A new one that had
// just begun when the host stopped Discord forgets by itself.
func (x *trial) connected(count int) {
	x.t.Helper()
	n := 0
	for _, s := range x.sim.Sessions() {
		if s.Connected {
			if n++; s.Shards != count {
				x.t.Errorf("session of shard %d of %d, want %d", s.Shard, s.Shards, count)
			}
		}
	}
	if n != count {
		x.t.Errorf("%d sessions, want %d", n, count)
	}
}

// reshardUntil asks for other sessions and stops the host at a step.
func (r *running) reshardUntil(count int, step string) {
	r.t.Helper()
	reached := make(chan struct{})
	var asking sync.WaitGroup
	asking.Go(func() {
		// The host stops, so that an error is what is to be expected.
		_ = control.AskReshard(r.t.Context(), r.socket(), control.Reshard{Shards: count}, func(line string) {
			if strings.HasPrefix(line, step) {
				close(reached)
			}
		})
	})
	<-reached
	r.stop()
	asking.Wait()
}
