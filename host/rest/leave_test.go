package rest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestAContextEndsARequestAtEveryPoint(t *testing.T) {
	limited := func(*http.Request) *http.Response { return reply(http.StatusTooManyRequests, `{"retry_after":20}`) }
	broken := func(*http.Request) *http.Response { return reply(http.StatusBadGateway, ``) }
	tests := map[string]struct {
		answer func(*http.Request, int) *http.Response
		before int // requests ahead in its bucket
		at     time.Duration
		sent   int
	}{
		"before it began":     {nil, 0, 0, 0},
		"queued":              {nil, 3, 500 * time.Millisecond, 1},
		"under way":           {nil, 0, 500 * time.Millisecond, 1},
		"waiting for a 429":   {first(1, limited), 0, 5 * time.Second, 1},
		"between two retries": {first(1, broken), 0, 2*time.Second + 100*time.Millisecond, 1},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := &fakeDiscord{delay: fixed(time.Second), answer: test.answer}
				g := newGate(t, d)
				w := group{t: t, g: g}
				for range test.before {
					w.send(t.Context(), "a", http.MethodPut, "/channels/1/pins/2", "", w.ok)
				}
				synctest.Wait()
				ctx, cancel := context.WithCancel(t.Context())
				if test.at == 0 {
					cancel()
				}
				start := time.Now()
				w.send(ctx, "a", http.MethodPut, "/channels/1/pins/2", "", func(r *Response, err error) {
					if !errors.Is(err, context.Canceled) || time.Since(start) != test.at {
						t.Errorf("answer %v, error %v after %v", r, err, time.Since(start))
					}
				})
				time.Sleep(test.at)
				cancel()
				synctest.Wait()
				w.wait.Wait()
				if n := len(d.seen()); test.before == 0 && n > test.sent {
					t.Errorf("%d requests were sent", n)
				}
				next := group{t: t, g: g} // the place must be free again
				next.send(t.Context(), "a", http.MethodPut, "/channels/1/pins/2", "", next.ok)
				next.wait.Wait()
				mustBeEmpty(t, g)
			})
		})
	}
}

func TestWhatIsNeverSentCostsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &fakeDiscord{rule: perChannel(3, time.Hour)}
		g := newGate(t, d, func(c *Config) { c.Global = 10 })
		w := group{t: t, g: g}
		w.send(t.Context(), "a", http.MethodGet, "/channels/1", "", w.ok)
		w.wait.Wait()
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		for range 100 {
			w.send(gone, "a", http.MethodGet, "/channels/1", "", w.mustFail(context.Canceled))
			w.wait.Wait()
		}
		start := time.Now()
		for range 2 { // the rest of the window, and of the second
			w.send(t.Context(), "a", http.MethodGet, "/channels/1", "", w.ok)
		}
		w.wait.Wait()
		if took := time.Since(start); took > 200*time.Millisecond {
			t.Errorf("requests that were never sent cost %v", took)
		}
		mustBeEmpty(t, g)
	})
}

func TestATurnThatDoesNotComeIsToldAsSuch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &fakeDiscord{rule: perChannel(1, time.Hour)}
		g := newGate(t, d, func(c *Config) { c.Wait = time.Minute })
		w := group{t: t, g: g}
		w.send(t.Context(), "a", http.MethodGet, "/channels/1", "", w.ok)
		synctest.Wait()
		start := time.Now()
		w.send(t.Context(), "a", http.MethodGet, "/channels/1", "", w.mustFail(ErrWaited))
		w.wait.Wait()
		if took := time.Since(start); took != time.Minute {
			t.Errorf("waited %v", took)
		}
		mustBeEmpty(t, g)
	})
}

