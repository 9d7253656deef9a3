package host_test

import (
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/holdfast-bot/holdfast/host/control"
	"github.com/holdfast-bot/holdfast/host/simulator"
)

// trial is a host under a mix of everything, and a witness.
type trial struct {
	t       *testing.T
	sim     *simulator.Server
	host    *running
	options options
	emitted *emissions
	file    string // what the recorder writes
	names   string // file with the kinds that the recorder asks for
	kinds   []string
	driver  *driver
}

// newTrial starts a host whose recorder asks for some kinds.
func newTrial(t *testing.T, c simulator.Config, kinds []string) *trial {
	t.Helper()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	x := &trial{t: t, emitted: new(emissions), kinds: kinds}
	c.Seed, c.VaryKeys, c.VaryData, c.IdentifyInterval, c.Emitted = seed, true, true, quickIdentify, x.emitted.take
	if c.World.Guilds == 0 {
		c.World.Guilds = 44
	}
	c.MaxConcurrency = 16
	x.sim = discord(t, c)
	x.emitted.introduced(x.sim)
	dir := t.TempDir()
	x.file, x.names = filepath.Join(dir, "recorded"), filepath.Join(dir, "names")
	x.ask(kinds)
	x.options = options{
		quick: true, plugins: map[string]string{"recorder-0": recorder},
		env: map[string]map[string]string{"recorder-0": {"NAME": "recorder-0", "FILE": x.file, "RAW": "@" + x.names}},
	}
	x.host = start(t, x.sim, x.options)
	x.settle() // all guilds are there
	x.driver = newDriver(x.sim, seed)
	return x
}

// ask lets the recorder's next build ask for these kinds.
func (x *trial) ask(kinds []string) {
	x.t.Helper()
	if err := os.WriteFile(x.names, []byte(strings.Join(kinds, ",")), 0o600); err != nil {
		x.t.Fatal(err)
	}
}

// drive lets things happen at a rate while do runs, and some before and after.
func (x *trial) drive(rate float64, do func()) {
	x.t.Helper()
	if raceDetector {
		rate /= 3
	}
	stop := make(chan struct{})
	var driving sync.WaitGroup
	around := size(400, 4000)
	started := make(chan struct{})
	driving.Go(func() {
		err := x.sim.Run(x.t.Context(), simulator.Rate{PerSecond: rate}, func(i int) bool {
			if i == around {
				close(started)
			}
			select {
			case <-stop:
				return false
			default:
				return x.driver.step(i)
			}
		})
		if err != nil {
			x.t.Error(err)
		}
	})
	<-started
	do()
	before := x.driverCount()
	eventually(x.t, "things go on happening", func() bool { return x.driverCount() > before+around })
	close(stop)
	driving.Wait()
	x.driver.end()
}

func (x *trial) driverCount() int {
	x.emitted.mu.Lock()
	defer x.emitted.mu.Unlock()
	return len(x.emitted.list)
}

// settle waits until the recorder has everything, and until it is clear that it will not.
func (x *trial) settle() verdict {
	x.t.Helper()
	var v verdict
	limit := time.Now().Add(30 * time.Second)
	for {
		v = judge(x.emitted.of(x.t, x.kinds), ofKinds(recorded(x.t, x.file), x.kinds))
		if v.whole() || time.Now().After(limit) {
			return v
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// verdict stops the host, so that nothing more can come, and judges.
func (x *trial) verdict() verdict {
	x.t.Helper()
	x.settle()
	x.host.stop()
	return judge(x.emitted.of(x.t, x.kinds), ofKinds(recorded(x.t, x.file), x.kinds))
}

// TestWitness: without a change of the sessions everything comes once and in
// order, whatever kind it is. Else the witness of the tests below is worth nothing.
func TestWitness(t *testing.T) {
	x := newTrial(t, simulator.Config{Shards: 2, Skew: 200 * time.Millisecond, IntroduceWithin: 300 * time.Millisecond}, kinds())
	x.drive(1000, func() {})
	v := x.verdict()
	if v.lost+v.twice+v.disorder+v.foreign+v.alikeLost+v.alikeTwice+v.fleetingLost+v.fleetingTwice != 0 {
		t.Error(v)
	}
	t.Log(v)
	if v.alike == 0 || v.fleeting == 0 {
		t.Error("nothing that looks alike, or no presence and typing")
	}
	happened := map[string]int{}
	for _, h := range x.emitted.list {
		happened[h.name]++
	}
	for _, kind := range kinds() {
		if happened[kind] == 0 && full() {
			t.Errorf("no %s", kind)
		}
	}
	t.Logf("%d kinds", len(slices.Collect(maps.Keys(happened))))
}

// ready waits until the host runs exactly so many shards, all ready, and no
// other session lives.
func (x *trial) ready(shards int) {
	x.t.Helper()
	x.host.await("all shards are ready", func(s control.Status) bool {
		if len(s.Shards) != shards {
			return false
		}
		for _, shard := range s.Shards {
			if shard.State != "ready" {
				return false
			}
		}
		return true
	})
}
