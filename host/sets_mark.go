package host

import (
	"github.com/holdfast-bot/holdfast/host/gateway"
)

// markSet is the number of the set that marks seem to come from.
const markSet = -1

// missedSet is the number of none either: of its events only what is in them counts.
const missedSet = -2

// mark is what replace wants done at one place in the order of the events.
type mark struct {
	// admitted runs when the mark comes, and may put events before it.
	admitted func(out []gateway.Event) []gateway.Event
	// handled runs when all before the mark is journaled.
	handled func()
	done    chan struct{}
}

// mark lets the router's goroutine do something between two events.
func (s *sessionSets) mark(do func(out []gateway.Event) []gateway.Event) error {
	return s.send(mark{admitted: do, handled: func() {}})
}

// send returns when all events before the mark are journaled, and it is done.
func (s *sessionSets) send(m mark) error {
	m.done = make(chan struct{})
	select {
	case s.marks <- m:
	case <-s.routed:
		return errHostStops
	}
	select {
	case s.events <- gateway.Event{Set: markSet}:
	case <-s.routed:
		return errHostStops
	}
	select {
	case <-m.done:
		return nil
	case <-s.routed:
	}
	select {
	case <-m.done: // just before
		return nil
	default:
		return errHostStops
	}
}
