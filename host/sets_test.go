package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/holdfast-bot/holdfast/cache"
	"github.com/holdfast-bot/holdfast/host/gateway"
	"github.com/holdfast-bot/holdfast/host/router"
	"github.com/holdfast-bot/holdfast/host/state"
	"github.com/holdfast-bot/holdfast/sdk/wire"
)

// twoSets are an old set and a new one, neither of which connects, with the router
// behind them: a test says what they hear.
func twoSets(t *testing.T, skew time.Duration) (s *sessionSets, old, next *sessionSet) {
	t.Helper()
	events, values, guilds := openKept(t)
	log := hclog.NewNullLogger()
	calls := newGatewayCalls(log)
	t.Cleanup(calls.Close)
	s = newSessionSets(make(chan gateway.Event, 16), calls, skew, log)
	routed := make(chan struct{})
	s.routed = routed
	set := func(number int) *sessionSet {
		of := &sessionSet{number: number, count: 1, timeout: time.Minute, saved: &savedSessions{
			values: values, events: events, count: 1, guilds: newShardGuilds(log), place: guilds, log: log,
		}}
		var err error
		of.set, err = gateway.NewSet(gateway.Config{Token: "t", URL: "ws://127.0.0.1:1", Events: s.events, Number: number})
		if err != nil {
			t.Fatal(err)
		}
		return of
	}
	old, next = set(0), set(1)
	next.saved.muted = make(map[int]state.SessionValues)
	s.begin(old)
	route := router.New(router.Config{
		Admit: s.admit, Ready: s.ready, Handled: s.handled, Journal: func([]*wire.Event) {}, Log: log,
		Apply: func(e *gateway.Event) uint64 { s.apply(e); return 0 },
	})
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		defer close(routed)
		_ = route.Run(ctx, s.events) // ctx ends it
	}()
	t.Cleanup(func() {
		cancel()
		<-routed
	})
	return s, old, next
}

// bringUpMuted is bringUp of a set that does not connect.
func bringUpMuted(t *testing.T, s *sessionSets, next *sessionSet) {
	t.Helper()
	if err := s.bringUp(t.Context(), next); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		next.cancel()
		<-next.done
	})
}

// TestMissedEventsAreOfNoSession: what only the new set has shown comes at the switch,
// after later events, or from a session that is gone by then. Its numbers count for
// nothing: they would let a restart resume from another place than that session's.
func TestMissedEventsAreOfNoSession(t *testing.T) {
	for name, again := range map[string]bool{"later events": false, "a session that is gone": true} {
		t.Run(name, func(t *testing.T) {
			s, old, next := twoSets(t, time.Hour)
			hear := func(set *sessionSet, seq uint64, name, format string, args ...any) {
				s.events <- gateway.Event{Set: set.number, Seq: seq, Name: name, Received: heardAt(name), Data: fmt.Appendf(nil, format, args...)}
			}
			const ready = `{"session_id":"%s","guilds":[]}`
			hear(old, 1, eventReady, ready, "old")
			bringUpMuted(t, s, next)
			hear(next, 1, eventReady, ready, "new")
			hear(next, 57, "TYPING_START", `{"only":"new"}`)
			want := uint64(58)
			if again {
				want = 3
				hear(next, 1, eventReady, ready, "newer")
			}
			hear(old, 9, "TYPING_START", `{"both":1}`)
			hear(next, want, "TYPING_START", `{"both":1}`)
			if err := s.switchTo(next); err != nil {
				t.Fatal(err)
			}
			if err := s.mark(func(out []gateway.Event) []gateway.Event { return out }); err != nil {
				t.Fatal(err)
			}
			saved := next.saved.values.All()
			if len(saved) != 1 || saved[0].Seq != want {
				t.Errorf("saved are %+v, want one with number %d", saved, want)
			}
			if got := next.set.Status()[0].Handled; !again && got != want {
				t.Errorf("heartbeats tell of %d, want %d", got, want)
			}
		})
	}
}

