package router

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/hashicorp/go-hclog"
	"github.com/holdfast-bot/holdfast/host/gateway"
	"github.com/holdfast-bot/holdfast/sdk/wire"
)

// Plugin is where the router delivers.
type Plugin interface {
	Name() string
	Manifest() *wire.Manifest
	// Deliver queues the event and may wait for room until ctx ends.
	Deliver(ctx context.Context, e *wire.Event) error
}

// Config of a Router. Log is needed.
type Config struct {
	Plugins []Plugin
	// Owner may be nil: then commands go to those that register for interactions.
	Owner Owner
	// Handled is told which seq of a shard is in every queue that wants it, or
	// wanted by nobody.
	Handled func(shard int, seq uint64)
	// REST answers interactions that nobody takes. Nil leaves them alone.
	REST REST
	Log  hclog.Logger
}

// Router takes events from the sessions to the plugins that ask for them. It
// has one goroutine, Run's, so that every plugin sees a shard's events in
// order; Status is for any goroutine.
type Router struct {
	config   Config
	table    atomic.Pointer[table]
	indexes  map[int]uint64 // last journal index of each shard
	answers  sync.WaitGroup
	answerer chan struct{} // a place for each answer that is under way

	received, delivered, unclaimed atomic.Uint64
}

// Status counts events since the start.
type Status struct {
	// Received is what came from the sessions.
	Received uint64
	// Delivered is what went to at least one plugin.
	Delivered uint64
	// Unclaimed is interactions that no plugin takes.
	Unclaimed uint64
}

// maxAnswers bounds the answers to unclaimed interactions under way.
const maxAnswers = 16

// table says who gets what. It does not change.
type table struct {
	byEvent map[string][]Plugin
	byName  map[string]Plugin
	owner   Owner
}

// Owner names the plugin that registered an application command of a kind
// (1 chat input, 2 user, 3 message), in a guild or globally.
type Owner func(kind int, name string, guild uint64) (plugin string, ok bool)

// New builds a router over the plugins' manifests.
func New(c Config) *Router {
	r := &Router{
		config:   c,
		indexes:  make(map[int]uint64),
		answerer: make(chan struct{}, maxAnswers),
	}
	r.Change(c.Plugins, c.Owner)
	return r
}

// Change routes the next event by these plugins' manifests as they are now, and
// by that owner of commands. It may be called at any time.
func (r *Router) Change(plugins []Plugin, owner Owner) {
	t := &table{byEvent: make(map[string][]Plugin), byName: make(map[string]Plugin), owner: owner}
	for _, p := range plugins {
		t.byName[p.Name()] = p
		seen := make(map[string]bool)
		for _, s := range p.Manifest().GetEvents() {
			if name := s.GetEvent(); !seen[name] {
				seen[name] = true
				t.byEvent[name] = append(t.byEvent[name], p)
			}
		}
	}
	r.table.Store(t)
}

// Run routes events until the channel is closed or ctx ends, and returns when
// everything that it began has ended. It blocks where a plugin's Deliver does.
func (r *Router) Run(ctx context.Context, events <-chan gateway.Event) error {
	defer r.answers.Wait()
	for {
		select {
		case e, open := <-events:
			if !open {
				return nil
			}
			if err := r.route(ctx, &e); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (r *Router) route(ctx context.Context, e *gateway.Event) error {
	r.received.Add(1)
	t := r.table.Load()
	targets := t.byEvent[e.Name]
	if e.Name == interactionCreate {
		targets = r.interactionTargets(ctx, e, t)
	}
	r.indexes[e.Shard]++
	if len(targets) > 0 {
		frame := frameOf(e, r.indexes[e.Shard])
		for _, p := range targets {
			if err := p.Deliver(ctx, frame); err != nil {
				return err
			}
		}
		r.delivered.Add(1)
	}
	if r.config.Handled != nil {
		r.config.Handled(e.Shard, e.Seq)
	}
	return nil
}

// frameOf is the event as plugins get it; it shares the session's bytes.
func frameOf(e *gateway.Event, index uint64) *wire.Event {
	lane := e.Guild
	if lane == 0 {
		lane = e.Channel
	}
	if lane == 0 {
		lane = uint64(e.Shard)
	}
	return &wire.Event{
		Index:    index,
		Shard:    uint32(e.Shard),
		Seq:      e.Seq,
		Received: e.Received.UnixNano(),
		Guild:    e.Guild,
		Lane:     lane,
		Name:     e.Name,
		Data:     e.Data,
	}
}

// Status returns the counters.
func (r *Router) Status() Status {
	return Status{
		Received:  r.received.Load(),
		Delivered: r.delivered.Load(),
		Unclaimed: r.unclaimed.Load(),
	}
}
