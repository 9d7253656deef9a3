package cache

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"
)

// answers is a loader whose answer can be changed.
type answers struct {
	mu    sync.Mutex
	next  error
	calls int
	most  int // at once
	now   int
	takes time.Duration
}

func (a *answers) load(ctx context.Context, guild uint64, p Part) (json.RawMessage, error) {
	a.mu.Lock()
	if p == PartGuild {
		a.calls++
		a.now++
		a.most = max(a.most, a.now)
	}
	err, takes := a.next, a.takes
	a.mu.Unlock()
	if p == PartGuild {
		defer func() {
			a.mu.Lock()
			a.now--
			a.mu.Unlock()
		}()
	}
	select {
	case <-time.After(takes):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if err != nil {
		return nil, err
	}
	switch p {
	case PartGuild:
		return fmt.Appendf(nil, `{"id":"%d","roles":[]}`, guild), nil
	case PartMember:
		return []byte(`{"user":{"id":"900"}}`), nil
	}
	return []byte(`[]`), nil
}

func (a *answers) say(err error) {
	a.mu.Lock()
	a.next = err
	a.mu.Unlock()
}

func TestReasonsOfFailedLoads(t *testing.T) {
	cases := map[string]struct {
		answer      error
		garbage     string
		first, then Reason
		least, most time.Duration
	}{
		"403":          {answer: &LoadError{Status: 403}, first: Forbidden, then: Forbidden, least: 11 * time.Minute, most: 15 * time.Minute},
		"404":          {answer: &LoadError{Status: 404}, first: Removed, then: Removed, least: 11 * time.Minute, most: 15 * time.Minute},
		"500":          {answer: &LoadError{Status: 500, Err: errors.New("oops")}, first: Failed, then: BackingOff, least: 3 * time.Second, most: 5 * time.Second},
		"429":          {answer: &LoadError{Status: 429, RetryAfter: time.Minute}, first: Failed, then: BackingOff, least: time.Minute, most: time.Minute},
		"network":      {answer: errors.New("connection refused"), first: Failed, then: BackingOff, least: 3 * time.Second, most: 5 * time.Second},
		"nothing":      {answer: context.DeadlineExceeded, first: Timeout, then: BackingOff, least: 3 * time.Second, most: 5 * time.Second},
		"garbage":      {garbage: `<html>`, first: Failed, then: BackingOff, least: 3 * time.Second, most: 5 * time.Second},
		"cut":          {garbage: `{"id":"7"`, first: Failed, then: BackingOff, least: 3 * time.Second, most: 5 * time.Second},
		"other guild":  {garbage: `{"id":"8"}`, first: Failed, then: BackingOff, least: 3 * time.Second, most: 5 * time.Second},
		"wrong shape":  {garbage: `[]`, first: Failed, then: BackingOff, least: 3 * time.Second, most: 5 * time.Second},
		"empty answer": {garbage: ``, first: Failed, then: BackingOff, least: 3 * time.Second, most: 5 * time.Second},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				good := false
				a := &answers{}
				c := newTestCache(t, Options{Load: func(ctx context.Context, guild uint64, p Part) (json.RawMessage, error) {
					if good {
						return a.load(ctx, guild, p)
					}
					return json.RawMessage(tc.garbage), tc.answer
				}})
				defer c.Close()
				_, err := c.Guild(t.Context(), 7, AllParts, Read)
				var m *MissingError
				if !errors.As(err, &m) || m.Reason != tc.first {
					t.Fatalf("first: %v, want %s", err, tc.first)
				}
				if tc.answer != nil && !errors.Is(err, tc.answer) {
					t.Errorf("%v does not wrap what the load met", err)
				}
				if wait := time.Until(m.Until); wait < tc.least || wait > tc.most {
					t.Errorf("backs off for %v, want %v to %v", wait, tc.least, tc.most)
				}
				_, err = c.Guild(t.Context(), 7, AllParts, Read)
				if got := reasonOf(t, err); got != tc.then {
					t.Errorf("then: %v, want %s", err, tc.then)
				}
				good = true
				time.Sleep(time.Until(m.Until))
				if _, err := c.Guild(t.Context(), 7, AllParts, Read); err != nil {
					t.Errorf("afterwards: %v", err)
				}
			})
		})
	}
}

