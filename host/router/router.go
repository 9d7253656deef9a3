package router

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/holdfast-bot/holdfast/host/gateway"
	"github.com/holdfast-bot/holdfast/sdk/wire"
)

// Plugin is where the router delivers. Its methods do not wait.
type Plugin interface {
	Manifest() *wire.Manifest
	// Deliver hands an event over, in the order of the indexes.
	Deliver(e *wire.Event)
	// Passed says that all events up to index that were not delivered are not for
	// this plugin.
	Passed(index uint64)
}

// Config of a Router. Journal and Log are needed.
type Config struct {
	Plugins []Plugin
	// Owners may be nil: then interactions go to those that register for them.
	Owners *Owners
	// Admit, if not nil, appends to out what is to be routed for an event that came:
	// itself, nothing, or others before it.
	Admit func(e *gateway.Event, out []gateway.Event) []gateway.Event
	// Journal keeps events, in their order, before they are delivered, and gives
	// each the next index. What it cannot keep it marks with
	// [wire.NotJournaled] and another number.
	Journal func(events []*wire.Event)
	// Apply, if not nil, sees every event before it is delivered and returns the
	// version that the event's guild has then.
	Apply func(e *gateway.Event) (guildVersion uint64)
	// Ready, if not nil, sees every READY when all before it is journaled or
	// wanted by nobody.
	Ready func(e *gateway.Event)
	// Handled, if not nil, is told the last event of a shard that is journaled or
	// wanted by nobody.
	Handled func(e *gateway.Event)
	// Interactions sees to it that each interaction is answered or deferred in
	// time. Nil leaves that to the plugins.
	Interactions *Interactions
	Log          hclog.Logger
}

// Router takes events from the sessions to the plugins that ask for them. It
// has one goroutine, Run's, so that every plugin sees a shard's events in
// order; Status is for any goroutine.
type Router struct {
	config Config
	table  atomic.Pointer[table]
	batch  batch
	index  uint64 // the last that the journal gave

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

// passInterval is how often plugins are told of events that are not theirs.
const passInterval = time.Second

// table says who gets what. It does not change.
type table struct {
	byEvent map[string][]Plugin
	byName  map[string]Plugin
	owners  *Owners
}

// New builds a router over the plugins' manifests.
func New(c Config) *Router {
	r := &Router{config: c}
	r.Change(c.Plugins, c.Owners)
	return r
}

// Change routes the next event by these plugins' manifests as they are now, and
// by those owners of interactions. It may be called at any time.
func (r *Router) Change(plugins []Plugin, owners *Owners) {
	t := &table{byEvent: make(map[string][]Plugin), byName: make(map[string]Plugin), owners: owners}
	for _, p := range plugins {
		t.byName[p.Manifest().GetName()] = p
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

// Run routes events until the channel is closed or ctx ends. It waits for the
// journal and for nothing else.
func (r *Router) Run(ctx context.Context, events <-chan gateway.Event) error {
	defer r.pass()
	tick := time.NewTicker(passInterval)
	defer tick.Stop()
	for {
		select {
		case e, open := <-events:
			if !open {
				return nil
			}
			r.take(&e, events)
		case <-tick.C:
			r.pass()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// pass lets plugins forget of events that are not theirs, so that they need not
// look for their own among them later.
func (r *Router) pass() {
	for _, p := range r.table.Load().byName {
		p.Passed(r.index)
	}
}

// frameOf is the event as plugins get it; it shares the session's bytes.
func frameOf(e *gateway.Event) *wire.Event {
	lane := e.Guild
	if lane == 0 {
		lane = e.Channel
	}
	if lane == 0 {
		lane = uint64(e.Shard)
	}
	return &wire.Event{
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
