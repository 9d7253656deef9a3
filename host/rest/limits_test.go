package rest

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// first answers the first n requests with what make says, and the rest ordinarily.
func first(n int, build func(r *http.Request) *http.Response) func(*http.Request, int) *http.Response {
	return func(r *http.Request, at int) *http.Response {
		if at <= n {
			return build(r)
		}
		return nil
	}
}

func TestA429IsWaitedOutByItsScope(t *testing.T) {
	limited := func(body string, header ...string) func(*http.Request) *http.Response {
		return func(*http.Request) *http.Response { return reply(http.StatusTooManyRequests, body, header...) }
	}
	const other, same, interaction = "/channels/2/messages", "/channels/1/messages", "/interactions/5/token/callback"
	tests := map[string]struct {
		answer  func(*http.Request) *http.Response
		wait    map[string]time.Duration // of requests sent after the 429, by path
		invalid int
	}{
		"user": {
			limited(`{"message":"m","retry_after":4.5,"global":false}`, "X-Ratelimit-Scope", "user", "Retry-After", "5"),
			map[string]time.Duration{same: 4500 * time.Millisecond, other: 0, interaction: 0}, 1,
		},
		"user, header only": {
			limited(``, "X-Ratelimit-Scope", "user", "Retry-After", "5"),
			map[string]time.Duration{same: 5 * time.Second, other: 0, interaction: 0}, 1,
		},
		"shared": {
			limited(`{"message":"m","retry_after":2,"global":false}`, "X-Ratelimit-Scope", "shared"),
			map[string]time.Duration{same: 2 * time.Second, other: 0, interaction: 0}, 0,
		},
		"global": {
			limited(`{"message":"m","retry_after":3,"global":true}`, "X-Ratelimit-Scope", "global", "X-Ratelimit-Global", "true"),
			map[string]time.Duration{same: 3 * time.Second, other: 3 * time.Second, interaction: 0}, 1,
		},
		"cloudflare": {
			limited(`<html>banned</html>`, "Content-Type", "text/html", "Retry-After", "90"),
			map[string]time.Duration{same: 90 * time.Second, other: 90 * time.Second, interaction: 90 * time.Second}, 1,
		},
		"cloudflare, silent": {
			limited(`<html>banned</html>`),
			map[string]time.Duration{same: banWait, other: banWait, interaction: banWait}, 1,
		},
		"no time given": {
			limited(`{"message":"m","global":false}`),
			map[string]time.Duration{same: limitWait, other: 0, interaction: 0}, 1,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := &fakeDiscord{answer: first(1, test.answer)}
				g := newGate(t, d)
				w := group{t: t, g: g}
				took := func(start time.Time, path string) func(*Response, error) {
					return func(r *Response, err error) {
						w.ok(r, err)
						if waited, slack := time.Since(start), 10*time.Millisecond; waited < test.wait[path] || waited > test.wait[path]+slack {
							t.Errorf("%s waited %v, want %v", path, waited, test.wait[path])
						}
					}
				}
				w.send(t.Context(), "a", http.MethodPost, same, "", took(time.Now(), same))
				synctest.Wait()
				for path := range test.wait {
					w.send(t.Context(), "a", http.MethodPost, path, "", took(time.Now(), path))
				}
				w.wait.Wait()
				status := g.Status()
				if status.Limited != 1 || status.Invalid != test.invalid {
					t.Errorf("status %+v, want 1 limited, %d invalid", status, test.invalid)
				}
				mustBeEmpty(t, g)
			})
		})
	}
}

func TestEndless429sEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &fakeDiscord{answer: first(1000, func(*http.Request) *http.Response {
			return reply(http.StatusTooManyRequests, `{"retry_after":0.1}`)
		})}
		g := newGate(t, d)
		w := group{t: t, g: g}
		w.send(t.Context(), "a", http.MethodGet, "/channels/1", "", w.mustFail(ErrLimited))
		w.wait.Wait()
		if n := len(d.seen()); n != defaultLimited+1 {
			t.Errorf("%d attempts", n)
		}
		mustBeEmpty(t, g)
	})
}

func TestARefusedTokenStopsEverything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &fakeDiscord{delay: fixed(time.Second)}
		d.answer = func(r *http.Request, n int) *http.Response {
			return reply(http.StatusUnauthorized, `{"message":"401: Unauthorized","code":0}`)
		}
		g := newGate(t, d)
		w := group{t: t, g: g}
		for range 100 {
			w.send(t.Context(), "a", http.MethodPost, "/channels/1/messages", "", w.mustFail(ErrUnauthorized))
		}
		w.wait.Wait()
		w.send(t.Context(), "a", http.MethodPost, "/interactions/1/t/callback", "", w.mustFail(ErrUnauthorized))
		w.wait.Wait()
		if n := len(d.seen()); n != 1 {
			t.Errorf("%d requests were sent with a refused token", n)
		}
		if s := g.Status(); s.Stopped == "" || s.Queued != 0 || s.InFlight != 0 {
			t.Errorf("status %+v", s)
		}
	})
}

func TestA401OfAnotherTokenStopsNothing(t *testing.T) {
	for _, path := range []string{"/webhooks/1/token", "/interactions/1/token/callback", "/oauth2/@me"} {
		t.Run(path, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := &fakeDiscord{answer: first(1, func(*http.Request) *http.Response {
					return reply(http.StatusUnauthorized, `{"message":"Invalid Webhook Token","code":50027}`)
				})}
				g := newGate(t, d)
				w := group{t: t, g: g}
				w.send(t.Context(), "a", http.MethodPost, path, "", func(r *Response, err error) {
					if err != nil || r.Status != http.StatusUnauthorized {
						t.Errorf("answer %v, error %v", r, err)
					}
				})
				w.wait.Wait()
				w.send(t.Context(), "a", http.MethodGet, "/channels/1", "", w.ok)
				w.wait.Wait()
				mustBeEmpty(t, g)
			})
		})
	}
}

