package host_test

import (
	"math/rand/v2"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/holdfast-bot/holdfast/host"
	"github.com/holdfast-bot/holdfast/host/control"
	"github.com/holdfast-bot/holdfast/host/simulator"
)

// TestWitness: without a change of the sessions everything comes once and in
// order, whatever kind it is. Else the witness of the tests below is worth nothing.
func TestWitness(t *testing.T) {
	t.Parallel() // most of its time is waiting
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
	if s := x.status().Shards; len(s) != count {
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
		if x.breaking {
			live = slices.DeleteFunc(live, func(s simulator.SessionState) bool { return s.Shards != count && !s.Connected })
		}
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
	beside(t)
	x := newTrial(t, simulator.Config{Shards: 2}, kinds(), shards(2))
	x.drive(func() {
		x.reshard(3)
		x.reshard(1)
	})
	x.clean()
	if c := x.sim.Counts(); c.Identifies != 2+3+1 {
		t.Errorf("%d identifies", c.Identifies)
	}
}

// TestReshardThroughBrokenConnections: connections of both sets break meanwhile, and
// guilds are introduced long after READY.
func TestReshardThroughBrokenConnections(t *testing.T) {
	beside(t)
	if !full() {
		t.Skip("with HOLDFAST_FULL=1")
	}
	x := newTrial(t, simulator.Config{Shards: 3, IntroduceWithin: handoverSkew}, kinds(), shards(3))
	x.breaking = true
	dice, stop := rand.New(rand.NewPCG(x.seed, 9)), make(chan struct{})
	var breaking sync.WaitGroup
	hits := 0
	breaking.Go(func() {
		faults := []func(int) int{x.sim.Drop, x.sim.Reset, x.sim.Reconnect, func(s int) int { return x.sim.CloseCode(s, 4000) }, func(s int) int { return x.sim.Invalidate(s, true) }}
		tick := time.NewTicker(200 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				hits += faults[dice.IntN(len(faults))](dice.IntN(4))
			case <-stop:
				return
			}
		}
	})
	x.drive(func() {
		for _, count := range []int{2, 4, 1} {
			x.reshard(count)
		}
	})
	close(stop)
	breaking.Wait()
	x.clean()
	t.Logf("%d connections broken, %d resumes", hits, x.sim.Counts().Resumes)
	if c := x.sim.Counts(); c.Identifies != 3+2+4+1 {
		t.Errorf("%d identifies", c.Identifies)
	}
}

// TestIntentsWhileEverythingHappens: a build that asks for more events gets them, and
// the others notice nothing.
func TestIntentsWhileEverythingHappens(t *testing.T) {
	beside(t)
	added := []string{"MESSAGE_CREATE", "MESSAGE_UPDATE", "VOICE_STATE_UPDATE", "PRESENCE_UPDATE", "GUILD_MEMBER_ADD", "GUILD_SCHEDULED_EVENT_CREATE"}
	privileged := []string{"GUILD_MEMBER_UPDATE", "GUILD_MEMBER_REMOVE", "THREAD_MEMBERS_UPDATE"} // of the same intents
	scheduled := []string{"GUILD_SCHEDULED_EVENT_UPDATE", "GUILD_SCHEDULED_EVENT_DELETE", "GUILD_SCHEDULED_EVENT_USER_ADD", "GUILD_SCHEDULED_EVENT_USER_REMOVE"}
	base := slices.DeleteFunc(kinds(), func(kind string) bool {
		return slices.Contains(slices.Concat(added, privileged, scheduled), kind)
	})
	x := newTrial(t, simulator.Config{Shards: 2}, base, shards(2))
	before := x.sim.Sessions()[0].Intents
	from := 0
	x.drive(func() {
		x.ask(slices.Concat(base, added))
		rebuilt(t, x.plugins, "recorder-0", recorder, 1)
		report, err := x.host.Reload(t.Context(), control.ReloadOptions{Reidentify: true})
		if err != nil || report.SessionsError != "" || report.Sessions == "" || len(report.Steps) != 1 || !report.Steps[0].OK() {
			t.Fatalf("%+v, %v", report, err)
		}
		from = len(x.emitted.of(t, added))
		x.only(2)
	})
	x.clean()
	if s := x.sim.Sessions(); s[0].Intents == before {
		t.Errorf("intents %#x as before", before)
	}
	// Of the added kinds all that happened since comes, in order, and nothing comes
	// twice. What came while the sessions were replaced is late.
	var all, got []happening
	var since verdict
	for limit := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		got = ofKinds(recorded(t, x.file), added)
		all = x.emitted.of(t, added) // after that: the host still defers what nobody answers, and each deferral is a message
		if since = judge(all[from:], got); since.lost == 0 || time.Now().After(limit) {
			break
		}
	}
	if since.lost+since.disorder > 0 || len(all) == from {
		t.Errorf("of the added kinds, since they were there: %v", since)
	}
	if v := judge(all, got); v.twice+v.foreign > 0 {
		t.Errorf("of the added kinds: %v", v)
	}
}

