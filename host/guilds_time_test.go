package host

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/holdfast-bot/holdfast/cache"
	"github.com/holdfast-bot/holdfast/host/rest"
	"github.com/holdfast-bot/holdfast/sdk/wire"
)

// brokenDiscord is a Discord in memory whose first answers are faults; then it has
// every guild.
type brokenDiscord struct {
	faults []func() *http.Response
	asked  []time.Time
}

func (d *brokenDiscord) RoundTrip(r *http.Request) (*http.Response, error) {
	if strings.Count(r.URL.Path, "/") == strings.Count("/api/v10/guilds/7", "/") { // loads begin with the guild
		d.asked = append(d.asked, time.Now())
		if len(d.faults) > 0 {
			fault := d.faults[0]
			d.faults = d.faults[1:]
			return fault(), nil
		}
	}
	body := `{"id":"7","name":"seven"}`
	switch {
	case strings.HasSuffix(r.URL.Path, "/channels"):
		body = `[]`
	case strings.HasSuffix(r.URL.Path, "/active"):
		body = `{"threads":[],"members":[]}`
	case strings.Contains(r.URL.Path, "/members/"):
		body = `{"user":{"id":"9"},"roles":[]}`
	}
	return answered(http.StatusOK, body), nil
}

func answered(status int, body string, header ...string) *http.Response {
	h := http.Header{}
	for i := 0; i < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(body))}
}

func bubbleGuilds(t *testing.T, d *brokenDiscord) *guilds {
	t.Helper()
	gate, err := rest.New(rest.Config{Token: "t", BaseURL: "https://discord.test/api/v10", Client: &http.Client{Transport: d}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(gate.Close)
	g, err := newGuilds(Settings{}, gate, 9, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.Close)
	return g
}

// One load is one attempt: what fails is tried again by the cache, after its
// back-off, and not by the gate.
func TestAFailedGuildComesBackAfterItsBackOff(t *testing.T) {
	for name, test := range map[string]struct {
		fault       func() *http.Response
		least, most time.Duration // between the attempts
	}{
		"500": {func() *http.Response { return answered(500, `{}`) }, 3750 * time.Millisecond, 6 * time.Second},
		"429": {
			func() *http.Response {
				return answered(429, `{"retry_after":40,"global":false}`, "X-RateLimit-Scope", "user")
			},
			40 * time.Second, 41 * time.Second,
		},
		"global": { // the gate sends nothing for so long, and the guard lets nothing wait there
			func() *http.Response {
				return answered(429, `{"retry_after":40,"global":true}`, "X-RateLimit-Global", "true")
			},
			40 * time.Second, 41 * time.Second,
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := &brokenDiscord{faults: []func() *http.Response{test.fault}}
				g := bubbleGuilds(t, d)
				read := func() *wire.GuildResponse {
					response, err := g.Guild(t.Context(), &wire.GuildRequest{Guild: 7})
					if err != nil {
						t.Fatal(err)
					}
					return response
				}
				began := time.Now()
				if reason := read().GetMissing().GetReason(); reason != string(cache.Failed) {
					t.Errorf("first: %q", reason)
				}
				if took := time.Since(began); took > 0 {
					t.Errorf("it was waited for in the gate: %v", took)
				}
				for read().GetMissing() != nil {
					time.Sleep(100 * time.Millisecond)
				}
				if len(d.asked) != 2 {
					t.Fatalf("%d attempts", len(d.asked))
				}
				if waited := d.asked[1].Sub(d.asked[0]); waited < test.least || waited > test.most {
					t.Errorf("tried again after %v, want %v to %v", waited, test.least, test.most)
				}
			})
		})
	}
}

func TestRefusalsAreToldInAFewLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex // the log's
		var out bytes.Buffer
		r := newRefusals(hclog.New(&hclog.LoggerOptions{Output: &out, Mutex: &mu, DisableTime: true}))
		lines := func() []string {
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			said := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
			out.Reset()
			return said
		}
		refused := fmt.Errorf("wanted: %w", &cache.MissingError{Guild: 1, Reason: cache.Refused})
		for _, err := range []error{nil, errors.New("other"), &cache.MissingError{Reason: cache.Removed}, &cache.MissingError{Reason: cache.Timeout}} {
			r.note(err, false)
		}
		if out.Len() > 0 {
			t.Errorf("nothing was refused, but: %s", out.String())
		}
		for range 200 { // an event now and then keeps the story going
			r.note(refused, false)
			r.note(refused, true)
			time.Sleep(700 * time.Millisecond)
		}
		want := []string{
			"[WARN]  guard: more guilds are wanted than may be loaded, so events go on without theirs: reason=refused",
			"[WARN]  guard: events were delivered without their guild: events=86 reads=86 took=1m0s",
			"[WARN]  guard: events were delivered without their guild: events=86 reads=86 took=1m0s",
		}
		check(t, lines(), want)
		time.Sleep(time.Minute)
		check(t, lines(), []string{"[INFO]  guard: nothing is refused any more: events=200 reads=200 took=2m19s"})

		// The next one is another story, and the end of the host ends it.
		r.note(&cache.MissingError{Reason: cache.GuardOpen}, true)
		r.close()
		r.note(refused, true)
		check(t, lines(), []string{
			"[WARN]  guard: more guilds are wanted than may be loaded, so events go on without theirs: reason=\"guard open\"",
			"[INFO]  guard: nothing is refused any more: events=0 reads=1 took=0s",
		})
	})
}

func check(t *testing.T, got, want []string) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%d lines, want %d: %q", len(got), len(want), got)
		return
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("got  %s\nwant %s", got[i], want[i])
		}
	}
}
