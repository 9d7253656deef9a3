package rest

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"
)

// forbidding answers everything with 403.
func forbidding(*http.Request, int) *http.Response {
	return reply(http.StatusForbidden, `{"message":"Missing Access","code":50001}`)
}

// sender sends one request after the other.
type sender struct {
	t *testing.T
	g *Gate
	n int // of all that were sent
}

func (s *sender) send(caller, method, path string) error {
	_, err := s.g.Do(s.t.Context(), &Request{Caller: caller, Method: method, Path: path})
	if err == nil {
		s.n++
	}
	return err
}

// until sends requests of its own kind each until one is not sent, and returns how many were.
func (s *sender) until(caller, method, path string) int {
	s.t.Helper()
	for n := range 10_000 {
		err := s.send(caller, method, strings.Replace(path, "*", strconv.Itoa(1000+s.n), 1))
		if err == nil {
			continue
		}
		if !errors.Is(err, ErrInvalidBudget) {
			s.t.Errorf("%s %s of %s: %v", method, path, caller, err)
		}
		return n
	}
	s.t.Errorf("%s %s of %s is never stopped", method, path, caller)
	return 0
}

// TestTheLedgerStopsBeforeABan: callers who each do little reach the soft stop at half of the limit and the hard one
// at nine tenths of it.
func TestTheLedgerStopsBeforeABan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		status := http.StatusForbidden
		var said logged
		d := &fakeDiscord{answer: func(*http.Request, int) *http.Response { return reply(status, `{}`) }}
		s := &sender{t: t, g: newGate(t, d, func(c *Config) { c.Invalid, c.Global, c.Log = 1000, 1000, said.logger() })}
		const read = "/channels/5"
		if err := s.send("c0", http.MethodGet, read); err != nil {
			t.Fatal(err)
		}
		for i := 1; i < 500; i++ {
			if err := s.send(fmt.Sprint("c", i%20), http.MethodPost, fmt.Sprintf("/channels/%d/messages", i)); err != nil {
				t.Fatalf("write %d: %v", i, err)
			}
		}
		if n := s.until("c1", http.MethodPost, "/channels/*/messages"); n != 0 {
			t.Errorf("%d writes after the soft stop", n)
		}
		if n := s.until("c1", http.MethodGet, read); n != 0 {
			t.Errorf("a read that was refused was sent after the soft stop")
		}
		if err := s.send("c1", http.MethodPost, "/interactions/1/t/callback"); err != nil {
			t.Errorf("an interaction after the soft stop: %v", err)
		}
		if state := s.g.Status(); state.Standing != "writes stopped" || state.Invalid != 501 || state.Limit != 1000 {
			t.Errorf("status %+v", state)
		}
		for i := range 20 {
			for n := range 20 {
				if s.g.Status().Invalid < 900 {
					_ = s.send(fmt.Sprint("c", i), http.MethodGet, fmt.Sprintf("/channels/%d", 10_000+100*i+n))
				}
			}
		}
		if n := s.g.Status().Invalid; n != 900 {
			t.Errorf("reads that were not refused before went on until %d of 1000", n)
		}
		if err := s.send("fresh", http.MethodPost, "/interactions/1/t/callback"); !errors.Is(err, ErrInvalidBudget) {
			t.Errorf("an interaction after the hard stop: %v", err)
		}
		lines := said.lines("most are of this plugin")
		for i, want := range []string{"only interactions and reads go on", "nothing is sent any more"} {
			if len(lines) != 2 || !strings.Contains(lines[i], want) || !strings.Contains(lines[i], "plugin=c") || !strings.Contains(lines[i], "remedy=") {
				t.Fatalf("told:\n%s", strings.Join(lines, ""))
			}
		}
		status = http.StatusOK
		time.Sleep(ledgerWindow + ledgerGrain)
		if err := s.send("c1", http.MethodPost, "/channels/1/messages"); err != nil {
			t.Errorf("after the window: %v", err)
		}
		mustBeEmpty(t, s.g)
	})
}

