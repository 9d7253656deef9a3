package host_test

import (
	"math/rand/v2"
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

const (
	// trialIdentify is the time between two IDENTIFYs of one key.
	trialIdentify = 20 * time.Millisecond
	// trialSkew is how far apart two sessions are told of the same event, and
	// handoverSkew what the host reckons with: the difference is for a slow machine.
	trialSkew    = 200 * time.Millisecond
	handoverSkew = 2 * time.Second
)

// trial is a host in this process, under a mix of everything, and a witness.
type trial struct {
	t       *testing.T
	sim     *simulator.Server
	host    *host.Host // in this process
	status  func() control.Status
	plugins string // their folder
	emitted *emissions
	file    string // what the recorder writes
	names   string // file with the kinds that the recorder asks for
	kinds   []string
	driver  *driver
	seed    uint64
	breach  simulator.Rule // the one that the test lets the host break
	// breaking says that connections break: a session that has none at the moment nobody can end, Discord
	// forgets it in its time.
	breaking bool
}

// trialSeed is another one each time, unless HOLDFAST_SEED gives it.
func trialSeed(t *testing.T) uint64 {
	t.Helper()
	seed, err := strconv.ParseUint(os.Getenv("HOLDFAST_SEED"), 10, 64)
	if err != nil {
		seed = rand.Uint64()
	}
	t.Logf("seed %d", seed)
	return seed
}

// prepareTrial starts a Discord, and says how to start a host whose recorder asks
// for some kinds.
func prepareTrial(t *testing.T, c simulator.Config, kinds []string) (*trial, options) {
	t.Helper()
	x := &trial{t: t, emitted: new(emissions), kinds: kinds, seed: trialSeed(t)}
	c.Seed, c.VaryKeys, c.VaryData, c.Skew, c.Emitted = x.seed, true, true, trialSkew, x.emitted.take
	if c.IdentifyInterval == 0 {
		c.IdentifyInterval = trialIdentify
	}
	if c.World.Guilds == 0 {
		c.World.Guilds = 44
	}
	c.MaxConcurrency = 16
	x.start(c)
	x.emitted.introduced(x.sim)
	dir := t.TempDir()
	x.file, x.names = filepath.Join(dir, "recorded"), filepath.Join(dir, "names")
	x.ask(kinds)
	return x, options{
		plugins: map[string]string{"recorder-0": recorder},
		env:     map[string]map[string]string{"recorder-0": {"NAME": "recorder-0", "FILE": x.file, "RAW": "@" + x.names}},
	}
}

// newTrial starts both, the host in this process.
func newTrial(t *testing.T, c simulator.Config, kinds []string, change func(*host.Config)) *trial {
	t.Helper()
	x, o := prepareTrial(t, c, kinds)
	x.host, _ = inProcess(t, x.sim, o, func(c *host.Config) {
		c.IdentifyInterval, c.HandoverSkew = trialIdentify, handoverSkew
		x.plugins = c.Settings.PluginsDir
		if change != nil {
			change(c)
		}
	})
	x.status = x.host.Status
	x.begin()
	return x
}

// begin waits until all guilds are there.
func (x *trial) begin() {
	x.t.Helper()
	if v := x.settle(); !v.whole() {
		x.t.Fatalf("before anything happened: %v", v)
	}
	x.driver = newDriver(x.sim, x.seed)
}

// start is discord, but for the rule that may be broken.
func (x *trial) start(c simulator.Config) {
	x.t.Helper()
	sim, err := simulator.Start(c)
	if err != nil {
		x.t.Fatal(err)
	}
	x.sim = sim
	x.t.Cleanup(func() {
		for _, b := range sim.Breaches() {
			if b.Rule != x.breach {
				x.t.Errorf("rule of Discord broken: %+v", b)
			}
		}
		if err := sim.Close(); err != nil {
			x.t.Errorf("close simulator: %v", err)
		}
	})
}

// ask lets the recorder's next build ask for these kinds.
func (x *trial) ask(kinds []string) {
	x.t.Helper()
	if err := os.WriteFile(x.names, []byte(strings.Join(kinds, ",")), 0o600); err != nil {
		x.t.Fatal(err)
	}
}

// drive lets things happen while do runs, and some before and after.
func (x *trial) drive(do func()) {
	x.t.Helper()
	rate := 1000.
	if raceDetector {
		rate = 300
	}
	around := size(300, 4000)
	stop, warm := make(chan struct{}), make(chan struct{})
	var driving sync.WaitGroup
	defer driving.Wait()
	driving.Go(func() {
		err := x.sim.Run(x.t.Context(), simulator.Rate{PerSecond: rate}, func(i int) bool {
			if i == around {
				close(warm)
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
		x.driver.end()
	})
	defer close(stop)
	<-warm
	do()
	before := x.emitted.count()
	eventually(x.t, "things go on happening", func() bool { return x.emitted.count() > before+around })
}

// settle waits until the recorder has everything, and then until no plugin has
// anything more, or until it is clear that it will not get it all.
func (x *trial) settle() verdict {
	x.t.Helper()
	limit := time.Now().Add(time.Minute)
	for {
		// In this order: what is emitted in between, such as a deferral, is not taken for something that never was.
		got := ofKinds(recorded(x.t, x.file), x.kinds)
		v := judge(x.emitted.of(x.t, x.kinds), got)
		quiet := true
		for _, p := range x.status().Plugins {
			quiet = quiet && p.Queued+p.InFlight == 0
		}
		if v.whole() && quiet || time.Now().After(limit) {
			return v
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// clean demands that everything came once and in order, but for presence and
// typing. Of what nobody can tell apart a copy may be missing or come again, where one
// falls between an IDENTIFY and the guild's GUILD_CREATE: of that very little.
func (x *trial) clean() {
	x.t.Helper()
	v := x.settle()
	x.t.Log(v)
	if v.lost+v.twice+v.disorder+v.foreign != 0 || v.alikeLost+v.alikeTwice > 2+v.alike/200 {
		x.t.Error("not as it was emitted")
	}
}
