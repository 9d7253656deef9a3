package host_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/holdfast-bot/holdfast/host/control"
	"github.com/holdfast-bot/holdfast/host/simulator"
)

const recorder = "./host/testdata/recorder"

// recorders are options for n recorder plugins, each with a file of its own.
func recorders(t testing.TB, n int, env map[string]string) (o options, files []string) {
	t.Helper()
	o = options{plugins: map[string]string{}, env: map[string]map[string]string{}}
	dir := t.TempDir()
	for i := range n {
		name := fmt.Sprintf("recorder-%d", i)
		files = append(files, filepath.Join(dir, name))
		o.plugins[name] = recorder
		o.env[name] = map[string]string{"NAME": name, "FILE": files[i]}
		maps.Copy(o.env[name], env)
	}
	return o, files
}

// entry is a line of the recorder.
type entry struct {
	guild       uint64
	number      int
	redelivered bool
}

func entries(t testing.TB, file string) []entry {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil // nothing recorded yet
	}
	var out []entry
	for line := range strings.Lines(string(raw)) {
		fields := strings.Fields(line)
		if len(fields) != 3 || !strings.HasSuffix(line, "\n") {
			continue // being written
		}
		guild, err1 := strconv.ParseUint(fields[0], 10, 64)
		number, err2 := strconv.Atoi(fields[1])
		if err1 != nil || err2 != nil {
			t.Fatalf("recorded line %q", line)
		}
		out = append(out, entry{guild, number, fields[2] == "true"})
	}
	return out
}

// lines counts what a recorder has written.
func lines(file string) int {
	raw, err := os.ReadFile(file)
	if err != nil {
		return 0
	}
	return strings.Count(string(raw), "\n")
}

// sequence sends n messages round the guilds, numbered within each guild.
// It returns when all are sent.
func sequence(t testing.TB, sim *simulator.Server, n int, rate float64) {
	t.Helper()
	guilds := sim.Guilds()
	next := make([]int, len(guilds))
	err := sim.Run(t.Context(), simulator.Rate{PerSecond: rate, Count: n}, func(i int) bool {
		k := i % len(guilds)
		g := guilds[k]
		sim.Say(g.ID, g.Channels[0], g.Members[0], strconv.Itoa(next[k]))
		next[k]++
		return true
	})
	if err != nil {
		t.Error(err)
	}
}

// witness holds what a recorder saw against what was sent: n messages over the
// guilds. Redelivered ones may come twice, others not; nothing may be missing,
// and what is not redelivered is in order.
func witness(t *testing.T, file string, guilds, n int) (redelivered int) {
	t.Helper()
	times := make(map[uint64]map[int]int)
	last := make(map[uint64]int)
	twice, disorder := 0, 0
	for _, e := range entries(t, file) {
		if times[e.guild] == nil {
			times[e.guild] = make(map[int]int)
			last[e.guild] = -1
		}
		times[e.guild][e.number]++
		switch {
		case e.redelivered:
			redelivered++
		case times[e.guild][e.number] > 1:
			twice++
		case e.number <= last[e.guild]:
			disorder++
		}
		last[e.guild] = max(last[e.guild], e.number)
	}
	seen := 0
	for _, numbers := range times {
		seen += len(numbers)
	}
	if len(times) != guilds || seen != n || twice > 0 || disorder > 0 {
		t.Errorf("%s: %d guilds of %d, %d messages of %d, %d twice, %d out of order", filepath.Base(file), len(times), guilds, seen, n, twice, disorder)
	}
	return redelivered
}

// handled waits until every recorder has written n lines, or more.
func (r *running) handled(files []string, n int) {
	r.t.Helper()
	r.await(fmt.Sprintf("%d messages handled", n), func(s control.Status) bool {
		for _, p := range s.Plugins {
			if p.Queued+p.InFlight > 0 || p.State != "running" {
				return false
			}
		}
		for _, file := range files {
			if lines(file) < n {
				return false
			}
		}
		return true
	})
}

// TestLoadThroughBrokenConnections: messages as fast as they go, to two
// plugins, while connections break.
func TestLoadThroughBrokenConnections(t *testing.T) {
	beside(t)
	const guilds, shards = 50, 2
	n := size(20_000, 100_000)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	sim := discord(t, simulator.Config{Seed: seed, Shards: shards, World: simulator.World{Guilds: guilds}})
	o, files := recorders(t, 2, nil)
	h := start(t, sim, o)

	dice := rand.New(rand.NewPCG(seed, 1))
	var broken [shards]int
	breakOne := func(shard int) bool {
		fault := sim.Reset
		if dice.IntN(2) == 0 {
			fault = sim.Reconnect
		}
		hit := fault(shard)
		broken[shard] += hit
		return hit > 0
	}
	// Faults come while messages are sent, at fixed places of the sequence, and
	// as soon as the shard is connected again: that is the densest there is.
	const places = 20
	pending, turn := 0, 0
	all := sim.Guilds()
	err := sim.Run(t.Context(), simulator.Rate{Count: n}, func(i int) bool {
		g := all[i%guilds]
		sim.Say(g.ID, g.Channels[0], g.Members[0], strconv.Itoa(i/guilds))
		if i%(n/places) == n/places/2 {
			pending++
		}
		if pending > 0 && breakOne(turn%shards) {
			pending--
			turn++
		}
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	h.handled(files, n)
	for _, file := range files {
		if again := witness(t, file, guilds, n); again != 0 {
			t.Errorf("%s: %d redelivered although no plugin crashed", file, again)
		}
	}
	for shard, times := range broken {
		if times == 0 {
			t.Errorf("no connection of shard %d was broken", shard)
		}
	}
	counts := sim.Counts()
	for shard, c := range counts.Shards {
		if c.Identifies != 1 {
			t.Errorf("shard %d: %d identifies", shard, c.Identifies)
		}
	}
	t.Logf("connections broken: %v; %d resumes, %d connections", broken, counts.Resumes, counts.Connections)
	h.stop()
}

// TestPluginKilledUnderLoad: kill -9 of a plugin, again and again.
func TestPluginKilledUnderLoad(t *testing.T) {
	beside(t)
	const guilds = 20
	n := size(10_000, 100_000)
	sim := discord(t, simulator.Config{World: simulator.World{Guilds: guilds}})
	o, files := recorders(t, 2, nil)
	h := start(t, sim, o)
	var sending sync.WaitGroup
	sending.Go(func() { sequence(t, sim, n, float64(n)/4) })
	const kills = 3
	for range kills {
		before := h.plugin("recorder-0")
		h.await("messages flow", func(control.Status) bool { return h.plugin("recorder-0").Acked > before.Acked+uint64(n)/20 })
		if err := syscall.Kill(before.PID, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		h.await("another instance", func(control.Status) bool {
			p := h.plugin("recorder-0")
			return p.PID != 0 && p.PID != before.PID
		})
	}
	sending.Wait()
	h.handled(files, n)
	again := witness(t, files[0], guilds, n)
	if witness(t, files[1], guilds, n) != 0 {
		t.Error("the other plugin saw something again")
	}
	p := h.plugin("recorder-0")
	if p.Restarts != kills || int(p.Redelivered) < again || again > kills*(256+64) {
		t.Errorf("%d restarts, %d redelivered, %d recorded as redelivered", p.Restarts, p.Redelivered, again)
	}
	t.Logf("%d redelivered over %d kills", p.Redelivered, kills)
	h.stop()
}
