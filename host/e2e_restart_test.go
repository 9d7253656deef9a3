package host_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/holdfast-bot/holdfast/host/control"
	"github.com/holdfast-bot/holdfast/host/simulator"
)

// twice counts what a recorder has handled more than once. Each but the first
// must be marked.
func twice(t *testing.T, file string) (n int) {
	t.Helper()
	seen := make(map[string]bool)
	for _, e := range entries(t, file) {
		key := fmt.Sprint(e.guild, e.number)
		if seen[key] {
			n++
			if !e.redelivered {
				t.Errorf("%s: message %d of guild %d again, and not marked", filepath.Base(file), e.number, e.guild)
			}
		}
		seen[key] = true
	}
	return n
}

// resumedOnly checks that the shards identified once and were resumed at each of
// the host's starts after the first.
func resumedOnly(t *testing.T, sim *simulator.Server, restarts int) {
	t.Helper()
	for shard, c := range sim.Counts().Shards {
		if c.Identifies != 1 || c.Resumes < uint64(restarts) {
			t.Errorf("shard %d: %d identifies, %d resumes over %d restarts", shard, c.Identifies, c.Resumes, restarts)
		}
	}
}

// TestHostKilledUnderLoad: kill -9 of the host, and start again: resumed without
// IDENTIFY, nothing lost, twice only what was in flight, marked.
func TestHostKilledUnderLoad(t *testing.T) {
	beside(t)
	const guilds = 50
	n, kills := size(12_000, 200_000), size(3, 20)
	sim := discord(t, simulator.Config{Shards: 2, World: simulator.World{Guilds: guilds}})
	o, files := recorders(t, 2, nil)
	h := start(t, sim, o)
	var sending sync.WaitGroup
	sending.Go(func() { sequence(t, sim, n, float64(n)/float64(2*kills)) }) // a round takes about two seconds
	for kill := range kills {
		want := (kill + 1) * n / (kills + 2)
		h.await("messages flow", func(control.Status) bool { return lines(files[0]) > want })
		if err := h.cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		<-h.exited
		o.again = h
		h = start(t, sim, o)
	}
	sending.Wait()
	h.handled(files, n)
	for _, file := range files {
		marked := witness(t, file, guilds, n)
		again := twice(t, file)
		if again > kills*(256+64) {
			t.Errorf("%s: %d twice", filepath.Base(file), again)
		}
		t.Logf("%s: %d twice, %d marked over %d kills", filepath.Base(file), again, marked, kills)
	}
	resumedOnly(t, sim, kills)
	h.stop()
}

// TestHostStoppedUnderLoad: SIGTERM and start: nothing lost, nothing twice, and
// what a plugin counts in memory goes on.
func TestHostStoppedUnderLoad(t *testing.T) {
	beside(t)
	const guilds, stops = 50, 3
	n := size(12_000, 100_000)
	sim := discord(t, simulator.Config{Shards: 2, World: simulator.World{Guilds: guilds}})
	o, files := recorders(t, 2, map[string]string{"DELAY": "1ms"})
	o.plugins["counter"] = "./examples/counter"
	h := start(t, sim, o)
	var sending sync.WaitGroup
	sending.Go(func() { sequence(t, sim, n, float64(n)/6) })
	for stop := range stops {
		want := (stop + 1) * n / (stops + 2)
		h.await("messages flow", func(control.Status) bool { return lines(files[0]) > want })
		h.stop()
		o.again = h
		h = start(t, sim, o)
	}
	sending.Wait()
	h.handled(files, n)
	for _, file := range files {
		witness(t, file, guilds, n)
		if again := twice(t, file); again != 0 {
			t.Errorf("%s: %d twice", filepath.Base(file), again)
		}
	}
	for _, g := range sim.Guilds() {
		if got := counted(t, sim, g); got != n/guilds {
			t.Errorf("counter has %d messages of %s, want %d", got, g.Name, n/guilds)
		}
	}
	resumedOnly(t, sim, stops)
	h.stop()
}

// TestStopKeepsWhatWaits: SIGTERM waits for the handlers that run. What waits
// behind them is handled after the next start.
func TestStopKeepsWhatWaits(t *testing.T) {
	t.Parallel() // most of its time is waiting
	sim := discord(t, simulator.Config{})
	o, files := recorders(t, 1, map[string]string{"DELAY": "20ms"})
	h := start(t, sim, o)
	sequence(t, sim, 100, 0)
	h.await("the host has read all", func(s control.Status) bool {
		return s.Plugins[0].Delivered+uint64(s.Plugins[0].Queued) >= 100
	})
	h.stop()
	if lines(files[0]) == 100 {
		t.Fatal("everything was handled before the stop")
	}
	o.again = h
	h = start(t, sim, o)
	h.handled(files, 100)
	if again := witness(t, files[0], 2, 100) + twice(t, files[0]); again != 0 {
		t.Errorf("%d redelivered, or twice", again)
	}
	h.stop()
}

