package host_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/holdfast-bot/holdfast/host"
	"github.com/holdfast-bot/holdfast/host/control"
	"github.com/holdfast-bot/holdfast/host/simulator"
)

// inProcess runs a host in this process, whose times a test may shorten, until the
// test ends.
func inProcess(t *testing.T, sim *simulator.Server, o options, change func(*host.Config)) (*host.Host, *lockedBuffer) {
	t.Helper()
	r := &running{t: t, plugins: t.TempDir(), state: t.TempDir()}
	for name, pkg := range o.plugins {
		install(t, r.plugins, name, pkg)
	}
	settings := host.Settings{PluginsDir: r.plugins, StateDir: r.state, APIURL: sim.URL(), Plugins: map[string]host.PluginSettings{}}
	for name, env := range o.env {
		settings.Plugins[name] = host.PluginSettings{Env: env}
	}
	log := new(lockedBuffer)
	up := make(chan struct{})
	c := host.Config{
		Settings: settings, Token: sim.Token(), Log: hclog.New(&hclog.LoggerOptions{Output: log, Level: hclog.Debug}),
		HandoverSkew: time.Second, Ready: func() { close(up) },
	}
	change(&c)
	h, err := host.New(c)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- h.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("host ended with %v", err)
		}
		if t.Failed() {
			t.Logf("the host said:\n%s", tail(log.String(), 100))
		}
	})
	select {
	case <-up:
	case err := <-ended:
		ended <- err
		t.Fatalf("host ended at its start: %v", err)
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
	return h, log
}

// TestReshardUnderLoad: 2, 3 and 1 shards, one after the other, while messages flow:
// none is lost, none comes twice or out of order.
func TestReshardUnderLoad(t *testing.T) {
	const guilds = 40
	n := size(20_000, 100_000)
	sim := discord(t, simulator.Config{Shards: 2, MaxConcurrency: 16, World: simulator.World{Guilds: guilds}, VaryKeys: true})
	o, files := recorders(t, 2, nil)
	h, log := inProcess(t, sim, o, func(c *host.Config) { c.Settings.Shards.Count = 2 })
	var sending sync.WaitGroup
	sending.Go(func() { sequence(t, sim, n, float64(n)/10) })
	for _, shards := range []int{3, 1} {
		var told []string
		err := h.Reshard(t.Context(), control.Reshard{Shards: shards}, func(line string) { told = append(told, line) })
		if err != nil {
			t.Fatal(err)
		}
		t.Log(strings.Join(told, "; "))
		if s := h.Status(); len(s.Shards) != shards {
			t.Errorf("%d shards, want %d", len(s.Shards), shards)
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
