package host_test

import (
	"testing"

	"github.com/holdfast-bot/holdfast/host"
	"github.com/holdfast-bot/holdfast/host/control"
	"github.com/holdfast-bot/holdfast/host/simulator"
)

// TestWitness: without a change of the sessions everything comes once and in
// order, whatever kind it is. Else the witness of the tests below is worth nothing.
func TestWitness(t *testing.T) {
	x := newTrial(t, simulator.Config{Shards: 2, IntroduceWithin: trialSkew}, kinds(), shards(2))
	x.drive(func() {})
	v := x.settle()
	if v.lost+v.twice+v.disorder+v.foreign+v.alikeLost+v.alikeTwice+v.fleetingLost+v.fleetingTwice != 0 {
		t.Error("not as it was emitted")
	}
	t.Log(v)
	if v.alike == 0 || v.fleeting == 0 {
		t.Error("nothing that looks alike, or no presence and typing")
	}
	happened := map[string]bool{}
	for _, h := range x.emitted.of(t, kinds()) {
		happened[h.name] = true
	}
	for _, kind := range kinds() {
		if !happened[kind] && full() {
			t.Errorf("no %s", kind)
		}
	}
	t.Logf("%d of %d kinds", len(happened), len(kinds()))
}

// shards sets how many a host begins with.
func shards(n int) func(*host.Config) {
	return func(c *host.Config) { c.Settings.Shards.Count = n }
}

// reshard replaces the sessions, and checks that those of before are gone.
func (x *trial) reshard(count int) {
	x.t.Helper()
	if err := x.host.Reshard(x.t.Context(), control.Reshard{Shards: count}, func(line string) { x.t.Log(line) }); err != nil {
		x.t.Error(err)
		return
	}
	x.only(count)
}

// only checks that so many sessions live, and no others.
func (x *trial) only(count int) {
	x.t.Helper()
	if s := x.host.Status().Shards; len(s) != count {
		x.t.Errorf("%d shards, want %d", len(s), count)
	}
	var live []simulator.SessionState
	defer func() {
		if x.t.Failed() {
			x.t.Logf("sessions at Discord: %+v", live)
		}
	}()
	eventually(x.t, "the other sessions are gone", func() bool {
		live = x.sim.Sessions()
		for _, s := range live {
			if s.Shards != count {
				return false
			}
		}
		return len(live) == count
	})
}

// TestReshardOfEverything: 2, 3 and 1 shards, one after the other, while everything happens.
func TestReshardOfEverything(t *testing.T) {
	x := newTrial(t, simulator.Config{Shards: 2}, kinds(), shards(2))
	x.drive(func() {
		x.reshard(3)
		x.reshard(1)
	})
	x.clean(0)
	if c := x.sim.Counts(); c.Identifies != 2+3+1 {
		t.Errorf("%d identifies", c.Identifies)
	}
}
