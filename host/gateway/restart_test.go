package gateway

import (
	"context"
	"encoding/json"
	"maps"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/holdfast-bot/holdfast/host/simulator"
)

const (
	restartShards = 3
	// GUILDS, GUILD_MESSAGES and MESSAGE_CONTENT.
	restartIntents = 1<<0 | 1<<9 | 1<<15
	// restartPace is the time between two identifies, the simulator's and with a margin ours.
	restartPace = 50 * time.Millisecond
)

// restarts is what outlives the processes of a test: a strict Discord, and what the router
// has kept of its events.
type restarts struct {
	t       *testing.T
	discord *simulator.Server
	r       *rand.Rand

	saved      map[int]Saved
	identified time.Time
	said       int            // messages emitted
	heard      int            // messages kept
	next       map[uint64]int // number of the next message of each guild
	seq        map[int]uint64
	ready      map[int]int // READYs of each shard
	resumed    map[int]int
}

func newRestarts(t *testing.T, cfg simulator.Config) *restarts {
	t.Helper()
	cfg.Seed = rand.Uint64()
	t.Logf("seed %d", cfg.Seed)
	cfg.IdentifyInterval, cfg.HeartbeatInterval, cfg.HeartbeatGrace = restartPace, time.Second, 10*time.Second
	discord, err := simulator.Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := discord.Close(); err != nil {
			t.Error(err)
		}
	})
	return &restarts{
		t: t, discord: discord, r: rand.New(rand.NewPCG(cfg.Seed, 1)), saved: map[int]Saved{},
		next: map[uint64]int{}, seq: map[int]uint64{}, ready: map[int]int{}, resumed: map[int]int{},
	}
}

// say emits n numbered messages, guild by guild.
func (w *restarts) say(n int) {
	guilds := w.discord.Guilds()
	for range n {
		g := guilds[w.said%len(guilds)]
		w.discord.Say(g.ID, g.Channels[0], g.Owner, strconv.Itoa(w.said/len(guilds)))
		w.said++
	}
}

// keep stands for the router: it journals the event and saves the values of its session. Discord may
// forget only what has been saved.
func (w *restarts) keep(set *Set, e *Event) {
	w.t.Helper()
	if e.Name == nameReady {
		var d struct {
			ID  string `json:"session_id"`
			URL string `json:"resume_gateway_url"`
		}
		if err := json.Unmarshal(e.Data, &d); err != nil {
			w.t.Fatal(err)
		}
		w.saved[e.Shard] = Saved{ID: d.ID, ResumeURL: d.URL}
		w.ready[e.Shard]++
	} else if e.Seq != w.seq[e.Shard]+1 {
		w.t.Errorf("shard %d: %s has number %d after %d", e.Shard, e.Name, e.Seq, w.seq[e.Shard])
	}
	v := w.saved[e.Shard]
	v.Seq, v.Since, w.seq[e.Shard] = e.Seq, e.Received, e.Seq
	w.saved[e.Shard] = v
	if w.r.IntN(3) == 0 {
		set.Handled(e.Shard, e.Seq)
	}
	switch e.Name {
	case nameResumed:
		w.resumed[e.Shard]++
	case "MESSAGE_CREATE":
		w.message(e)
	}
}

func (w *restarts) message(e *Event) {
	w.t.Helper()
	var d struct {
		Content string `json:"content"`
	}
	if err := json.Unmarshal(e.Data, &d); err != nil {
		w.t.Fatal(err)
	}
	if want := strconv.Itoa(w.next[e.Guild]); d.Content != want {
		w.t.Errorf("guild %d: message %s, want %s", e.Guild, d.Content, want)
	}
	w.next[e.Guild]++
	w.heard++
}

// life is one process: a set, and the connections that end with it.
type life struct {
	w      *restarts
	set    *Set
	events chan Event
	cancel context.CancelFunc
	ended  chan error

	mu    sync.Mutex
	conns []net.Conn
	dead  bool
}

// begin starts a process with what the one before has left.
func (w *restarts) begin(cfg Config) *life {
	w.t.Helper()
	l := &life{w: w, events: make(chan Event, 16), ended: make(chan error, 1)}
	cfg.Token, cfg.URL, cfg.Count, cfg.Intents = w.discord.Token(), w.discord.GatewayURL(), restartShards, restartIntents
	for shard := range restartShards {
		cfg.Shards = append(cfg.Shards, shard)
	}
	cfg.Events, cfg.dial, cfg.random = l.events, l.dial, func() float64 { return 0.05 }
	cfg.Resume, cfg.LastIdentify, cfg.IdentifyInterval = maps.Clone(w.saved), w.identified, 2*restartPace
	set, err := NewSet(cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(w.t.Context())
	l.set, l.cancel = set, cancel
	go func() { l.ended <- set.Run(ctx) }() // end waits for it
	return l
}

func (l *life) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	c, err := new(net.Dialer).DialContext(ctx, network, addr)
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil || l.dead {
		if err == nil {
			_ = c.Close()
			err = net.ErrClosed
		}
		return nil, err
	}
	l.conns = append(l.conns, c)
	return c, nil
}

// until takes events until done.
func (l *life) until(done func() bool) {
	l.w.t.Helper()
	for !done() {
		select {
		case e := <-l.events:
			l.w.keep(l.set, &e)
		case <-time.After(time.Minute):
			l.w.t.Fatalf("no event for a minute: %d of %d messages, %+v", l.w.heard, l.w.said, l.set.Status())
		}
	}
}

