package host_test

import (
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/holdfast-bot/holdfast/host/control"
	"github.com/holdfast-bot/holdfast/host/simulator"
)

// TestPluginIsStopped: a plugin that is frozen under load for several heartbeats, beside one that is slow, costs
// no heartbeat, no connection and no event, and holds nobody up.
func TestPluginIsStopped(t *testing.T) {
	t.Parallel() // most of its time is waiting
	const guilds, shards, interval = 50, 2, 2 * time.Second
	n, beats := size(12_000, 100_000), uint64(size(3, 6))
	sim := discord(t, simulator.Config{
		Shards: shards, World: simulator.World{Guilds: guilds}, HeartbeatInterval: interval, HeartbeatGrace: interval,
	})
	o, files := recorders(t, 3, nil)
	slow := time.Duration(beats) * interval / time.Duration(n/guilds) // for each message of a guild
	o.env["recorder-2"]["DELAY"] = slow.String()
	o.args = []string{"--handler-timeout", "1h"} // the stop is no fault of the handlers
	h := start(t, sim, o)
	var sending sync.WaitGroup
	sending.Go(func() { sequence(t, sim, n, float64(n)/4) })
	h.await("messages flow", func(control.Status) bool { return lines(files[0]) > n/10 })
	frozen := h.plugin("recorder-0")
	if err := syscall.Kill(frozen.PID, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	before := sim.Counts()
	sending.Wait()
	h.await("the others have all", func(control.Status) bool { return lines(files[1]) == n && lines(files[2]) == n })
	h.await("every session goes on beating", func(control.Status) bool {
		for shard, c := range sim.Counts().Shards {
			if c.Heartbeats < before.Shards[shard].Heartbeats+beats {
				return false
			}
		}
		return true
	})
	if p := h.plugin("recorder-0"); p.Acked >= uint64(n) || p.PID != frozen.PID || lines(files[0]) >= n {
		t.Errorf("it was not stopped: %+v", p)
	}
	if err := syscall.Kill(frozen.PID, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	h.handled(files, n)
	for _, file := range files {
		if again := witness(t, file, guilds, n) + twice(t, file); again != 0 {
			t.Errorf("%s: %d redelivered, or twice", file, again)
		}
	}
	if p := h.plugin("recorder-0"); p.Restarts != 0 || p.Dropped != 0 || p.PID != frozen.PID {
		t.Errorf("after the stop: %+v", p)
	}
	if c := sim.Counts(); c.Connections != shards || c.Identifies != shards || c.Resumes != 0 {
		t.Errorf("%d connections, %d identifies, %d resumes, want %d, %d and 0", c.Connections, c.Identifies, c.Resumes, shards, shards)
	}
	h.stop()
}
