package host

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-bot/holdfast/host/rest"
	"github.com/holdfast-bot/holdfast/host/router"
)

// outage is a fault that may pass, as a sync tells it.
func outage(t *testing.T) error {
	t.Helper()
	_, err := router.SyncCommands(t.Context(), downREST{}, noStore{}, 9, nil, router.SyncOptions{Exclusive: true})
	if !router.MayPass(err) {
		t.Fatalf("no passing fault: %v", err)
	}
	return err
}

type downREST struct{}

func (downREST) Do(context.Context, string, string, []byte) (int, []byte, error) {
	return 503, nil, nil
}

type noStore struct{}

func (noStore) OwnedCommands() ([]string, error) { return nil, nil }
func (noStore) SetOwnedCommands([]string) error  { return nil }

// attempting runs a commandSyncs with attempts that end as outcome says, from its
// first sync on, and returns when they were made.
func attempting(t *testing.T, s *commandSyncs, outcome func(attempt int) error) (when func() []time.Duration) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	began := time.Now()
	var all []time.Duration
	ended := make(chan struct{})
	s.ended(outcome(0), true, false)
	go func() {
		defer close(ended)
		s.run(ctx, func(context.Context) {
			prune, ok := s.begin()
			if !ok {
				return
			}
			all = append(all, time.Since(began))
			s.ended(outcome(len(all)), prune, true)
		})
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	return func() []time.Duration {
		synctest.Wait()
		return all
	}
}

// TestAFailedSyncIsTriedAgain with longer and longer pauses, until it succeeds or
// has been tried often enough; the status says so.
func TestAFailedSyncIsTriedAgain(t *testing.T) {
	fault := outage(t)
	synctest.Test(t, func(t *testing.T) {
		s := newCommandSyncs()
		when := attempting(t, s, func(attempt int) error {
			if attempt < 3 {
				return fault
			}
			return nil
		})
		time.Sleep(14 * time.Second)
		if got := s.status(); got == nil || got.Attempts != 2 || got.Error != fault.Error() || got.Next == nil || time.Until(*got.Next) != time.Second {
			t.Errorf("status %+v", got)
		}
		time.Sleep(24 * time.Hour)
		if got := when(); !slices.Equal(got, []time.Duration{5 * time.Second, 15 * time.Second, 35 * time.Second}) || s.status() != nil || !s.prune {
			t.Errorf("tried again after %v, status %+v, prune %v", got, s.status(), s.prune)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		s := newCommandSyncs()
		when := attempting(t, s, func(int) error { return fault })
		time.Sleep(24 * time.Hour)
		got := when()
		if len(got) != syncAttempts || got[len(got)-1] != 4875*time.Second {
			t.Errorf("tried again after %v", got)
		}
		if told := s.status(); told == nil || told.Next != nil || told.Attempts != 1+syncAttempts {
			t.Errorf("status %+v", told)
		}
		s.ended(fault, false, false) // of a reload
		if got := s.status(); got.Next == nil || got.Attempts != 1 {
			t.Errorf("status after a reload %+v", got)
		}
	})
}

// TestAReloadReplacesTheNextAttempt: what it came to counts, and what Discord has
// refused, or the gate will not send, is not tried again.
func TestAReloadReplacesTheNextAttempt(t *testing.T) {
	fault := outage(t)
	for name, after := range map[string]error{
		"well":    nil,
		"refused": errors.New("Discord answered 403"),
		"token":   errors.Join(fault, rest.ErrUnauthorized),
	} {
		synctest.Test(t, func(t *testing.T) {
			s := newCommandSyncs()
			when := attempting(t, s, func(int) error { return fault })
			time.Sleep(4 * time.Second)
			if in := s.ended(after, false, false); in != 0 {
				t.Errorf("%s: tried again in %s", name, in)
			}
			time.Sleep(24 * time.Hour)
			if got := when(); len(got) != 0 || (s.status() == nil) != (after == nil) {
				t.Errorf("%s: tried again after %v, status %+v", name, got, s.status())
			}
		})
	}
}