// TestWhoCausesMostIsStoppedFirst: one caller that goes on being refused is kept from repeating itself, then from
// writing, then from everything, and nobody else notices.
func TestWhoCausesMostIsStoppedFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var said logged
		d := &fakeDiscord{answer: func(r *http.Request, _ int) *http.Response {
			if strings.Contains(r.URL.Path+"/", "/7/") {
				return nil
			}
			return forbidding(r, 0)
		}}
		s := &sender{t: t, g: newGate(t, d, func(c *Config) { c.Invalid, c.Global, c.Log = 1000, 1000, said.logger() })}
		const loop = "/channels/5/messages"
		good := func(when string) {
			t.Helper()
			for _, path := range []string{"/channels/7/messages", "/interactions/7/t/callback"} {
				if err := s.send("quiet", http.MethodPost, path); err != nil {
					t.Errorf("%s of another caller %s: %v", path, when, err)
				}
			}
		}
		steps := []struct {
			when, method, path string
			sent               int // until it is stopped
			standing           string
		}{
			{"in a loop", http.MethodPost, loop, 100, "repeats stopped"},
			{"with something else each time", http.MethodPost, "/channels/*/messages", 150, "writes stopped"},
			{"with reads", http.MethodGet, "/channels/*", 200, "stopped"},
			{"with interactions", http.MethodPost, "/interactions/*/t/callback", 0, "stopped"},
		}
		for _, step := range steps {
			if n := s.until("wild", step.method, step.path); n != step.sent {
				t.Errorf("%s: %d requests were sent, want %d", step.when, n, step.sent)
			}
			if c := callerIn(s.g, "wild"); c.Standing != step.standing || c.Stopped == 0 {
				t.Errorf("%s: %+v, want %s", step.when, c, step.standing)
			}
			good(step.when)
			if step.standing == "repeats stopped" || step.standing == "writes stopped" {
				if err := s.send("wild", http.MethodGet, "/channels/7"); err != nil {
					t.Errorf("%s: a read that is not refused: %v", step.when, err)
				}
				if err := s.send("wild", http.MethodPost, "/interactions/7/t/callback"); err != nil {
					t.Errorf("%s: an interaction: %v", step.when, err)
				}
			}
		}
		if state := s.g.Status(); state.Standing != "good" || callerIn(s.g, "quiet").Standing != "good" {
			t.Errorf("status %+v", state)
		}
		want := []string{"is not sent again", "only its interactions and reads", "nothing of it is sent"}
		lines := said.lines("one plugin")
		if len(lines) != len(want) {
			t.Fatalf("told:\n%s", strings.Join(lines, "\n"))
		}
		for i, line := range lines {
			if !strings.Contains(line, want[i]) || !strings.Contains(line, "plugin=wild") || !strings.Contains(line, "remedy=") {
				t.Errorf("line %d: %s", i, line)
			}
		}
		mustBeEmpty(t, s.g)
	})
}

func callerIn(g *Gate, name string) Caller {
	for _, c := range g.Callers() {
		if c.Name == name {
			return c
		}
	}
	return Caller{}
}

func TestWhatIsQueuedMeetsTheLedgerToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &fakeDiscord{answer: forbidding}
		g := newGate(t, d, func(c *Config) { c.Invalid = 100 })
		w := group{t: t, g: g}
		for i := range 500 {
			w.send(t.Context(), "a", http.MethodPost, fmt.Sprintf("/channels/%d/messages", i), "", func(*Response, error) {})
		}
		w.wait.Wait()
		if n := len(d.seen()); n > 30 { // those under way when the twenty-fifth answer came
			t.Errorf("%d forbidden requests were sent", n)
		}
		mustBeEmpty(t, g)
	})
}

