package cache

import (
	"context"
	"encoding/json"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestSetsOfParts(t *testing.T) {
	for _, tc := range []struct {
		given, means Parts
		text         string
	}{
		{0, AllParts, "guild,channels,threads,member"},
		{AllParts, AllParts, "guild,channels,threads,member"},
		{PartsOf(PartMember, PartGuild), 1 | 8, "guild,member"},
		{1<<7 | 2, 2, "channels"},                           // a part that is not invented yet
		{1 << 6, AllParts, "guild,channels,threads,member"}, // nothing that is known: rather too much
	} {
		if got := tc.given.wanted(); got != tc.means || got.String() != tc.text {
			t.Errorf("%b means %b (%s), want %b (%s)", tc.given, got, got, tc.means, tc.text)
		}
	}
	if !AllParts.Has(PartsOf(PartThreads)) || PartsOf(PartGuild).Has(PartsOf(PartGuild, PartThreads)) || !Parts(0).Has(0) {
		t.Error("a set does not know what it has")
	}
}

// requests are how often each part was asked for.
func (d *fakeDiscord) requests() (n [parts]int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for p := range parts {
		n[p] = d.calls[p]
	}
	return n
}

// TestOnlyWantedPartsAreAskedFor: each part is asked for when somebody wants it
// first, and never again.
func TestOnlyWantedPartsAreAskedFor(t *testing.T) {
	d := newFake(1, 7)
	c := newTestCache(t, Options{Load: d.load})
	defer c.Close()
	before := uint64(0)
	for _, step := range []struct {
		want, has Parts
		requests  [parts]int
	}{
		{PartsOf(PartChannels), PartsOf(PartChannels), [parts]int{0, 1, 0, 0}},
		{PartsOf(PartChannels), PartsOf(PartChannels), [parts]int{0, 1, 0, 0}},
		{PartsOf(PartGuild, PartChannels), PartsOf(PartGuild, PartChannels), [parts]int{1, 1, 0, 0}},
		{PartsOf(PartMember), PartsOf(PartGuild, PartChannels, PartMember), [parts]int{1, 1, 0, 1}},
		{0, AllParts, [parts]int{1, 1, 1, 1}},
		{PartsOf(PartThreads), AllParts, [parts]int{1, 1, 1, 1}},
	} {
		s, err := c.Guild(t.Context(), 7, step.want, Read)
		if err != nil {
			t.Fatalf("want %s: %v", step.want, err)
		}
		if s.Parts() != step.has || !s.Has(step.want) || s.Version < before || d.requests() != step.requests {
			t.Errorf("want %s: has %s, version %d after %d, requests %v, want %s and %v",
				step.want, s.Parts(), s.Version, before, d.requests(), step.has, step.requests)
		}
		for p := range parts {
			if there := s.Part(p) != nil; there != step.has.Has(PartsOf(p)) {
				t.Errorf("want %s: %s is there: %v", step.want, p, there)
			}
		}
		before = s.Version
	}
	whole := mustLoad(t, c, 7)
	if whole.Part(parts) != nil || whole.Part(200) != nil {
		t.Error("there is a part that is none")
	}
	equals(t, d.guilds[7], whole)
	if st := c.Status(); st.Loads != 4 || st.Guilds != 1 {
		t.Errorf("%+v, want 4 loads of one guild", st)
	}
	atRest(t, c)
}

// TestPartsStayTrueWhileOthersAreLoaded: events of a further load are seen at
// once in the parts that are there, and on top of the answer in the others,
// although the answer is older.
func TestPartsStayTrueWhileOthersAreLoaded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newFake(1, 7)
		slow := func(ctx context.Context, guild uint64, p Part) (json.RawMessage, error) {
			b, err := d.load(ctx, guild, p)
			time.Sleep(time.Second) // the answer is that old when it arrives
			return b, err
		}
		c := newTestCache(t, Options{Load: slow, Self: 900})
		defer c.Close()
		first := PartsOf(PartGuild, PartThreads)
		if _, err := c.Guild(t.Context(), 7, first, Read); err != nil {
			t.Fatal(err)
		}
		requests := d.total()

		version, pending, err := c.Want(t.Context(), 7, AllParts, Event)
		if version != 0 || pending == nil || err != nil {
			t.Fatalf("version %d, %v: parts are missing", version, err)
		}
		synctest.Wait() // both requests are answered, as Discord is now
		if n := d.total() - requests; n != 2 {
			t.Fatalf("%d requests for two parts that are missing", n)
		}
		for _, kind := range []string{"role+", "role~", "channel+", "channel~", "channel-", "thread+", "thread~", "member", "guild", "role-"} {
			e := d.guilds[7].change(d.rnd, kind)
			applied := c.Apply(e.name, 7, e.data)
			s, err := c.Guild(t.Context(), 7, first, Read)
			if err != nil || s.Version != applied || applied == 0 {
				t.Fatalf("%s: read version %d, applied %d: %v", e.name, s.Version, applied, err)
			}
			notOlder(t, s, []told{e})
			if s.Has(AllParts) {
				t.Fatal("the load has ended")
			}
		}
		<-pending
		s, err := c.Guild(t.Context(), 7, AllParts, Read)
		if err != nil {
			t.Fatal(err)
		}
		equals(t, d.guilds[7], s)
		if n := d.total() - requests; n != 2 {
			t.Errorf("%d requests for two parts that were missing", n)
		}
	})
}

