package cache

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestThousandReadersOfOneColdGuildShareOneLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newFake(1, 7)
		c := newTestCache(t, Options{Load: func(ctx context.Context, guild uint64, p Part) (json.RawMessage, error) {
			time.Sleep(50 * time.Millisecond)
			return d.load(ctx, guild, p)
		}})
		defer c.Close()
		var all sync.WaitGroup
		versions := make([]uint64, 1000)
		for i := range versions {
			all.Go(func() {
				s, err := c.Guild(t.Context(), 7, AllParts, Read)
				if err != nil {
					t.Error(err)
					return
				}
				versions[i] = s.Version
			})
		}
		all.Wait()
		for _, v := range versions {
			if v != versions[0] || v == 0 {
				t.Fatalf("versions %d and %d of one load", v, versions[0])
			}
		}
		for p := range parts {
			if d.calls[p] != 1 {
				t.Errorf("%d requests for %s, want 1", d.calls[p], p)
			}
		}
		if st := c.Status(); st.Loads != 1 || st.Guilds != 1 {
			t.Errorf("%+v, want one load and one guild", st)
		}
	})
}

func TestIdleGoesAndActiveStays(t *testing.T) {
	const idle = time.Hour
	touches := map[string]func(*Cache){
		"event that changes":  func(c *Cache) { c.Apply("GUILD_UPDATE", 7, []byte(`{"id":"7","name":"x"}`)) },
		"event that does not": func(c *Cache) { c.Apply("MESSAGE_CREATE", 7, []byte(`{}`)) },
		"reader":              func(c *Cache) { _, _ = c.Guild(context.Background(), 7, AllParts, Read) },
	}
	for name, touch := range touches {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newFake(1, 7)
				c := newTestCache(t, Options{Load: d.load, Idle: idle})
				defer c.Close()
				mustLoad(t, c, 7)
				for range 40 { // ten hours
					time.Sleep(idle / 4)
					touch(c)
					synctest.Wait()
				}
				if d.total() != 4 {
					t.Fatalf("%d requests: the active guild was loaded again", d.total())
				}
				time.Sleep(idle - time.Second)
				if c.store.get(7) == nil {
					t.Error("gone before its time")
				}
				time.Sleep(idle*13/100 + 8*time.Second)
				synctest.Wait()
				if st := c.Status(); st.Guilds != 0 || st.Bytes != 0 || st.Expired != 1 {
					t.Errorf("after the idle time: %+v", st)
				}
			})
		})
	}
}

func mustLoad(t testing.TB, c *Cache, guild uint64) *Snapshot {
	t.Helper()
	s, err := c.Guild(t.Context(), guild, AllParts, Read)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.keeper.flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

func reasonOf(t testing.TB, err error) Reason {
	t.Helper()
	var m *MissingError
	if err != nil && !errors.As(err, &m) {
		t.Fatalf("%v is no *MissingError", err)
	}
	if m == nil {
		return ""
	}
	return m.Reason
}

func TestOutageIsNotRemoval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newFake(1, 7)
		c := newTestCache(t, Options{Load: d.load, Self: 900})
		defer c.Close()
		expect := func(want Reason, requests int) {
			t.Helper()
			_, err := c.Guild(t.Context(), 7, AllParts, Read)
			if got := reasonOf(t, err); got != want || d.total() != requests {
				t.Fatalf("%q after %d requests, want %q after %d", got, d.total(), want, requests)
			}
		}
		create := func() { c.Apply("GUILD_CREATE", 7, toJSON(d.guilds[7].create())) }
		outage, removed := []byte(`{"id":"7","unavailable":true}`), []byte(`{"id":"7"}`)

		c.Apply("GUILD_DELETE", 7, outage) // cold
		expect(Outage, 0)
		create()
		expect("", 4)
		c.Apply("GUILD_DELETE", 7, outage) // loaded: it waits for its GUILD_CREATE
		expect(Outage, 4)
		create()
		expect("", 4)
		c.Apply("GUILD_DELETE", 7, removed)
		expect(Removed, 4)
		create() // invited again: it is kept
		expect("", 4)
		c.Apply("GUILD_MEMBER_REMOVE", 7, []byte(`{"guild_id":"7","user":{"id":"900"}}`))
		expect(Removed, 4)
		c.Apply("GUILD_CREATE", 7, []byte(`{"id":"7","unavailable":true}`))
		expect(Outage, 4)
	})
}

