package rest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// raw is a server that answers every request with these bytes and then leaves the connection open.
func raw(t *testing.T, answer string) (url string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wait sync.WaitGroup
	var open sync.Map
	wait.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			open.Store(conn, nil)
			wait.Go(func() {
				if _, err := conn.Read(make([]byte, 64<<10)); err == nil {
					_, _ = io.WriteString(conn, answer)
				}
				_, _ = io.Copy(io.Discard, conn)
			})
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		open.Range(func(conn, _ any) bool { _ = conn.(net.Conn).Close(); return true })
		wait.Wait()
	})
	return "http://" + listener.Addr().String()
}

// TestAnswersThatAreNone: what is no answer of HTTP is an error of the attempt, and holds nobody for longer than he wants
// to wait: after a 101 the connection is nobody's, and the context does not close it.
func TestAnswersThatAreNone(t *testing.T) {
	for name, answer := range map[string]string{
		"switched":   "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
		"status 0":   "HTTP/1.1 000 Nothing\r\nContent-Length: 0\r\n\r\n",
		"status 99":  "HTTP/1.1 099 Less\r\nContent-Length: 0\r\n\r\n",
		"status 600": "HTTP/1.1 600 More\r\nContent-Length: 0\r\n\r\n",
		"hints only": "HTTP/1.1 103 Early Hints\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := gateTo(t, raw(t, answer), func(c *Config) { c.Attempt, c.Retries = 100*time.Millisecond, -1 })
			response, err := g.Do(t.Context(), &Request{Method: http.MethodGet, Path: "/channels/1"})
			if err == nil {
				t.Errorf("answer %+v", response)
			}
			_, err = g.Do(t.Context(), &Request{Method: http.MethodPost, Path: "/channels/1/messages"})
			if !errors.Is(err, ErrUncertain) {
				t.Errorf("error %v", err)
			}
			if s := g.Status(); s.Queued != 0 || s.InFlight != 0 {
				t.Errorf("left: %+v", s)
			}
		})
	}
}

// TestInfinityIsNoTime: what is no number of seconds is not believed.
func TestInfinityIsNoTime(t *testing.T) {
	for _, value := range []string{"Inf", "+inf", "Infinity"} {
		h := http.Header{"X-Ratelimit-Remaining": {"0"}, "X-Ratelimit-Reset-After": {value}, "X-Ratelimit-Reset": {value}, "Retry-After": {value}}
		h.Set("Date", time.Now().UTC().Format(http.TimeFormat))
		if said := limitsOf(http.StatusTooManyRequests, h, nil); said.named || said.wait != limitWait {
			t.Errorf("%s: %+v", value, said)
		}
	}
}

// TestWhatWaitsForAWebhookThatGoesIsNotSent: requests that were queued before the 404 are answered without asking.
func TestWhatWaitsForAWebhookThatGoesIsNotSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &fakeDiscord{delay: fixed(10 * time.Millisecond), answer: func(*http.Request, int) *http.Response {
			return reply(http.StatusNotFound, `{"message":"Unknown Webhook","code":10015}`)
		}}
		g := newGate(t, d)
		w := group{t: t, g: g}
		for range 50 {
			w.send(t.Context(), "a", http.MethodPost, "/webhooks/9/tok", "", func(r *Response, err error) {
				if err != nil || r.Status != http.StatusNotFound {
					t.Errorf("answer %v, error %v", r, err)
				}
			})
		}
		w.wait.Wait()
		if n := len(d.seen()); n != 1 {
			t.Errorf("%d requests were sent to a webhook that is gone", n)
		}
		mustBeEmpty(t, g)
	})
}

