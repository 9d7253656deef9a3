package cache

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestWhoJoinsWhileDiscordIsAsked: an answer of before the join is not what the
// join's handler gets.
func TestWhoJoinsWhileDiscordIsAsked(t *testing.T) {
	join := event{"GUILD_MEMBER_ADD", []byte(`{"guild_id":"7","user":{"id":"5"},"roles":[]}`)}
	update := event{"GUILD_MEMBER_UPDATE", []byte(`{"guild_id":"7","user":{"id":"5"},"nick":"b"}`)}
	leave := event{"GUILD_MEMBER_REMOVE", []byte(`{"guild_id":"7","user":{"id":"5"}}`)}
	chunk := event{"GUILD_MEMBERS_CHUNK", []byte(`{"guild_id":"7","members":[{"user":{"id":"5"},"nick":"c"}]}`)}
	nobody := &LoadError{Status: http.StatusNotFound}
	for name, tc := range map[string]struct {
		err    error
		events []event
		want   string
	}{
		"joined":              {nobody, []event{join}, `{"user":{"id":"5"},"roles":[]}`},
		"joined and changed":  {nobody, []event{join, update}, `{"user":{"id":"5"},"roles":[],"nick":"b"}`},
		"in a chunk":          {nobody, []event{chunk}, `{"user":{"id":"5"},"nick":"c"}`},
		"joined and left":     {nobody, []event{join, leave}, ""},
		"left":                {nobody, []event{leave}, ""},
		"no whole member":     {nobody, []event{update}, ""},
		"nor after it left":   {nil, []event{leave, update}, ""},
		"while Discord fails": {errors.New("network"), []event{join}, `{"user":{"id":"5"},"roles":[]}`},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newTestCache(t, Options{Self: 900, Load: newFake(1, 7).load})
				defer c.Close()
				a := &asked{answer: somebody, err: tc.err}
				var all sync.WaitGroup
				all.Go(func() { _, _ = c.Member(t.Context(), "reader", 7, 5, a.ask) })
				time.Sleep(time.Second / 2)
				for _, e := range tc.events {
					c.Apply(e.name, 7, e.data)
				}
				m, err := c.Member(t.Context(), "reader", 7, 5, a.ask)
				if string(m) != tc.want || (err == nil) != (tc.want != "") {
					t.Errorf("got %s, %v", m, err)
				}
				all.Wait()
			})
		})
	}
}

// TestNoCallerWaitsForAnothersRequest: the gate's queue is each caller's own.
func TestNoCallerWaitsForAnothersRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newTestCache(t, Options{Load: newFake(1).load})
		defer c.Close()
		const renamed = `{"user":{"id":"5"},"roles":["1","2"],"nick":"b"}`
		late, soon := make(chan struct{}), &asked{answer: somebody}
		var all sync.WaitGroup
		all.Go(func() {
			m, err := c.Member(t.Context(), "greedy", 7, 5, func(context.Context) (json.RawMessage, error) {
				<-late
				return json.RawMessage(somebody), nil
			})
			if err != nil || string(m) != renamed {
				t.Errorf("got %s, %v", m, err)
			}
		})
		synctest.Wait()
		for range 3 {
			all.Go(func() {
				began := time.Now()
				m, err := c.Member(t.Context(), "modest", 7, 5, soon.ask)
				if err != nil || string(m) != renamed || time.Since(began) != time.Second {
					t.Errorf("got %s after %v: %v", m, time.Since(began), err)
				}
			})
		}
		synctest.Wait()
		c.Apply("GUILD_MEMBER_UPDATE", 7, []byte(`{"guild_id":"7","user":{"id":"5"},"nick":"b"}`))
		time.Sleep(2 * time.Second)
		close(late)
		all.Wait()
		if soon.calls.Load() != 1 || c.asking.Load() != 0 {
			t.Errorf("one caller asked %d times, %d under way", soon.calls.Load(), c.asking.Load())
		}
	})
}