func TestEventsOfTheMeantimeDecide(t *testing.T) {
	cases := map[string]struct {
		answer error
		events func(*fakeDiscord) []event
		want   Reason
	}{
		"removed":              {nil, func(*fakeDiscord) []event { return []event{{"GUILD_DELETE", []byte(`{"id":"7"}`)}} }, Removed},
		"outage":               {nil, func(*fakeDiscord) []event { return []event{{"GUILD_DELETE", []byte(`{"id":"7","unavailable":true}`)}} }, Outage},
		"created after a fail": {&LoadError{Status: 500}, func(d *fakeDiscord) []event { return []event{{"GUILD_CREATE", toJSON(d.guilds[7].create())}} }, ""},
		"too many": {nil, func(*fakeDiscord) (all []event) {
			for i := range maxMeantime + 1 {
				all = append(all, event{"GUILD_UPDATE", fmt.Appendf(nil, `{"id":"7","v":%d}`, i)})
			}
			return all
		}, Failed},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newFake(1, 7)
				c := newTestCache(t, Options{Self: 900, Load: func(ctx context.Context, guild uint64, p Part) (json.RawMessage, error) {
					time.Sleep(time.Second)
					if tc.answer != nil {
						return nil, tc.answer
					}
					return d.load(ctx, guild, p)
				}})
				defer c.Close()
				go func() {
					time.Sleep(500 * time.Millisecond)
					for _, e := range tc.events(d) {
						c.Apply(e.name, 7, e.data)
					}
				}()
				s, err := c.Guild(t.Context(), 7, AllParts, Read)
				if got := reasonOf(t, err); got != tc.want {
					t.Fatalf("%v, want reason %q", err, tc.want)
				}
				if err == nil {
					d.guilds[7].props["approximate_member_count"] = nil
					delete(d.guilds[7].props, "approximate_member_count")
					equals(t, d.guilds[7], s)
				}
			})
		})
	}
}

func TestWaitersGiveUpAndCloseTellsThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newTestCache(t, Options{Timeout: time.Hour, Load: func(ctx context.Context, _ uint64, _ Part) (json.RawMessage, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := c.Guild(ctx, 7, AllParts, Read)
		if reasonOf(t, err) != Timeout || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a waiter whose time is up: %v", err)
		}
		late := make(chan error)
		go func() {
			_, err := c.Guild(context.Background(), 7, AllParts, Read)
			late <- err
		}()
		synctest.Wait()
		go c.Close()
		if err := <-late; reasonOf(t, err) != Closed {
			t.Errorf("a waiter when the cache closes: %v", err)
		}
		synctest.Wait()
		if _, err := c.Guild(context.Background(), 8, AllParts, Read); reasonOf(t, err) != Closed {
			t.Errorf("after Close: %v", err)
		}
		c.Close() // twice does no harm
	})
}

func TestOptionsThatCannotBe(t *testing.T) {
	load := newFake(1).load
	for _, o := range []Options{{}, {Load: load, Idle: time.Millisecond}, {Load: load, Bytes: 10}} {
		if c, err := New(o); err == nil {
			c.Close()
			t.Errorf("%+v was taken", o)
		}
	}
}

// TestWhatHappensMostMakesNoGarbage: a touch, a hit and a GUILD_CREATE of a guild
// that nobody wants allocate nothing.
func TestWhatHappensMostMakesNoGarbage(t *testing.T) {
	whole := newMaker(1).guild(7, 900, 25_000)
	c := newTestCache(t, Options{Self: 900, Load: func(_ context.Context, _ uint64, p Part) (json.RawMessage, error) {
		return *whole.part(p), nil
	}})
	defer c.Close()
	mustLoad(t, c, 7)
	c.Apply("READY", 0, readyOf(1000, 10_000))
	created, message := whole.created(), []byte(`{"content":"hello"}`)
	other := []byte(`{"guild_id":"7","user":{"id":"77"}}`)
	guild := uint64(999)
	for name, do := range map[string]func(){
		"touch":            func() { c.Apply("MESSAGE_CREATE", 7, message) },
		"touch of another": func() { c.Apply("MESSAGE_CREATE", 8, message) },
		"other member":     func() { c.Apply("GUILD_MEMBER_UPDATE", 7, other) },
		"hit":              func() { _, _ = c.Guild(t.Context(), 7, AllParts, Read) },
		"hit of a part":    func() { _, _ = c.Guild(t.Context(), 7, PartsOf(PartMember), Read) },
		"want":             func() { _, _, _ = c.Want(t.Context(), 7, AllParts, Event) },
		"GUILD_CREATE":     func() { guild++; c.Apply("GUILD_CREATE", guild, created) },
	} {
		if n := testing.AllocsPerRun(2000, do); n >= 1 {
			t.Errorf("%s makes %.0f allocations", name, n)
		}
	}
}
