package gateway_test

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/holdfast-bot/holdfast/host/gateway"
	"github.com/holdfast-bot/holdfast/host/simulator"
)

const (
	chaosShards = 4
	chaosRate   = 6000 // messages a second
	// GUILDS, GUILD_MESSAGES and MESSAGE_CONTENT.
	chaosIntents = 1<<0 | 1<<9 | 1<<15
)

func chaosMessages() int {
	if os.Getenv("HOLDFAST_FULL") != "" {
		return 200_000
	}
	return 20_000
}

// TestChaos: four shards of a strict Discord, numbered messages, and every fault after which a
// session can be resumed, in random order, to a router that stalls now and then. Nothing is lost,
// nothing comes twice or out of order, no rule is broken and no second IDENTIFY is spent.
func TestChaos(t *testing.T) {
	for _, compress := range []string{gateway.CompressZstd, gateway.CompressZlib, gateway.CompressNone} {
		t.Run(compress, func(t *testing.T) { chaos(t, compress) })
	}
}

func chaos(t *testing.T, compress string) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	discord, err := simulator.Start(simulator.Config{
		Seed: seed, Shards: chaosShards, IdentifyInterval: 100 * time.Millisecond, HeartbeatInterval: time.Second,
		HeartbeatGrace: 10 * time.Second, // a busy machine is not a fault of the session; the stories judge the times
		World:          simulator.World{Guilds: 40}, VaryKeys: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := discord.Close(); err != nil {
			t.Error(err)
		}
	})
	events := make(chan gateway.Event, 64)
	shards := make([]int, chaosShards)
	for i := range shards {
		shards[i] = i
	}
	set, err := gateway.NewSet(gateway.Config{
		Token: discord.Token(), URL: discord.GatewayURL(), Shards: shards, Count: chaosShards, Intents: chaosIntents,
		Compress: compress, Events: events, IdentifyInterval: 150 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- set.Run(ctx) }()

	w := &reader{t: t, set: set, r: rand.New(rand.NewPCG(seed, 1)), last: map[uint64]int{}, seq: make([]uint64, chaosShards)}
	w.until(events, func() bool { return w.ready == chaosShards })

	driven := make(chan struct{})
	faults := make(chan int, 1)
	go func() { faults <- hurt(discord, rand.New(rand.NewPCG(seed, 2)), driven) }()
	total := chaosMessages()
	go func() {
		defer close(driven)
		speak(ctx, discord, total)
	}()
	w.until(events, func() bool { return w.messages >= total })
	n := <-faults
	t.Logf("%d faults, %d resumes", n, w.resumed)
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("run ended with %v", err)
	}
	w.rest(events)
	witness(t, discord, set, w, total, n)
}

// speak says total numbered messages, counted for each guild.
func speak(ctx context.Context, discord *simulator.Server, total int) {
	guilds := discord.Guilds()
	_ = discord.Run(ctx, simulator.Rate{PerSecond: chaosRate, Count: total}, func(i int) bool {
		g := guilds[i%len(guilds)]
		discord.Say(g.ID, g.Channels[0], g.Owner, strconv.Itoa(i/len(guilds)))
		return true
	})
}

// hurt does harm until the driver has done, and says how often.
func hurt(discord *simulator.Server, r *rand.Rand, driven <-chan struct{}) (n int) {
	stalled := map[int]bool{}
	for {
		select {
		case <-driven:
			return n
		case <-time.After(time.Duration(r.IntN(60)) * time.Millisecond):
		}
		shard := r.IntN(chaosShards)
		switch r.IntN(9) {
		case 0:
			n += discord.Drop(shard)
		case 1:
			n += discord.Reset(shard)
		case 2:
			n += discord.Reconnect(shard)
		case 3:
			n += discord.Invalidate(shard, true)
		case 4:
			n += discord.CloseCode(shard, 4000)
		case 5:
			n += discord.CloseCode(shard, 4008)
		case 6:
			discord.RequestHeartbeat(shard)
		case 7:
			n += discord.NoACK(shard, true) // found out by the session, which leaves that connection
		case 8:
			stalled[shard] = !stalled[shard]
			n += discord.Stall(shard, stalled[shard])
		}
	}
}

