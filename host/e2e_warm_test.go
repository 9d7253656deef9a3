package host_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/holdfast-bot/holdfast/host/control"
	"github.com/holdfast-bot/holdfast/host/simulator"
)

const warmGuilds = 20

// startWarm starts a host and waits until it has so many guilds, which it must
// have without a request.
func startWarm(t *testing.T, sim *simulator.Server, o options, kept int64, args ...string) (h *running, since time.Time) {
	t.Helper()
	since = time.Now()
	o.args = args
	h = start(t, sim, o)
	h.await("the guilds are in the cache", func(s control.Status) bool {
		return s.Cache != nil && s.Cache.Guilds == kept && s.Events.Received > warmGuilds // READY and a GUILD_CREATE for each
	})
	if _, requests := loadsOf(sim, since); requests != 0 {
		t.Errorf("%v: %d requests for guilds", args, requests)
	}
	return h, since
}

// TestWarmActive: the guilds that were in the cache when the host stopped are
// there after the next start, without a request. It keeps something else of
// people than before, so its session has other intents and is a new one.
func TestWarmActive(t *testing.T) {
	t.Parallel()
	const active = 5
	sim := discord(t, simulator.Config{World: simulator.World{Guilds: warmGuilds, MembersPerGuild: 10}})
	o, file := farewells(t)
	all := sim.Guilds()
	rounds := 0
	leave := func(h *running) {
		t.Helper()
		for n, g := range all[:active] {
			sim.Leave(g.ID, g.Members[rounds])
			h.wrote(file, "GUILD_MEMBER_REMOVE", rounds*active+n+1) // one by one: this is no mass event
		}
		rounds++
		for _, f := range farewellsIn(t, file) {
			if f.outcome != "found" {
				t.Errorf("%+v", f)
			}
		}
	}
	h, _ := startWarm(t, sim, o, 0, "--warm", "active")
	leave(h)
	h.stop()
	if info, err := os.Stat(filepath.Join(h.state, "active")); err != nil || info.Size() != int64(len("holdfast active 1\n")+8*active+4) {
		t.Errorf("active guilds: %v, %v", info, err)
	}
	o.again = h
	h, since := startWarm(t, sim, o, active, "--warm", "active", "--cache-people", "voice_states")
	leave(h)
	if _, requests := loadsOf(sim, since); requests != 0 {
		t.Errorf("%d requests for guilds that are warm", requests)
	}
	for _, s := range sim.Sessions() {
		if voice := s.Intents&(1<<7) != 0; voice != s.Connected {
			t.Errorf("session %+v", s)
		}
	}
	h.stop()
	if n := sim.Counts().Shards[0].Identifies; n != 2 {
		t.Errorf("%d identifies", n)
	}
}

// TestWarmAllAndNone: all guilds are kept, or none but those that the bot joins.
func TestWarmAllAndNone(t *testing.T) {
	t.Parallel()
	for warm, kept := range map[string]int64{"all": warmGuilds, "none": 0} {
		t.Run(warm, func(t *testing.T) {
			sim := discord(t, simulator.Config{World: simulator.World{Guilds: warmGuilds}})
			o, _ := farewells(t)
			h, since := startWarm(t, sim, o, kept, "--warm", warm)
			sim.Invite()
			h.await("the guild that the bot has joined is in the cache", func(s control.Status) bool { return s.Cache.Guilds == kept+1 })
			if _, requests := loadsOf(sim, since); requests != 0 {
				t.Errorf("%d requests", requests)
			}
			h.stop()
		})
	}
}

// TestWarmNoneAfterAResume: a start that resumes brings no list of guilds, and yet
// one that the bot was in before is none that it has joined.
func TestWarmNoneAfterAResume(t *testing.T) {
	t.Parallel()
	sim := discord(t, simulator.Config{World: simulator.World{Guilds: warmGuilds}})
	o, _ := farewells(t)
	h, _ := startWarm(t, sim, o, 0, "--warm", "none")
	h.stop()
	o.again, o.args = h, []string{"--warm", "none"}
	h = start(t, sim, o)
	var before uint64
	h.await("the session goes on", func(s control.Status) bool {
		before = s.Events.Received
		return len(s.Shards) == 1 && s.Shards[0].Resumes == 1
	})
	id := sim.Guilds()[0].ID
	sim.Dispatch(id, "GUILD_CREATE", fmt.Appendf(nil, `{"id":"%d","roles":[],"channels":[],"threads":[],"members":[]}`, id))
	sim.Invite()
	guilds := int64(0)
	h.await("both have come, and the new one is in the cache", func(s control.Status) bool {
		guilds = s.Cache.Guilds
		return s.Events.Received >= before+2 && guilds > 0
	})
	if n := sim.Counts().Shards[0].Identifies; guilds != 1 || n != 1 {
		t.Errorf("%d guilds are kept, want the one that the bot has joined; %d identifies", guilds, n)
	}
	h.stop()
}
