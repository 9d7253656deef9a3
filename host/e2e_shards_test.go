package host_test

import (
	"slices"
	"testing"
	"time"

	"github.com/holdfast-bot/holdfast/host/control"
	"github.com/holdfast-bot/holdfast/host/simulator"
)

// TestHostsShareABot: each runs its range, with the guilds and the events of that; a host whose range
// changes leaves the sessions of other shards for the one that runs them again.
func TestHostsShareABot(t *testing.T) {
	t.Parallel() // most of its time is waiting
	const guilds, n = 20, 200
	sim := discord(t, simulator.Config{
		Shards: 3, World: simulator.World{Guilds: guilds}, RateLimits: simulator.RateLimits{Off: true}, // of GET /gateway/bot, two in 5 s
		IdentifyInterval: time.Millisecond, // hosts with folders of their own do not know when the others identified
	})
	o, files := recorders(t, 1, nil)
	other, otherFiles := recorders(t, 1, nil)
	o.args, other.args = []string{"--shards", "0-1/3"}, []string{"--shards", "2-2/3"}
	h, beside := start(t, sim, o), start(t, sim, other)
	known := 0
	for _, one := range []*running{h, beside} {
		s, _ := one.status()
		for _, shard := range s.Shards {
			if shard.Guilds == nil {
				t.Fatalf("shard %d does not know its guilds", shard.Shard)
			}
			known += *shard.Guilds
		}
	}
	if s := beside.last.Shards; known != guilds || len(h.last.Shards) != 2 || len(s) != 1 || s[0].Shard != 2 {
		t.Errorf("%d guilds of %d; %+v and %+v", known, guilds, h.last.Shards, s)
	}
	sequence(t, sim, n, 0)
	eventually(t, "both have what is theirs", func() bool { return lines(files[0])+lines(otherFiles[0]) == n })
	beside.stop()
	h.stop()

	for _, step := range []struct {
		shards              string
		identifies, resumes uint64
	}{
		{"0/3", 3, 1}, // shard 1 is left alone
		{"3", 4, 3},   // and goes on here; shard 2 is new to this folder
		{"0-1/3", 4, 5},
	} {
		o.again, o.args = h, []string{"--shards", step.shards}
		h = start(t, sim, o)
		if c := sim.Counts(); c.Identifies != step.identifies || c.Resumes != step.resumes {
			t.Errorf("--shards %s: %d identifies and %d resumes, want %d and %d", step.shards, c.Identifies, c.Resumes, step.identifies, step.resumes)
		}
		of := guildsOf(sim, 3)
		h.await("shards know their guilds, resumed or not", func(s control.Status) bool {
			return !slices.ContainsFunc(s.Shards, func(one control.Shard) bool { return one.Guilds == nil || *one.Guilds != of[one.Shard] })
		})
		h.stop()
	}
}

// guildsOf counts the guilds of each of so many shards.
func guildsOf(sim *simulator.Server, shards int) map[int]int {
	of := make(map[int]int)
	for _, g := range sim.Guilds() {
		of[int(g.ID>>22)%shards]++
	}
	return of
}

// TestGuildsAreCountedOverRestarts: a host that resumes all its sessions counts what the bot has, also what came and
// went while it ran, was stopped, or had been killed.
func TestGuildsAreCountedOverRestarts(t *testing.T) {
	t.Parallel() // most of its time is waiting
	sim := discord(t, simulator.Config{Shards: 2, World: simulator.World{Guilds: 15}})
	o := options{}
	h := start(t, sim, o)
	counted := func(what string) {
		t.Helper()
		h.await(what, func(s control.Status) bool {
			of := guildsOf(sim, 2)
			for _, one := range s.Shards {
				if one.Guilds == nil || *one.Guilds != of[one.Shard] {
					return false
				}
			}
			return true
		})
	}
	change := func() {
		sim.Invite()
		sim.Invite()
		sim.Remove(sim.Guilds()[0].ID)
		sim.Outage(sim.Guilds()[3].ID)
		sim.Restore(sim.Guilds()[3].ID)
	}
	const restarts = 4
	for n := range restarts {
		counted("all guilds are counted")
		change()
		if n%2 == 0 {
			h.stop()
		} else {
			counted("those of a running host, too")
			if err := h.cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			<-h.exited
		}
		change()
		o.again = h
		h = start(t, sim, o)
	}
	counted("all guilds are counted")
	resumedOnly(t, sim, restarts)
	h.stop()
}