// TestWhoJoinsARequestLateHasItsOwnTime: it does not end with the first one's.
func TestWhoJoinsARequestLateHasItsOwnTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newTestCache(t, Options{Load: newFake(1).load, Timeout: 10 * time.Second})
		defer c.Close()
		ask := func(ctx context.Context) (json.RawMessage, error) {
			select {
			case <-time.After(11 * time.Second):
				return json.RawMessage(somebody), nil
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
		read := func() error {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			_, err := c.Member(ctx, "reader", 7, 5, ask)
			return err
		}
		var all sync.WaitGroup
		all.Go(func() {
			if err := read(); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("the first: %v", err)
			}
		})
		time.Sleep(9 * time.Second)
		if err := read(); err != nil {
			t.Errorf("the second: %v", err)
		}
		all.Wait()
	})
}

// TestMembersOfAGuildThatIsClosedToTheBot are not asked for: Discord would count
// each answer.
func TestMembersOfAGuildThatIsClosedToTheBot(t *testing.T) {
	for name, tc := range map[string]struct {
		begin  func(*testing.T, *Cache)
		status [parts]int // of the guild's loads
		want   Reason
	}{
		"removed":         {begin: func(_ *testing.T, c *Cache) { c.Apply("GUILD_DELETE", 7, []byte(`{"id":"7"}`)) }, want: Removed},
		"not found":       {begin: loadInVain, status: [parts]int{PartGuild: http.StatusNotFound}, want: Removed},
		"forbidden":       {begin: loadInVain, status: [parts]int{PartGuild: http.StatusForbidden}, want: Forbidden},
		"its load failed": {begin: loadInVain, status: [parts]int{PartGuild: http.StatusBadGateway}},
		"in an outage":    {begin: func(_ *testing.T, c *Cache) { c.Apply("GUILD_DELETE", 7, []byte(`{"id":"7","unavailable":true}`)) }},
		"a part is not to be had": {begin: func(t *testing.T, c *Cache) {
			if _, err := c.Guild(t.Context(), 7, PartsOf(PartGuild), Read); err != nil {
				t.Fatal(err)
			}
			loadInVain(t, c)
		}, status: [parts]int{PartThreads: http.StatusForbidden}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newFake(1, 7)
				c := newTestCache(t, Options{Self: 900, Load: func(ctx context.Context, guild uint64, p Part) (json.RawMessage, error) {
					if s := tc.status[p]; s != 0 {
						return nil, &LoadError{Status: s}
					}
					return d.load(ctx, guild, p)
				}})
				defer c.Close()
				tc.begin(t, c)
				a, want := &asked{answer: somebody}, int64(0)
				if tc.want == "" {
					want = 1
				}
				if _, err := c.Member(t.Context(), "reader", 7, 5, a.ask); reasonOf(t, err) != tc.want || a.calls.Load() != want {
					t.Errorf("after %d requests: %v", a.calls.Load(), err)
				}
				c.Apply("GUILD_CREATE", 7, toJSON(d.guilds[7].create()))
				if _, err := c.Member(t.Context(), "reader", 7, 5, a.ask); err != nil || a.calls.Load() != want+1 {
					t.Errorf("when the bot is there, after %d requests: %v", a.calls.Load(), err)
				}
			})
		})
	}
}

func loadInVain(t *testing.T, c *Cache) {
	t.Helper()
	if _, err := c.Guild(t.Context(), 7, AllParts, Read); err == nil {
		t.Fatal("it is there")
	}
}

