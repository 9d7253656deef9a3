package router_test

import (
	"context"
	"encoding/json"
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
	block  chan struct{} // Deliver waits for it, if not nil

	mu  sync.Mutex
	got []*wire.Event
}

func (p *target) Name() string { return p.name }

func (p *target) Manifest() *wire.Manifest {
	m := &wire.Manifest{Name: p.name}
	for _, e := range p.events {
		m.Events = append(m.Events, &wire.Subscription{Event: e})
	}
	return m
}

func (p *target) Deliver(ctx context.Context, e *wire.Event) error {
	if p.block != nil {
		select {
		case <-p.block:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.got = append(p.got, e)
	return nil
}

// answers keeps the requests that the router makes itself.
type answers struct {
	mu    sync.Mutex
	paths []string
	body  []string
}

func (a *answers) Do(_ context.Context, method, path string, body []byte) (int, []byte, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.paths = append(a.paths, method+" "+path)
	a.body = append(a.body, string(body))
	return 204, nil, nil
}

// route runs a router over the events and returns when all are routed.
func route(t *testing.T, c router.Config, events ...gateway.Event) *router.Router {
	t.Helper()
	if c.Log == nil {
		c.Log = hclog.NewNullLogger()
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
	r := route(t, router.Config{Plugins: []router.Plugin{a, b}, Handled: func(shard int, seq uint64) { handled[shard] = seq }},
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
		{Shard: 3, Seq: 10, Index: 2, Name: "Y", Lane: 3, Received: 1_000_000_002},
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
	set, err := router.Merge([]router.Command{
		{Plugin: "a", JSON: json.RawMessage(`{"name":"ping","description":"x"}`)},
		{Plugin: "b", JSON: json.RawMessage(`{"name":"ping","type":2}`)},
		{Plugin: "b", Guild: 42, JSON: json.RawMessage(`{"name":"ping","description":"x"}`)},
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
		"component":            {command(t, 3, "ping", map[string]any{"custom_id": "x"}), "listener"},
		"unknown command":      {command(t, 2, "pong", map[string]any{"type": 1}), "listener"},
		"not readable":         {gateway.Event{Name: "INTERACTION_CREATE", Data: []byte(`{"type":"two"}`)}, "listener"},
	} {
		t.Run(name, func(t *testing.T) {
			all := []*target{{name: "a"}, {name: "b"}, {name: "listener", events: []string{"INTERACTION_CREATE"}}}
			route(t, router.Config{Plugins: []router.Plugin{all[0], all[1], all[2]}, Owner: set.Owner}, test.event)
			for _, p := range all {
				if got := len(p.got) == 1; got != (p.name == test.want) {
					t.Errorf("%s got %d, the owner is %s", p.name, len(p.got), test.want)
				}
			}
		})
	}
}

func TestUnclaimedInteractionIsAnswered(t *testing.T) {
	for kind, want := range map[int]string{2: `"flags":64`, 3: `"flags":64`, 4: `"choices":[]`} {
		rest := new(answers)
		r := route(t, router.Config{REST: rest}, command(t, kind, "gone", map[string]any{"type": 1}))
		if len(rest.paths) != 1 || rest.paths[0] != "POST /interactions/11/tok/callback" || !strings.Contains(rest.body[0], want) {
			t.Errorf("type %d: %v %v", kind, rest.paths, rest.body)
		}
		if r.Status().Unclaimed != 1 {
			t.Errorf("type %d: status %+v", kind, r.Status())
		}
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stuck := &target{name: "a", events: []string{"X"}, block: make(chan struct{})}
		r := router.New(router.Config{Plugins: []router.Plugin{stuck}, Log: hclog.NewNullLogger()})
		ctx, cancel := context.WithCancel(t.Context())
		queue := make(chan gateway.Event, 1)
		queue <- gateway.Event{Name: "X"}
		done := make(chan error, 1)
		go func() { done <- r.Run(ctx, queue) }()
		synctest.Wait()
		cancel()
		if err := <-done; err == nil {
			t.Error("no error although an event was not delivered")
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
