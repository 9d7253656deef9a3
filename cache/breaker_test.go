package cache

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestBreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &answers{next: &LoadError{Status: 503}}
		c := newTestCache(t, Options{Load: a.load, Guard: GuardOptions{Burst: 100}})
		defer c.Close()
		next := uint64(1000)
		load := func() (Reason, time.Time) {
			next++
			_, err := c.Guild(t.Context(), next, AllParts, Read)
			var m *MissingError
			errors.As(err, &m)
			if m == nil {
				return "", time.Time{}
			}
			return m.Reason, m.Until
		}
		state := func(want string) {
			t.Helper()
			if got := c.Status().Guard; got != want {
				t.Fatalf("the breaker is %s, want %s", got, want)
			}
		}
		for range 10 {
			state("closed")
			if r, _ := load(); r != Failed {
				t.Fatalf("reason %q before it opens", r)
			}
		}
		for _, wait := range []time.Duration{10, 20, 40, 80, 160, 300, 300} {
			state("open")
			calls := a.calls
			r, until := load()
			if r != GuardOpen || time.Until(until) != wait*time.Second || a.calls != calls {
				t.Fatalf("%q until %v, want guard open for %d s and no load", r, time.Until(until), wait)
			}
			time.Sleep(time.Until(until))
			state("half-open")
			if r, _ := load(); r != Failed || a.calls != calls+1 {
				t.Fatalf("half-open: %q, want one load that fails", r)
			}
		}
		time.Sleep(5 * time.Minute)
		a.say(nil)
		a.takes = time.Second
		first := make(chan Reason)
		go func() { r, _ := load(); first <- r }()
		synctest.Wait()
		if r, _ := load(); r != GuardOpen {
			t.Errorf("a second load beside the probe: %q", r)
		}
		if r := <-first; r != "" {
			t.Errorf("the probe: %q", r)
		}
		state("closed")
		a.say(&LoadError{Status: 503})
		for range 9 { // it counts from nothing again
			load()
		}
		state("closed")
		time.Sleep(37 * time.Second) // the window slides
		load()
		state("closed")
	})
}
