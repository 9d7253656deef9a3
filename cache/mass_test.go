package cache

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestMassEventOverColdGuilds: 50,000 members leave 5,000 cold guilds within
// 10 s, and somebody wants the guild for each; meanwhile interactions in other
// guilds get theirs.
func TestMassEventOverColdGuilds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &answers{takes: 50 * time.Millisecond}
		c := newTestCache(t, Options{Load: a.load, Self: 900})
		defer c.Close()
		leave := []byte(`{"guild_id":"1","user":{"id":"77"}}`)
		var wanting sync.WaitGroup
		for i := range 50_000 {
			guild := uint64(1 + i%5000)
			c.Apply("GUILD_MEMBER_REMOVE", guild, leave)
			wanting.Go(func() { _, _ = c.Guild(t.Context(), guild, AllParts, CauseOf("GUILD_MEMBER_REMOVE")) })
			if i%5 == 4 {
				time.Sleep(time.Millisecond)
				synctest.Wait()
			}
			if i%5000 == 2500 {
				began := time.Now()
				if _, err := c.Guild(t.Context(), uint64(100_000+i), AllParts, Interaction); err != nil {
					t.Errorf("an interaction meanwhile: %v", err)
				}
				if took := time.Since(began); took > time.Second {
					t.Errorf("an interaction waited %v", took)
				}
			}
		}
		wanting.Wait()
		if a.calls > 10+5*11 || a.calls < 50 {
			t.Errorf("%d loads in 10 s, the budget is 10 and 5 a second", a.calls)
		}
		t.Logf("%d loads: %+v", a.calls, c.Status())
	})
}