// TestNothingSentAtOnceBringsTheBan: what is under way may be refused to the last, however many there are.
func TestNothingSentAtOnceBringsTheBan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &fakeDiscord{delay: fixed(500 * time.Millisecond), answer: forbidding}
		g := newGate(t, d, func(c *Config) { c.Invalid = 1000 })
		w := group{t: t, g: g}
		for i := range 3000 {
			w.send(t.Context(), strconv.Itoa(i%10), http.MethodPost, fmt.Sprintf("/interactions/%d/t/callback", i), "", func(*Response, error) {})
		}
		w.wait.Wait()
		if n := len(d.seen()); n > 900 {
			t.Errorf("%d requests were refused, at 1000 Discord bans", n)
		}
		mustBeEmpty(t, g)
	})
}

// TestHiddenLettersChangeNoRoute: Discord decodes what needs no escape, so the gate reads it alike.
func TestHiddenLettersChangeNoRoute(t *testing.T) {
	now := time.Now()
	for hidden, plain := range map[string]string{
		"/channels/%31%32/messages":                   "/channels/12/messages",
		"/%63hannels/12/messages":                     "/channels/12/messages",
		"/%77ebhooks/5/tok":                           "/webhooks/5/tok",
		"/webhooks/%37%37/tok":                        "/webhooks/77/tok",
		"/%69nteractions/9/tok/callback?x=%31":        "/interactions/9/tok/callback?x=%31",
		"/users/%40me":                                "/users/%40me",
		"/channels/1/messages/2/reactions/name%3A%31": "/channels/1/messages/2/reactions/name%3A1",
	} {
		if got, want := routeOf("POST", unhidden(hidden), "77", now), routeOf("POST", plain, "77", now); got != want || unhidden(hidden) != plain {
			t.Errorf("%s: %+v, want %+v", hidden, got, want)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		d := &fakeDiscord{answer: func(*http.Request, int) *http.Response {
			return reply(http.StatusUnauthorized, `{"message":"Invalid Webhook Token","code":50027}`)
		}}
		g := newGate(t, d)
		for _, path := range []string{"/%77ebhooks/5/tok", "/webhooks/5/%74ok"} {
			if r, err := g.Do(t.Context(), &Request{Method: http.MethodPost, Path: path}); err != nil || r.Status != http.StatusUnauthorized {
				t.Errorf("%s: answer %v, error %v", path, r, err)
			}
		}
		if s := g.Status(); s.Stopped != "" {
			t.Errorf("a webhook's token has stopped the gate: %s", s.Stopped)
		}
		mustBeEmpty(t, g)
	})
}

// TestA401WithoutTheTokenStopsNothing: it is not the token that was refused.
func TestA401WithoutTheTokenStopsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &fakeDiscord{answer: func(r *http.Request, _ int) *http.Response {
			if r.Header.Get("Authorization") == "" {
				return reply(http.StatusUnauthorized, `{"message":"401: Unauthorized","code":0}`)
			}
			return nil
		}}
		g := newGate(t, d)
		r, err := g.Do(t.Context(), &Request{Method: http.MethodGet, Path: "/users/@me", NoToken: true})
		if err != nil || r.Status != http.StatusUnauthorized {
			t.Errorf("answer %v, error %v", r, err)
		}
		if r, err = g.Do(t.Context(), &Request{Method: http.MethodGet, Path: "/users/@me"}); err != nil || r.Status != http.StatusOK {
			t.Errorf("answer %v, error %v", r, err)
		}
		if n := g.Status().Invalid; n != 1 {
			t.Errorf("%d invalid requests", n)
		}
		mustBeEmpty(t, g)
	})
}

