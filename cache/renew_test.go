package cache

import (
	"context"
	"encoding/json"
	"testing"
	"testing/synctest"
	"time"
)

// TestRenewedSessionsEndWaits: what was awaited of sessions that are gone is loaded
// when somebody wants it, those who wait included; what the new ones have not
// introduced stays awaited.
func TestRenewedSessionsEndWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newFake(1, 7, 8, 9)
		c := newTestCache(t, Options{Load: d.load})
		defer c.Close()
		mustLoad(t, c, 7)
		c.Apply("READY", 0, readyWith(0, 1, 7, 8, 9))
		before, waited := d.total(), make(chan error, 1)
		go func() {
			_, err := c.Guild(t.Context(), 8, AllParts, Read)
			waited <- err
		}()
		time.Sleep(time.Second)
		if d.total() != before {
			t.Fatal("an awaited guild was loaded")
		}
		c.Renewed(func(guild uint64) bool { return guild == 9 })
		if err := <-waited; err != nil {
			t.Errorf("who waited: %v", err)
		}
		if _, err := c.Guild(t.Context(), 7, AllParts, Read); err != nil {
			t.Errorf("what was held: %v", err)
		}
		if n := d.total() - before; n != 2*int(parts) {
			t.Errorf("%d requests, want those of two loads", n)
		}
		before = d.total()
		if _, err := c.Guild(t.Context(), 9, AllParts, Read); reasonOf(t, err) != Outage || d.total() != before {
			t.Errorf("what is still to come: %v, %d requests", err, d.total()-before)
		}
		if n := c.Status().Awaited; n != 1 {
			t.Errorf("%d awaited", n)
		}
	})
}

// TestRenewedSessionsWhileLoading: what READY made of a load under way is not the truth
// when other sessions take over: it is loaded anew.
func TestRenewedSessionsWhileLoading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newFake(1, 7)
		c := newTestCache(t, Options{Load: func(ctx context.Context, guild uint64, p Part) (json.RawMessage, error) {
			time.Sleep(time.Second)
			return d.load(ctx, guild, p)
		}})
		defer c.Close()
		go func() { _, _ = c.Guild(t.Context(), 7, AllParts, Read) }()
		time.Sleep(500 * time.Millisecond)
		c.Apply("READY", 0, readyWith(0, 1, 7))
		c.Renewed(func(uint64) bool { return false })
		time.Sleep(time.Minute)
		if _, err := c.Guild(t.Context(), 7, AllParts, Read); err != nil {
			t.Error(err)
		}
	})
}