// TestFailedPartsLeaveTheOthersAlone: what Discord refuses is backed off; what is
// there goes on.
func TestFailedPartsLeaveTheOthersAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newFake(1, 7)
		refused := 0
		c := newTestCache(t, Options{Self: 900, Load: func(ctx context.Context, guild uint64, p Part) (json.RawMessage, error) {
			if p == PartThreads && refused < 1 {
				refused++
				return nil, &LoadError{Status: 403}
			}
			return d.load(ctx, guild, p)
		}})
		defer c.Close()
		there := PartsOf(PartGuild, PartMember)
		old, err := c.Guild(t.Context(), 7, there, Read)
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			if _, err := c.Guild(t.Context(), 7, PartsOf(PartGuild, PartThreads), Read); reasonOf(t, err) != Forbidden || refused != 1 {
				t.Fatalf("%v after %d refusals, want one and %q", err, refused, Forbidden)
			}
			s, err := c.Guild(t.Context(), 7, there, Read)
			if err != nil || s.Version != old.Version {
				t.Fatalf("the parts that were there: %v", err)
			}
		}
		e := d.guilds[7].change(d.rnd, "role+")
		if v := c.Apply(e.name, 7, e.data); v <= old.Version {
			t.Errorf("version %d after an event, %d before it", v, old.Version)
		}
		c.Apply("GUILD_CREATE", 7, toJSON(d.guilds[7].create())) // brings all, and ends the back-off
		s, err := c.Guild(t.Context(), 7, 0, Read)
		if err != nil {
			t.Fatal(err)
		}
		equals(t, d.guilds[7], s)
		forget(c, 7)
		if _, err := c.Guild(t.Context(), 7, 0, Read); err != nil {
			t.Errorf("a later load: %v", err)
		}
	})
}

// TestWhoWantsOtherPartsFollows: one load at a time for each guild; who wants what
// it does not bring is served by the one after it, together.
func TestWhoWantsOtherPartsFollows(t *testing.T) {
	for name, fails := range map[string]bool{"well": false, "the first fails": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newFake(1, 7)
				var mu sync.Mutex
				var order []Part
				c := newTestCache(t, Options{Load: func(ctx context.Context, guild uint64, p Part) (json.RawMessage, error) {
					mu.Lock()
					order = append(order, p)
					mu.Unlock()
					time.Sleep(time.Second)
					if fails {
						return nil, &LoadError{Status: 500}
					}
					return d.load(ctx, guild, p)
				}})
				defer c.Close()
				var all sync.WaitGroup
				began := time.Now()
				read := func(takes time.Duration, want ...Part) {
					all.Go(func() {
						s, err := c.Guild(t.Context(), 7, PartsOf(want...), Read)
						if fails {
							takes = time.Second
						}
						if took := time.Since(began); took != takes || (err == nil) == fails || err == nil && !s.Has(PartsOf(want...)) {
							t.Errorf("%v after %v, want it after %v: %v", want, took, takes, err)
						}
					})
					synctest.Wait()
				}
				read(time.Second, PartMember)
				read(time.Second, PartMember) // joins
				read(2*time.Second, PartThreads)
				read(2*time.Second, PartThreads, PartMember) // joins the next
				read(2*time.Second, PartChannels)            // joins it, too: it has not begun
				all.Wait()
				mu.Lock()
				defer mu.Unlock()
				want := 3
				if fails {
					want = 1 // the back-off holds for who comes after
				}
				if len(order) != want || order[0] != PartMember {
					t.Errorf("asked for %v", order)
				}
				if st := c.Status(); st.Loads != 2 || st.Loading != 0 {
					t.Errorf("%+v, want two loads and none under way", st)
				}
			})
		})
	}
}

