package cache

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// readyWith is READY of a shard with these guilds.
func readyWith(shard, count int, guilds ...uint64) []byte {
	list := []object{}
	for _, id := range guilds {
		list = append(list, object{"id": fmt.Sprint(id), "unavailable": true})
	}
	return toJSON(object{"user": object{"id": botID}, "guilds": list, "shard": []int{shard, count}})
}

func outcomes(c *Cache, guild uint64, readers int) (read func() map[string]int) {
	var mu sync.Mutex
	var all sync.WaitGroup
	got := map[string]int{}
	for range readers {
		all.Go(func() {
			s, err := c.Guild(context.Background(), guild, AllParts, Read)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				missing, _ := errors.AsType[*MissingError](err)
				got[string(missing.Reason)]++
				return
			}
			got[fmt.Sprint("version ", s.Version)]++
		})
	}
	return func() map[string]int {
		all.Wait()
		return got
	}
}

// TestAwaitedGuildCostsNoRequest: what READY lists comes by itself; who wants it
// before waits for that, and only such a guild is kept.
func TestAwaitedGuildCostsNoRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newFake(1, 7, 8)
		c := newTestCache(t, Options{Load: d.load})
		defer c.Close()
		c.Apply("READY", 0, readyWith(0, 1, 7, 8))
		if st := c.Status(); st.Awaited != 2 {
			t.Errorf("%d awaited", st.Awaited)
		}
		read := outcomes(c, 7, 50)
		version, pending, err := c.Want(t.Context(), 7, AllParts, Mass)
		if version != 0 || pending == nil || err != nil {
			t.Fatalf("wanted: %d, %v, %v", version, pending, err)
		}
		time.Sleep(5 * time.Second)
		c.Apply("MESSAGE_CREATE", 7, []byte(`{}`))
		c.Apply("GUILD_CREATE", 7, toJSON(d.guilds[7].create()))
		c.Apply("GUILD_CREATE", 8, toJSON(d.guilds[8].create()))
		<-pending
		if got := read(); len(got) != 1 || got["version 1"] != 50 {
			t.Errorf("readers got %v", got)
		}
		st := c.Status()
		if d.total() != 0 || st.Loads != 0 || st.Tokens != 10 || st.Awaited != 0 || !slices.Equal(c.Kept(), []uint64{7}) {
			t.Errorf("%d requests, kept %v, %+v", d.total(), c.Kept(), st)
		}
		equals(t, d.guilds[7], mustLoad(t, c, 7))
		equals(t, d.guilds[8], mustLoad(t, c, 8))
		if d.total() != 4 {
			t.Errorf("%d requests for the guild that nobody had waited for", d.total())
		}
	})
}

func TestAwaitedGuildThatDoesNotCome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newFake(1, 7)
		c := newTestCache(t, Options{Load: d.load, Timeout: 4 * time.Second})
		defer c.Close()
		began := time.Now()
		expect := func(want Reason, took time.Duration) {
			t.Helper()
			began = time.Now()
			_, err := c.Guild(t.Context(), 7, AllParts, Read)
			if reasonOf(t, err) != want || time.Since(began) != took || d.total() != 0 {
				t.Fatalf("%v after %v and %d requests, want %q after %v", err, time.Since(began), d.total(), want, took)
			}
		}
		c.Apply("READY", 0, readyWith(0, 1, 7))
		expect(Outage, 4*time.Second)
		expect(Outage, 0) // it is known now
		c.Apply("READY", 0, readyWith(0, 1, 7))
		expect(Outage, 4*time.Second) // a new session may have it
		time.Sleep(15 * time.Minute)
		expect(Outage, 4*time.Second)
		c.Apply("READY", 0, readyWith(0, 1, 7))
		for event, want := range map[string]Reason{`{"id":"7","unavailable":true}`: Outage, `{"id":"7"}`: Removed} {
			c.Apply("READY", 0, readyWith(0, 1, 7))
			time.AfterFunc(time.Second, func() { c.Apply("GUILD_DELETE", 7, []byte(event)) })
			expect(want, time.Second)
			expect(want, 0)
		}
		c.Apply("GUILD_CREATE", 7, toJSON(d.guilds[7].create()))
		equals(t, d.guilds[7], mustLoad(t, c, 7))
		if st := c.Status(); st.Awaited != 0 || st.Guard != "closed" || st.Failed != 0 {
			t.Errorf("%+v", st)
		}
	})
}

