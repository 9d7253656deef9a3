package cache

import (
	"encoding/json"
	"os"
	"runtime"
	"strings"
	"testing"
)

// liveHeap is what is in use after everything else is gone.
func liveHeap() float64 {
	runtime.GC() // twice: what pools held goes with the second
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc)
}

// filled is a cache of this many guilds of about 25 KB, each of them different,
// among as many more that are only known.
func filled(t testing.TB, active, known int) *Cache {
	t.Helper()
	c := newTestCache(t, Options{Load: newFake(1).load, Self: 900})
	m := newMaker(3)
	data := toJSON(newFake(1, 7).guilds[7].create())
	for g := range uint64(known) {
		if c.Apply("GUILD_CREATE", g+1, data); g >= uint64(active) {
			continue
		}
		b := m.guild(g+1, 900, 25_000)
		keepBodies(t, c, g+1, &b)
	}
	atRestNow(t, c)
	return c
}

func atRestNow(t testing.TB, c *Cache) {
	t.Helper()
	for range 3 {
		if err := c.keeper.flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// perParsed is what a guild of 25 KB costs in structs.
func perParsed(t testing.TB, guilds int) float64 {
	t.Helper()
	m := newMaker(3)
	before := liveHeap()
	all := make(map[uint64]*parsedWhole)
	for g := range uint64(guilds) {
		b := m.guild(g+1, 900, 25_000)
		all[g] = parse(t, &b)
	}
	after := liveHeap()
	runtime.KeepAlive(all)
	return (after - before) / float64(guilds)
}

// emptyCache is what a cache costs without a guild, its packers once used.
func emptyCache(t testing.TB) float64 {
	t.Helper()
	before := liveHeap()
	c := newTestCache(t, Options{Load: newFake(1).load})
	defer c.Close()
	var some []*packer
	for range cap(c.packing.idle) {
		some = append(some, c.packing.get())
	}
	for _, p := range some {
		c.packing.put(p)
		for range some {
			c.packing.unpack(c.packing.pack(json.RawMessage(strings.Repeat(dictionary, 2))))
			c.packing.unpack(c.packing.pack(json.RawMessage(dictionary)))
		}
	}
	defer runtime.KeepAlive(c)
	return liveHeap() - before
}

// TestMemoryOfTinyGuilds: those that are hardly more than their overhead.
func TestMemoryOfTinyGuilds(t *testing.T) {
	fixed := emptyCache(t)
	before := liveHeap()
	c := newTestCache(t, Options{Load: newFake(1).load})
	defer c.Close()
	for g := range uint64(20_000) {
		if keepNow(t, c, g+1, `{"v":1}`); g%64 == 0 {
			atRestNow(t, c)
		}
	}
	atRestNow(t, c)
	held := liveHeap() - before
	if st := c.Status(); held > float64(st.Bytes)*1.05+fixed {
		t.Errorf("%.0f bytes are in use, %.0f of them without a guild, for guilds that are charged %d", held, fixed, st.Bytes)
	}
	runtime.KeepAlive(c)
}

// TestMemory: what guilds are charged is what they cost, so that the bound in
// bytes is one; and the active ones, packed, cost a twentieth of all, parsed.
func TestMemory(t *testing.T) {
	active, known := 600, 4_000
	if os.Getenv("HOLDFAST_FULL") != "" {
		active, known = 15_000, 100_000
	}
	parsed := perParsed(t, 150)
	fixed := emptyCache(t)
	before := liveHeap()
	c := filled(t, active, known)
	defer c.Close()
	held := liveHeap() - before
	st := c.Status()
	if st.Guilds != int64(active) {
		t.Fatalf("%d guilds are there, want %d", st.Guilds, active)
	}
	if most := float64(st.Bytes)*1.05 + fixed; held > most {
		t.Errorf("%.0f bytes are in use for guilds that are charged %d", held, st.Bytes)
	}
	if all := parsed * float64(known); held > all/20+fixed {
		t.Errorf("%.0f bytes are in use, a twentieth of all %d guilds in structs is %.0f", held, known, all/20)
	}
	t.Logf("%.1f MB for %d active guilds of %d, %.0f bytes each, %d charged; fixed %.1f MB; parsed %.0f each, %.0f MB all",
		held/1e6, active, known, (held-fixed)/float64(active), st.Bytes/int64(active), fixed/1e6, parsed, parsed*float64(known)/1e6)
	runtime.KeepAlive(c)
}
