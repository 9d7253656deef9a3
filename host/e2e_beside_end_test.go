package host_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/holdfast-bot/holdfast/host"
	"github.com/holdfast-bot/holdfast/host/control"
	"github.com/holdfast-bot/holdfast/host/simulator"
)

// TestReshardAfterTheSessionsHaveEnded: while the plugins of a bot that Discord has
// refused finish their events, an operator is told why there is nothing to replace.
func TestReshardAfterTheSessionsHaveEnded(t *testing.T) {
	t.Parallel() // most of its time is waiting
	sim := discord(t, simulator.Config{RateLimits: simulator.RateLimits{Off: true}})
	o, files := recorders(t, 1, map[string]string{"STUCK": "stuck"})
	h, _, ended, _ := embedded(t, sim, o, func(c *host.Config) { c.Settings.DrainTimeout = 2 * time.Second })
	g := sim.Guilds()[0]
	sim.Say(g.ID, g.Channels[0], g.Members[0], "0")
	eventually(t, "the plugin handles events", func() bool { return lines(files[0]) == 1 })
	sim.Say(g.ID, g.Channels[0], g.Members[0], "stuck")
	eventually(t, "the plugin is stuck", func() bool { s := h.Status(); return len(s.Plugins) == 1 && s.Plugins[0].InFlight == 1 })
	sim.CloseCode(0, 4004)
	for asked := 0; ; {
		select {
		case err := <-ended:
			if err == nil || !strings.Contains(err.Error(), "4004") {
				t.Errorf("host ended with %v", err)
			}
			if asked == 0 {
				t.Error("never asked")
			}
			return
		default:
		}
		if len(sim.Sessions()) > 0 {
			continue
		}
		if err := h.Reshard(t.Context(), control.Reshard{Shards: 2 + asked%2}, func(string) {}); err == nil {
			t.Fatal("sessions of a host that ends were replaced")
		}
		asked++
		time.Sleep(10 * time.Millisecond)
	}
}

// TestReshardWhileSessionsAreAway: a session that is away when the new ones are all
// there, an old one or a new one, has still something to show. The switch waits.
func TestReshardWhileSessionsAreAway(t *testing.T) {
	t.Parallel() // most of its time is waiting
	const guilds, n = 12, 120
	sim := discord(t, simulator.Config{Shards: 3, MaxConcurrency: 16, IdentifyInterval: quickIdentify, World: simulator.World{Guilds: guilds}, VaryKeys: true})
	o, files := recorders(t, 1, nil)
	h, _ := inProcess(t, sim, o, func(c *host.Config) {
		c.Settings.Shards.Count = 3
		c.HandoverSkew = 400 * time.Millisecond
	})
	reshard := func(to int) {
		if err := h.Reshard(t.Context(), control.Reshard{Shards: to}, func(line string) { t.Log(line) }); err != nil {
			t.Error(err)
		}
	}
	judge := func(n int) {
		eventually(t, "all handled", func() bool { return lines(files[0]) >= n })
		if again := witness(t, files[0], guilds, n); again != 0 {
			t.Errorf("%d redelivered", again)
		}
	}
	sendAway(t, sim, 2, func() []control.Shard { return h.Status().Shards })
	counting := counter{}
	counting.say(sim, n) // only the old session is told
	reshard(2)
	judge(n)

	var resharding sync.WaitGroup
	resharding.Go(func() { reshard(3) })
	eventually(t, "a session comes up", func() bool {
		s := h.Status()
		return len(s.Beside) == 3 && s.Beside[2].State == "ready" || len(s.Shards) == 3
	})
	sendAway(t, sim, 2, func() []control.Shard { return h.Status().Beside })
	counting.say(sim, n) // the new session is told when it is back
	resharding.Wait()
	judge(2 * n)
	counting.say(sim, n)
	judge(3 * n)
}

// counter numbers messages within their guild.
type counter map[uint64]int

func (c counter) say(sim *simulator.Server, n int) {
	guilds := sim.Guilds()
	for i := range n {
		g := guilds[i%len(guilds)]
		sim.Say(g.ID, g.Channels[0], g.Members[0], strconv.Itoa(c[g.ID]))
		c[g.ID]++
	}
}

// sendAway lets a session to which nothing happens lose its connection until it
// waits before the next one: a second at least. It gives up when the session is gone.
func sendAway(t *testing.T, sim *simulator.Server, shard int, of func() []control.Shard) {
	t.Helper()
	waits := 0
	eventually(t, "the session is away", func() bool {
		all := of()
		if len(all) <= shard {
			return true
		}
		if all[shard].State == "waiting" {
			waits++
			return waits > 3
		}
		waits = 0
		sim.Drop(shard)
		return false
	})
}