func TestTheLedgersWindowSlides(t *testing.T) {
	start := time.Unix(0, 0)
	l := newLedger(10_000, start)
	at := start.Add
	for i := range 20 { // one a minute
		l.add("a", "GET /x", 0, at(time.Duration(i)*time.Minute))
	}
	for _, test := range []struct {
		at   time.Duration
		want int
	}{{19 * time.Minute, 11}, {20 * time.Minute, 10}, {24 * time.Minute, 6}, {29*time.Minute + 20*time.Second, 0}, {1000 * time.Hour, 0}} {
		own := l.accounts["a"].count(l.cell(at(test.at)))
		if n := l.count(at(test.at)); n != test.want || own != test.want {
			t.Errorf("after %v: %d, of the caller %d, want %d", test.at, n, own, test.want)
		}
	}
	l.add("a", "GET /x", 0, at(1000*time.Hour))
	if n := l.count(at(1000*time.Hour + ledgerWindow - ledgerGrain)); n != 1 {
		t.Errorf("after a long pause: %d", n)
	}
}

// TestAGateGoesOnWhereAnotherWas: what a gate lets be kept makes the next one count as if it were the same, whatever
// time has passed and whatever the clock says.
func TestAGateGoesOnWhereAnotherWas(t *testing.T) {
	tests := map[string]struct {
		pause time.Duration
		skew  time.Duration // of the clock meanwhile
		left  int           // of 100 invalid requests, half of them five minutes old when the gate ended
		dead  bool          // the ban is over
	}{
		"at once":            {0, 0, 100, false},
		"after five minutes": {5*time.Minute + 20*time.Second, 0, 50, true},
		"after ten minutes":  {11 * time.Minute, 0, 0, true},
		"the clock set back": {0, -time.Hour, 100, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var kept records
				d := &fakeDiscord{answer: func(r *http.Request, _ int) *http.Response {
					switch {
					case strings.Contains(r.URL.Path, "/webhooks/9/"):
						return reply(http.StatusNotFound, `{"message":"Unknown Webhook","code":10015}`)
					case strings.Contains(r.URL.Path, "/gateway"):
						return reply(http.StatusTooManyRequests, `<html>`, "Retry-After", "300")
					}
					return forbidding(r, 0)
				}}
				first := &sender{t: t, g: newGate(t, d, func(c *Config) { c.Invalid, c.Remember = 1000, kept.add })}
				for i := range 99 {
					if i == 50 {
						time.Sleep(5 * time.Minute)
					}
					_ = first.send("wild", http.MethodPost, "/channels/5/messages")
				}
				_, _ = first.g.Do(t.Context(), &Request{Caller: "wild", Method: http.MethodPost, Path: "/webhooks/9/gone"})
				_, _ = first.g.Do(t.Context(), &Request{Caller: "wild", Method: http.MethodGet, Path: "/gateway", Once: true})
				first.g.Close()

				time.Sleep(test.pause)
				for i := range kept.all {
					kept.all[i].At = kept.all[i].At.Add(-test.skew)
				}
				next := &sender{t: t, g: newGate(t, d, func(c *Config) { c.Invalid, c.Remembered = 1000, kept.all })}
				state := next.g.Status()
				if c := callerIn(next.g, "wild"); state.Invalid != test.left || c.Invalid != test.left {
					t.Errorf("%d invalid, %+v, want %d", state.Invalid, c, test.left)
				}
				if c := callerIn(next.g, "wild"); test.left == 0 && c.Name != "" {
					t.Errorf("what has lapsed has made an account: %+v", c)
				}
				if state.BannedUntil.IsZero() != test.dead {
					t.Errorf("banned until %v", state.BannedUntil)
				}
				sent := len(d.seen())
				if r, err := next.g.Do(t.Context(), &Request{Caller: "b", Method: http.MethodPost, Path: "/webhooks/9/gone"}); err != nil || r.Status != http.StatusNotFound {
					t.Errorf("the webhook that is gone: %+v %v", r, err)
				}
				if test.left == 100 {
					if err := next.send("wild", http.MethodPost, "/channels/5/messages"); !errors.Is(err, ErrInvalidBudget) {
						t.Errorf("what was refused before: %v", err)
					}
				}
				if n := len(d.seen()); n != sent {
					t.Errorf("%d requests were sent for nothing", n-sent)
				}
				next.g.Close()
			})
		})
	}
}