// TestTheClocksNeedNotAgree: whatever Discord's clock says, waits are as long as they must be, ages are Discord's, and the
// operator is told once of a clock that is off.
func TestTheClocksNeedNotAgree(t *testing.T) {
	for name, off := range map[string]time.Duration{"agree": 0, "hours ahead": 3 * time.Hour, "behind": -40 * time.Second} {
		for _, durations := range []bool{true, false} { // whether the answer tells durations, or points in time only
			t.Run(fmt.Sprint(name, durations), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					time.Sleep(20 * 365 * 24 * time.Hour) // a bubble begins before Discord did
					var said logged
					d := &fakeDiscord{delay: fixed(100 * time.Millisecond)}
					d.answer = func(_ *http.Request, n int) *http.Response {
						discord := time.Now().Add(off)
						r := reply(http.StatusOK, `{}`)
						if n == 2 {
							r = reply(http.StatusTooManyRequests, `{}`, "X-Ratelimit-Scope", "user", "Retry-After", discord.Add(30*time.Second).UTC().Format(http.TimeFormat))
						}
						r.Header.Set("Date", discord.UTC().Format(http.TimeFormat))
						r.Header.Set("X-Ratelimit-Bucket", "b")
						r.Header.Set("X-Ratelimit-Remaining", "0")
						r.Header.Set("X-Ratelimit-Reset", fmt.Sprintf("%.3f", float64(discord.Add(8*time.Second).UnixMilli())/1000))
						if durations {
							r.Header.Set("X-Ratelimit-Reset-After", "8.000")
						}
						return r
					}
					g := newGate(t, d, func(c *Config) { c.Log = said.logger() })
					w := group{t: t, g: g}
					for range 3 {
						w.send(t.Context(), "a", http.MethodGet, "/channels/1", "", w.ok)
						synctest.Wait()
					}
					w.wait.Wait()
					all := d.seen()
					for i, least := range []time.Duration{8 * time.Second, 30 * time.Second} {
						// A date has whole seconds only.
						if gap := all[i+1].at.Sub(all[i].at); gap < least || gap > least+1500*time.Millisecond {
							t.Errorf("request %d came %v after the one before, want %v", i+2, gap, least)
						}
					}
					want := 0
					if off != 0 {
						want = 1
					}
					if lines := said.lines("clock"); len(lines) != want {
						t.Errorf("told: %v", lines)
					}
					// A message that Discord has made a moment ago is a new one.
					tick, err := g.ticket(&Request{Method: http.MethodDelete, Path: fmt.Sprintf("/channels/1/messages/%d", (time.Now().Add(off).UnixMilli()-epochMillis)<<22)})
					if err != nil || !strings.HasSuffix(tick.route.template, " new") {
						t.Errorf("route %+v, %v", tick.route, err)
					}
					mustBeEmpty(t, g)
				})
			})
		}
	}
}

func TestLimitsOfNonsense(t *testing.T) {
	for _, value := range []string{"NaN", "-1", "x", "", "Inf", "1e300", "0x1p-2"} {
		h := http.Header{"X-Ratelimit-Remaining": {"1"}, "X-Ratelimit-Reset-After": {value}, "X-Ratelimit-Reset": {value}, "Date": {value}, "Retry-After": {value}}
		said := limitsOf(http.StatusTooManyRequests, h, []byte(`{"retry_after":"soon"}`))
		if said.wait < 0 || said.wait > maxWait || said.resetAfter < 0 || said.resetAfter > maxWait {
			t.Errorf("%q: %+v", value, said)
		}
	}
	if said := limitsOf(http.StatusOK, http.Header{"X-Ratelimit-Remaining": {"-4"}, "X-Ratelimit-Reset-After": {"1"}}, nil); said.named {
		t.Errorf("a negative rest was believed: %+v", said)
	}
	if s := strconv.Itoa(int(scopeCloudflare)); s != "4" || scopeCloudflare.String() != "cloudflare" {
		t.Errorf("scope %s is %s", s, scopeCloudflare)
	}
}

// A request that goes once comes back with what Discord answered, and what it said of limits holds for the next.
func TestARequestThatGoesOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &fakeDiscord{answer: func(_ *http.Request, n int) *http.Response {
			switch n {
			case 1:
				return reply(http.StatusBadGateway, ``)
			case 2:
				return reply(http.StatusTooManyRequests, `{"retry_after":2.5}`, "Retry-After", "3", "X-RateLimit-Scope", "user")
			}
			return nil
		}}
		g := newGate(t, d)
		began := time.Now()
		for i, want := range []Response{
			{Status: http.StatusBadGateway},
			{Status: http.StatusTooManyRequests, RetryAfter: 2500 * time.Millisecond},
			{Status: http.StatusOK},
		} {
			r, err := g.Do(t.Context(), &Request{Caller: "a", Method: http.MethodGet, Path: "/guilds/1", Once: true})
			if err != nil || r.Status != want.Status || r.RetryAfter != want.RetryAfter {
				t.Errorf("%d: %+v %v, want %+v", i, r, err, want)
			}
			if took := time.Since(began); i < 2 && took > 0 || i == 2 && took < 2500*time.Millisecond {
				t.Errorf("%d: answered after %v", i, took)
			}
		}
		if s := g.Status(); s.Requests != 3 || s.Retries != 0 || s.Limited != 1 || s.Invalid != 1 {
			t.Errorf("status %+v", s)
		}
		mustBeEmpty(t, g)
	})
}