// reader stands for the router.
type reader struct {
	t        *testing.T
	set      *gateway.Set
	r        *rand.Rand
	last     map[uint64]int // the next number of each guild
	seq      []uint64
	ready    int
	resumed  int
	messages int
}

func (w *reader) until(events <-chan gateway.Event, done func() bool) {
	w.t.Helper()
	for !done() {
		select {
		case e := <-events:
			w.take(&e)
		case <-time.After(time.Minute):
			w.t.Fatalf("no event for a minute: %d messages, %+v", w.messages, w.set.Status())
		}
		if w.r.IntN(2000) == 0 {
			time.Sleep(time.Duration(w.r.IntN(30)) * time.Millisecond) // no wait for anything: a slow router
		}
	}
}

// rest takes what is left in the queue after the end.
func (w *reader) rest(events <-chan gateway.Event) {
	for {
		select {
		case e := <-events:
			w.take(&e)
		default:
			return
		}
	}
}

func (w *reader) take(e *gateway.Event) {
	if e.Name != "RESUMED" && e.Seq != w.seq[e.Shard]+1 || e.Seq < w.seq[e.Shard] {
		w.t.Errorf("shard %d: %s has number %d after %d", e.Shard, e.Name, e.Seq, w.seq[e.Shard])
	}
	w.seq[e.Shard] = e.Seq
	switch e.Name {
	case "READY":
		w.ready++
	case "RESUMED":
		w.resumed++
	case "MESSAGE_CREATE":
		w.message(e)
	}
	if w.r.IntN(5) == 0 {
		w.set.Handled(e.Shard, e.Seq)
	}
}

func (w *reader) message(e *gateway.Event) {
	var d struct {
		ID      string `json:"id"`
		Guild   string `json:"guild_id"`
		Content string `json:"content"`
	}
	if err := json.Unmarshal(e.Data, &d); err != nil {
		w.t.Fatal(err)
	}
	if strconv.FormatUint(e.ID, 10) != d.ID || strconv.FormatUint(e.Guild, 10) != d.Guild || int(e.Guild>>22)%chaosShards != e.Shard {
		w.t.Errorf("id %d, guild %d, shard %d, but the data say %+v", e.ID, e.Guild, e.Shard, d)
	}
	n, err := strconv.Atoi(d.Content)
	if err != nil || n != w.last[e.Guild] {
		w.t.Errorf("guild %d: message %q, want %d", e.Guild, d.Content, w.last[e.Guild])
	}
	w.last[e.Guild] = n + 1
	w.messages++
}

// witness asks the simulator what it saw.
func witness(t *testing.T, discord *simulator.Server, set *gateway.Set, w *reader, total, faults int) {
	t.Helper()
	if w.messages != total {
		t.Errorf("%d messages, want %d", w.messages, total)
	}
	if faults == 0 || w.resumed == 0 {
		t.Errorf("%d faults and %d resumes prove nothing", faults, w.resumed)
	}
	for _, b := range discord.Breaches() {
		t.Errorf("breach: %s: %s (shard %d)", b.Rule, b.Detail, b.Shard)
	}
	counts := discord.Counts()
	if counts.Identifies != chaosShards || counts.ResumesRefused != 0 || counts.Unseen["MESSAGE_CREATE"] != 0 {
		t.Errorf("%d identifies, %d resumes refused, %d messages without a session", counts.Identifies, counts.ResumesRefused, counts.Unseen["MESSAGE_CREATE"])
	}
	for _, s := range set.Status() {
		if s.Identifies != 1 || s.Lost != 0 || s.Gaps != 0 || s.State != gateway.StateStopped {
			t.Errorf("shard %d: %+v", s.Shard, s)
		}
	}
}
