package host_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/holdfast-bot/holdfast/host"
	"github.com/holdfast-bot/holdfast/host/control"
	"github.com/holdfast-bot/holdfast/host/simulator"
)

// inProcess runs a host in this process, whose times a test may shorten, until the
// test ends.
func inProcess(t *testing.T, sim *simulator.Server, o options, change func(*host.Config)) (*host.Host, *lockedBuffer) {
	t.Helper()
	h, log, ended, stop := embedded(t, sim, o, change)
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("host ended with %v", err)
		}
	})
	return h, log
}

// embedded is inProcess for hosts that may end otherwise; how is for the test to
// judge.
func embedded(t *testing.T, sim *simulator.Server, o options, change func(*host.Config)) (h *host.Host, log *lockedBuffer, result <-chan error, stop func()) {
	t.Helper()
	r := struct{ plugins, state string }{t.TempDir(), t.TempDir()}
	for name, pkg := range o.plugins {
		install(t, r.plugins, name, pkg)
	}
	log = new(lockedBuffer)
	up := make(chan struct{})
	c := quickConfig(host.Settings{PluginsDir: r.plugins, StateDir: r.state, APIURL: sim.URL(), Plugins: pluginSettings(o.env)}, sim.Token(), log)
	c.Ready = func() { close(up) }
	change(&c)
	h, err := host.New(c)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended, how := make(chan struct{}), make(chan error, 1)
	go func() {
		defer close(ended)
		how <- h.Run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
		if t.Failed() {
			t.Logf("the host said:\n%s", tail(log.String(), 100))
		}
	})
	select {
	case <-up:
	case <-ended:
		t.Fatalf("host ended at its start: %v", <-how)
	}
	eventually(t, "all shards ready", func() bool {
		s := h.Status()
		for _, shard := range s.Shards {
			if shard.State != "ready" {
				return false
			}
		}
		return len(s.Shards) > 0
	})
	return h, log, how, cancel
}

// TestReshardUnderLoad: 2, 3 and 1 shards, one after the other, while messages flow:
// none is lost, none comes twice or out of order.
func TestReshardUnderLoad(t *testing.T) {
	t.Parallel() // most of its time is waiting
	const guilds = 40
	n := size(20_000, 100_000)
	sim := discord(t, simulator.Config{Shards: 2, MaxConcurrency: 16, IdentifyInterval: quickIdentify, World: simulator.World{Guilds: guilds}, VaryKeys: true})
	o, files := recorders(t, 2, nil)
	h, log := inProcess(t, sim, o, func(c *host.Config) { c.Settings.Shards.Count = 2 })
	var sending sync.WaitGroup
	sending.Go(func() { sequence(t, sim, n, float64(n)/5) })
	for _, shards := range []int{3, 1} {
		var told []string
		err := h.Reshard(t.Context(), control.Reshard{Shards: shards}, func(line string) { told = append(told, line) })
		if err != nil {
			t.Fatal(err)
		}
		t.Log(strings.Join(told, "; "))
		known := 0
		s := h.Status()
		for _, shard := range s.Shards {
			if shard.Guilds != nil {
				known += *shard.Guilds
			}
		}
		if len(s.Shards) != shards || known != guilds {
			t.Errorf("%d shards with %d guilds, want %d with %d", len(s.Shards), known, shards, guilds)
		}
	}
	sending.Wait()
	eventually(t, "all handled", func() bool { return lines(files[0]) >= n && lines(files[1]) >= n })
	for _, file := range files {
		if again := witness(t, file, guilds, n); again != 0 {
			t.Errorf("%d redelivered", again)
		}
	}
	if c := sim.Counts(); c.Identifies != 2+3+1 {
		t.Errorf("%d identifies", c.Identifies)
	}
	_ = log
}

