package plugins

import (
	"slices"
	"time"

	"github.com/holdfast-bot/holdfast/sdk/wire"
)

// maxDetached bounds the interactions that are remembered because something that
// outlives their handlers may answer them; the oldest goes first.
const maxDetached = 1024

// Interactions knows which interactions still want an answer. Its methods are for
// any goroutine, do not wait, and call nothing of this package.
type Interactions interface {
	// Hand is asked when an interaction is about to go to a process; false: it is
	// too late, or somebody has answered.
	Hand(e *wire.Event) bool
	// Done is told of one whose handlers have ended, and from which nothing more
	// comes; failed says that one of them did not go well.
	Done(e *wire.Event, failed bool)
	// Lost is told of one that was not handed, or not handled, and never will be, and
	// of one whose handlers had left it to something that has ended with its process.
	Lost(e *wire.Event)
}

// Available says whether the plugin takes events, or will in a moment: a process
// of it runs, starts, or is being replaced.
func (p *Plugin) Available() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.state == Running || p.state == Starting
}

// stale says whether an interaction that is about to go shall not go any more.
func (q *queue) stale(i *item) bool {
	return i.event.Name == interactionCreate && q.asked != nil && !q.asked.Hand(i.event)
}

// lose tells of an interaction that nobody will handle.
func (q *queue) lose(i *item) {
	if i.event.Name == interactionCreate && q.asked != nil {
		q.asked.Lost(i.event)
	}
}

// answered takes the acknowledgement of an interaction.
func (q *queue) answered(i *item, acks *wire.Acks) {
	if i.event.Name != interactionCreate || q.asked == nil {
		return
	}
	if !slices.Contains(acks.GetDetached(), i.event.Index) {
		failed := slices.ContainsFunc(acks.GetFailures(), func(f *wire.Failure) bool { return f.GetIndex() == i.event.Index })
		q.asked.Done(i.event, failed)
		return
	}
	old := q.now().Add(-interactionLife).UnixNano()
	for len(q.detached) > 0 && (len(q.detached) >= maxDetached || q.detached[0].Received < old) {
		q.detached = slices.Delete(q.detached, 0, 1)
	}
	q.detached = append(q.detached, i.event)
}

// left tells of the interactions that were left to something in a process, which has
// ended.
func (q *queue) left() {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, e := range q.detached {
		if q.now().Sub(time.Unix(0, e.Received)) < interactionLife {
			q.asked.Lost(e)
		}
	}
	q.detached = nil
}
