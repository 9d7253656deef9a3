package gateway_test

import (
	"context"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/holdfast-bot/holdfast/host/gateway"
	"github.com/holdfast-bot/holdfast/host/simulator"
)

const (
	chaosInterval = time.Second
	// GUILDS, GUILD_MESSAGES and MESSAGE_CONTENT.
	chaosIntents = 1<<0 | 1<<9 | 1<<15
)

var compressions = []string{gateway.CompressZstd, gateway.CompressZlib, gateway.CompressNone}

// scale is how large a run is.
type scale struct {
	shards, guilds, messages int
	rate                     float64 // messages a second
	more                     int     // sessions that end beside one by each kind of fault
}

func chaosFull() bool { return os.Getenv("HOLDFAST_FULL") != "" }

// chaosSeed is another one each time, or that of a run to look at again.
func chaosSeed(t *testing.T) uint64 {
	seed, err := strconv.ParseUint(os.Getenv("HOLDFAST_SEED"), 10, 64)
	if err != nil {
		seed = rand.Uint64()
	}
	t.Logf("seed %d", seed)
	return seed
}

// TestChaos: a strict Discord, numbered messages, and every fault after which a session can be resumed, in
// random order, to a router that stalls now and then. Nothing is lost, nothing comes twice or out of order, no rule
// is broken and no second IDENTIFY is spent.
func TestChaos(t *testing.T) {
	size := scale{shards: 4, guilds: 40, messages: 20_000, rate: 6000}
	if chaosFull() {
		size = scale{shards: 8, guilds: 200, messages: 200_000, rate: 6000}
	}
	for _, compress := range compressions {
		t.Run(compress, func(t *testing.T) {
			t.Parallel() // a shard waits more than it works
			chaos(t, size, compress, resumable)
		})
	}
}

// TestChaosWithLostSessions: the same, and Discord ends sessions. What is missed is exactly what Discord emitted
// when there was no session, and what a session still held that it ended; and that is told.
func TestChaosWithLostSessions(t *testing.T) {
	size := scale{shards: 8, guilds: 80, messages: 12_000, rate: 2000}
	some := []string{compressions[rand.IntN(len(compressions))]}
	if chaosFull() {
		size, some = scale{shards: 8, guilds: 200, messages: 200_000, rate: 6000, more: 24}, compressions
	}
	for _, compress := range some {
		t.Run(compress, func(t *testing.T) {
			t.Parallel()
			chaos(t, size, compress, slices.Concat(fatal, resumable))
		})
	}
}

// storm is one run.
type storm struct {
	scale
	t       *testing.T
	seed    uint64
	discord *simulator.Server
	set     *gateway.Set
	events  chan gateway.Event
	log     *gapLog
	place   map[uint64]int // of each guild in the round of messages
	emitted []atomic.Int64 // by message: when it was about to be said
	driven  chan struct{}
}

func chaos(t *testing.T, size scale, compress string, faults []fault) {
	s := &storm{scale: size, t: t, seed: chaosSeed(t), log: &gapLog{}, events: make(chan gateway.Event, 64), driven: make(chan struct{})}
	s.start(compress)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.set.Run(ctx) }()

	w := newReader(s)
	w.until(func() bool { return w.allReady() })

	hurt := newHurt(s, w, faults)
	hurtDone := make(chan struct{})
	go func() {
		defer close(hurtDone)
		hurt.run()
	}()
	go func() {
		defer close(s.driven)
		s.speak(ctx)
	}()
	w.until(func() bool {
		select {
		case <-hurtDone: // which goes on until everything is said
			return w.settled()
		default:
			return false
		}
	})
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("run ended with %v", err)
	}
	w.rest()
	s.witness(w, hurt)
}

// start makes a Discord and a set of sessions for it.
func (s *storm) start(compress string) {
	s.t.Helper()
	var err error
	s.discord, err = simulator.Start(simulator.Config{
		Seed: s.seed, Shards: s.shards, MaxConcurrency: s.shards / 2, IdentifyInterval: 100 * time.Millisecond, HeartbeatInterval: chaosInterval,
		HeartbeatGrace: 10 * time.Second, // a busy machine is not a fault of the session; the stories judge the times
		World:          simulator.World{Guilds: s.guilds}, VaryKeys: true, KeepMissed: true,
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		if err := s.discord.Close(); err != nil {
			s.t.Error(err)
		}
	})
	s.place, s.emitted = make(map[uint64]int), make([]atomic.Int64, s.messages)
	for i, g := range s.discord.Guilds() {
		s.place[g.ID] = i
	}
	shards := make([]int, s.shards)
	for i := range shards {
		shards[i] = i
	}
	s.set, err = gateway.NewSet(gateway.Config{
		Token: s.discord.Token(), URL: s.discord.GatewayURL(), Shards: shards, Count: s.shards, MaxConcurrency: s.shards / 2, Intents: chaosIntents,
		Compress: compress, Events: s.events, IdentifyInterval: 150 * time.Millisecond,
		Log: hclog.New(&hclog.LoggerOptions{Output: s.log, JSONFormat: true}),
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

// about is when a message was about to be said.
func (s *storm) about(m message) time.Time {
	return time.Unix(0, s.emitted[m.n*s.guilds+s.place[m.guild]].Load())
}

// speak says all messages, counted for each guild.
func (s *storm) speak(ctx context.Context) {
	guilds := s.discord.Guilds()
	_ = s.discord.Run(ctx, simulator.Rate{PerSecond: s.rate, Count: s.messages}, func(i int) bool {
		g := guilds[i%len(guilds)]
		s.emitted[i].Store(time.Now().UnixNano())
		s.discord.Say(g.ID, g.Channels[0], g.Owner, strconv.Itoa(i/len(guilds)))
		return true
	})
}
