package rest_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-bot/holdfast/host/rest"
	"github.com/holdfast-bot/holdfast/host/simulator"
)

const (
	callers    = 8
	globalRate = 500
	// used is the share of what the limits allow that must be reached.
	used = 0.95
	// bubbleAge brings a bubble, which begins in 2000, into the time of snowflakes.
	bubbleAge = 26 * 365 * 24 * time.Hour
)

// kind is one kind of request that plugins send, with its limit, which the simulator is told.
type kind struct {
	route, body string
	limit       simulator.Limit
}

func kinds() []kind {
	const message = "/channels/{channel}/messages/{message}"
	return []kind{
		{"GET /guilds/{guild}", "", simulator.Limit{Requests: 50, Per: time.Second}},
		{"GET /guilds/{guild}/members/{user}", "", simulator.Limit{Requests: 20, Per: 2 * time.Second}},
		{"GET /channels/{channel}", "", simulator.Limit{Requests: 10, Per: 10 * time.Second}},
		{"POST /channels/{channel}/messages", `{"content":"hi"}`, simulator.Limit{Requests: 5, Per: 5 * time.Second}},
		{"POST /channels/{channel}/typing", "", simulator.Limit{Requests: 5, Per: 5 * time.Second}},
		{"PATCH " + message, `{"content":"ho"}`, simulator.Limit{Requests: 5, Per: 5 * time.Second}},
		{"PUT " + message + "/reactions/%F0%9F%91%8D/@me", "", simulator.Limit{Requests: 1, Per: 250 * time.Millisecond}},
	}
}

// documented is the simulator's name of a route.
func (k kind) documented() string { return strings.Replace(k.route, "%F0%9F%91%8D", "{emoji}", 1) }

// traffic is what the callers send: each request knows its bucket and its place in what its caller asked of it.
type traffic struct {
	random *rand.Rand
	all    []*rest.Request
	bucket []string
	counts map[string]int
	limits map[string]simulator.Limit
}

// asked is the header by which the network knows a request: it is none of the token's or Discord's business.
const asked = "X-Audit-Log-Reason"

func newTraffic(random *rand.Rand, sim *simulator.Server, messages map[uint64]uint64, n int) *traffic {
	tr := &traffic{random: random, counts: make(map[string]int), limits: make(map[string]simulator.Limit)}
	guilds, list := sim.Guilds(), kinds()
	places := make(map[string]int)
	for i := range n {
		k := list[random.IntN(len(list))]
		guild := guilds[random.IntN(len(guilds))]
		channel := guild.Channels[random.IntN(len(guild.Channels))]
		major := fmt.Sprint(channel)
		if strings.Contains(k.route, "{guild}") {
			major = fmt.Sprint(guild.ID)
		}
		caller := fmt.Sprint("plugin", i%callers)
		bucket := k.documented() + " " + major
		place := bucket + " " + caller
		r := &rest.Request{Caller: caller, Header: http.Header{asked: {fmt.Sprintf("%s#%d", place, places[place])}}}
		places[place]++
		var path string
		r.Method, path, _ = strings.Cut(k.route, " ")
		r.Path = strings.NewReplacer("{guild}", fmt.Sprint(guild.ID), "{channel}", fmt.Sprint(channel),
			"{message}", fmt.Sprint(messages[channel]), "{user}", fmt.Sprint(guild.Members[0])).Replace(path)
		if k.body != "" {
			r.Body = []byte(k.body)
		}
		tr.all, tr.bucket = append(tr.all, r), append(tr.bucket, bucket)
		tr.counts[bucket]++
		tr.limits[bucket] = k.limit
	}
	return tr
}

// least is when the last request goes if each goes as soon as the limits allow, in the order in which they were asked for
// and without taking time on its way: at most the global limit in any second, and of each bucket a window's worth.
func (tr *traffic) least() (least time.Duration, by string) {
	const tick = 250 * time.Millisecond // divides every window
	type window struct {
		end  time.Duration
		left int
	}
	windows := make(map[string]*window)
	for _, bucket := range tr.bucket {
		windows[bucket] = new(window)
	}
	var sent [time.Second / tick]int // in the ticks of the last second
	waiting := slices.Clone(tr.bucket)
	for now := time.Duration(0); len(waiting) > 0; now += tick {
		at := int(now/tick) % len(sent)
		sent[at] = 0
		room := globalRate - sent[0] - sent[1] - sent[2] - sent[3]
		waiting = slices.DeleteFunc(waiting, func(bucket string) bool {
			w, limit := windows[bucket], tr.limits[bucket]
			if room == 0 || now < w.end && w.left == 0 {
				return false
			}
			if now >= w.end {
				w.end, w.left = now+limit.Per, limit.Requests
			}
			w.left--
			room--
			sent[at]++
			least, by = now, bucket
			return true
		})
	}
	return least, by
}

