package simulator

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"testing"
	"time"
)

func TestBucket(t *testing.T) {
	t0 := time.Unix(100, 0)
	b := bucket{limit: Limit{2, time.Second}}
	for i, step := range []struct {
		ms   int
		ok   bool
		wait int
	}{{0, true, 0}, {100, true, 0}, {200, false, 800}, {900, false, 100}, {1000, true, 0}, {1999, true, 0}, {1999, false, 1}, {2500, true, 0}} {
		ok, wait := b.take(t0.Add(time.Duration(step.ms) * time.Millisecond))
		if ok != step.ok || wait != time.Duration(step.wait)*time.Millisecond {
			t.Errorf("step %d at %d ms: %t %v", i, step.ms, ok, wait)
		}
	}
}

func TestRefusalIgnored(t *testing.T) {
	t0 := time.Unix(100, 0)
	r := refusal{at: t0, until: t0.Add(time.Second)}
	for ms, want := range map[int]bool{0: false, 500: false, 501: true, 999: true, 1000: false, 5000: false} {
		if r.ignored(t0.Add(time.Duration(ms)*time.Millisecond)) != want {
			t.Errorf("%d ms after the 429: %t", ms, !want)
		}
	}
}

// The limits without sockets: the judge takes the time from its caller.
func TestJudge(t *testing.T) {
	t0 := time.Unix(100, 0)
	at := func(ms int) time.Time { return t0.Add(time.Duration(ms) * time.Millisecond) }
	l := newLimiter(Config{}.filled().RateLimits)
	rt := &route{name: "POST /x", group: "POST /x", limit: Limit{5, 5 * time.Second}}
	for i := range 5 {
		if v := l.judge(rt, "1", at(i)); v.wait != 0 || v.left != 4-i {
			t.Fatalf("request %d: %+v", i, v)
		}
	}
	if v := l.judge(rt, "2", at(5)); v.wait != 0 {
		t.Errorf("another top-level resource: %+v", v)
	}
	if v := l.judge(rt, "1", at(6)); v.wait == 0 || v.scope != ScopeUser || v.breach != "" {
		t.Errorf("the sixth: %+v", v)
	}
	if v := l.judge(rt, "1", at(100)); v.breach != "" {
		t.Errorf("sent before the 429 was known: %+v", v)
	}
	if v := l.judge(rt, "1", at(1000)); v.breach != RuleIgnored429 {
		t.Errorf("a second after the 429: %+v", v)
	}
	if v := l.judge(rt, "1", at(5000)); v.wait != 0 || v.breach != "" {
		t.Errorf("after retry_after: %+v", v)
	}
}

func TestJudgeGlobal(t *testing.T) {
	t0 := time.Unix(100, 0)
	at := func(ms int) time.Time { return t0.Add(time.Duration(ms) * time.Millisecond) }
	l := newLimiter(Config{}.filled().RateLimits)
	rt := &route{name: "GET /y", group: "GET /y", limit: Limit{1000, time.Second}}
	exempt := &route{name: "POST /z", group: "POST /z", limit: Limit{1000, time.Second}, exempt: true}
	for i := range 50 {
		if v := l.judge(rt, "", at(0)); v.wait != 0 {
			t.Fatalf("request %d: %+v", i, v)
		}
	}
	if v := l.judge(rt, "", at(1)); v.scope != ScopeGlobal || v.breach != RuleGlobalLimit {
		t.Errorf("request 51: %+v", v)
	}
	if v := l.judge(exempt, "", at(1)); v.wait != 0 {
		t.Errorf("an interaction's request: %+v", v)
	}
	if v := l.judge(rt, "", at(700)); v.breach != RuleIgnored429 {
		t.Errorf("before retry_after: %+v", v)
	}
	if v := l.judge(rt, "", at(1000)); v.wait != 0 || v.breach != "" {
		t.Errorf("a second later: %+v", v)
	}
}

