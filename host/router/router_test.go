package router_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/holdfast-bot/holdfast/host/gateway"
	"github.com/holdfast-bot/holdfast/host/router"
	"github.com/holdfast-bot/holdfast/sdk/wire"
)

// target is a plugin that keeps what it is given.
type target struct {
	name   string
	events []string

	mu     sync.Mutex
	got    []*wire.Event
	passed uint64
}

func (p *target) Manifest() *wire.Manifest {
	m := &wire.Manifest{Name: p.name}
	for _, e := range p.events {
		m.Events = append(m.Events, &wire.Subscription{Event: e})
	}
	return m
}

func (p *target) Deliver(e *wire.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.got = append(p.got, e)
}

func (p *target) Passed(index uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.passed = index
}

// numbers is a journal that only counts.
func numbers() func([]*wire.Event) {
	last := uint64(0)
	return func(events []*wire.Event) {
		for _, e := range events {
			last++
			e.Index = last
		}
	}
}

// route runs a router over the events and returns when all are routed.
func route(t *testing.T, c router.Config, events ...gateway.Event) *router.Router {
	t.Helper()
	if c.Log == nil {
		c.Log = hclog.NewNullLogger()
	}
	if c.Journal == nil {
		c.Journal = numbers()
	}
	r := router.New(c)
	queue := make(chan gateway.Event, len(events))
	for _, e := range events {
		queue <- e
	}
	close(queue)
	if err := r.Run(t.Context(), queue); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestEventsGoToThoseThatAsk(t *testing.T) {
	a, b := &target{name: "a", events: []string{"X", "Y", "X"}}, &target{name: "b", events: []string{"Y"}}
	handled := map[int]uint64{}
	data := []byte(`{"n":1}`)
	r := route(t, router.Config{Plugins: []router.Plugin{a, b}, Handled: func(e *gateway.Event) { handled[e.Shard] = e.Seq }},
		gateway.Event{Shard: 1, Seq: 7, Name: "X", Guild: 5, Data: data},
		gateway.Event{Shard: 1, Seq: 8, Name: "Y", Channel: 6, Data: data},
		gateway.Event{Shard: 3, Seq: 9, Name: "Z", Data: data},
		gateway.Event{Shard: 3, Seq: 10, Name: "Y", Data: data, Received: time.Unix(1, 2)},
	)
	if len(a.got) != 3 || len(b.got) != 2 {
		t.Fatalf("a got %d events, b %d, want 3 and 2", len(a.got), len(b.got))
	}
	if &a.got[0].Data[0] != &data[0] {
		t.Error("the data was copied on its way")
	}
	for n, want := range []wire.Event{
		{Shard: 1, Seq: 7, Index: 1, Name: "X", Guild: 5, Lane: 5},
		{Shard: 1, Seq: 8, Index: 2, Name: "Y", Lane: 6},
		{Shard: 3, Seq: 10, Index: 3, Name: "Y", Lane: 3, Received: 1_000_000_002},
	} {
		got := *a.got[n]
		if n < 2 {
			got.Received = 0
		}
		if got.Shard != want.Shard || got.Seq != want.Seq || got.Index != want.Index || got.Name != want.Name ||
			got.Guild != want.Guild || got.Lane != want.Lane || got.Received != want.Received {
			t.Errorf("event %d: got %+v, want %+v", n, got, want)
		}
	}
	if handled[1] != 8 || handled[3] != 10 {
		t.Errorf("handled %v", handled)
	}
	if a.passed != 3 || b.passed != 3 {
		t.Errorf("passed %d and %d", a.passed, b.passed)
	}
	if s := r.Status(); s.Received != 4 || s.Delivered != 3 {
		t.Errorf("status %+v", s)
	}
}

func command(t *testing.T, kind int, name string, data map[string]any) gateway.Event {
	t.Helper()
	data["name"] = name
	raw, err := json.Marshal(map[string]any{"id": "11", "token": "tok", "type": kind, "data": data})
	if err != nil {
		t.Fatal(err)
	}
	return gateway.Event{Name: "INTERACTION_CREATE", Guild: 42, Data: raw}
}

func TestInteractionsGoToTheirOwner(t *testing.T) {
	owners, err := router.MergeOwners([]*wire.Manifest{
		{
			Name: "a", Commands: []*wire.Command{{Json: []byte(`{"name":"ping","description":"x"}`)}},
			Components: []*wire.CustomIDs{{Prefix: "vote:"}},
		},
		{
			Name: "b", Commands: []*wire.Command{{Json: []byte(`{"name":"ping","type":2}`)}, {Guild: 42, Json: []byte(`{"name":"ping","description":"x"}`)}},
			Modals: []*wire.CustomIDs{{Prefix: "vote:"}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		event gateway.Event
		want  string
	}{
		"global command":       {command(t, 2, "ping", map[string]any{"type": 1}), "a"},
		"type left out":        {command(t, 2, "ping", map[string]any{}), "a"},
		"user command":         {command(t, 2, "ping", map[string]any{"type": 2}), "b"},
		"command of the guild": {command(t, 2, "ping", map[string]any{"type": 1, "guild_id": "42"}), "b"},
		"autocomplete":         {command(t, 4, "ping", map[string]any{"type": 1}), "a"},
		"component":            {command(t, 3, "", map[string]any{"custom_id": "vote:1"}), "a"},
		"modal":                {command(t, 5, "", map[string]any{"custom_id": "vote:"}), "b"},
		"unknown component":    {command(t, 3, "ping", map[string]any{"custom_id": "vote"}), "listener"},
		"unknown command":      {command(t, 2, "pong", map[string]any{"type": 1}), "listener"},
		"not readable":         {gateway.Event{Name: "INTERACTION_CREATE", Data: []byte(`{"type":"two"}`)}, "listener"},
	} {
		t.Run(name, func(t *testing.T) {
			all := []*target{{name: "a"}, {name: "b"}, {name: "listener", events: []string{"INTERACTION_CREATE"}}}
			route(t, router.Config{Plugins: []router.Plugin{all[0], all[1], all[2]}, Owners: owners}, test.event)
			for _, p := range all {
				if got := len(p.got) == 1; got != (p.name == test.want) {
					t.Errorf("%s got %d, the owner is %s", p.name, len(p.got), test.want)
				}
			}
		})
	}
}

// TestEventsAreJournaledFirst: what a plugin gets is in the journal, what a
// session is resumed by is not ahead of the journal, and a READY changes it only
// when all before is settled.
func TestEventsAreJournaledFirst(t *testing.T) {
	var told []string
	p := &target{name: "a", events: []string{"X", "READY"}}
	count := numbers()
	journal := func(events []*wire.Event) {
		for _, e := range events {
			told = append(told, fmt.Sprintf("journal %d %s %d", e.Shard, e.Name, e.Seq))
		}
		count(events)
		if len(p.got) > 0 && len(events) > 0 && events[0].Seq == 1 {
			t.Error("delivered before it was journaled")
		}
	}
	route(t, router.Config{
		Plugins: []router.Plugin{p},
		Journal: journal,
		Apply: func(e *gateway.Event) uint64 {
			told = append(told, fmt.Sprintf("apply %d %s %d", e.Shard, e.Name, e.Seq))
			return e.Seq * 10
		},
		Ready:   func(e *gateway.Event) { told = append(told, fmt.Sprintf("ready %d %d", e.Shard, e.Seq)) },
		Handled: func(e *gateway.Event) { told = append(told, fmt.Sprintf("handled %d %d", e.Shard, e.Seq)) },
	},
		gateway.Event{Shard: 0, Seq: 900, Name: "X"},
		gateway.Event{Shard: 0, Seq: 1, Name: "READY"},
		gateway.Event{Shard: 0, Seq: 2, Name: "X"},
		gateway.Event{Shard: 1, Seq: 70, Name: "X"},
		gateway.Event{Shard: 1, Seq: 71, Name: "Y"},
		gateway.Event{Shard: 0, Seq: 3, Name: "X"},
	)
	want := []string{
		"apply 0 X 900", "apply 0 READY 1", "journal 0 X 900", "journal 0 READY 1", "ready 0 1", "handled 0 1",
		"apply 0 X 2", "apply 1 X 70", "apply 1 Y 71", "apply 0 X 3",
		"journal 0 X 2", "journal 1 X 70", "journal 0 X 3", "handled 1 71", "handled 0 3",
	}
	if !slices.Equal(told, want) {
		t.Errorf("told\n%s\nwant\n%s", strings.Join(told, "\n"), strings.Join(want, "\n"))
	}
	if len(p.got) != 5 || p.got[2].GuildVersion != 20 {
		t.Errorf("delivered %d, %+v", len(p.got), p.got)
	}
}

// TestEventsOutsideOfTheJournal: they are delivered, and do not count as passed.
func TestEventsOutsideOfTheJournal(t *testing.T) {
	p := &target{name: "a", events: []string{"X"}}
	count := numbers()
	route(t, router.Config{Plugins: []router.Plugin{p}, Journal: func(events []*wire.Event) {
		count(events[:1])
		for _, e := range events[1:] {
			e.Index = wire.NotJournaled | e.Seq
		}
	}}, gateway.Event{Seq: 5, Name: "X"}, gateway.Event{Seq: 6, Name: "X"})
	if len(p.got) != 2 || p.got[1].Index != wire.NotJournaled|6 || p.passed != 1 {
		t.Errorf("got %v, passed %v", p.got, p.passed)
	}
}

func TestOwns(t *testing.T) {
	owners, err := router.MergeOwners([]*wire.Manifest{{Name: "a", Commands: []*wire.Command{{Json: []byte(`{"name":"ping","description":"x"}`)}}}})
	if err != nil {
		t.Fatal(err)
	}
	r := route(t, router.Config{Plugins: []router.Plugin{&target{name: "a"}, &target{name: "b", events: []string{"INTERACTION_CREATE"}}}, Owners: owners})
	ping, pong := command(t, 2, "ping", map[string]any{"type": 1}), command(t, 2, "pong", map[string]any{"type": 1})
	for _, test := range []struct {
		plugin string
		event  gateway.Event
		want   bool
	}{{"a", ping, true}, {"b", ping, false}, {"a", pong, false}, {"b", pong, true}, {"c", pong, false}} {
		if got := r.Owns(test.plugin, &wire.Event{Name: test.event.Name, Guild: 42, Data: test.event.Data}); got != test.want {
			t.Errorf("%s owns %s: %v", test.plugin, test.event.Data, got)
		}
	}
	if r.Status().Unclaimed != 0 {
		t.Error("asking counted as an interaction")
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := router.New(router.Config{Journal: numbers(), Log: hclog.NewNullLogger()})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- r.Run(ctx, make(chan gateway.Event)) }()
		synctest.Wait()
		cancel()
		if err := <-done; err == nil {
			t.Error("no error although the sessions had not ended")
		}
	})
}

func TestIntents(t *testing.T) {
	manifest := func(extra uint64, events ...string) *wire.Manifest {
		m := (&target{name: "x", events: events}).Manifest()
		m.Intents = extra
		return m
	}
	for _, test := range []struct {
		manifests []*wire.Manifest
		want      uint64
	}{
		{nil, 1},
		{[]*wire.Manifest{manifest(0, "INTERACTION_CREATE", "GUILD_CREATE", "AN_EVENT_OF_TOMORROW")}, 1},
		{[]*wire.Manifest{manifest(0, "MESSAGE_CREATE")}, 1 | 1<<9 | 1<<12 | 1<<15},
		{[]*wire.Manifest{manifest(0, "GUILD_MEMBER_ADD"), manifest(0, "PRESENCE_UPDATE")}, 1 | 1<<1 | 1<<8},
		{[]*wire.Manifest{manifest(1<<30, "TYPING_START")}, 1 | 1<<11 | 1<<14 | 1<<30},
	} {
		if got := router.Intents(test.manifests); got != test.want {
			t.Errorf("%v: intents %b, want %b", test.manifests, got, test.want)
		}
	}
}