// memoryOf is what a process has in memory, in bytes, of its own.
func memoryOf(t *testing.T, pid int) int64 {
	t.Helper()
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(raw)) {
		if rest, ok := strings.CutPrefix(line, "RssAnon:"); ok {
			kib, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return kib << 10
		}
	}
	t.Fatal("no RssAnon")
	return 0
}

// TestPluginThatWasDownReadsTheJournal: a plugin that is kept down gets all that
// it has missed, in order, from the journal, and the host's memory does not grow
// with it.
func TestPluginThatWasDownReadsTheJournal(t *testing.T) {
	beside(t)
	const guilds = 50
	before, n := 2000, size(8_000, 120_000)
	sim := discord(t, simulator.Config{World: simulator.World{Guilds: guilds}})
	o, files := recorders(t, 2, nil)
	h := start(t, sim, o)
	sequence(t, sim, before, 2000)
	h.handled(files, before)
	if err := os.WriteFile(files[0]+".broken", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(h.plugin("recorder-0").PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	h.await("the plugin does not start", func(control.Status) bool { return h.plugin("recorder-0").LastError != "" })

	// The first part brings all buffers to their size.
	sendOn(t, sim, before, n/4, 2000)
	small := memoryOf(t, h.cmd.Process.Pid)
	sendOn(t, sim, before+n/4, n-n/4, 2000)
	large := memoryOf(t, h.cmd.Process.Pid)
	h.await("the other plugin has all", func(control.Status) bool { return lines(files[1]) == before+n })
	down := h.plugin("recorder-0")
	if down.QueuedBytes > 2<<20 || down.Behind < uint64(n)/2 {
		t.Errorf("%d bytes in memory, behind by %d", down.QueuedBytes, down.Behind)
	}
	t.Logf("the host has %d KiB after a quarter, %d at the end; behind by %d", small>>10, large>>10, down.Behind)
	if grown := large - small; grown > 24<<20 {
		t.Errorf("the host's memory grew by %d KiB while the plugin was down", grown>>10)
	}

	if err := os.Remove(files[0] + ".broken"); err != nil {
		t.Fatal(err)
	}
	report := h.reload(control.ReloadOptions{Names: []string{"recorder-0"}})
	if !slices.ContainsFunc(report.Steps, func(s control.ReloadStep) bool { return s.Plugin == "recorder-0" && s.Result == "done" }) {
		t.Fatalf("%+v", report)
	}
	h.handled(files, before+n)
	for _, file := range files {
		if again := witness(t, file, guilds, before+n); again != 0 {
			t.Errorf("%s: %d redelivered", filepath.Base(file), again)
		}
	}
	if s, _ := h.status(); s.Events.Dropped != 0 || s.Plugins[0].Behind != 0 {
		t.Errorf("dropped %v, behind by %d", s.Events.DroppedByName, s.Plugins[0].Behind)
	}
	h.stop()
}

// sendOn is sequence, from the message of a number on.
func sendOn(t *testing.T, sim *simulator.Server, from, n int, rate float64) {
	t.Helper()
	guilds := sim.Guilds()
	err := sim.Run(t.Context(), simulator.Rate{PerSecond: rate, Count: n}, func(i int) bool {
		g := guilds[(from+i)%len(guilds)]
		sim.Say(g.ID, g.Channels[0], g.Members[0], strconv.Itoa((from+i)/len(guilds)))
		return true
	})
	if err != nil {
		t.Error(err)
	}
}

// TestAnotherBotsFolder: a host does not go on with another bot's state. It would
// handle that bot's events, and show its token where that bot's sessions are.
func TestAnotherBotsFolder(t *testing.T) {
	first := discord(t, simulator.Config{Seed: 1})
	other := discord(t, simulator.Config{Seed: 2})
	o, _ := recorders(t, 1, nil)
	h := start(t, first, o)
	h.stop()
	o.again = h
	refused := launch(t, other, o)
	<-refused.exited
	if code, said := refused.cmd.ProcessState.ExitCode(), refused.log.String(); code == 0 || !strings.Contains(said, "give another --state") {
		t.Errorf("exit code %d, said %q", code, tail(said, 5))
	}
	start(t, first, o).stop()
	resumedOnly(t, first, 1)
	if c := first.Counts().Shards[0]; c.Resumes != 1 {
		t.Errorf("%d resumes, want the one of its own bot", c.Resumes)
	}
}