func TestRateLimitHeaders(t *testing.T) {
	cfg := oneGuild()
	cfg.RateLimits.Routes = map[string]Limit{"GET /guilds/{guild}": {1, time.Minute}}
	s := start(t, cfg)
	path := fmt.Sprintf("/guilds/%d", s.Guilds()[0].ID)
	r := get(t, s, path).want(200)
	for name, want := range map[string]string{"X-Ratelimit-Limit": "1", "X-Ratelimit-Remaining": "0", "X-Ratelimit-Scope": ""} {
		if got := r.header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	bucket := r.header.Get("X-Ratelimit-Bucket")
	if after, err := strconv.ParseFloat(r.header.Get("X-Ratelimit-Reset-After"), 64); err != nil || after <= 59 || after > 60 || bucket == "" {
		t.Errorf("headers %v", r.header)
	}
	r = get(t, s, path).want(429)
	o := r.object()
	if o["global"] != false || o["retry_after"].(float64) <= 0 || r.header.Get("X-Ratelimit-Scope") != "user" ||
		r.header.Get("Retry-After") == "" || r.header.Get("X-Ratelimit-Bucket") != bucket {
		t.Errorf("429 %v %v", o, r.header)
	}
	s.SetLimit("GET /guilds/{guild}", Limit{10, time.Nanosecond})
	if r := get(t, s, path).want(200); r.header.Get("X-Ratelimit-Limit") != "10" {
		t.Errorf("after the limit changed: %v", r.header)
	}
	wantBreaches(t, s, nil)
	if n := s.Counts(); n.Limited != 1 || n.Requests["GET /guilds/{guild}"] != 3 || n.Statuses[200] != 2 {
		t.Errorf("counts %+v", n)
	}
}

func TestRateLimitsOff(t *testing.T) {
	s := start(t, Config{RateLimits: RateLimits{Off: true}})
	for range 120 {
		if r := get(t, s, "/users/@me").want(200); r.header.Get("X-Ratelimit-Limit") != "" {
			t.Fatalf("headers %v", r.header)
		}
	}
	wantBreaches(t, s, nil)
}

func TestBan(t *testing.T) {
	s := start(t, Config{RateLimits: RateLimits{Invalid: 5, Ban: time.Hour}})
	for range 6 {
		call(t, s, "GET", "/users/@me", "", "Authorization", "Bot no").want(401)
	}
	r := get(t, s, "/users/@me").want(429)
	if r.header.Get("Content-Type") == "application/json" || r.header.Get("Retry-After") != "3600" || r.header.Get("X-Ratelimit-Scope") != "" {
		t.Errorf("ban: %v %s", r.header, r.body)
	}
	if n := s.BreachCounts(); n[RuleInvalidRequests] != 1 {
		t.Errorf("breaches %v", n)
	}
}

func TestFailREST(t *testing.T) {
	cfg := oneGuild()
	cfg.RateLimits.Invalid = 2
	s := start(t, cfg)
	guild := fmt.Sprintf("/guilds/%d", s.Guilds()[0].ID)
	s.FailREST("GET /guilds/{guild}", Failure{Status: 503}, 2)
	get(t, s, guild).want(503)
	get(t, s, guild+"/roles").want(200)
	get(t, s, guild).want(503)
	get(t, s, guild).want(200)
	s.FailREST("* /guilds/**", Failure{Status: 429, RetryAfter: 1500 * time.Millisecond, Scope: ScopeShared}, 1)
	r := get(t, s, guild+"/channels").want(429)
	if o := r.object(); o["retry_after"] != 1.5 || r.header.Get("X-Ratelimit-Scope") != "shared" || r.header.Get("Retry-After") != "2" {
		t.Errorf("shared 429: %v %v", o, r.header)
	}
	s.FailREST("GET /users/*", Failure{Status: 429, Global: true, RetryAfter: time.Nanosecond}, 1)
	if r := get(t, s, "/users/@me").want(429); r.header.Get("X-Ratelimit-Global") != "true" || r.object()["global"] != true {
		t.Errorf("global 429: %v", r.header)
	}
	s.FailREST("GET /users/@me", Failure{HTML: true}, 1)
	if r := get(t, s, "/users/@me").want(429); r.header.Get("X-Ratelimit-Scope") != "" || r.body[0] != '<' {
		t.Errorf("HTML: %v %s", r.header, r.body)
	}
	s.FailREST("GET /users/@me", Failure{Garbage: true}, 0)
	for range 3 {
		if r := get(t, s, "/users/@me").want(200); r.body[len(r.body)-1] == '}' {
			t.Errorf("garbage: %s", r.body)
		}
	}
	s.ClearFailures()
	s.FailREST("GET /users/@me", Failure{Delay: time.Millisecond}, 1)
	get(t, s, "/users/@me").want(200)
	s.FailREST("GET /users/@me", Failure{CloseConn: true}, 10)
	if status := try(t, s, "/users/@me"); status != 0 {
		t.Errorf("status %d of a connection that is closed", status)
	}
	wantBreaches(t, s, nil)
}

// A client that does not wait for a delayed answer is in the list of requests all the same.
func TestARequestWithoutAnAnswerIsListed(t *testing.T) {
	s := start(t, oneGuild())
	path := fmt.Sprintf("/guilds/%d", s.Guilds()[0].ID)
	s.FailREST("GET /guilds/{guild}", Failure{Delay: time.Hour}, 1)
	ctx, cancel := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL()+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if resp, err := new(http.Client).Do(req); err == nil {
			resp.Body.Close()
			t.Errorf("answered %d", resp.StatusCode)
		}
	}()
	eventually(t, "the request waits", func() bool {
		s.faults.mu.Lock()
		defer s.faults.mu.Unlock()
		return s.faults.list[0].left == 0
	})
	cancel()
	<-done
	eventually(t, "the request is listed", func() bool {
		list := s.Requests()
		return len(list) == 1 && list[0].Path == path && list[0].Status == 0
	})
}

func TestDelayEndsWithClose(t *testing.T) {
	s := start(t, Config{})
	s.FailREST("GET /users/@me", Failure{Delay: time.Hour}, 0)
	done := make(chan int)
	go func() { done <- try(t, s, "/users/@me") }()
	eventually(t, "the request waits", func() bool {
		s.faults.mu.Lock()
		defer s.faults.mu.Unlock()
		return s.faults.list[0].left < -1
	})
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	<-done
}