// TestReloadWhileSessionsAreReplaced: the sessions that are about to take over need
// not have the intents of those that run; a plugin that needs one of these is told
// at once, and does not wait in silence for its events.
func TestReloadWhileSessionsAreReplaced(t *testing.T) {
	t.Parallel() // most of its time is waiting
	sim := discord(t, simulator.Config{Shards: 2, IdentifyInterval: quickIdentify, RateLimits: simulator.RateLimits{Off: true}})
	o, files := recorders(t, 2, nil)
	o.env["recorder-1"]["RAW"] = "TYPING_START"
	folder := ""
	h, _ := inProcess(t, sim, o, func(c *host.Config) { c.Settings.Shards.Count, folder = 2, c.Settings.PluginsDir })
	if err := os.Remove(filepath.Join(folder, "recorder-1")); err != nil {
		t.Fatal(err)
	}
	if report, err := h.Reload(t.Context(), control.ReloadOptions{}); err != nil {
		t.Fatal(report, err)
	}
	var resharding sync.WaitGroup
	resharding.Go(func() {
		if err := h.Reshard(t.Context(), control.Reshard{Shards: 3}, func(string) {}); err != nil {
			t.Error(err)
		}
	})
	eventually(t, "new sessions come up", func() bool { return len(h.Status().Beside) == 3 })
	install(t, folder, "recorder-1", recorder)
	report, err := h.Reload(t.Context(), control.ReloadOptions{})
	resharding.Wait()
	if why := fmt.Sprint(report); err != nil || !strings.Contains(why, "GUILD_MESSAGE_TYPING") || !strings.Contains(why, "holdfast reload --reidentify") {
		t.Errorf("the reload says %s, %v", why, err)
	}
	report, err = h.Reload(t.Context(), control.ReloadOptions{Reidentify: true})
	if err != nil || report.SessionsError != "" || !strings.Contains(report.Sessions, "GUILD_MESSAGE_TYPING") {
		t.Fatalf("the reload says %+v, %v", report, err)
	}
	g := sim.Guilds()[0]
	sim.Typing(g.ID, g.Channels[0], g.Members[0])
	eventually(t, "the plugin has its event", func() bool { return lines(files[1]) == 1 })
}

// TestOutgrownWhileSessionsAreReplaced: a shard that Discord refuses while others
// come up beside it is not left closed until the next attempt is due.
func TestOutgrownWhileSessionsAreReplaced(t *testing.T) {
	t.Parallel() // most of its time is waiting
	sim := discord(t, simulator.Config{Shards: 2, IdentifyInterval: quickIdentify, RateLimits: simulator.RateLimits{Off: true}})
	o, _ := recorders(t, 1, nil)
	h, _ := inProcess(t, sim, o, func(*host.Config) {})
	var resharding sync.WaitGroup
	resharding.Go(func() {
		err := h.Reshard(t.Context(), control.Reshard{Shards: 4}, func(string) {})
		if err == nil || !strings.Contains(err.Error(), "4011") {
			t.Errorf("resharded with %v", err)
		}
	})
	eventually(t, "new sessions are ready", func() bool {
		s := h.Status().Beside
		return len(s) == 4 && s[0].State == "ready"
	})
	if n := sim.CloseCode(0, 4011); n != 2 {
		t.Fatalf("%d sessions were closed", n)
	}
	resharding.Wait()
	eventually(t, "there are more shards", func() bool {
		s := h.Status()
		for _, shard := range s.Shards {
			if shard.State != "ready" {
				return false
			}
		}
		return len(s.Shards) == 3 && len(s.Beside) == 0
	})
}

// TestNewSessionsAreReadBeforeTheyTakeOver: a new session whose connection stands still
// has guilds to introduce that nobody has read. They are no news after the switch.
func TestNewSessionsAreReadBeforeTheyTakeOver(t *testing.T) {
	t.Parallel() // most of its time is waiting
	const guilds, skew = 60, 400 * time.Millisecond
	sim := discord(t, simulator.Config{
		Shards: 2, MaxConcurrency: 16, IdentifyInterval: quickIdentify, World: simulator.World{Guilds: guilds},
		IntroduceWithin: skew, RateLimits: simulator.RateLimits{Off: true},
	})
	o, files := recorders(t, 1, nil)
	o.env["recorder-0"]["RAW"] = "GUILD_CREATE"
	h, _ := inProcess(t, sim, o, func(c *host.Config) { c.Settings.Shards.Count, c.HandoverSkew = 2, skew })
	eventually(t, "all guilds are there", func() bool { return lines(files[0]) == guilds })
	var resharding sync.WaitGroup
	resharding.Go(func() {
		if err := h.Reshard(t.Context(), control.Reshard{Shards: 3}, func(string) {}); err != nil {
			t.Error(err)
		}
	})
	eventually(t, "the new set's last session is ready", func() bool {
		s := h.Status()
		return len(s.Beside) == 3 && s.Beside[2].State == "ready"
	})
	sim.Stall(2, true) // no old session has this number
	time.Sleep(3 * skew)
	sim.Stall(2, false)
	resharding.Wait()
	eventually(t, "all new sessions know their guilds", func() bool {
		n := 0
		s := h.Status()
		for _, shard := range s.Shards {
			if shard.Guilds != nil {
				n += *shard.Guilds
			}
		}
		return n == guilds && len(s.Shards) == 3
	})
	g := sim.Guilds()[0]
	sim.RenameGuild(g.ID, "last")
	if n := lines(files[0]); n != guilds {
		t.Errorf("%d GUILD_CREATE, %d guilds", n, guilds)
	}
}