// TestLoadedGuildOfANewSession: what the cache has is older than the session,
// until the guild comes; what the session does not list is gone.
func TestLoadedGuildOfANewSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ids := []uint64{1 << 22, 2 << 22, 3 << 22, 5 << 22} // of two shards the second, the first, and the second twice
		d := newFake(1, ids...)
		c := newTestCache(t, Options{Load: d.load})
		defer c.Close()
		before := map[uint64]uint64{}
		for _, id := range ids {
			before[id] = mustLoad(t, c, id).Version
		}
		d.guilds[ids[0]].change(d.rnd, "channel+") // and nobody is told
		c.Apply("READY", 0, readyWith(1, 2, ids[0], ids[2]))
		if v := c.Apply("MESSAGE_CREATE", ids[0], []byte(`{}`)); v != 0 {
			t.Errorf("version %d of a guild that is awaited", v)
		}
		read := outcomes(c, ids[0], 3)
		synctest.Wait()
		c.Apply("GUILD_CREATE", ids[0], toJSON(d.guilds[ids[0]].create()))
		now := mustLoad(t, c, ids[0]).Version
		if got := read(); len(got) != 1 || got[fmt.Sprint("version ", now)] != 3 || now <= before[ids[0]] {
			t.Errorf("readers got %v, it was %d before and is %d now", got, before[ids[0]], now)
		}
		equals(t, d.guilds[ids[0]], mustLoad(t, c, ids[0]))
		if s := mustLoad(t, c, ids[1]); s.Version != before[ids[1]] {
			t.Error("a guild of another shard has changed")
		}
		if _, err := c.Guild(t.Context(), ids[3], AllParts, Read); reasonOf(t, err) != Removed {
			t.Errorf("a guild that the session does not list: %v", err)
		}
		c.Apply("READY", 0, readyWith(1, 2)) // the bot has left the third while it was awaited
		if _, err := c.Guild(t.Context(), ids[2], AllParts, Read); reasonOf(t, err) != Removed {
			t.Errorf("an awaited guild that the next session does not list: %v", err)
		}
		if st := c.Status(); st.Awaited != 0 || d.total() != 16 {
			t.Errorf("%d requests, %+v", d.total(), st)
		}
		for _, ready := range []string{`{}`, `null`, `{"guilds":null,"shard":[0,2]}`, `{"guilds":[],"shard":[0,0]}`, `{"guilds":[],"shard":0}`, `{"guilds":[{}],"shard":["0",2]}`} {
			c.Apply("READY", 0, []byte(ready))
			if len(c.Kept()) != 1 {
				t.Fatalf("%s made guilds be gone", ready)
			}
		}
	})
}

// TestNewSessionDuringALoad: its answers may be older than the session. Who waits
// for it gets the guild of GUILD_CREATE.
func TestNewSessionDuringALoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newFake(1, 7)
		c := newTestCache(t, Options{Load: func(ctx context.Context, guild uint64, p Part) (json.RawMessage, error) {
			b, err := d.load(ctx, guild, p)
			time.Sleep(time.Second)
			return b, err
		}})
		defer c.Close()
		read := outcomes(c, 7, 3)
		time.Sleep(500 * time.Millisecond)
		d.mu.Lock()
		d.guilds[7].change(d.rnd, "channel+")
		d.mu.Unlock()
		c.Apply("READY", 0, readyWith(0, 1, 7))
		late := outcomes(c, 7, 3)
		time.Sleep(5 * time.Second)
		if len(c.Kept()) != 0 {
			t.Error("what was loaded before the session is kept")
		}
		c.Apply("GUILD_CREATE", 7, toJSON(d.guilds[7].create()))
		if got := read(); len(got) != 1 || got["version 1"] != 3 {
			t.Errorf("readers got %v", got)
		}
		if got := late(); len(got) != 1 || got["version 1"] != 3 {
			t.Errorf("later readers got %v", got)
		}
		equals(t, d.guilds[7], mustLoad(t, c, 7))
		if d.total() != 4 {
			t.Errorf("%d requests", d.total())
		}
	})
}

func TestCloseEndsWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newTestCache(t, Options{Load: newFake(1).load, Timeout: time.Hour})
		c.Apply("READY", 0, readyWith(0, 1, 7))
		read := outcomes(c, 7, 3)
		synctest.Wait()
		c.Close()
		if got := read(); got["closed"] != 3 {
			t.Errorf("readers got %v", got)
		}
		if _, err := c.Guild(t.Context(), 7, AllParts, Read); reasonOf(t, err) != Closed {
			t.Errorf("after Close: %v", err)
		}
	})
}

// TestWarm: which guilds are kept although nobody asks for them.
func TestWarm(t *testing.T) {
	var ids []uint64
	for id := uint64(1); id <= 400; id++ {
		ids = append(ids, id)
	}
	d := newFake(1, 1)
	create := func(id uint64) []byte {
		o := d.guilds[1].create()
		o["id"], o["pad"] = fmt.Sprint(id), noise(4000)
		return toJSON(o)
	}
	burst := func(t *testing.T, warm func(uint64) bool) *Cache {
		t.Helper()
		// The whole burst is twice what may be on its way to ristretto.
		c := newTestCache(t, Options{Load: d.load, Warm: warm, Bytes: 8 << 20})
		t.Cleanup(c.Close)
		set := c.store.set
		c.store.set = func(guild uint64, e *entry, charge int64, ttl time.Duration) bool {
			time.Sleep(200 * time.Microsecond) // ristretto is slower than the burst
			return set(guild, e, charge, ttl)
		}
		c.Apply("READY", 0, readyWith(0, 1, ids...))
		for _, id := range ids {
			c.Apply("GUILD_CREATE", id, create(id))
		}
		atRest(t, c)
		return c
	}
	for name, tc := range map[string]struct {
		warm func(uint64) bool
		kept int
	}{
		"none":    {nil, 0},
		"nothing": {func(uint64) bool { return false }, 0},
		"some":    {func(id uint64) bool { return id%4 == 0 }, 100},
		"all":     {func(uint64) bool { return true }, 400},
	} {
		t.Run(name, func(t *testing.T) {
			c := burst(t, tc.warm)
			if st := c.Status(); len(c.Kept()) != tc.kept || int(st.Guilds) != tc.kept || st.Remembered != 0 || st.Awaited != 0 {
				t.Errorf("%d kept, want %d: %+v", len(c.Kept()), tc.kept, st)
			}
			c.Apply("GUILD_CREATE", 1000, create(1000)) // the bot joins it
			if !slices.Contains(c.Kept(), 1000) {
				t.Error("a guild that the bot joins is not kept")
			}
			c.Apply("GUILD_DELETE", 1000, []byte(`{"id":"1000"}`))
			c.Apply("GUILD_DELETE", 1001, []byte(`{"id":"1001","unavailable":true}`))
			c.Apply("GUILD_CREATE", 1001, create(1001)) // an outage is over
			atRest(t, c)
			if all := tc.kept == 400; slices.Contains(c.Kept(), 1000) || slices.Contains(c.Kept(), 1001) != all {
				t.Errorf("kept %v", c.Kept())
			}
			audit(t, c)
		})
	}
}

// TestAwaitedIDsCostLittle: at most 64 bytes a guild, and nothing when all have come.
func TestAwaitedIDsCostLittle(t *testing.T) {
	const guilds = 100_000
	c := newTestCache(t, Options{Load: newFake(1).load})
	defer c.Close()
	heap := func() float64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return float64(m.HeapAlloc)
	}
	before := heap()
	for shard := range 40 {
		var list []uint64
		for id := range uint64(guilds / 40) {
			list = append(list, (40+id*40+uint64(shard))<<22)
		}
		c.Apply("READY", 0, readyWith(shard, 40, list...))
	}
	if st := c.Status(); st.Awaited != guilds {
		t.Fatalf("%+v", st)
	}
	t.Logf("%.1f bytes for each awaited guild", (heap()-before)/guilds)
	if each := (heap() - before) / guilds; each > 64 {
		t.Errorf("%.1f bytes for each awaited guild", each)
	}
	for id := range uint64(guilds) {
		c.Apply("GUILD_CREATE", (40+id)<<22, []byte(`{}`))
	}
	if st := c.Status(); st.Awaited != 0 || (heap()-before)/guilds > 1 {
		t.Errorf("%.1f bytes for each guild that has come, %+v", (heap()-before)/guilds, st)
	}
}

