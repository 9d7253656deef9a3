package cache

import (
	"context"
	"encoding/json"
	"testing"
	"testing/synctest"
	"time"
)

// TestAGuildThatTheBotIsNotInIsNotAskedFor: wrong ids cost no request, no token and no
// memory, however many, and what the bot joins is loaded at once.
func TestAGuildThatTheBotIsNotInIsNotAskedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inside := map[uint64]Membership{7: Inside}
		a := &answers{}
		c := newTestCache(t, Options{Load: a.load, Membership: func(guild uint64) Membership {
			if m := inside[guild]; m != Unsure || guild >= 5000 {
				return m
			}
			return Outside
		}})
		defer c.Close()
		nobody := func(context.Context) (json.RawMessage, error) {
			t.Error("a member of a guild that the bot is not in was asked for")
			return nil, &LoadError{Status: 403}
		}
		for guild := uint64(1000); guild < 2000; guild++ {
			_, err := c.Guild(t.Context(), guild, AllParts, Read)
			if reasonOf(t, err) != Removed {
				t.Fatalf("guild %d: %v", guild, err)
			}
			if _, pending, err := c.Want(t.Context(), guild, AllParts, Mass); pending != nil || reasonOf(t, err) != Removed {
				t.Fatalf("wanted: pending %v, %v", pending, err)
			}
			if _, err := c.Member(t.Context(), "plugin", guild, 5, nobody); reasonOf(t, err) != Removed {
				t.Fatalf("member: %v", err)
			}
		}
		if s := c.Status(); a.calls != 0 || s.Loads != 0 || s.Remembered != 0 || s.Tokens != 10 || s.Guard != "closed" || s.Missing[Removed] != 3000 {
			t.Errorf("%d requests, status %+v", a.calls, s)
		}
		inside[1000] = Inside
		mustLoad(t, c, 1000)
		mustLoad(t, c, 7)
		mustLoad(t, c, 5000) // nothing is known of it
	})
}

// TestUnknownGuildsDoNotOpenTheBreaker: Discord does not know a guild of which nothing
// is known. Only of one that the bot is in that shows that Discord is broken.
func TestUnknownGuildsDoNotOpenTheBreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		known := Unsure
		a := &answers{next: &LoadError{Status: 404}}
		c := newTestCache(t, Options{Load: a.load, Guard: GuardOptions{Burst: 100}, Membership: func(uint64) Membership { return known }})
		defer c.Close()
		next := uint64(0)
		load := func(n int) {
			for range n {
				next++
				_, _ = c.Guild(t.Context(), next, AllParts, Read) // the guard tells how it went
			}
		}
		state := func(what, want string, calls int) {
			t.Helper()
			if s := c.Status(); s.Guard != want || a.calls != calls {
				t.Errorf("%s: the breaker is %s after %d requests, want %s after %d", what, s.Guard, a.calls, want, calls)
			}
		}
		load(30)
		state("404 of unknown guilds", "closed", 30)
		known = Inside
		load(12)
		state("404 of the bot's guilds", "open", 40)
		time.Sleep(10 * time.Second)
		known = Unsure
		load(3)
		state("404 of unknown guilds while it is half-open", "half-open", 43)
		a.say(&LoadError{Status: 403})
		load(2)
		state("403 counts for a ban", "open", 44)
	})
}