// network carries requests to a simulator in memory. It takes time, and notes what arrives and what is refused.
type network struct {
	to    http.RoundTripper
	delay func() time.Duration // of one way

	mu       sync.Mutex
	next     map[string]int // the next place, by what was asked
	swapped  map[bool]int   // arrivals out of order, of writes and of reads
	refused  map[string]int // 429s by bucket and what epoch says
	epoch    func(bucket string) int
	arrivals int
}

func (n *network) RoundTrip(r *http.Request) (*http.Response, error) {
	time.Sleep(n.delay())
	place, seq, _ := strings.Cut(r.Header.Get(asked), "#")
	n.mu.Lock()
	n.arrivals++
	if place != "" {
		if seq != fmt.Sprint(n.next[place]) {
			n.swapped[r.Method != http.MethodGet]++
		}
		n.next[place]++
	}
	n.mu.Unlock()
	response, err := n.to.RoundTrip(r)
	if err == nil && response.StatusCode == http.StatusTooManyRequests {
		bucket := place[:strings.LastIndexByte(place, ' ')]
		n.mu.Lock()
		n.next[place]-- // it comes again
		n.refused[fmt.Sprint(bucket, " ", n.epoch(bucket))]++
		n.mu.Unlock()
	}
	time.Sleep(n.delay())
	return response, err
}

func (n *network) total() (all int) {
	for _, count := range n.refused {
		all += count
	}
	return all
}

// trial is one run of traffic through a gate.
type trial struct {
	sim    *simulator.Server
	net    *network
	gate   *rest.Gate
	tr     *traffic
	random *rand.Rand
}

