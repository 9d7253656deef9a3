package host

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/holdfast-bot/holdfast/host/control"
	"github.com/holdfast-bot/holdfast/host/rest"
	"github.com/holdfast-bot/holdfast/host/router"
)

// Pauses before a failed sync of commands is tried again: twice as long each time,
// up to the longest, so for 81 minutes together. Then only a reload tries.
const (
	syncPause    = 5 * time.Second
	syncPauseMax = 15 * time.Minute
	syncAttempts = 12
)

// commandSyncs owns when commands are synced: at the start, with each reload, and
// again after a fault that may pass. One sync runs at a time; what it came to replaces
// what the one before left to be done.
type commandSyncs struct {
	turn sync.Mutex    // held by the sync that runs
	wake chan struct{} // one has ended; capacity 1

	mu       sync.Mutex
	fault    string    // of the last sync, "" if it was well
	attempts int       // made after it
	next     time.Time // when the next one is due, zero if none is
	prune    bool      // what it may remove
}

func newCommandSyncs() *commandSyncs { return &commandSyncs{wake: make(chan struct{}, 1)} }

// ended takes what a sync came to, and says when it is tried again: in zero time
// if it is not. again says that this was such an attempt.
func (s *commandSyncs) ended(err error, prune, again bool) (in time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault, s.next, s.prune = "", time.Time{}, prune
	if !again {
		s.attempts = 0
	}
	if err != nil {
		s.fault = err.Error()
	}
	if err != nil && worthRepeating(err) && s.attempts < syncAttempts {
		in = min(syncPause<<s.attempts, syncPauseMax)
		s.next = time.Now().Add(in)
	}
	select {
	case s.wake <- struct{}{}:
	default:
	}
	return in
}

// worthRepeating is false for what another attempt cannot mend.
func worthRepeating(err error) bool {
	return router.MayPass(err) && !errors.Is(err, rest.ErrUnauthorized) && !errors.Is(err, rest.ErrClosed) && !errors.Is(err, rest.ErrRequest)
}

// begin takes the place of an attempt that is due. It is false if a reload's sync
// has made it needless meanwhile.
func (s *commandSyncs) begin() (prune, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.next.IsZero() || time.Now().Before(s.next) {
		return false, false
	}
	s.attempts++
	return s.prune, true
}

// run calls attempt whenever one is due, until ctx ends.
func (s *commandSyncs) run(ctx context.Context, attempt func(context.Context)) {
	for ctx.Err() == nil {
		s.mu.Lock()
		next := s.next
		s.mu.Unlock()
		var due <-chan time.Time
		if !next.IsZero() {
			due = time.After(time.Until(next))
		}
		select {
		case <-due:
			attempt(ctx)
		case <-s.wake: // by another sync, or by this attempt
		case <-ctx.Done():
		}
	}
}

// status is nil when the last sync went well.
func (s *commandSyncs) status() *control.CommandSync {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fault == "" {
		return nil
	}
	out := &control.CommandSync{Error: s.fault, Attempts: 1 + s.attempts}
	if !s.next.IsZero() {
		next := s.next
		out.Next = &next
	}
	return out
}
