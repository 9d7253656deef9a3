package rest

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestTheGlobalLimitHoldsInEverySecond: whatever time requests take on their way, whether or not answers tell by Discord's
// clock when they were counted, and the limit is used up as far as these times are steady.
func TestTheGlobalLimitHoldsInEverySecond(t *testing.T) {
	const ms = time.Millisecond
	tests := map[string]struct {
		least, most time.Duration // one way
		took        time.Duration // for 1000 requests, at most
	}{
		"near":           {0, 0, 20 * time.Second},
		"far but steady": {35 * ms, 35 * ms, 21 * time.Second},
		"very far":       {200 * ms, 200 * ms, 28 * time.Second},
		"some jitter":    {30 * ms, 80 * ms, 22 * time.Second},
		"held up":        {0, 700 * ms, 36 * time.Second},
		"never answered": {20 * time.Second, 20 * time.Second, 160 * time.Second},
	}
	for name, test := range tests {
		for _, dated := range []bool{false, true} {
			t.Run(fmt.Sprint(name, ", dated ", dated), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					random := seed(t)
					d := &fakeDiscord{rule: perChannel(1000, time.Minute)}
					if dated {
						d.ahead = fixed(3 * time.Second)
					}
					var lock sync.Mutex // one generator for many goroutines
					d.delay = func() time.Duration {
						lock.Lock()
						defer lock.Unlock()
						return test.least + time.Duration(random.Int64N(int64(test.most-test.least)+1))
					}
					g := newGate(t, d)
					start := time.Now()
					w := group{t: t, g: g}
					for i := range 1000 {
						w.send(t.Context(), strconv.Itoa(i%3), http.MethodGet, fmt.Sprintf("/channels/%d/messages", i), "", w.ok)
					}
					w.wait.Wait()
					if n := mostPerSecond(d.seen()); n > DefaultGlobal {
						t.Errorf("%d requests arrived within one second", n)
					}
					if took := time.Since(start); took > test.took {
						t.Errorf("1000 requests at 50/s took %v", took)
					}
					mustBeEmpty(t, g)
				})
			})
		}
	}
}

// TestAClockThatStandsIsBelievedALittle: answers that always tell the same time, by which each request was the fastest on
// its way, bring no more than one in twenty too many into a second.
func TestAClockThatStandsIsBelievedALittle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		random, start := seed(t), time.Now()
		d := &fakeDiscord{rule: perChannel(1000, time.Minute), ahead: func() time.Duration { return time.Until(start) }}
		var lock sync.Mutex // one generator for many goroutines
		d.delay = func() time.Duration {
			lock.Lock()
			defer lock.Unlock()
			return time.Duration(random.Int64N(int64(400 * time.Millisecond)))
		}
		g := newGate(t, d)
		w := group{t: t, g: g}
		for i := range 1000 {
			w.send(t.Context(), "a", http.MethodGet, fmt.Sprintf("/channels/%d/messages", i), "", w.ok)
		}
		w.wait.Wait()
		if n := mostPerSecond(d.seen()); n > DefaultGlobal+DefaultGlobal/20 {
			t.Errorf("%d requests arrived within one second", n)
		}
		mustBeEmpty(t, g)
	})
}

func TestInteractionsPassFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &fakeDiscord{}
		g := newGate(t, d)
		g.SetApplication(77)
		w := group{t: t, g: g}
		for i := range 500 {
			w.send(t.Context(), "busy", http.MethodGet, fmt.Sprintf("/channels/%d", i), "", w.ok)
		}
		synctest.Wait()
		start := time.Now()
		now := group{t: t, g: g}
		for i := range 200 {
			now.send(t.Context(), "busy", http.MethodPost, fmt.Sprintf("/interactions/%d/token%d/callback", i, i), "", now.ok)
			now.send(t.Context(), "busy", http.MethodPatch, fmt.Sprintf("/webhooks/77/token%d/messages/@original", i), "", now.ok)
		}
		now.wait.Wait()
		if took := time.Since(start); took != 0 {
			t.Errorf("400 requests of interactions waited %v", took)
		}
		w.wait.Wait()
		mustBeEmpty(t, g)
	})
}

func TestAWebhookOfAnotherApplicationWaitsItsTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &fakeDiscord{}
		g := newGate(t, d, func(c *Config) { c.Global = 1 })
		g.SetApplication(77)
		w := group{t: t, g: g}
		start := time.Now()
		for i := range 3 {
			w.send(t.Context(), "a", http.MethodPost, fmt.Sprintf("/webhooks/%d/token", i), "", w.ok)
		}
		w.wait.Wait()
		if took := time.Since(start); took < 2*time.Second {
			t.Errorf("three requests at 1/s took %v", took)
		}
		mustBeEmpty(t, g)
	})
}

func TestOneCallersCrowdDoesNotDelayAnothersFirst(t *testing.T) {
	tests := map[string]func(i int) string{
		"in one bucket":    func(int) string { return "/channels/1/messages" },
		"in many buckets":  func(i int) string { return fmt.Sprintf("/channels/%d/messages", i+2) },
		"in a few buckets": func(i int) string { return fmt.Sprintf("/channels/%d/messages", i%7) },
	}
	for name, path := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := &fakeDiscord{delay: fixed(10 * time.Millisecond), rule: perChannel(5, time.Second)}
				g := newGate(t, d, func(c *Config) { c.Wait = 10 * time.Hour })
				ctx, cancel := context.WithCancel(t.Context())
				crowd := group{t: t, g: g}
				for i := range 10_000 {
					crowd.send(ctx, "crowd", http.MethodPost, path(i), "", func(*Response, error) {})
				}
				time.Sleep(5 * time.Second)
				start := time.Now()
				w := group{t: t, g: g}
				w.send(t.Context(), "single", http.MethodPost, "/channels/1/messages", "", w.ok)
				w.wait.Wait()
				if took := time.Since(start); took > 2*time.Second { // at most the window that is spent
					t.Errorf("the other caller's request took %v", took)
				}
				cancel()
				crowd.wait.Wait()
				mustBeEmpty(t, g)
			})
		})
	}
}

func TestCallersTakeTurnsInABucket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &fakeDiscord{rule: perChannel(1, time.Second)}
		g := newGate(t, d)
		w := group{t: t, g: g}
		for _, caller := range []string{"a", "b", "c"} {
			for range 20 {
				w.send(t.Context(), caller, http.MethodPost, "/channels/1/messages", caller, w.ok)
				synctest.Wait()
			}
		}
		w.wait.Wait()
		counts := make(map[string]int)
		for _, a := range d.seen()[:30] {
			counts[a.reason]++
		}
		for _, caller := range []string{"a", "b", "c"} {
			if n := counts[caller]; n < 9 || n > 11 {
				t.Errorf("caller %s had %d of the first 30 turns", caller, n)
			}
		}
		mustBeEmpty(t, g)
	})
}