func TestQueuesAreBounded(t *testing.T) {
	slow := func(c *Config) { c.Wait = 10 * time.Hour }
	tests := map[string]struct {
		change func(*Config)
		caller func(i int) string
		path   func(i int) string
		body   int
		fits   int // bucket bound: those that wait, beside the one under way
	}{
		"a bucket":    {func(c *Config) { c.QueuePerBucket = 5 }, strconv.Itoa, func(int) string { return "/channels/1" }, 0, 6},
		"a caller":    {func(c *Config) { c.QueuePerCaller = 5 }, func(int) string { return "a" }, func(i int) string { return fmt.Sprintf("/channels/%d", i) }, 0, 5},
		"all":         {func(c *Config) { c.Queue = 5 }, strconv.Itoa, func(i int) string { return fmt.Sprintf("/channels/%d", i) }, 0, 5},
		"bytes":       {func(c *Config) { c.QueueBytes = 500 }, strconv.Itoa, func(i int) string { return fmt.Sprintf("/channels/%d", i) }, 100, 5},
		"interaction": {func(c *Config) { c.Queue = 5 }, strconv.Itoa, func(i int) string { return fmt.Sprintf("/interactions/%d/t/callback", i) }, 0, 5},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := &fakeDiscord{delay: fixed(20 * time.Second)}
				g := newGate(t, d, slow, test.change)
				w := group{t: t, g: g}
				full := 0
				for i := range 20 {
					w.wait.Go(func() {
						_, err := g.Do(t.Context(), &Request{
							Caller: test.caller(i), Method: http.MethodPut, Path: test.path(i), Body: []byte(strings.Repeat("x", test.body)),
						})
						if errors.Is(err, ErrQueueFull) {
							full++
						} else if err != nil {
							t.Error(err)
						}
					})
					synctest.Wait()
				}
				w.wait.Wait()
				if full != 20-test.fits {
					t.Errorf("%d of 20 were refused, %d fit", full, test.fits)
				}
				mustBeEmpty(t, g)
			})
		})
	}
}

func TestCloseLetsWhatIsUnderWayEndAndNothingElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &fakeDiscord{delay: fixed(time.Second)}
		g := newGate(t, d)
		w := group{t: t, g: g}
		w.send(t.Context(), "a", http.MethodPost, "/channels/1/messages", "", w.ok)
		synctest.Wait()
		for range 3 {
			w.send(t.Context(), "a", http.MethodPost, "/channels/1/messages", "", w.mustFail(ErrClosed))
		}
		synctest.Wait()
		g.Close()
		g.Close()
		w.wait.Wait()
		w.send(t.Context(), "a", http.MethodGet, "/channels/1", "", w.mustFail(ErrClosed))
		w.wait.Wait()
		if n := len(d.seen()); n != 1 {
			t.Errorf("%d requests were sent", n)
		}
		mustBeEmpty(t, g)
	})
}

// TestAnythingAtOnce sends what comes to mind against a Discord that counts, while callers go away: no request may be
// lost or refused for its rate, and nothing may be left.
func TestAnythingAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		random := seed(t)
		d := &fakeDiscord{rule: perChannel(4, 3*time.Second), delay: fixed(15 * time.Millisecond)}
		g := newGate(t, d, func(c *Config) { c.Global, c.Wait = 200, time.Hour })
		w := group{t: t, g: g}
		for i := range 4000 {
			method := []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete}[random.IntN(4)]
			path := fmt.Sprintf("/channels/%d/%s", random.IntN(20), []string{"messages", "messages/5", "invites"}[random.IntN(3)])
			if random.IntN(10) == 0 {
				method, path = http.MethodPost, fmt.Sprintf("/interactions/%d/t/callback", i)
			}
			ctx, cancel := t.Context(), context.CancelFunc(func() {})
			check := w.ok
			if random.IntN(5) == 0 {
				ctx, cancel = context.WithTimeout(ctx, time.Duration(random.Int64N(int64(time.Minute))))
				check = func(r *Response, err error) {
					if err != nil && !errors.Is(err, context.DeadlineExceeded) {
						t.Error(err)
					}
				}
			}
			w.send(ctx, strconv.Itoa(random.IntN(5)), method, path, "", func(r *Response, err error) { cancel(); check(r, err) })
			if random.IntN(50) == 0 {
				time.Sleep(time.Duration(random.Int64N(int64(time.Second))))
			}
		}
		w.wait.Wait()
		if n := d.refusals(); n != 0 {
			t.Errorf("%d answers were 429", n)
		}
		mustBeEmpty(t, g)
	})
}