// TestCloseEndsAlsoTheNextLoad: Close waits for none that it has not cancelled.
func TestCloseEndsAlsoTheNextLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newTestCache(t, Options{Timeout: time.Hour, Load: func(ctx context.Context, _ uint64, _ Part) (json.RawMessage, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}})
		var all sync.WaitGroup
		for p := range parts {
			all.Go(func() {
				if _, err := c.Guild(t.Context(), 7, PartsOf(p), Read); reasonOf(t, err) != Closed {
					t.Errorf("%s when the cache closes: %v", p, err)
				}
			})
			synctest.Wait()
		}
		began := time.Now()
		c.Close()
		all.Wait()
		if took := time.Since(began); took > 0 {
			t.Errorf("Close waited %v for a load", took)
		}
	})
}

// TestFailureHoldsWhileTheGuildIsOnItsWay: a guild that ristretto has not taken yet
// is loaded further, and that fails. Being taken does not end the back-off.
func TestFailureHoldsWhileTheGuildIsOnItsWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newFake(1, 7)
		c := newTestCache(t, Options{Load: func(ctx context.Context, guild uint64, p Part) (json.RawMessage, error) {
			if p == PartThreads {
				return nil, &LoadError{Status: 403}
			}
			return d.load(ctx, guild, p)
		}})
		defer c.Close()
		taken := make(chan struct{})
		var once sync.Once
		set := c.store.set
		c.store.set = func(guild uint64, e *entry, charge int64, ttl time.Duration) bool {
			<-taken
			return set(guild, e, charge, ttl)
		}
		if _, err := c.Guild(t.Context(), 7, PartsOf(PartGuild), Read); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if _, err := c.Guild(t.Context(), 7, AllParts, Read); reasonOf(t, err) != Forbidden {
				t.Fatalf("%v, want %q", err, Forbidden)
			}
			once.Do(func() {
				close(taken)
				atRestNow(t, c)
			})
		}
		if n := d.requests()[PartChannels]; n > 1 {
			t.Errorf("%d loads", n)
		}
	})
}

// TestGuildThatGoesWhileMoreIsLoaded: a reader gets all the parts it wants, also
// when those that were there go during its load.
func TestGuildThatGoesWhileMoreIsLoaded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newFake(1, 7)
		c := newTestCache(t, Options{Load: func(ctx context.Context, guild uint64, p Part) (json.RawMessage, error) {
			time.Sleep(time.Second)
			return d.load(ctx, guild, p)
		}})
		defer c.Close()
		if _, err := c.Guild(t.Context(), 7, PartsOf(PartGuild), Read); err != nil {
			t.Fatal(err)
		}
		go func() {
			time.Sleep(500 * time.Millisecond)
			forget(c, 7)
		}()
		s, err := c.Guild(t.Context(), 7, AllParts, Read)
		if err != nil {
			t.Fatal(err)
		}
		equals(t, d.guilds[7], s)
		if got, want := d.requests(), [parts]int{2, 1, 1, 1}; got != want {
			t.Errorf("requests %v, want %v", got, want)
		}
	})
}

// TestPartsThatDoNotFit: further parts that the cache has no room for go to their
// reader; those that are there stay.
func TestPartsThatDoNotFit(t *testing.T) {
	c := newTestCache(t, Options{Load: ofSize(7, 60_000), Bytes: 128 << 10, Self: 900})
	defer c.Close()
	if _, err := c.Guild(t.Context(), 7, PartsOf(PartGuild), Read); err != nil {
		t.Fatal(err)
	}
	s, err := c.Guild(t.Context(), 7, AllParts, Read)
	if err != nil || !s.Has(AllParts) {
		t.Fatalf("%v", err)
	}
	if _, err := c.Guild(t.Context(), 7, AllParts, Read); reasonOf(t, err) != Memory {
		t.Errorf("the second reader: %v", err)
	}
	if s, err := c.Guild(t.Context(), 7, PartsOf(PartGuild), Read); err != nil || s.Parts() != PartsOf(PartGuild) {
		t.Errorf("the part that was there: %v", err)
	}
	atRest(t, c)
}