func TestBackOffDoublesUpToItsLimitAndForgets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &answers{next: &LoadError{Status: 502}}
		c := newTestCache(t, Options{Load: a.load, Guard: GuardOptions{Failures: 1000}})
		defer c.Close()
		fails := func(want time.Duration) {
			t.Helper()
			_, err := c.Guild(t.Context(), 7, AllParts, Read)
			var m *MissingError
			if !errors.As(err, &m) || m.Reason != Failed {
				t.Fatalf("%v, want a failed load", err)
			}
			if wait := time.Until(m.Until); wait > want || wait < want*3/4 {
				t.Errorf("backs off for %v, want %v less at most a quarter", wait, want)
			}
			time.Sleep(time.Until(m.Until))
		}
		for _, s := range []int{5, 10, 20, 40, 80, 160, 320, 640, 900, 900} {
			fails(time.Duration(s) * time.Second)
		}
		a.say(nil)
		mustLoad(t, c, 7)
		if n := c.Status().Remembered; n != 0 {
			t.Errorf("%d guilds remembered after success", n)
		}
		forget(c, 7)
		a.say(&LoadError{Status: 502})
		fails(5 * time.Second)
	})
}

func TestWhatDoesNotFitBacksOffAsMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &answers{}
		c := newTestCache(t, Options{Bytes: 64 << 10, Load: func(ctx context.Context, guild uint64, p Part) (json.RawMessage, error) {
			if p == PartChannels {
				return toJSON([]object{{"id": "1", "topic": noise(10_000)}}), nil
			}
			return a.load(ctx, guild, p)
		}})
		defer c.Close()
		if _, err := c.Guild(t.Context(), 7, AllParts, Read); err != nil {
			t.Fatalf("who waited for the load gets it: %v", err)
		}
		_, err := c.Guild(t.Context(), 7, AllParts, Read)
		if reasonOf(t, err) != Memory || a.calls != 1 {
			t.Errorf("then %v after %d loads, want memory after 1", err, a.calls)
		}
		time.Sleep(5 * time.Second)
		if _, err := c.Guild(t.Context(), 7, AllParts, Read); err != nil || a.calls != 2 {
			t.Errorf("after its back-off: %v, %d loads", err, a.calls)
		}
		_, err = c.Guild(t.Context(), 7, AllParts, Read)
		var m *MissingError
		if !errors.As(err, &m) || time.Until(m.Until) < 7*time.Second {
			t.Errorf("%v, want a longer back-off", err)
		}
	})
}

func TestMassKindsAreRefusedFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &answers{}
		c := newTestCache(t, Options{Load: a.load, Guard: GuardOptions{Patience: -1}})
		defer c.Close()
		next := uint64(1000)
		want := func(why Cause, want Reason) {
			t.Helper()
			next++
			_, err := c.Guild(t.Context(), next, AllParts, why)
			if got := reasonOf(t, err); got != want {
				t.Fatalf("load %d: %q, want %q", next-1000, got, want)
			}
		}
		mass := CauseOf("GUILD_MEMBER_REMOVE")
		for range 5 {
			want(mass, "")
		}
		want(mass, Refused)
		for range 5 { // the reserve is for all else
			want(CauseOf("MESSAGE_CREATE"), "")
		}
		want(Interaction, Refused)
		time.Sleep(200 * time.Millisecond) // one token
		want(mass, Refused)
		want(CauseOf("INTERACTION_CREATE"), "")
		want(Read, Refused)
		if got := c.Status().Missing[Refused]; got != 4 {
			t.Errorf("%d refusals counted, want 4", got)
		}
	})
}

// TestLoadsWaitForTheirTokens: a second's worth of loads waits, and none begins
// before its token is there.
func TestLoadsWaitForTheirTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &answers{}
		c := newTestCache(t, Options{Load: a.load, Guard: GuardOptions{Burst: 2}})
		defer c.Close()
		began := time.Now()
		took := make(chan time.Duration, 100)
		var all sync.WaitGroup
		for guild := range uint64(20) {
			all.Go(func() {
				_, err := c.Guild(t.Context(), guild+1, AllParts, Event)
				if err == nil {
					took <- time.Since(began)
				}
			})
			synctest.Wait()
		}
		if n := c.Status().Tokens; n < 0 {
			t.Errorf("%v loads could begin now", n)
		}
		all.Wait()
		close(took)
		refused := int(c.Status().Missing[Refused])
		n := 0
		for d := range took {
			if want := time.Duration(max(n-1, 0)) * 200 * time.Millisecond; d < want || d > want+time.Millisecond {
				t.Errorf("load %d after %v, want %v", n, d, want)
			}
			n++
		}
		if n != 2+5 || refused != 13 {
			t.Errorf("%d loads and %d refusals, want 7 and 13", n, refused)
		}
		_, err := c.Guild(t.Context(), 99, AllParts, Mass)
		if reasonOf(t, err) != Refused {
			t.Errorf("an event of a mass kind waits: %v", err)
		}
	})
}

