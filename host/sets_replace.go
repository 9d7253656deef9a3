package host

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/holdfast-bot/holdfast/host/gateway"
)

// number is that of the next set.
func (s *sessionSets) number() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last++
	return s.last
}

// bringUp runs a new set beside the one that delivers, muted. The router watches
// both before the new one connects.
func (s *sessionSets) bringUp(ctx context.Context, next *sessionSet) error {
	s.forget()
	err := s.mark(func(out []gateway.Event) []gateway.Event {
		s.sets[next.number], s.old = next, s.heard
		s.handover = gateway.NewHandover(next.count, s.skew)
		return out
	})
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return errRouterEnded
	}
	s.next = next
	s.start(ctx, next)
	return nil
}

// forget empties what an earlier replacement may have left.
func (s *sessionSets) forget() {
	for {
		select {
		case <-s.due:
		case <-s.broken:
		default:
			return
		}
	}
}

// awaitReady returns when the new set may take over, or why it cannot. A session
// that is away at the moment has yet to show what it missed: an old one that which
// is of before the new ones, a new one that which the old have shown already.
// For old ones that stay away nobody waits longer than for new ones.
func (s *sessionSets) awaitReady(ctx context.Context, next *sessionSet, tell func(string)) error {
	timeout := time.NewTimer(next.timeout + s.skew)
	defer timeout.Stop()
	look := time.NewTicker(s.skew / looks)
	defer look.Stop()
	var due time.Time
	told := 0
	for {
		select {
		case <-s.due:
		case <-look.C:
		case <-timeout.C:
			if past(due) && next.whole() {
				return nil
			}
			return fmt.Errorf("%d of %d new sessions were not ready within %s: look at the log for what kept them", next.count-told, next.count, next.timeout)
		case err := <-s.broken:
			return err
		case <-next.done:
			return cmp.Or(next.err, errRouterEnded)
		case <-s.delivering().done:
			return errRouterEnded
		case <-ctx.Done():
			return errRouterEnded
		}
		var ready int
		var err error
		if ready, due, err = s.progress(); err != nil {
			return err
		}
		if ready != told {
			tell(fmt.Sprintf("%d of %d new sessions are ready", ready, next.count))
			told = ready
		}
		if past(due) && next.whole() && s.delivering().whole() {
			return nil
		}
	}
}

func past(due time.Time) bool { return !due.IsZero() && time.Now().After(due) }

// whole says whether all that its sessions were told until now has come: none is
// between two connections. One that Discord refuses has nothing to tell.
func (s *sessionSet) whole() bool {
	return !slices.ContainsFunc(s.set.Status(), func(s gateway.ShardStatus) bool {
		return s.State != gateway.StateReady && s.State != gateway.StateRefused
	})
}

// looks is how often awaitReady looks within the time by which two sessions may
// lie apart.
const looks = 20

// progress asks the router's goroutine how many new sessions are ready, and when
// they may take over.
func (s *sessionSets) progress() (ready int, due time.Time, err error) {
	err = s.mark(func(out []gateway.Event) []gateway.Event {
		ready, due = s.handover.Ready(), s.handover.Due()
		return out
	})
	return ready, due, err
}

// switchTo lets the new set deliver, and what the old one has not shown first. When
// that is journaled the new sessions are those that a restart resumes.
func (s *sessionSets) switchTo(next *sessionSet) error {
	began := time.Now()
	rest := 0
	m := mark{
		admitted: func(out []gateway.Event) []gateway.Event {
			s.sets[s.heard].saved.fence()
			s.heard = next.number
			missed := s.handover.Switch()
			rest = len(missed)
			for n := range missed {
				// That they came is known since then; their numbers may be those of a session that is gone.
				missed[n].Set = missedSet
			}
			return append(out, missed...)
		},
		handled: next.saved.takeOver,
	}
	if err := s.send(m); err != nil {
		return err
	}
	s.calls.begin(next.set, next.count, next.intents)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.current, s.next = next, nil
	close(s.changed)
	s.changed = make(chan struct{})
	s.log.Info("new sessions have taken over", "shards", next.count, "intents", next.intents, "only_they_had", rest, "took", time.Since(began))
	return nil
}

// rollBack closes the new set; the old one has not stopped delivering.
func (s *sessionSets) rollBack(next *sessionSet) {
	// When the router has ended there is nothing to tell it.
	_ = s.mark(func(out []gateway.Event) []gateway.Event {
		s.handover = nil
		delete(s.sets, next.number)
		return out
	})
	s.mu.Lock()
	s.next = nil
	s.mu.Unlock()
	next.close()
}

// retire closes the set that delivered before, when what it shows is known to be
// shown by the other one.
func (s *sessionSets) retire(ctx context.Context, old *sessionSet) {
	s.linger(ctx)
	// When the router has ended there is nothing to tell it.
	_ = s.mark(func(out []gateway.Event) []gateway.Event {
		s.handover = nil
		delete(s.sets, old.number)
		return out
	})
	old.close()
}

// linger waits until the set that delivers has shown what the one before has: as long
// as two sessions may lie apart, and while one of its sessions is away, which will be
// told again what it missed.
func (s *sessionSets) linger(ctx context.Context) {
	current := s.delivering()
	ctx, cancel := context.WithTimeout(ctx, s.skew+current.timeout)
	defer cancel()
	for wait := s.skew; ; wait = s.skew / looks {
		select {
		case <-time.After(wait):
			if current.whole() {
				return
			}
		case <-current.done:
			return
		case <-ctx.Done():
			return
		}
	}
}

// close ends a set and its sessions, so that nobody resumes them.
func (s *sessionSet) close() {
	s.set.End()
	s.cancel()
	<-s.done
}

// tooFew is what a set does when Discord wants more shards: it calls off its own
// replacement of another, or asks for one of itself.
func (s *sessionSets) tooFew(number int) func(*gateway.CloseError) {
	return func(e *gateway.CloseError) {
		if s.delivering().number != number {
			s.fail(e)
			return
		}
		s.ask()
	}
}
