package gateway

import "sync"

// progress is what the router has done with a shard's events. Sequence
// numbers start again with each session, and the router may still be at
// the events of a session that is gone; these must not count for the new one.
type progress struct {
	mu      sync.Mutex
	handled uint64
	// ends holds the last sequence numbers of sessions that are gone and not yet handled to their end.
	ends []uint64
}

// renew begins a new session after one whose last event was last.
func (p *progress) renew(last uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case last == 0: // it brought no events
	case len(p.ends) == 0 && p.handled >= last:
		p.handled = 0
	default:
		p.ends = append(p.ends, last)
	}
}

// note records that everything up to seq was handled. Calls come in the order
// of the events. Where a number could belong to the old session or to the
// new one it counts for the old one: reporting too little is safe.
func (p *progress) note(seq uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.ends) > 0 {
		old := p.handled <= seq && seq <= p.ends[0]
		if old {
			p.handled = seq
		}
		if old && seq < p.ends[0] {
			return
		}
		p.ends, p.handled = p.ends[1:], 0
		if old {
			return
		}
	}
	p.handled = max(p.handled, seq)
}

// current is the last handled number of the running session, 0 for none.
func (p *progress) current() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.ends) > 0 {
		return 0
	}
	return p.handled
}