func TestFourLoadsAtOnceAndOnePlaceKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &answers{takes: time.Second}
		c := newTestCache(t, Options{Load: a.load, Guard: GuardOptions{Burst: 1000, Waiting: 2}})
		defer c.Close()
		next := uint64(1000)
		begin := func(why Cause) chan Reason {
			next++
			id, got := next, make(chan Reason, 1)
			go func() {
				_, err := c.Guild(t.Context(), id, AllParts, why)
				got <- reasonOf(t, err)
			}()
			synctest.Wait()
			return got
		}
		var running []chan Reason
		for range 3 {
			running = append(running, begin(Mass))
		}
		if r := <-begin(Mass); r != Refused {
			t.Errorf("a fourth of a mass kind: %q", r)
		}
		for range 3 { // one place, two in line
			running = append(running, begin(Interaction))
		}
		if r := <-begin(Interaction); r != Refused {
			t.Errorf("one more than may wait: %q", r)
		}
		for _, got := range running {
			if r := <-got; r != "" {
				t.Errorf("an admitted load: %q", r)
			}
		}
		if a.most != 4 {
			t.Errorf("%d loads at once, want 4", a.most)
		}
	})
}

func TestLedgerMayForbidLoads(t *testing.T) {
	allowed := false
	a := &answers{}
	c := newTestCache(t, Options{Load: a.load, Guard: GuardOptions{Allowed: func() bool { return allowed }}})
	defer c.Close()
	_, err := c.Guild(t.Context(), 7, AllParts, Read)
	if reasonOf(t, err) != GuardOpen || a.calls != 0 {
		t.Errorf("%v after %d loads", err, a.calls)
	}
	if s := c.Status(); s.Guard != "open" || !s.GuardUntil.IsZero() {
		t.Errorf("the guard is %s until %v while nothing is loaded", s.Guard, s.GuardUntil)
	}
	allowed = true
	mustLoad(t, c, 7)
	if s := c.Status(); s.Guard != "closed" {
		t.Errorf("the guard is %s", s.Guard)
	}
}

func TestWhatIsRememberedIsBounded(t *testing.T) {
	c := newTestCache(t, Options{Load: (&answers{}).load, Guard: GuardOptions{Remembered: 640}})
	defer c.Close()
	for g := uint64(1); g <= 20_000; g++ {
		c.Apply("GUILD_DELETE", g, []byte(`{"unavailable":true}`))
	}
	if n := c.Status().Remembered; n > 640 || n < 600 {
		t.Errorf("%d guilds remembered, the bound is 640", n)
	}
}

// TestFailedLoadsAreTold: at once, and then so that many that fail do not fill the log.
func TestFailedLoadsAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		a := &answers{next: &LoadError{Status: 403, Err: errors.New("Missing Access")}}
		c := newTestCache(t, Options{Load: a.load, Guard: GuardOptions{Rate: 1000, Burst: 1000, Failures: 1000}, Log: hclog.New(&hclog.LoggerOptions{Output: &out})})
		defer c.Close()
		fail := func(guild uint64) {
			if _, err := c.Guild(t.Context(), guild, AllParts, Read); err == nil {
				t.Fatal("loaded")
			}
		}
		for guild := range uint64(100) {
			fail(guild + 1)
		}
		time.Sleep(complainEvery)
		fail(200)
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		if len(lines) != 2 {
			t.Fatalf("%d lines:\n%s", len(lines), out.String())
		}
		for n, want := range [][]string{
			{"[WARN]", "guild=1 ", "status=403", "Missing Access", "others_not_told=0"}, {"guild=200 ", "others_not_told=99"},
		} {
			for _, part := range want {
				if !strings.Contains(lines[n], part) {
					t.Errorf("no %s in %s", part, lines[n])
				}
			}
		}
	})
}

// TestTheFirstReaderHearsWhy: an event waited for a load that failed; its handler is
// the first that reads.
func TestTheFirstReaderHearsWhy(t *testing.T) {
	for want, answer := range map[Reason]error{Failed: &LoadError{Status: 500}, Timeout: context.DeadlineExceeded} {
		synctest.Test(t, func(t *testing.T) {
			a := &answers{next: answer}
			c := newTestCache(t, Options{Load: a.load})
			defer c.Close()
			for range 2 { // and so after each load that fails
				_, pending, err := c.Want(t.Context(), 7, AllParts, Event)
				if err != nil || pending == nil {
					t.Fatalf("%v, %v", pending, err)
				}
				<-pending
				if _, _, err := c.Want(t.Context(), 7, AllParts, Event); reasonOf(t, err) != BackingOff {
					t.Errorf("another event: %v", err)
				}
				var m *MissingError
				if _, err = c.Guild(t.Context(), 7, AllParts, Read); !errors.As(err, &m) || m.Reason != want || time.Until(m.Until) <= 0 {
					t.Errorf("first reader: %v, want %s", err, want)
				}
				if _, err := c.Guild(t.Context(), 7, AllParts, Read); reasonOf(t, err) != BackingOff {
					t.Errorf("second reader: %v", err)
				}
				time.Sleep(time.Until(m.Until))
			}
		})
	}
}