func newTrial(t *testing.T, guilds, n int, delay func(*rand.Rand) time.Duration) *trial {
	t.Helper()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	time.Sleep(bubbleAge)
	routes := make(map[string]simulator.Limit)
	for _, k := range kinds() {
		routes[k.documented()] = k.limit
	}
	x := &trial{random: rand.New(rand.NewPCG(seed, 0))}
	x.sim = simulator.Unplugged(simulator.Config{
		Seed: seed, World: simulator.World{Guilds: guilds}, RateLimits: simulator.RateLimits{Global: globalRate, Routes: routes},
	})
	t.Cleanup(func() {
		if err := x.sim.Close(); err != nil {
			t.Error(err)
		}
	})
	messages := make(map[uint64]uint64)
	for _, guild := range x.sim.Guilds() {
		for _, channel := range guild.Channels {
			messages[channel] = x.sim.Say(guild.ID, channel, x.sim.Bot(), "a message")
		}
	}
	var lock sync.Mutex // one generator for many goroutines
	x.net = &network{
		to: x.sim.Transport(), next: make(map[string]int), swapped: make(map[bool]int), refused: make(map[string]int),
		epoch: func(string) int { return 0 },
		delay: func() time.Duration { lock.Lock(); defer lock.Unlock(); return delay(x.random) },
	}
	var err error
	x.gate, err = rest.New(rest.Config{
		Token: x.sim.Token(), BaseURL: x.sim.URL(), Global: globalRate, Wait: 24 * time.Hour, Client: &http.Client{Transport: x.net},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(x.gate.Close)
	x.tr = newTraffic(rand.New(rand.NewPCG(seed, 1)), x.sim, messages, n)
	return x
}

// send asks for everything, one after the other and all at once, and returns how long it took.
func (x *trial) send(t *testing.T) time.Duration {
	t.Helper()
	began := time.Now()
	var wait sync.WaitGroup
	for _, r := range x.tr.all {
		wait.Go(func() {
			response, err := x.gate.Do(t.Context(), r)
			if err != nil {
				t.Error(err)
			} else if response.Status >= http.StatusMultipleChoices {
				t.Errorf("%s %s: %d %s", r.Method, r.Path, response.Status, response.Body)
			}
		})
		synctest.Wait() // so that the order in which they were asked for is known
	}
	wait.Wait()
	return time.Since(began)
}

// requests is how many a trial has: at far fewer the first second counts too much, which the gate does not begin with
// all that the global limit allows.
const requests = 20_000

func between(least, most time.Duration) func(*rand.Rand) time.Duration {
	return func(random *rand.Rand) time.Duration {
		return least + time.Duration(random.Int64N(int64(most-least)+1))
	}
}

// TestThroughput: eight callers send what plugins send, all at once. Discord, with all its limits on, refuses nothing,
// not even at first; what they allow is used; and the writes of one caller to one route arrive as they were asked for.
func TestThroughput(t *testing.T) {
	const ms = time.Millisecond
	tests := map[string]struct {
		guilds int
		delay  func(*rand.Rand) time.Duration
		full   bool
	}{
		"many guilds, near":   {150, between(0, 2*ms), true},
		"few guilds, near":    {8, between(0, 2*ms), true},
		"many guilds, far":    {150, between(20*ms, 25*ms), false},
		"few guilds, far":     {8, between(20*ms, 25*ms), false},
		"many guilds, uneven": {150, between(5*ms, 40*ms), true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if test.full && os.Getenv("HOLDFAST_FULL") == "" {
				t.Skip("HOLDFAST_FULL=1 runs it")
			}
			synctest.Test(t, func(t *testing.T) {
				x := newTrial(t, test.guilds, requests, test.delay)
				least, by := x.tr.least()
				took := x.send(t)
				share := least.Seconds() / took.Seconds()
				t.Logf("%d requests took %v, %.1f%% of what is allowed by %s (%v); reads that overtook others: %d",
					len(x.tr.all), took.Round(ms), 100*share, by, least.Round(ms), x.net.swapped[false])
				if share < used {
					t.Errorf("%.1f%% of what is allowed", 100*share)
				}
				x.judge(t)
				if n := x.net.total(); n != 0 {
					t.Errorf("%d answers were 429", n)
				}
			})
		})
	}
}

// judge checks what holds whatever the limits do.
func (x *trial) judge(t *testing.T) {
	t.Helper()
	if n := x.net.swapped[true]; n != 0 {
		t.Errorf("%d writes came out of order", n)
	}
	if breaches := x.sim.Breaches(); len(breaches) != 0 {
		t.Errorf("%d breaches, the first: %+v", len(breaches), breaches[0])
	}
	if n, limited := x.net.arrivals, x.net.total(); n != len(x.tr.all)+limited {
		t.Errorf("%d requests arrived for %d and %d answers of 429", n, len(x.tr.all), limited)
	}
}

// TestLimitsThatChangeCostOne429Each: while traffic flows Discord changes limits and windows, up and down.
func TestLimitsThatChangeCostOne429Each(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newTrial(t, 20, requests, between(0, 10*time.Millisecond))
		changes := make(map[string]int) // by route
		var lock sync.Mutex
		x.net.epoch = func(bucket string) int {
			lock.Lock()
			defer lock.Unlock()
			return changes[bucket[:strings.LastIndexByte(bucket, ' ')]]
		}
		random := rand.New(rand.NewPCG(x.random.Uint64(), 2))
		done, stopped := make(chan struct{}), make(chan struct{})
		all := 0
		go func() {
			defer close(stopped)
			for {
				select {
				case <-time.After(time.Duration(random.Int64N(int64(4 * time.Second)))):
				case <-done:
					return
				}
				k := kinds()[random.IntN(len(kinds()))]
				lock.Lock()
				changes[k.documented()]++
				all++
				lock.Unlock()
				x.sim.SetLimit(k.documented(), simulator.Limit{
					Requests: 1 + random.IntN(2*k.limit.Requests), Per: k.limit.Per/2 + time.Duration(random.Int64N(int64(2*k.limit.Per))),
				})
			}
		}()
		x.send(t)
		close(done)
		<-stopped
		t.Logf("%d changes of limits, over %d buckets, cost %d answers of 429", all, len(x.tr.counts), x.net.total())
		for which, n := range x.net.refused {
			if n > 1 {
				t.Errorf("%d answers were 429 in one bucket after one change: %s", n, which)
			}
		}
		x.judge(t)
	})
}