// TestWhatEachStandingLetsPass: what is refused when, for requests that Discord has refused lately, long ago, or never.
func TestWhatEachStandingLetsPass(t *testing.T) {
	now := time.Unix(0, 0)
	l := newLedger(1000, now)
	g := testGate(t)
	ask := func(method, path string) *ticket {
		tick, err := g.ticket(&Request{Caller: "a", Method: method, Path: path})
		if err != nil {
			t.Fatal(err)
		}
		return tick
	}
	requests := map[string][2]string{
		"read": {http.MethodGet, "/channels/1"}, "write": {http.MethodPut, "/channels/1/pins/2"}, "interaction": {http.MethodPost, "/interactions/1/t/callback"},
	}
	for _, r := range requests { // and all of it again, with another id, is fresh
		l.add("a", "x", ask(r[0], r[1]).mark(), now)
	}
	for _, test := range []struct {
		standing       standing
		fresh, refused string // what passes
	}{
		{standingGood, "interaction read write", "interaction read write"},
		{standingRepeats, "interaction read write", "interaction"},
		{standingSoft, "interaction read", "interaction"},
		{standingHard, "", ""},
	} {
		passes := func(later time.Duration, change func(string) string) string {
			var names []string
			for name, r := range requests {
				if !l.stops(test.standing, ask(r[0], change(r[1])), now.Add(later)) {
					names = append(names, name)
				}
			}
			slices.Sort(names)
			return strings.Join(names, " ")
		}
		same := func(path string) string { return path + "?x=1" } // the query says nothing of who may
		other := func(path string) string { return strings.Replace(path, "/1", "/9", 1) }
		if got := passes(0, same); got != test.refused {
			t.Errorf("%s: of what was refused %q passes", test.standing, got)
		}
		for later, change := range map[time.Duration]func(string) string{0: other, ledgerWindow + 2*ledgerGrain: same} {
			if got := passes(later, change); got != test.fresh {
				t.Errorf("%s: after %v %q passes", test.standing, later, got)
			}
		}
	}
}

// TestCallersAreBounded: whatever callers there are, those with something in the window are counted, and the rest
// together.
func TestCallersAreBounded(t *testing.T) {
	now := time.Unix(0, 0)
	l := newLedger(1_000_000, now)
	for i := range ledgerCallers + 300 {
		l.add(fmt.Sprint("c", i), "GET /x", uint64(i+1), now)
	}
	if len(l.accounts) > ledgerCallers+1 || l.count(now) != ledgerCallers+300 || l.accounts[otherCallers].sum < 300 {
		t.Errorf("%d accounts, %d counted, %d of others", len(l.accounts), l.count(now), l.accounts[otherCallers].sum)
	}
	for i := range 2 * ledgerMarks {
		l.add("a", "GET /x", uint64(i+1), now.Add(time.Duration(i)*time.Millisecond))
	}
	if len(l.refused) > ledgerMarks {
		t.Errorf("%d refused requests are remembered", len(l.refused))
	}
	later := now.Add(24 * time.Hour)
	l.add("new", "GET /x", 1, later)
	if l.accounts["new"] == nil {
		t.Error("an old caller makes no room for a new one")
	}
}

