package host

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/holdfast-bot/holdfast/host/gateway"
	"github.com/holdfast-bot/holdfast/host/router"
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
		s.handover = gateway.NewHandover(next.count, s.delivering().intents^next.intents, s.skew)
		return out
	})
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return errHostStops
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
		case _ = <-s.broken: //nolint:staticcheck // it was of another replacement
		default:
			return
		}
	}
}

// awaitReady returns when the new set may take over, or why it cannot.
func (s *sessionSets) awaitReady(ctx context.Context, next *sessionSet, tell func(string)) error {
	timeout := time.NewTimer(next.timeout)
	defer timeout.Stop()
	look := time.NewTicker(s.skew / looks)
	defer look.Stop()
	told := 0
	for {
		select {
		case <-s.due:
		case <-look.C:
		case <-timeout.C:
			return fmt.Errorf("%d of %d new sessions were not ready within %s: look at the log for what kept them", next.count-next.up(), next.count, next.timeout)
		case err := <-s.broken:
			return err
		case <-next.done:
			return cmp.Or(next.err, errHostStops)
		case <-s.delivering().done:
			return errHostStops
		case <-ctx.Done():
			return errHostStops
		}
		ready, at, err := s.progress()
		if err != nil {
			return err
		}
		if ready != told {
			tell(fmt.Sprintf("%d of %d new sessions are ready", ready, next.count))
			told = ready
		}
		switch {
		case at.IsZero():
		case time.Now().Before(at):
			timeout.Reset(next.timeout) // all were ready
		case next.up() == next.count:
			return nil
		}
	}
}

// up is how many sessions are ready now.
func (s *sessionSet) up() (n int) {
	for _, shard := range s.set.Status() {
		if shard.State == gateway.StateReady {
			n++
		}
	}
	return n
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

// errNotDue says that a guild was introduced to a new session, or that had to begin
// again, while the old ones were asked what they have not shown. Where an outage has
// ended the old set shows the same GUILD_CREATE, and its place may be behind the answer.
var errNotDue = errors.New("the new sessions were not ready for long enough")

// switchTo lets the new set deliver, and what the old one has not shown first. When
// that is journaled the new sessions are those that a restart resumes.
func (s *sessionSets) switchTo(next *sessionSet) error {
	began := time.Now()
	old, rest := s.delivering().intents, 0
	var broken error
	m := mark{
		admitted: func(out []gateway.Event) []gateway.Event {
			if broken = s.failed(next); broken != nil {
				return out
			}
			if s.handover.Due().After(time.Now()) {
				broken = errNotDue
				return out
			}
			s.handing()
			s.sets[s.heard].saved.fence()
			s.heard = next.number
			missed := s.handover.Switch(func(event string) bool { return router.Brings(old, event) })
			rest = len(missed)
			s.renewed(s.handover.Expects)
			for n := range missed {
				// That they came is known since then; their numbers may be those of a session that is gone.
				missed[n].Set = missedSet
			}
			return append(out, missed...)
		},
		handled: func() {
			if broken != nil {
				return
			}
			s.sets[s.old].saved.guilds.release()
			next.saved.takeOver()
		},
	}
	if err := s.send(m); err != nil {
		return err
	}
	if broken != nil {
		return broken
	}
	s.calls.begin(next.set, next.count, next.intents)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.current, s.next = next, nil
	close(s.changed)
	s.changed = make(chan struct{})
	s.log.Info("new sessions have taken over", "shards", next.count, "intents", next.intents, "only_they_had", rest, "took", time.Since(began).Round(time.Millisecond).String())
	return nil
}

// failed is why the new set cannot take over although it was ready, nil if it can.
func (s *sessionSets) failed(next *sessionSet) error {
	select {
	case err := <-s.broken:
		return err
	case <-next.done:
		return cmp.Or(next.err, errHostStops)
	default:
		return nil
	}
}

// rollBack closes the new set; the old one has not stopped delivering.
func (s *sessionSets) rollBack(next *sessionSet) {
	// When the router has ended there is nothing to tell it.
	_ = s.mark(func(out []gateway.Event) []gateway.Event {
		s.handover, s.syncing = nil, nil
		delete(s.sets, next.number)
		return out
	})
	s.mu.Lock()
	s.next = nil
	s.mu.Unlock()
	next.close()
	s.calls.presences.again(s.delivering().count)
}

// retire closes the set that delivered before, and forgets what that has shown when
// the other one has shown it, too.
//
// When the host stops meanwhile it waits for that, but not for long: after its next start
// nobody knows what the old sessions have shown, and the new ones would show it again, marked.
func (s *sessionSets) retire(ctx context.Context, old *sessionSet, bot uint64) {
	ctx, cancel := linger(ctx, s.patience)
	defer cancel()
	select {
	case <-time.After(s.skew):
	case <-s.delivering().done:
	case <-ctx.Done():
	}
	old.close()
	err := s.sync(ctx, s.delivering(), bot)
	if err != nil && ctx.Err() == nil {
		s.log.Warn("events of the moment at which new sessions took over may come twice", "error", err)
	}
	if err == nil || ctx.Err() == nil {
		s.handed() // else the next start goes on with it
	}
	// When the router has ended there is nothing to tell it.
	_ = s.mark(func(out []gateway.Event) []gateway.Event {
		s.handover, s.syncing = nil, nil
		delete(s.sets, old.number)
		return out
	})
}

// linger is a context that ends some time after another.
func linger(ctx context.Context, after time.Duration) (context.Context, context.CancelFunc) {
	longer, cancel := context.WithCancel(context.WithoutCancel(ctx))
	forget := context.AfterFunc(ctx, func() {
		select {
		case <-time.After(after):
			cancel()
		case <-longer.Done():
		}
	})
	return longer, func() {
		forget()
		cancel()
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
