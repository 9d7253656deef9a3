package rest_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/holdfast-bot/holdfast/host/rest"
	"github.com/holdfast-bot/holdfast/host/simulator"
)

// TestMixedRequestsAgainstTheSimulator sends what plugins send, from several
// callers at once, to a server that counts every breach of Discord's limits.
func TestMixedRequestsAgainstTheSimulator(t *testing.T) {
	requests := 500
	if os.Getenv("HOLDFAST_FULL") != "" {
		requests = 20_000
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	const global = 500
	s, err := simulator.Start(simulator.Config{
		Seed: seed, World: simulator.World{Guilds: 40}, RateLimits: simulator.RateLimits{Global: global},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	gate, err := rest.New(rest.Config{Token: s.Token(), BaseURL: s.URL(), Global: global, Wait: 10 * time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	defer gate.Close()
	random := rand.New(rand.NewPCG(seed, 0))
	guilds := s.Guilds()
	var wait sync.WaitGroup
	for i := range requests {
		request := mixed(random, guilds, i)
		wait.Go(func() {
			response, err := gate.Do(t.Context(), request)
			if err != nil {
				t.Error(err)
			} else if response.Status >= http.StatusMultipleChoices {
				t.Errorf("%s %s: %d %s", request.Method, request.Path, response.Status, response.Body)
			}
		})
	}
	wait.Wait()
	if breaches := s.Breaches(); len(breaches) != 0 {
		t.Errorf("%d breaches, the first: %+v", len(breaches), breaches[0])
	}
	if n := s.Counts().Limited; n != 0 {
		t.Errorf("%d answers were 429", n)
	}
	if status := gate.Status(); status.Requests != uint64(requests) || status.Queued != 0 {
		t.Errorf("status %+v", status)
	}
}

// mixed is one of the requests that plugins send.
func mixed(random *rand.Rand, guilds []simulator.Guild, i int) *rest.Request {
	guild := guilds[random.IntN(len(guilds))]
	channel := guild.Channels[random.IntN(len(guild.Channels))]
	r := &rest.Request{Caller: fmt.Sprintf("plugin%d", i%8), Method: http.MethodGet}
	switch random.IntN(6) {
	case 0:
		r.Path = fmt.Sprintf("/guilds/%d?with_counts=true", guild.ID)
	case 1:
		r.Path = fmt.Sprintf("/guilds/%d/channels", guild.ID)
	case 2:
		r.Path = fmt.Sprintf("/guilds/%d/members/%d", guild.ID, guild.Members[0])
	case 3:
		r.Path = fmt.Sprintf("/channels/%d", channel)
	default:
		r.Method, r.Path = http.MethodPost, fmt.Sprintf("/channels/%d/messages", channel)
		r.Body = fmt.Appendf(nil, `{"content":"message %d"}`, i)
	}
	return r
}

// TestAFaultySimulator holds that the gate gets its requests through what a
// bad day at Discord looks like.
func TestAFaultySimulator(t *testing.T) {
	s, err := simulator.Start(simulator.Config{RateLimits: simulator.RateLimits{
		Global: 500, Routes: map[string]simulator.Limit{"GET /channels/{channel}": {Requests: 500, Per: time.Second}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	gate, err := rest.New(rest.Config{Token: s.Token(), BaseURL: s.URL(), Global: 500, RetryPause: 10 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer gate.Close()
	channel := s.Guilds()[0].Channels[0]
	for name, failure := range map[string]simulator.Failure{
		"502":        {Status: http.StatusBadGateway},
		"user":       {Status: http.StatusTooManyRequests, RetryAfter: 300 * time.Millisecond},
		"shared":     {Status: http.StatusTooManyRequests, RetryAfter: 300 * time.Millisecond, Scope: simulator.ScopeShared},
		"global":     {Status: http.StatusTooManyRequests, RetryAfter: 300 * time.Millisecond, Global: true},
		"cloudflare": {Status: http.StatusTooManyRequests, RetryAfter: time.Second, HTML: true},
		"torn":       {CloseConn: true},
		"slow":       {Delay: 100 * time.Millisecond},
	} {
		s.FailREST("GET /channels/*", failure, 2)
		var wait sync.WaitGroup
		for i := range 10 {
			wait.Go(func() {
				response, err := gate.Do(t.Context(), &rest.Request{Caller: fmt.Sprint(i), Method: http.MethodGet, Path: fmt.Sprintf("/channels/%d", channel)})
				if err != nil || response.Status != http.StatusOK {
					t.Errorf("%s: answer %v, error %v", name, response, err)
				}
			})
		}
		wait.Wait()
	}
	for _, breach := range s.Breaches() {
		// What was under way when the forced global 429 was given meets it too; nobody can call it back. Sending
		// before its time has passed is another rule.
		if breach.Rule != simulator.RuleGlobalLimit {
			t.Errorf("breach: %+v", breach)
		}
	}
}
