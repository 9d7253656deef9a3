package rest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

const testToken = "MTIz.test.token"

// fakeDiscord is a Discord in memory for tests in a bubble: it counts requests in fixed windows, as Discord does, and
// notes when each arrived.
type fakeDiscord struct {
	delay func() time.Duration // of one way
	ahead func() time.Duration // answers tell also by a clock that is ahead by this when a window ends
	rule  func(r *http.Request) rule
	// answer replaces the ordinary one if it returns one.
	answer func(r *http.Request, n int) *http.Response

	mu       sync.Mutex
	windows  map[string]*window
	arrivals []arrival
	refused  int
}

// rule is what bucket a request is in.
type rule struct {
	hash   string // "" = no limit
	major  string
	limit  int
	window time.Duration
}

type window struct {
	used  int
	start time.Time
}

type arrival struct {
	at           time.Time
	method, path string
	reason       string
}

func (d *fakeDiscord) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := d.travel(r.Context()); err != nil {
		return nil, err
	}
	response := d.handle(r)
	if err := d.travel(r.Context()); err != nil {
		return nil, err
	}
	return response, nil
}

func (d *fakeDiscord) travel(ctx context.Context) error {
	if d.delay == nil {
		return ctx.Err()
	}
	timer := time.NewTimer(d.delay())
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (d *fakeDiscord) handle(r *http.Request) *http.Response {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.arrivals = append(d.arrivals, arrival{
		at: time.Now(), method: r.Method, path: strings.TrimPrefix(r.URL.EscapedPath(), "/api/v10"), reason: r.Header.Get("X-Audit-Log-Reason"),
	})
	if d.answer != nil {
		if response := d.answer(r, len(d.arrivals)); response != nil {
			return response
		}
	}
	if d.rule == nil {
		return reply(http.StatusOK, `{}`)
	}
	return d.count(d.rule(r))
}

func (d *fakeDiscord) count(rule rule) *http.Response {
	if rule.hash == "" {
		return reply(http.StatusOK, `{}`)
	}
	if d.windows == nil {
		d.windows = make(map[string]*window)
	}
	key := rule.hash + " " + rule.major
	w := d.windows[key]
	now := time.Now()
	if w == nil || now.Sub(w.start) >= rule.window {
		w = &window{start: now}
		d.windows[key] = w
	}
	left := rule.window - now.Sub(w.start)
	response := reply(http.StatusOK, `{}`)
	if w.used >= rule.limit {
		d.refused++
		response = reply(http.StatusTooManyRequests, fmt.Sprintf(`{"message":"slow","retry_after":%.3f,"global":false}`, left.Seconds()))
		response.Header.Set("X-Ratelimit-Scope", "user")
	} else {
		w.used++
	}
	h := response.Header
	h.Set("X-Ratelimit-Bucket", rule.hash)
	h.Set("X-Ratelimit-Limit", strconv.Itoa(rule.limit))
	h.Set("X-Ratelimit-Remaining", strconv.Itoa(rule.limit-w.used))
	h.Set("X-Ratelimit-Reset-After", fmt.Sprintf("%.3f", left.Seconds()))
	if d.ahead != nil {
		h.Set("X-Ratelimit-Reset", fmt.Sprintf("%.3f", float64(now.Add(left+d.ahead()).UnixMicro())/1e6))
	}
	return response
}

func (d *fakeDiscord) seen() []arrival {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.arrivals)
}

func (d *fakeDiscord) refusals() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.refused
}

func reply(status int, body string, header ...string) *http.Response {
	h := http.Header{"Content-Type": {"application/json"}}
	for i := 0; i+1 < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	return &http.Response{
		StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}
}

// newGate makes a gate onto a fake Discord. When the test ends it must have forgotten everything.
func newGate(t *testing.T, d *fakeDiscord, change ...func(*Config)) *Gate {
	t.Helper()
	cfg := Config{Token: testToken, BaseURL: "https://discord.test/api/v10", Client: &http.Client{Transport: d}}
	for _, each := range change {
		each(&cfg)
	}
	g, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.Close)
	return g
}

// mustBeEmpty checks that nothing of any request is left in the gate once all windows have passed.
func mustBeEmpty(t *testing.T, g *Gate) {
	t.Helper()
	time.Sleep(maxWait + time.Hour)
	g.mu.Lock()
	defer g.mu.Unlock()
	r := g.room
	if len(g.buckets)+len(g.wakes)+len(g.normal.callers)+len(g.express.callers)+g.normal.ring.Len()+g.express.ring.Len() != 0 {
		t.Errorf("left: %d buckets, %d wakes, %d + %d callers, %d + %d in turn", len(g.buckets), len(g.wakes),
			len(g.normal.callers), len(g.express.callers), g.normal.ring.Len(), g.express.ring.Len())
	}
	if r.normal.held != (held{}) || r.express.held != (held{}) || r.inflight != 0 || len(r.normal.callers)+len(r.express.callers) != 0 {
		t.Errorf("left: %+v", r)
	}
}

// group runs requests at once and waits for all of them.
type group struct {
	t    *testing.T
	g    *Gate
	wait sync.WaitGroup
}

func (w *group) send(ctx context.Context, caller, method, path, reason string, then func(*Response, error)) {
	w.wait.Go(func() {
		response, err := w.g.Do(ctx, &Request{Caller: caller, Method: method, Path: path, Header: http.Header{"X-Audit-Log-Reason": {reason}}})
		then(response, err)
	})
}

// ok is for requests that must be answered with 200.
func (w *group) ok(response *Response, err error) {
	w.t.Helper()
	if err != nil || response.Status != http.StatusOK {
		w.t.Errorf("answer %v, error %v", response, err)
	}
}

// mustFail is for requests that must end with an error.
func (w *group) mustFail(want error) func(*Response, error) {
	return func(response *Response, err error) {
		w.t.Helper()
		if !errors.Is(err, want) {
			w.t.Errorf("answer %v, error %v; want %v", response, err, want)
		}
	}
}

// mostPerSecond is the largest number of arrivals in any second.
func mostPerSecond(all []arrival) int {
	most, from := 0, 0
	for i := range all {
		for all[i].at.Sub(all[from].at) >= time.Second {
			from++
		}
		most = max(most, i-from+1)
	}
	return most
}

func fixed(d time.Duration) func() time.Duration { return func() time.Duration { return d } }

// seed gives a test's random numbers and prints where they come from.
func seed(t *testing.T) *rand.Rand {
	t.Helper()
	s := rand.Uint64()
	t.Logf("seed %d", s)
	return rand.New(rand.NewPCG(s, 0))
}

// perChannel puts each route into a bucket per channel, with one limit for all.
func perChannel(limit int, window time.Duration) func(*http.Request) rule {
	return func(r *http.Request) rule {
		parts := strings.Split(strings.TrimPrefix(r.URL.Path, "/api/v10/"), "/")
		return rule{hash: "h-" + r.Method + strconv.Itoa(len(parts)), major: parts[1], limit: limit, window: window}
	}
}