// TestKeptMembersOfANewSession come with their guild: who wants one waits for
// that, but only for a second; then Discord is asked, which here takes another.
func TestKeptMembersOfANewSession(t *testing.T) {
	for name, comes := range map[string]bool{"comes": true, "does not come": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newTestCache(t, Options{Self: 900, People: Members, Load: newFake(1).load})
				defer c.Close()
				c.Apply("READY", 0, readyWith(0, 1, 7))
				a, began := &asked{answer: somebody}, time.Now()
				var all sync.WaitGroup
				for n := range 20 {
					all.Go(func() {
						if m, err := c.Member(t.Context(), fmt.Sprint("reader", n%2), 7, 5, a.ask); err != nil || string(m) != somebody {
							t.Errorf("got %s, %v", m, err)
						}
					})
				}
				synctest.Wait()
				ctx, cancel := context.WithTimeout(t.Context(), time.Second/2)
				defer cancel()
				if _, err := c.Member(ctx, "reader", 7, 5, a.ask); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("whose time is up: %v", err)
				}
				want, took := int64(2), 2*time.Second // one for each caller
				if comes {
					want, took = 0, time.Second/2
					c.Apply("GUILD_CREATE", 7, []byte(`{"id":"7","roles":[],"channels":[],"threads":[],"members":[`+somebody+`]}`))
				}
				all.Wait()
				if since := time.Since(began); a.calls.Load() != want || since != took {
					t.Errorf("%d requests, after %v, want %d after %v", a.calls.Load(), since, want, took)
				}
			})
		})
	}
}

// TestBrokenGuildCreatePartsTheAsked: it is not read, so it may be true.
func TestBrokenGuildCreatePartsTheAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newTestCache(t, Options{Self: 900, Load: newFake(1).load})
		defer c.Close()
		before, after := &asked{answer: somebody}, &asked{answer: somebody}
		var all sync.WaitGroup
		all.Go(func() { _, _ = c.Member(t.Context(), "reader", 7, 5, before.ask) })
		synctest.Wait()
		c.Apply("GUILD_CREATE", 8, []byte(`{"id":"8"`))
		c.Apply("GUILD_MEMBER_ADD", 7, []byte(`{"user":{"id":"5"}`))
		all.Go(func() { // joins
			if m, err := c.Member(t.Context(), "reader", 7, 5, before.ask); err != nil || string(m) != somebody {
				t.Errorf("got %s, %v", m, err)
			}
		})
		synctest.Wait()
		c.Apply("GUILD_CREATE", 7, []byte(`{"id":"7"`))
		if _, err := c.Member(t.Context(), "reader", 7, 5, after.ask); err != nil || after.calls.Load() != 1 {
			t.Errorf("asked %d times: %v", after.calls.Load(), err)
		}
		all.Wait()
		if before.calls.Load() != 1 || c.asking.Load() != 0 {
			t.Errorf("asked %d times before, %d under way", before.calls.Load(), c.asking.Load())
		}
	})
}

// BenchmarkGuildCreateWhileAMemberIsAskedFor is what a start costs for each guild
// that nobody keeps, alone and while a member of another guild is asked for.
func BenchmarkGuildCreateWhileAMemberIsAskedFor(b *testing.B) {
	for name, asks := range map[string]bool{"alone": false, "asked": true} {
		b.Run(name, func(b *testing.B) {
			c := newTestCache(b, Options{Self: 900, Load: newFake(1).load})
			defer c.Close()
			guild, parts := realGuild(b)
			create := with(parts.Guild, "channels", parts.Channels)
			ready := readyWith(0, 1, guild)
			if asks {
				ctx, cancel := context.WithCancel(b.Context())
				defer cancel()
				begun := make(chan struct{})
				go func() { // ends with ctx
					_, _ = c.Member(ctx, "reader", guild+1, 5, func(ctx context.Context) (json.RawMessage, error) {
						close(begun)
						<-ctx.Done()
						return nil, ctx.Err()
					})
				}()
				<-begun
			}
			b.SetBytes(int64(len(create)))
			for b.Loop() {
				c.Apply("READY", 0, ready)
				c.Apply("GUILD_CREATE", guild, create)
			}
		})
	}
}
