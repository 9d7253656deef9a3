package cache

import (
	"encoding/json"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// keepNow keeps a guild as a load that has just ended does.
func keepNow(t testing.TB, c *Cache, guild uint64, content string) {
	t.Helper()
	keepBodies(t, c, guild, &bodies{Guild: json.RawMessage(content)})
}

func keepBodies(t testing.TB, c *Cache, guild uint64, b *bodies) {
	t.Helper()
	h := held{Snapshot: b.packed(c.packing)}
	for left := 50; ; left-- {
		sh := c.shard(guild)
		sh.mu.Lock()
		done := c.take(sh, &load{guild: guild}, &h, left == 0)
		sh.mu.Unlock()
		if done {
			return
		}
		if err := c.keeper.flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

func lookUp(c *Cache, guild uint64) *entry {
	sh := c.shard(guild)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	return c.find(sh, guild)
}

// TestBurstLosesNoWrite: ristretto drops new keys in a tight loop, and takes the
// first of two quick sets of one key. The overlay holds both until it has them.
func TestBurstLosesNoWrite(t *testing.T) {
	c := newTestCache(t, Options{Load: newFake(1).load, Bytes: 256 << 20})
	defer c.Close()
	const guilds = 60_000 // more than ristretto's buffer of 32,768
	for g := uint64(1); g <= guilds; g++ {
		keepNow(t, c, g, `{"v":1}`)
		if e := lookUp(c, g); e == nil {
			t.Fatalf("guild %d is not there after it was written", g)
		}
		c.Apply("GUILD_UPDATE", g, []byte(`{"v":2}`))
	}
	if err := c.keeper.flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	for g := uint64(1); g <= guilds; g++ {
		e := c.store.get(g)
		if e == nil {
			t.Fatalf("guild %d is lost", g)
		}
		if got := string(e.held.Load().Part(PartGuild)); got != `{"v":2}` {
			t.Fatalf("guild %d is %s, the write of 2 is lost", g, got)
		}
	}
	atRest(t, c)
}

// atRest checks the books when the keeper has nothing to do.
func atRest(t *testing.T, c *Cache) {
	t.Helper()
	for range 3 {
		if err := c.keeper.flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	pinned := 0
	for i := range c.shards {
		c.shards[i].mu.Lock()
		pinned += len(c.shards[i].overlay)
		c.shards[i].mu.Unlock()
	}
	if n := c.books.transit.Load(); n != 0 || pinned != 0 {
		t.Errorf("at rest %d bytes are on their way and %d guilds pinned", n, pinned)
	}
	var bytes, guilds int64
	c.store.cache.IterValues(func(e *entry) bool {
		bytes += e.charge.Load()
		guilds++
		if e.gone() {
			t.Errorf("guild %d is gone and still in ristretto", e.guild)
		}
		return false
	})
	if b, g := c.books.bytes.Load(), c.books.guilds.Load(); b != bytes || g != guilds {
		t.Errorf("the books have %d bytes in %d guilds, ristretto has %d in %d", b, g, bytes, guilds)
	}
}

// TestTinyCacheUnderBurst writes, grows and removes guilds that do not all fit.
// What is there is as last written, and the bound holds all the time.
func TestTinyCacheUnderBurst(t *testing.T) {
	const bound = 256 << 10
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	c := newTestCache(t, Options{Load: newFake(1).load, Bytes: bound})
	defer c.Close()
	var all sync.WaitGroup
	for part := range uint64(2) { // two goroutines, each with guilds of its own
		all.Go(func() {
			rnd := rand.New(rand.NewPCG(seed, part))
			last := map[uint64]string{}
			for step := range 5_000 {
				g := 2*rnd.Uint64N(300) + part + 1
				e := lookUp(c, g)
				switch content := noise(rnd.IntN(4000)); {
				case e == nil:
					last[g] = content
					keepNow(t, c, g, string(toJSON(object{"id": "0", "pad": content})))
				case rnd.IntN(20) == 0:
					c.Apply("GUILD_DELETE", g, toJSON(object{"id": string(quoted(g)[1 : len(quoted(g))-1])}))
					if lookUp(c, g) != nil {
						t.Errorf("step %d: guild %d is there after it was removed", step, g)
					}
				case rnd.IntN(2) == 0:
					last[g] = content
					c.Apply("GUILD_UPDATE", g, toJSON(object{"pad": content}))
				default:
					c.active(e)
				}
				if e := lookUp(c, g); e != nil {
					var o struct{ Pad string }
					if err := json.Unmarshal(e.held.Load().Part(PartGuild), &o); err != nil || o.Pad != last[g] {
						t.Errorf("step %d: guild %d has %d bytes, %d were written (%v)", step, g, len(o.Pad), len(last[g]), err)
						return
					}
				}
				if b := c.books.bytes.Load(); b > bound*105/100 {
					t.Errorf("step %d: %d bytes of %d", step, b, bound)
					return
				}
			}
		})
	}
	all.Wait()
	atRest(t, c)
	if st := c.Status(); st.Evicted == 0 || st.Guilds == 0 {
		t.Errorf("the cache was not tight: %+v", st)
	}
}

// TestGrowthKeepsTheBound grows every guild tenfold: an update that grows would
// hold nine times the bound.
func TestGrowthKeepsTheBound(t *testing.T) {
	const bound, guilds = 4 << 20, 1000
	c := newTestCache(t, Options{Load: newFake(1).load, Bytes: bound})
	defer c.Close()
	for g := uint64(1); g <= guilds; g++ {
		keepNow(t, c, g, `{"pad":"`+noise(2000)+`"}`)
	}
	big := toJSON(object{"pad": noise(20_000)})
	for g := uint64(1); g <= guilds; g++ {
		c.Apply("GUILD_UPDATE", g, big)
		if b := c.books.bytes.Load(); b > bound*105/100 {
			t.Fatalf("%d bytes of %d", b, bound)
		}
		if g%8 == 0 {
			c.keeper.flush(t.Context())
		}
	}
	atRest(t, c)
	if n := c.books.guilds.Load(); n < bound/21_500/2 {
		t.Errorf("only %d guilds of 21 KB are left in %d bytes", n, bound)
	}
}

// TestDroppedPutsAreTriedAgain: ristretto drops puts when its buffer is full. One
// that it will not have at all is let go, and backs off as memory.
func TestDroppedPutsAreTriedAgain(t *testing.T) {
	c := newTestCache(t, Options{Load: newFake(1).load, Bytes: 16 << 20})
	defer c.Close()
	puts, set := map[uint64]int{}, c.store.set
	c.store.set = func(guild uint64, e *entry, charge int64, ttl time.Duration) bool {
		puts[guild]++
		return puts[guild]%3 == 0 && guild != 500 && set(guild, e, charge, ttl)
	}
	const guilds = 1000
	for g := uint64(1); g <= guilds; g++ {
		keepNow(t, c, g, `{"v":1}`)
		c.Apply("GUILD_UPDATE", g, toJSON(object{"v": 2, "pad": noise(1000)}))
	}
	atRest(t, c)
	for g := uint64(1); g <= guilds; g++ {
		e := c.store.get(g)
		if g == 500 {
			_, err := c.Guild(t.Context(), g, AllParts, Read)
			if e != nil || reasonOf(t, err) != Memory {
				t.Errorf("a guild that is never taken: %v", err)
			}
		} else if e == nil || len(e.held.Load().Part(PartGuild)) < 1000 {
			t.Fatalf("guild %d is lost or old: %v", g, e)
		}
	}
	if n := c.store.dropped.Load(); n < guilds {
		t.Errorf("only %d puts were dropped", n)
	}
}

// TestExpiredEntryStaysGone: an entry whose time is up is a miss, though
// ristretto sweeps it later. It must neither come back by a late re-arming,
// older than events it was not told, nor stay in the books beside its successor.
func TestExpiredEntryStaysGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newFake(1, 7)
		c := newTestCache(t, Options{Load: d.load, Idle: time.Minute})
		defer c.Close()
		mustLoad(t, c, 7)
		time.Sleep(time.Second / 2) // off ristretto's ticks
		mustLoad(t, c, 7)
		old := c.store.get(7)
		time.Sleep(time.Minute*9/8 - time.Second/2 + time.Millisecond)
		if c.store.get(7) != nil || old.gone() {
			t.Fatal("the entry should be expired and not swept")
		}
		c.keeper.enqueue(old) // as a touch does that came just in time
		atRest(t, c)
		if c.store.get(7) != nil {
			t.Error("the entry came back")
		}

		mustLoad(t, c, 7)
		old = c.store.get(7)
		time.Sleep(time.Minute*9/8 + time.Millisecond)
		if c.store.get(7) != nil || old.gone() {
			t.Fatal("the second entry should be expired and not swept")
		}
		mustLoad(t, c, 7)
		if st := c.Status(); st.Guilds != 1 || !old.gone() {
			t.Errorf("%d guilds in the books beside the new one", st.Guilds-1)
		}
		atRest(t, c)
	})
}

// TestReadersWhileAGuildGrowsAndShrinks reads without pause while events make
// the guild leave ristretto and come back. Nobody reads what is older than an
// event that was applied before, and nobody finds it missing.
func TestReadersWhileAGuildGrowsAndShrinks(t *testing.T) {
	d := newFake(1, 7)
	c := newTestCache(t, Options{Load: d.load})
	defer c.Close()
	mustLoad(t, c, 7)
	var applied atomic.Int64
	var all sync.WaitGroup
	done := make(chan struct{})
	for range 3 {
		all.Go(func() {
			for last := uint64(0); ; {
				select {
				case <-done:
					return
				default:
				}
				least := applied.Load()
				s, err := c.Guild(t.Context(), 7, AllParts, Read)
				if err != nil {
					t.Error(err)
					return
				}
				var o struct{ V int64 }
				if err := json.Unmarshal(s.Part(PartGuild), &o); err != nil || o.V < least || s.Version < last {
					t.Errorf("read %d of version %d after %d was applied and version %d read: %v", o.V, s.Version, least, last, err)
					return
				}
				last = s.Version
			}
		})
	}
	for v := range int64(1500) {
		c.Apply("GUILD_UPDATE", 7, toJSON(object{"v": v, "pad": noise(int(v * 37 % 5000))}))
		applied.Store(v)
	}
	close(done)
	all.Wait()
	if d.total() != 4 {
		t.Errorf("%d requests: the guild was lost and loaded again", d.total())
	}
}
