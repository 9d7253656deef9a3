package router

import (
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
	came    []gateway.Event
	events  []gateway.Event // of these
	frames  []*wire.Event   // of those that somebody wants
	targets [][]Plugin      // of each frame
}

// take routes an event and what has come behind it, up to a batch. One event may
// stand for more than that.
func (r *Router) take(first *gateway.Event, events <-chan gateway.Event) {
	b := &r.batch
	bytes := r.admit(first)
	for more := true; more && len(b.came) < maxBatch && bytes < maxBatchBytes; {
		select {
		case e, open := <-events:
			if more = open; open { // else Run sees it, too
				bytes += r.admit(&e)
			}
		default:
			more = false
		}
	}
	for rest := b.came; len(rest) > 0; {
		n := batchOf(rest)
		b.events, rest = rest[:n], rest[n:]
		r.route()
	}
	clear(b.came) // what was routed is the plugins' to keep
	if b.came = b.came[:0]; cap(b.came) > 4*maxBatch {
		b.came = nil
	}
}

// admit returns how many bytes of events it has taken.
func (r *Router) admit(e *gateway.Event) (bytes int) {
	b := &r.batch
	had := len(b.came)
	if r.config.Admit == nil {
		b.came = append(b.came, *e)
	} else {
		b.came = r.config.Admit(e, b.came)
	}
	for n := range b.came[had:] {
		bytes += len(b.came[had+n].Data)
	}
	return bytes
}

// batchOf is how many of events are routed at once. A READY ends a batch: what a
// session needs to be resumed changes with it.
func batchOf(events []gateway.Event) int {
	bytes := 0
	for n := range events {
		bytes += len(events[n].Data)
		if n+1 == maxBatch || bytes >= maxBatchBytes || events[n].Name == ready {
			return n + 1
		}
	}
	return len(events)
}

// route takes a batch through the cache and the journal to the plugins.
func (r *Router) route() {
	b := &r.batch
	t := r.table.Load()
	for n := range b.events {
		e := &b.events[n]
		var version uint64
		if r.config.Apply != nil {
			version = r.config.Apply(e)
		}
		if targets := r.targets(t, e); len(targets) > 0 {
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
	clear(b.frames)
	clear(b.targets)
	b.events, b.frames, b.targets = nil, b.frames[:0], b.targets[:0]
}

func (r *Router) targets(t *table, e *gateway.Event) []Plugin {
	if e.Name != interactionCreate {
		return t.byEvent[e.Name]
	}
	return r.interactionTargets(e, t)
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
		if !followed(b.events[n+1:], &b.events[n]) {
			r.config.Handled(&b.events[n])
		}
	}
}

// followed says whether one of events is of the same session, too.
func followed(events []gateway.Event, e *gateway.Event) bool {
	for n := range events {
		if events[n].Shard == e.Shard && events[n].Set == e.Set {
			return true
		}
	}
	return false
}