// TestReshardWaitsForALostSession: a new session that is lost before the switch and
// gets no other holds that up, until it is back or the time is over.
func TestReshardWaitsForALostSession(t *testing.T) {
	t.Parallel() // most of its time is waiting
	if !full() {
		t.Skip("with HOLDFAST_FULL=1")
	}
	x := newTrial(t, simulator.Config{Shards: 2}, kinds(), func(c *host.Config) {
		c.Settings.Shards.Count, c.BesideTimeout = 2, 8*time.Second
	})
	x.drive(func() {
		x.sim.Aim(3)
		lost := false
		err := x.host.Reshard(t.Context(), control.Reshard{Shards: 3}, func(line string) {
			t.Log(line)
			if strings.HasPrefix(line, "3 of 3") && !lost {
				lost = true
				x.sim.Mute(1, 3, true)
				if x.sim.Invalidate(1, false) != 1 {
					t.Error("the session was not there")
				}
			}
		})
		if err == nil || !strings.Contains(err.Error(), "1 of 3 new sessions were not ready") || !lost {
			t.Errorf("error %v", err)
		}
		x.only(2)
	})
	x.clean()
}

// TestReshardRollsBack: when a shard does not get READY, or Discord wants more
// shards, the old sessions go on, and nothing is missing.
func TestReshardRollsBack(t *testing.T) {
	beside(t)
	x := newTrial(t, simulator.Config{Shards: 2, GuildsPerShard: 40}, kinds(), func(c *host.Config) {
		c.Settings.Shards.Count, c.BesideTimeout = 2, 2*time.Second
	})
	x.breach, x.driver.stay = simulator.RuleSharding, true
	refused := func(count int, words string) {
		err := x.host.Reshard(t.Context(), control.Reshard{Shards: count}, func(line string) { t.Log(line) })
		if err == nil || !strings.Contains(err.Error(), words) || !strings.Contains(err.Error(), "the sessions of before go on") {
			t.Errorf("error %v, want %q", err, words)
		}
		x.only(2)
	}
	x.drive(func() {
		x.sim.Mute(1, 3, true)
		refused(3, "1 of 3 new sessions were not ready")
		x.sim.Mute(1, 3, false)
		refused(1, "too many guilds for so few shards")
		x.reshard(3)
	})
	x.clean()
}

// TestReshardCommand: the command itself, with the times that Discord gives.
func TestReshardCommand(t *testing.T) {
	if !full() {
		t.Skip("it waits for Discord's times")
	}
	t.Parallel() // most of its time is waiting
	const guilds, n = 20, 4_000
	sim := discord(t, simulator.Config{MaxConcurrency: 16, World: simulator.World{Guilds: guilds}, VaryKeys: true})
	o, files := recorders(t, 1, nil)
	h := start(t, sim, o)
	var sending sync.WaitGroup
	sending.Go(func() { sequence(t, sim, n, n/25) })
	run := func(args ...string) (string, error) {
		out, err := exec.CommandContext(t.Context(), program(t, "./host/holdfast"), append(args, "--state", h.state)...).CombinedOutput()
		t.Logf("holdfast %s\n%s", strings.Join(args, " "), out)
		return string(out), err
	}
	said, err := run("reshard", "2")
	if err != nil || !strings.Contains(said, "bringing up 2 sessions beside the 1 that run") || !strings.Contains(said, "2 sessions have taken over") {
		t.Errorf("reshard 2: %v", err)
	}
	if said, err := run("shard", "restart", "1"); err != nil || !strings.Contains(said, "nothing is missed") {
		t.Errorf("shard restart 1: %v", err)
	}
	if said, err := run("reshard", "2"); err != nil || !strings.Contains(said, "nothing to change") {
		t.Errorf("reshard 2 again: %v", err)
	}
	if said, err := run("shard", "restart", "7"); err == nil || !strings.Contains(said, "0-1") {
		t.Errorf("shard restart 7: %v", err)
	}
	sending.Wait()
	h.handled(files, n)
	if again := witness(t, files[0], guilds, n); again != 0 {
		t.Errorf("%d redelivered", again)
	}
	h.stop()
}