// TestNoSwitchToABrokenHandover: what breaks a handover at its last moment, such as
// more events than are kept, was not delivered. The old set goes on.
func TestNoSwitchToABrokenHandover(t *testing.T) {
	s, old, next := twoSets(t, time.Hour)
	hear := func(set *sessionSet, name, format string, args ...any) {
		s.events <- gateway.Event{Set: set.number, Seq: 1, Name: name, Received: heardAt(name), Data: fmt.Appendf(nil, format, args...)}
	}
	hear(old, eventReady, `{"session_id":"old"}`)
	bringUpMuted(t, s, next)
	hear(next, eventReady, `{"session_id":"new"}`)
	hear(next, eventReady, "no JSON")
	if err := s.switchTo(next); err == nil {
		t.Error("switched")
	}
	if saved := next.saved.values.All(); len(saved) != 1 || saved[0].ID != "old" {
		t.Errorf("saved are %+v", saved)
	}
	if s.delivering() != old {
		t.Error("the new set delivers")
	}
}

// heardAt is when an event came: a READY so long ago that the switch is due.
func heardAt(name string) time.Time {
	if name == eventReady {
		return time.Now().Add(-2 * time.Hour)
	}
	return time.Now()
}

// TestNoSwitchWhileGuildsComeIn: an outage ends while the old sessions are asked what
// they have not shown. The new one shows that first, and only the old one delivers it.
func TestNoSwitchWhileGuildsComeIn(t *testing.T) {
	s, old, next := twoSets(t, time.Hour)
	hear := func(set *sessionSet, name, data string) {
		s.events <- gateway.Event{Set: set.number, Seq: 1, Name: name, Guild: 5, Received: heardAt(name), Data: []byte(data)}
	}
	hear(old, eventReady, `{"session_id":"old","guilds":[{"id":"5"}]}`)
	bringUpMuted(t, s, next)
	hear(next, eventReady, `{"session_id":"new","guilds":[{"id":"5"}]}`)
	hear(next, "GUILD_CREATE", `{"id":"5"}`)
	if err := s.switchTo(next); !errors.Is(err, errNotDue) {
		t.Errorf("switched: %v", err)
	}
	if s.delivering() != old {
		t.Error("the new set delivers")
	}
}

// TestStopWhileSessionsAreAsked: whoever replaces sessions is told that the host stops,
// and not that a context was cancelled.
func TestStopWhileSessionsAreAsked(t *testing.T) {
	s, old, _ := twoSets(t, time.Hour)
	running, stop := context.WithCancel(t.Context())
	if err := s.sync(running, old, 1); err != nil {
		t.Errorf("before the stop: %v", err)
	}
	stop()
	if err := s.sync(running, old, 1); !errors.Is(err, errHostStops) {
		t.Errorf("at the stop: %v, want %v", err, errHostStops)
	}
}

// TestSwitchRenewsTheCache: an old session begins anew just before the switch. What is
// awaited of it comes no more, but for guilds that the new session has not introduced.
func TestSwitchRenewsTheCache(t *testing.T) {
	s, old, next := twoSets(t, time.Hour)
	load := func(context.Context, uint64, cache.Part) (json.RawMessage, error) { return nil, errors.New("no") }
	guilds, err := cache.New(cache.Options{Self: 1, Load: load})
	if err != nil {
		t.Fatal(err)
	}
	defer guilds.Close()
	s.renewed = guilds.Renewed
	apply := func(name string, guild uint64, data string) { guilds.Apply(name, guild, []byte(data)) }
	const ready = `{"session_id":"s","guilds":[{"id":"5","unavailable":true},{"id":"6","unavailable":true}]}`
	hear := func(set *sessionSet, name string, guild uint64, data string) {
		s.events <- gateway.Event{Set: set.number, Seq: 1, Name: name, Guild: guild, Received: heardAt(eventReady), Data: []byte(data)}
	}
	hear(old, eventReady, 0, ready)
	bringUpMuted(t, s, next)
	hear(next, eventReady, 0, ready)
	hear(next, "GUILD_CREATE", 5, `{"id":"5"}`)
	hear(old, eventReady, 0, ready)
	apply(eventReady, 0, ready) // as the router does with what is delivered
	if n := guilds.Status().Awaited; n != 2 {
		t.Fatalf("%d guilds awaited", n)
	}
	if err := s.switchTo(next); err != nil {
		t.Fatal(err)
	}
	if n := guilds.Status().Awaited; n != 1 {
		t.Errorf("%d guilds awaited after the switch, want the one that is to come", n)
	}
}
