package router

import (
	"context"

	"github.com/holdfast-bot/holdfast/host/gateway"
	"github.com/holdfast-bot/holdfast/sdk/wire"
)

const (
	// maxBatch bounds the events that are journaled with one write. Nothing waits
	// for a batch to fill: it is what has come meanwhile.
	maxBatch = 64
	// maxBatchBytes bounds their data.
	maxBatchBytes = 256 << 10
)

// batch is what is routed at a time.
type batch struct {
	events  []gateway.Event
	frames  []*wire.Event // of those that somebody wants
	targets [][]Plugin    // of each frame
}

// collect takes what has come, up to a batch. A READY ends a batch: what a
// session needs to be resumed changes with it.
func (r *Router) collect(first *gateway.Event, events <-chan gateway.Event) {
	b := &r.batch
	b.events = append(b.events[:0], *first)
	bytes := len(first.Data)
	for len(b.events) < maxBatch && bytes < maxBatchBytes && b.events[len(b.events)-1].Name != ready {
		select {
		case e, open := <-events:
			if !open {
				return // Run sees it, too
			}
			b.events = append(b.events, e)
			bytes += len(e.Data)
		default:
			return
		}
	}
}

// route takes a batch through the cache and the journal to the plugins.
func (r *Router) route(ctx context.Context) {
	b := &r.batch
	t := r.table.Load()
	for n := range b.events {
		e := &b.events[n]
		var version uint64
		if r.config.Apply != nil {
			version = r.config.Apply(e)
		}
		if targets := r.targets(ctx, t, e); len(targets) > 0 {
			frame := frameOf(e)
			frame.GuildVersion = version
			b.frames, b.targets = append(b.frames, frame), append(b.targets, targets)
		}
	}
	r.received.Add(uint64(len(b.events)))
	r.config.Journal(b.frames)
	r.settle()
	for n, frame := range b.frames {
		if frame.Index&wire.NotJournaled == 0 {
			r.index = frame.Index
		}
		for _, p := range b.targets[n] {
			p.Deliver(frame)
		}
	}
	r.delivered.Add(uint64(len(b.frames)))
	clear(b.events) // what was routed is the plugins' to keep
	clear(b.frames)
	clear(b.targets)
	b.events, b.frames, b.targets = b.events[:0], b.frames[:0], b.targets[:0]
}

func (r *Router) targets(ctx context.Context, t *table, e *gateway.Event) []Plugin {
	if e.Name != interactionCreate {
		return t.byEvent[e.Name]
	}
	return r.interactionTargets(ctx, e, t)
}

// settle tells up to where the shards' events are journaled or wanted by nobody.
func (r *Router) settle() {
	b := &r.batch
	last := &b.events[len(b.events)-1]
	if last.Name == ready && r.config.Ready != nil {
		r.config.Ready(last)
	}
	if r.config.Handled == nil {
		return
	}
	for n := range b.events {
		if !followed(b.events[n+1:], b.events[n].Shard) {
			r.config.Handled(&b.events[n])
		}
	}
}

// followed says whether one of events is of this shard, too.
func followed(events []gateway.Event, shard int) bool {
	for n := range events {
		if events[n].Shard == shard {
			return true
		}
	}
	return false
}