// kill ends the process as kill -9 does: its connections break off without a close frame, and what
// it had not kept is gone.
func (l *life) kill() {
	l.w.t.Helper()
	l.mu.Lock()
	l.dead = true
	for _, c := range l.conns {
		_ = c.Close()
	}
	l.mu.Unlock()
	l.stop()
}

// finish ends the process in order: what its sessions have handed on is kept.
func (l *life) finish() {
	l.w.t.Helper()
	l.stop()
	for {
		select {
		case e := <-l.events:
			l.w.keep(l.set, &e)
		default:
			return
		}
	}
}

func (l *life) stop() {
	l.w.t.Helper()
	l.cancel()
	if err := <-l.ended; err != nil {
		l.w.t.Errorf("run ended with %v", err)
	}
	l.w.identified = time.Now()
}

func (w *restarts) allReady() bool { return len(w.ready) == restartShards }

func (w *restarts) allResumed() bool { return len(w.resumed) == restartShards }

// judge asks the strict Discord: no rule broken, one IDENTIFY a shard, every message once.
func (w *restarts) judge() {
	w.t.Helper()
	for _, b := range w.discord.Breaches() {
		w.t.Errorf("breach: %s: %s (shard %d)", b.Rule, b.Detail, b.Shard)
	}
	counts := w.discord.Counts()
	if counts.Identifies != restartShards || counts.ResumesRefused != 0 || w.heard != w.said {
		w.t.Errorf("%d identifies, %d resumes refused, %d of %d messages", counts.Identifies, counts.ResumesRefused, w.heard, w.said)
	}
}

// TestRestart: a second process begins with what the first has saved: no IDENTIFY, and every event, in order and
// once, those included that came while nobody was connected or that the first had read and not kept.
func TestRestart(t *testing.T) {
	for name, end := range map[string]func(*life){"in order": (*life).finish, "killed": (*life).kill} {
		t.Run(name, func(t *testing.T) {
			w := newRestarts(t, simulator.Config{Shards: restartShards, World: simulator.World{Guilds: 12}})
			first := w.begin(Config{})
			first.until(w.allReady)
			w.say(500) // more than the queue holds
			first.until(func() bool { return w.heard >= 100 })
			end(first)
			w.say(300)
			second := w.begin(Config{})
			second.until(func() bool { return w.heard == w.said && w.allResumed() })
			w.say(100)
			second.until(func() bool { return w.heard == w.said })
			for _, st := range second.set.Status() {
				if st.State != StateReady || st.Identifies != 0 || st.Resumes != 1 || st.Lost != 0 || st.Gaps != 0 {
					t.Errorf("status %+v", st)
				}
			}
			second.finish()
			w.judge()
		})
	}
}

// TestRestarts: one process after the other, ended at any moment in either way, while Discord goes on.
func TestRestarts(t *testing.T) {
	w := newRestarts(t, simulator.Config{Shards: restartShards, World: simulator.World{Guilds: 12}, VaryKeys: true})
	first := w.begin(Config{})
	first.until(w.allReady)
	first.kill()
	const lives = 40
	for range lives {
		w.say(w.r.IntN(60))
		l := w.begin(Config{})
		for more := w.r.IntN(4); more > 0 && w.heard < w.said; more-- {
			w.say(w.r.IntN(60))
			until := min(w.heard+w.r.IntN(60), w.said)
			l.until(func() bool { return w.heard >= until })
		}
		if w.r.IntN(2) == 0 {
			l.kill()
		} else {
			l.finish()
		}
	}
	last := w.begin(Config{})
	before := len(w.resumed)
	clear(w.resumed)
	last.until(func() bool { return w.heard == w.said && w.allResumed() })
	last.finish()
	t.Logf("%d messages, %d resumes", w.heard, w.discord.Counts().Resumes)
	if before == 0 {
		t.Error("no process but the last has resumed anything: this proves nothing")
	}
	w.judge()
}

// TestRestartTooLate: Discord has forgotten a session: exactly one IDENTIFY, and the span is told. The others resume.
func TestRestartTooLate(t *testing.T) {
	const forgotten = 1
	w := newRestarts(t, simulator.Config{Shards: restartShards, World: simulator.World{Guilds: 12}})
	first := w.begin(Config{})
	first.until(w.allReady)
	w.say(100)
	first.until(func() bool { return w.heard == w.said })
	if n := w.discord.Invalidate(forgotten, false); n != 1 {
		t.Fatalf("%d connections of shard %d", n, forgotten)
	}
	first.kill()
	missed := 0
	for _, g := range w.discord.Guilds() {
		if int(g.ID>>22)%restartShards == forgotten {
			missed++
			w.next[g.ID]++ // it gets one of the messages below, as each does
		}
	}
	w.say(12)

	log, lines := told()
	second := w.begin(Config{Log: log})
	second.until(func() bool {
		return w.ready[forgotten] == 2 && w.resumed[0] == 1 && w.resumed[2] == 1 && w.heard == w.said-missed
	})
	lines.find(t, "[WARN]", "could not be resumed after the restart", "shard=1", "since=", "took=")
	for _, st := range second.set.Status() {
		lost := uint64(0)
		if st.Shard == forgotten {
			lost = 1
		}
		if st.State != StateReady || st.Identifies != lost || st.Lost != lost || st.Resumes != 1-lost {
			t.Errorf("status %+v", st)
		}
	}
	second.finish()
	counts := w.discord.Counts()
	if missed == 0 || counts.Identifies != restartShards+1 || counts.ResumesRefused != 1 || len(w.discord.Breaches()) != 0 {
		t.Errorf("%d missed, %d identifies, %d resumes refused, breaches %v", missed, counts.Identifies, counts.ResumesRefused, w.discord.Breaches())
	}
}