// TestOneCallerLeavesRoomForOthers: whatever one caller has waiting, in one bucket or in bytes, another's first request
// finds room, and an interaction's answer does whatever all of them have.
func TestOneCallerLeavesRoomForOthers(t *testing.T) {
	tests := map[string]struct {
		path string
		body int
	}{
		"in a bucket": {"/channels/1/messages", 0},
		"in bytes":    {"/channels/1/messages", 1 << 20},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := &fakeDiscord{rule: perChannel(1, time.Second)}
				g := newGate(t, d, func(c *Config) {
					c.Wait, c.QueueBytes = 100*time.Hour, 64<<20
				})
				ctx, cancel := context.WithCancel(t.Context())
				var wait sync.WaitGroup
				body := make([]byte, test.body)
				ask := func(ctx context.Context, caller, path string) error {
					_, err := g.Do(ctx, &Request{Caller: caller, Method: http.MethodPost, Path: path, Body: body})
					return err
				}
				for range 13_000 {
					wait.Go(func() { _ = ask(ctx, "crowd", test.path) })
				}
				synctest.Wait()
				if err := ask(t.Context(), "single", test.path); err != nil {
					t.Errorf("another's first: %v", err)
				}
				for i := range 40 {
					for range 100 {
						wait.Go(func() { _ = ask(ctx, strconv.Itoa(i), test.path) })
					}
				}
				synctest.Wait()
				if err := ask(t.Context(), "single", "/interactions/5/t/callback"); err != nil {
					t.Errorf("an interaction's answer: %v", err)
				}
				cancel()
				wait.Wait()
				mustBeEmpty(t, g)
			})
		})
	}
}

// TestBucketsAreBounded: however many windows a server tells of, also while the one that ends first is waited for.
func TestBucketsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &fakeDiscord{rule: func(r *http.Request) rule {
			if strings.HasSuffix(r.URL.Path, "/channels/1") {
				return rule{"h", "1", 1, time.Hour}
			}
			return rule{"h", r.URL.Path, 5, 20 * time.Hour}
		}}
		g := newGate(t, d, func(c *Config) { c.Global, c.Wait = 1_000_000, 3*time.Hour })
		w := group{t: t, g: g}
		for range 2 {
			w.send(t.Context(), "a", http.MethodGet, "/channels/1", "", w.ok)
		}
		synctest.Wait()
		for i := range maxBuckets + 100 {
			if _, err := g.Do(t.Context(), &Request{Caller: "b", Method: http.MethodGet, Path: fmt.Sprintf("/channels/%d", i+2)}); err != nil {
				t.Fatal(err)
			}
		}
		if n := g.Status().Buckets; n > maxBuckets {
			t.Errorf("%d buckets", n)
		}
		w.wait.Wait()
		mustBeEmpty(t, g)
	})
}

// TestAStormOf429s: a Discord that goes on answering 429 and says that no time has to pass is asked ever more slowly,
// because each of them counts towards a ban; what was under way together counts as one.
func TestAStormOf429s(t *testing.T) {
	tests := map[string]struct {
		scope string
		most  int // answers of 429 in the first minute, of ten channels
	}{
		"of each bucket": {"user", 10 * 9},
		"of all":         {"global", 10 + 9},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				end := time.Now().Add(time.Minute)
				refused := 0
				d := &fakeDiscord{delay: fixed(time.Millisecond), answer: func(*http.Request, int) *http.Response {
					if time.Now().After(end) {
						return nil
					}
					refused++
					return reply(http.StatusTooManyRequests, `{"retry_after":0}`, "X-Ratelimit-Scope", test.scope)
				}}
				g := newGate(t, d)
				w := group{t: t, g: g}
				for i := range 10 {
					for range 5 {
						w.send(t.Context(), "a", http.MethodGet, fmt.Sprintf("/channels/%d", i), "", w.ok)
					}
				}
				w.wait.Wait()
				if took := time.Since(end); took > 35*time.Second {
					t.Errorf("the last was answered %v after the storm", took)
				}
				if refused > test.most {
					t.Errorf("%d answers were 429", refused)
				}
				began := time.Now()
				w.send(t.Context(), "a", http.MethodGet, "/channels/1", "", w.ok)
				w.wait.Wait()
				if took := time.Since(began); took > time.Second {
					t.Errorf("after it a request took %v", took)
				}
				mustBeEmpty(t, g)
			})
		})
	}
}