// TestReloadBringsNewIntents: a plugin that needs more than the sessions have is
// refused with the way out; --reidentify takes it, and nothing is lost meanwhile.
func TestReloadBringsNewIntents(t *testing.T) {
	t.Parallel() // most of its time is waiting
	const guilds, n = 10, 4_000
	sim := discord(t, simulator.Config{Shards: 2, IdentifyInterval: quickIdentify, World: simulator.World{Guilds: guilds}, VaryKeys: true})
	o, files := recorders(t, 2, nil)
	delete(o.plugins, "recorder-1")
	o.env["recorder-1"]["RAW"] = "TYPING_START"
	folder := ""
	h, _ := inProcess(t, sim, o, func(c *host.Config) { c.Settings.Shards.Count, folder = 2, c.Settings.PluginsDir })
	var sending sync.WaitGroup
	sending.Go(func() { sequence(t, sim, n, n/3) })
	install(t, folder, "recorder-1", recorder)
	report, err := h.Reload(t.Context(), control.ReloadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if why := fmt.Sprint(report); !strings.Contains(why, "GUILD_MESSAGE_TYPING") || !strings.Contains(why, "holdfast reload --reidentify") {
		t.Errorf("the reload says %s", why)
	}
	report, err = h.Reload(t.Context(), control.ReloadOptions{Reidentify: true})
	if err != nil || report.SessionsError != "" || !strings.Contains(report.Sessions, "GUILD_MESSAGE_TYPING") {
		t.Fatalf("the reload says %+v, %v", report, err)
	}
	g := sim.Guilds()[0]
	sim.Typing(g.ID, g.Channels[0], g.Members[0])
	sending.Wait()
	eventually(t, "all handled", func() bool { return lines(files[0]) >= n && lines(files[1]) == 1 })
	if again := witness(t, files[0], guilds, n); again != 0 {
		t.Errorf("%d redelivered", again)
	}
	if c := sim.Counts(); c.Identifies != 4 {
		t.Errorf("%d identifies", c.Identifies)
	}
}

// TestNewSessionsThatAreRefused: the old ones go on, and why is told.
func TestNewSessionsThatAreRefused(t *testing.T) {
	t.Parallel() // most of its time is waiting
	const guilds, n = 10, 2_000
	sim, err := simulator.Start(simulator.Config{IdentifyInterval: quickIdentify, World: simulator.World{Guilds: guilds}, DisallowedIntents: 1 << 8, RateLimits: simulator.RateLimits{Off: true}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := sim.Close(); err != nil {
			t.Error(err)
		}
	})
	o, files := recorders(t, 2, nil)
	delete(o.plugins, "recorder-1")
	o.env["recorder-1"]["RAW"] = "PRESENCE_UPDATE"
	folder := ""
	h, _ := inProcess(t, sim, o, func(c *host.Config) { folder = c.Settings.PluginsDir })
	var sending sync.WaitGroup
	sending.Go(func() { sequence(t, sim, n, n/3) })
	install(t, folder, "recorder-1", recorder)
	report, err := h.Reload(t.Context(), control.ReloadOptions{Reidentify: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, words := range []string{"4014", "Presence Intent", "recorder-1 needs GUILD_PRESENCES for PRESENCE_UPDATE", "tries again"} {
		if !strings.Contains(report.SessionsError, words) {
			t.Errorf("no %q in: %s", words, report.SessionsError)
		}
	}
	sending.Wait()
	eventually(t, "all handled", func() bool { return lines(files[0]) >= n })
	witness(t, files[0], guilds, n)
	nothing := func(string) {}
	if err := h.Reshard(t.Context(), control.Reshard{Shards: 1 << 20}, nothing); err == nil {
		t.Error("a million shards were tried")
	}
	if s := h.Status(); len(s.Shards) != 1 || s.Shards[0].State != "ready" || s.Shards[0].Identifies != 1 {
		t.Errorf("shards %+v", s.Shards)
	}
}

// TestReshardAsksTheBudget: sessions that nobody needs do not eat into what a start
// of the bot takes.
func TestReshardAsksTheBudget(t *testing.T) {
	t.Parallel() // most of its time is waiting
	sim := discord(t, simulator.Config{SessionStarts: 63, RateLimits: simulator.RateLimits{Off: true}})
	o, _ := recorders(t, 1, nil)
	h, _ := inProcess(t, sim, o, func(*host.Config) {})
	var told []string
	tell := func(line string) { told = append(told, line) }
	err := h.Reshard(t.Context(), control.Reshard{Shards: 40}, tell)
	if err == nil || !strings.Contains(err.Error(), "each needs an identify, Discord allows this bot 62 more") {
		t.Errorf("40 shards: %v", err)
	}
	if err := h.Reshard(t.Context(), control.Reshard{}, tell); err != nil || !strings.HasPrefix(told[len(told)-1], "nothing to change") {
		t.Errorf("as many as there are: %v, told %q", err, told)
	}
	if c := sim.Counts(); c.Identifies != 1 {
		t.Errorf("%d identifies", c.Identifies)
	}
}

// TestHostKilledWhileSessionsAreReplaced: whichever sessions are on disk are
// resumed, and nothing is lost or comes twice unmarked, before the switch and after it,
// although one session shows what happens up to half a second later than another.
func TestHostKilledWhileSessionsAreReplaced(t *testing.T) {
	beside(t)
	const guilds, n = 40, 6_000
	sim := discord(t, simulator.Config{Shards: 2, MaxConcurrency: 16, IdentifyInterval: quickIdentify, World: simulator.World{Guilds: guilds}, VaryKeys: true, Skew: 500 * time.Millisecond})
	o, files := recorders(t, 1, nil)
	o.quick = true
	h := start(t, sim, o)
	var sending sync.WaitGroup
	sending.Go(func() { sequence(t, sim, n, n/8) })
	for _, kill := range []struct {
		when          func(control.Status) bool
		shards, spent int
	}{
		{func(s control.Status) bool {
			return len(s.Beside) == 3 && s.Beside[0].State+s.Beside[1].State+s.Beside[2].State == "readyreadyready"
		}, 2, 2 + 3},
		// In the moments before the old ones are closed nobody else knows what both have shown.
		{func(s control.Status) bool { return len(s.Shards) == 3 }, 3, 2 + 3 + 3},
	} {
		asked, leave := context.WithCancel(t.Context())
		var asking sync.WaitGroup
		asking.Go(func() { _ = control.AskReshard(asked, h.socket(), control.Reshard{Shards: 3}, func(string) {}) })
		h.await("the moment to kill", kill.when)
		if err := h.cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		<-h.exited
		leave()
		asking.Wait()
		o.again = h
		h = start(t, sim, o)
		if s, _ := h.status(); len(s.Shards) != kill.shards {
			t.Errorf("%d shards after the kill, want %d", len(s.Shards), kill.shards)
		}
		if c := sim.Counts(); int(c.Identifies) != kill.spent {
			t.Errorf("%d identifies, want %d", c.Identifies, kill.spent)
		}
	}
	sending.Wait()
	h.handled(files, n)
	witness(t, files[0], guilds, n)
	again := twice(t, files[0])
	if again > 2*(256+64) {
		t.Errorf("%d twice", again)
	}
	t.Logf("%d twice, marked", again)
	h.await("the handover has ended", func(control.Status) bool {
		_, err := os.Stat(filepath.Join(h.state, "handover.json"))
		return errors.Is(err, fs.ErrNotExist)
	})
	if !strings.Contains(h.log.String(), "what comes next may come twice, marked as redelivered") {
		t.Error("it was not known that the host was killed in a handover")
	}
	g := sim.Guilds()[0]
	sim.Say(g.ID, g.Channels[0], g.Members[0], strconv.Itoa(n))
	eventually(t, "a message after the handover is handled, not marked", func() bool {
		return slices.Contains(entries(t, files[0]), entry{g.ID, n, false})
	})
	h.stop()
}

// TestHostOutgrowsItsShards: Discord takes no more guilds for the shard. The host
// brings up more, although the settings have a number.
func TestHostOutgrowsItsShards(t *testing.T) {
	t.Parallel() // most of its time is waiting
	const guilds, n = 30, 600
	sim, err := simulator.Start(simulator.Config{Shards: 1, MaxConcurrency: 16, IdentifyInterval: quickIdentify, GuildsPerShard: 20, World: simulator.World{Guilds: guilds}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, breach := range sim.Breaches() {
			if breach.Rule != simulator.RuleSharding {
				t.Errorf("rule of Discord broken: %+v", breach)
			}
		}
		if err := sim.Close(); err != nil {
			t.Error(err)
		}
	})
	o, files := recorders(t, 1, nil)
	h := launch(t, sim, quick(o))
	h.await("2 shards", func(s control.Status) bool {
		return len(s.Shards) == 2 && s.Shards[0].State == "ready" && s.Shards[1].State == "ready"
	})
	sequence(t, sim, n, 0)
	h.handled(files, n)
	witness(t, files[0], guilds, n)
	if said := h.log.String(); !strings.Contains(said, "bringing up 2 sessions beside the 1 that run") {
		t.Error("the log does not tell of it")
	}
	h.stop()
}

// quick is a host's options whose times a test does not wait for.
func quick(o options) options {
	o.quick = true
	return o
}