// TestWaitBesideALoad: a GUILD_CREATE that goes to a load gives who waits for it
// beside the load what the load brings.
func TestWaitBesideALoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newFake(1, 7)
		c := newTestCache(t, Options{Self: 900, Load: func(ctx context.Context, guild uint64, p Part) (json.RawMessage, error) {
			time.Sleep(time.Second) // the event comes meanwhile
			return d.load(ctx, guild, p)
		}})
		defer c.Close()
		c.Apply("READY", 0, readyWith(0, 1, 7))
		read := outcomes(c, 7, 3)
		_, pending, err := c.Want(t.Context(), 7, AllParts, Event)
		if err != nil || pending == nil {
			t.Fatalf("wanted: %v, %v", pending, err)
		}
		synctest.Wait()
		sh := c.shard(7)
		sh.mu.Lock()
		ticket, _, _ := c.guard.admit(Read)
		l := c.start(t.Context(), sh, 7, AllParts, ticket)
		sh.mu.Unlock()
		c.Apply("GUILD_CREATE", 7, toJSON(d.guilds[7].create()))
		<-pending
		<-l.done
		if got := read(); len(got) != 1 || got["version 1"] != 3 || c.Status().Loads != 1 {
			t.Errorf("readers got %v, status %+v", got, c.Status())
		}
	})
}

// TestResumedGuilds: after a start that resumes, what comes of guilds that the bot
// was in before is kept only if it is warm or there already, and nobody waits for what will
// not come.
func TestResumedGuilds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const cold, warm, out, left, read, later, asked = 1, 2, 3, 4, 5, 6, 7
		d := newFake(1, cold, warm, out, left, read, later, asked)
		c := newTestCache(t, Options{Self: 900, Load: d.load, Warm: func(id uint64) bool { return id == warm }})
		defer c.Close()
		comes := func(id uint64) { c.Apply("GUILD_CREATE", id, toJSON(d.guilds[id].create())) }
		c.Resumed([]uint64{cold, warm, out, left, read, asked})
		c.Apply("GUILD_DELETE", out, []byte(`{"id":"3","unavailable":true}`))
		c.Apply("GUILD_DELETE", left, []byte(`{"id":"4"}`))
		if mustLoad(t, c, asked); d.total() != 4 || c.Status().Awaited != 1 { // out alone
			t.Errorf("%d requests, %+v", d.total(), c.Status())
		}
		for id := range d.guilds {
			comes(id)
		}
		kept := c.Kept()
		slices.Sort(kept)
		if !slices.Equal(kept, []uint64{warm, left, later, asked}) { // left was joined anew, later for the first time
			t.Errorf("kept %v", kept)
		}
		c.Apply("GUILD_DELETE", cold, []byte(`{"id":"1"}`))
		if comes(cold); !slices.Contains(c.Kept(), cold) {
			t.Error("a guild that the bot was in, left and joined again is not kept")
		}
	})
}

// TestNewSessionAfterAResume: what it does not list the bot has left.
func TestNewSessionAfterAResume(t *testing.T) {
	d := newFake(1, 7, 8)
	c := newTestCache(t, Options{Self: 900, Load: d.load})
	defer c.Close()
	c.Resumed([]uint64{7, 8})
	c.Apply("READY", 0, readyWith(0, 1, 8))
	for id := range d.guilds {
		c.Apply("GUILD_CREATE", id, toJSON(d.guilds[id].create()))
	}
	if kept := c.Kept(); !slices.Equal(kept, []uint64{7}) {
		t.Errorf("kept %v, want the one that the bot has joined again", kept)
	}
	for i := range c.shards {
		if c.shards[i].resumed != nil || c.shards[i].awaited != nil {
			t.Error("a list of guilds is held that have all come")
		}
	}
}
