package plugins

import (
	"time"
)

// Status is what one plugin does, at one moment.
type Status struct {
	Name       string
	Version    string // its author's words
	File       string
	State      State
	Generation uint64
	PID        int
	Started    time.Time // of the running instance
	Events     []string  // dispatch names that it asks for
	Commands   int

	Queued, QueuedBytes int    // in memory
	Behind              uint64 // events that wait in the journal, others' among them
	InFlight            int
	Delivered, Acked    uint64 // Delivered counts redeliveries too
	Redelivered         uint64
	DeadLetters         uint64
	Errors              uint64 // handlers that returned an error or panicked
	Deadlines           uint64 // handlers that did not end in time
	Unreadable          uint64 // events that no handler could decode
	Dropped             map[string]uint64
	Unlogged            uint64 // lines that it printed beyond what the host's log takes
	Restarts            int
	LastError           string
	LastErrorAt         time.Time
	// ReloadResult and ReloadDetail are those of the last reload of the plugin, while
	// that was not done; ReloadAt is when.
	ReloadResult Result
	ReloadDetail string
	ReloadAt     time.Time
}

// Status of every plugin of the folder, failed ones included.
func (s *Set) Status() []Status {
	all := s.all()
	out := make([]Status, 0, len(all))
	for _, p := range all {
		out = append(out, p.status())
	}
	return out
}

func (p *Plugin) status() Status {
	c, inFlight, behind := p.queue.snapshot()
	out := Status{
		Name: p.Name(), File: p.current().Path,
		Queued: c.queued, QueuedBytes: c.queuedBytes, Behind: behind, InFlight: inFlight,
		Delivered: c.delivered, Acked: c.acked, Redelivered: c.redelivered, DeadLetters: c.deadLetters,
		Errors: c.errors, Deadlines: c.deadlines, Unreadable: c.unreadable, Dropped: c.dropped,
		Unlogged: p.prints.lines(),
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	out.State, out.Generation, out.Restarts = p.state, p.generation, p.restarts
	out.LastError, out.LastErrorAt = p.lastError, p.lastErrorAt
	out.ReloadResult, out.ReloadDetail, out.ReloadAt = p.lastReload.result, p.lastReload.detail, p.lastReload.at
	if p.instance != nil {
		out.PID, out.Started = p.instance.link.process.number(), p.instance.started
	}
	out.Version = p.manifest.GetVersion()
	for _, subscription := range p.manifest.GetEvents() {
		out.Events = append(out.Events, subscription.GetEvent())
	}
	out.Commands = len(p.manifest.GetCommands())
	return out
}