// TestAWebhookThatIsGoneIsNotAskedAgain: one 404 that is about the webhook itself is enough.
func TestAWebhookThatIsGoneIsNotAskedAgain(t *testing.T) {
	const unknown = `{"message":"Unknown Webhook","code":10015}`
	tests := map[string]struct {
		first, body string
		next        string
		sent        int // of both
	}{
		"the same":                       {"/webhooks/9/tok", unknown, "/webhooks/9/tok", 1},
		"a message of it":                {"/webhooks/9/tok", unknown, "/webhooks/9/tok/messages/5?thread_id=3", 1},
		"another token":                  {"/webhooks/9/tok", unknown, "/webhooks/9/kot", 2},
		"without a token first":          {"/webhooks/9", unknown, "/webhooks/9/kot", 1},
		"another webhook":                {"/webhooks/9/tok", unknown, "/webhooks/8/tok", 2},
		"a message that is gone":         {"/webhooks/9/tok/messages/5", `{"message":"Unknown Message","code":10008}`, "/webhooks/9/tok", 2},
		"a thread that is gone":          {"/webhooks/9/tok", `{"message":"Unknown Channel","code":10003}`, "/webhooks/9/tok", 2},
		"no JSON":                        {"/webhooks/9/tok", `<html>`, "/webhooks/9/tok", 2},
		"of an interaction not answered": {"/webhooks/77/tok", unknown, "/webhooks/77/tok", 2},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := &fakeDiscord{answer: func(*http.Request, int) *http.Response { return reply(http.StatusNotFound, test.body) }}
				g := newGate(t, d)
				g.SetApplication(77)
				for _, path := range []string{test.first, test.next} {
					r, err := g.Do(t.Context(), &Request{Caller: "a", Method: http.MethodPost, Path: path})
					if err != nil || r.Status != http.StatusNotFound || string(r.Body) != test.body {
						t.Errorf("%s: %+v %v", path, r, err)
					}
				}
				if n := len(d.seen()); n != test.sent {
					t.Errorf("%d requests were sent, want %d", n, test.sent)
				}
				if n := g.Status().Invalid; n != 0 {
					t.Errorf("%d invalid requests", n)
				}
				mustBeEmpty(t, g)
			})
		})
	}
	w := newGone()
	for i := range 3 * goneWebhooks {
		w.add(uint64(i))
	}
	if len(w.at) != goneWebhooks || w.order.Len() != goneWebhooks || w.at[0] != nil || w.at[3*goneWebhooks-1] == nil {
		t.Errorf("%d webhooks are remembered", len(w.at))
	}
}

// TestAfterABanOneRequestAsksFirst: while the ban lasts nothing is sent, and then one request at a time until one is
// answered without it: each that is not counts towards the next ban.
func TestAfterABanOneRequestAsksFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bans := 4
		d := &fakeDiscord{delay: fixed(50 * time.Millisecond)}
		d.answer = func(*http.Request, int) *http.Response {
			if bans--; bans >= 0 {
				return reply(http.StatusTooManyRequests, `<html>1015</html>`, "Content-Type", "text/html", "Retry-After", "60")
			}
			return nil
		}
		g := newGate(t, d)
		w := group{t: t, g: g}
		w.send(t.Context(), "a", http.MethodGet, "/channels/1", "", w.ok)
		time.Sleep(time.Second)
		for i := range 40 {
			w.send(t.Context(), "a", http.MethodGet, fmt.Sprintf("/channels/%d", i), "", w.ok)
			w.send(t.Context(), "a", http.MethodPost, fmt.Sprintf("/interactions/%d/t/callback", i), "", w.ok)
		}
		w.wait.Wait()
		if s := g.Status(); s.Limited != 4 || s.Invalid != 4 {
			t.Errorf("status %+v: 4 bans", s)
		}
		all := d.seen()
		for i := 1; i <= 4; i++ {
			if gap := all[i].at.Sub(all[i-1].at); gap < time.Minute {
				t.Errorf("request %d came %v after the one before, which was told to wait a minute", i, gap)
			}
		}
		mustBeEmpty(t, g)
	})
}

// records keeps what a gate lets be kept.
type records struct {
	mu  sync.Mutex
	all []Record
}

func (r *records) add(one Record) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, one)
}

// logged is a log's lines.
type logged struct {
	mu  sync.Mutex
	all []string
}

func (l *logged) logger() hclog.Logger { return hclog.New(&hclog.LoggerOptions{Output: l}) }

func (l *logged) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, string(line))
	return len(line), nil
}

// lines are those that contain a text.
func (l *logged) lines(text string) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(l.all), func(line string) bool { return !strings.Contains(line, text) })
}
