package plugins

import "github.com/holdfast-bot/holdfast/sdk/wire"

// Interactions knows which interactions still want an answer. Its methods are for
// any goroutine, do not wait, and call nothing of this package.
type Interactions interface {
	// Hand is asked when an interaction is about to go to a process; false: it is
	// too late, or somebody has answered.
	Hand(e *wire.Event) bool
	// Lost is told of one that was not handed, or not handled, and never will be.
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
