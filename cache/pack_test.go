package cache

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
)

func newTestPacking(t testing.TB) *packing {
	t.Helper()
	k, err := newPacking()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// TestPackedIsTheSameAgain: whatever a part is, it comes back as it was, from
// many goroutines at once. The bubble finds any that is left behind.
func TestPackedIsTheSameAgain(t *testing.T) {
	_, captured := realGuild(t)
	synctest.Test(t, func(t *testing.T) {
		k := newTestPacking(t)
		m := newMaker(2)
		var all []json.RawMessage
		for _, b := range []bodies{captured, m.guild(7, 900, 1000), m.guild(7, 900, 25_000), m.guild(7, 900, 250_000)} {
			all = append(all, b.Guild, b.Channels, b.Threads, b.Member)
		}
		for _, n := range []int{packFrom - 1, packFrom, dictionaryTo, dictionaryTo + 1, 100_000} {
			all = append(all, json.RawMessage(noise(n)))
		}
		all = append(all, json.RawMessage(`null`), json.RawMessage(`[]`))
		var work sync.WaitGroup
		for range 8 {
			work.Go(func() {
				for _, raw := range all {
					b := k.pack(raw)
					if again := k.unpack(b); !bytes.Equal(again, raw) {
						t.Errorf("%d bytes are %d after packing", len(raw), len(again))
					}
					if len(b) > len(raw) || cap(b) > len(b)*5/4+64 {
						t.Errorf("%d bytes are held in %d of %d", len(raw), len(b), cap(b))
					}
				}
			})
		}
		work.Wait()
		if n := len(k.idle); n == 0 || n > cap(k.idle) {
			t.Errorf("%d packers are kept", n)
		}
	})
}

// TestPackedByItself: packing lets go of what an edit or an event shares with it.
func TestPackedByItself(t *testing.T) {
	k := newTestPacking(t)
	for _, raw := range []string{`null`, `{"id":"7","roles":[]}`, noise(3000), strings.Repeat(`{"id":"7","roles":[]},`, 300)} {
		given := make([]byte, len(raw), 2*len(raw)+4096)
		copy(given, raw)
		b := k.pack(given)
		clear(given)
		if got := k.unpack(b); string(got) != raw {
			t.Errorf("%.40q became %.40q with the bytes that it was made of", raw, got)
		}
		if cap(b) > 2*len(raw)+16 {
			t.Errorf("%d bytes hold %d", cap(b), len(raw))
		}
		for n := 1; n < len(b); n++ {
			if got := k.unpack(b[:n]); b.packed() && got != nil {
				t.Fatalf("%d of %d bytes are read as %q", n, len(b), got)
			}
		}
	}
}

// TestLargestParts: what is larger than any payload of Discord's is held as it is;
// all else comes back.
func TestLargestParts(t *testing.T) {
	k := newTestPacking(t)
	list := newMaker(2).guild(7, 900, 1_000_000).Channels
	for _, size := range []int{packTo / 3, packTo, packTo + 1} {
		raw := bytes.Repeat(list, size/len(list)+1)[:size]
		b := k.pack(raw)
		if b.packed() != (size <= packTo) || !bytes.Equal(k.unpack(b), raw) {
			t.Errorf("%d bytes are held in %d, packed: %v", size, len(b), b.packed())
		}
	}
}

// TestPackingSaves: so much less is held, and no packer keeps what was large.
func TestPackingSaves(t *testing.T) {
	k := newTestPacking(t)
	_, captured := realGuild(t)
	m := newMaker(1)
	for _, tc := range []struct {
		bodies
		least float64
	}{{captured, 6.5}, {m.guild(7, 900, 2_000), 3.5}, {m.guild(7, 900, 25_000), 4.3}, {m.guild(7, 900, 250_000), 4.5}} {
		s := tc.packed(k)
		if times := float64(tc.total()) / float64(s.size()); times < tc.least {
			t.Errorf("%d bytes are held in a part of %.1f, want %.1f", tc.total(), times, tc.least)
		}
	}
	k.pack(json.RawMessage(noise(4 * idleBuffer)))
	for range len(k.idle) {
		if p := <-k.idle; cap(p.buffer) > idleBuffer {
			t.Errorf("a packer keeps %d bytes", cap(p.buffer))
		}
	}
}

// FuzzUnpack: what no packer has made is not there; never a panic, never more
// than packTo.
func FuzzUnpack(f *testing.F) {
	k := newTestPacking(f)
	b := newMaker(2).guild(7, 900, 3000)
	for p := range parts {
		f.Add([]byte(k.pack(*b.part(p))))
	}
	f.Add([]byte{0x28, 0xb5, 0x2f, 0xfd})
	f.Add([]byte{0x28, 0xb5, 0x2f, 0xfd, 0xe0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0}) // says that it is huge
	f.Add([]byte(`{}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if raw := k.unpack(b); len(raw) > packTo {
			t.Fatalf("%d bytes from %d", len(raw), len(b))
		}
	})
}

// TestDamagedPartIsNotThere: what cannot be unpacked is no part any more as soon
// as an event meets it, and the next reader loads it.
func TestDamagedPartIsNotThere(t *testing.T) {
	d := newFake(1, 7)
	c := newTestCache(t, Options{Load: d.load, Self: 900})
	defer c.Close()
	mustLoad(t, c, 7)
	e := lookUp(c, 7)
	damaged := *e.held.Load()
	if !damaged.pieces[PartChannels].packed() {
		t.Fatal("the channels are not packed")
	}
	damaged.pieces[PartChannels] = bytes.Clone(damaged.pieces[PartChannels])
	rnd := rand.New(rand.NewPCG(1, 1))
	for i := range damaged.pieces[PartChannels][4:] {
		damaged.pieces[PartChannels][4+i] = byte(rnd.Uint32())
	}
	e.held.Store(&damaged)
	if raw := damaged.Part(PartChannels); raw != nil {
		t.Fatalf("damaged channels are read as %d bytes", len(raw))
	}
	for _, kind := range []string{"role+", "channel+"} {
		told := d.guilds[7].change(d.rnd, kind)
		if v := c.Apply(told.name, 7, told.data); v == 0 {
			t.Fatalf("%s: the guild is gone", told.name)
		}
	}
	if have := e.held.Load().Parts(); have != AllParts&^PartsOf(PartChannels) {
		t.Errorf("after the events there are %s", have)
	}
	s, err := c.Guild(t.Context(), 7, AllParts, Read)
	if err != nil {
		t.Fatal(err)
	}
	equals(t, d.guilds[7], s)
	if got, want := d.requests(), [parts]int{1, 2, 1, 1}; got != want {
		t.Errorf("requests %v, want %v", got, want)
	}
}

// TestEditsTouchOnlyTheirParts: an event leaves the bytes of all other parts
// where they are.
func TestEditsTouchOnlyTheirParts(t *testing.T) {
	d := newFake(1, 7)
	c := newTestCache(t, Options{Load: d.load, Self: 900})
	defer c.Close()
	mustLoad(t, c, 7)
	may := map[string]Parts{
		"GUILD_UPDATE": 1, "GUILD_EMOJIS_UPDATE": 1, "GUILD_STICKERS_UPDATE": 1,
		"GUILD_ROLE_CREATE": 1, "GUILD_ROLE_UPDATE": 1, "GUILD_ROLE_DELETE": 1 | 8, "GUILD_MEMBER_UPDATE": 8,
		"CHANNEL_CREATE": 2, "CHANNEL_UPDATE": 2, "CHANNEL_DELETE": 2 | 4,
		"THREAD_CREATE": 4, "THREAD_UPDATE": 4, "THREAD_MEMBER_UPDATE": 4,
	}
	for _, kind := range []string{
		"guild", "emojis", "stickers", "role+", "role~", "role-", "member",
		"channel+", "channel~", "channel-", "thread+", "thread~", "threadmember", "archive",
	} {
		before := *lookUp(c, 7).held.Load()
		told := d.guilds[7].change(d.rnd, kind)
		c.Apply(told.name, 7, told.data)
		after := lookUp(c, 7).held.Load()
		for p, b := range after.pieces {
			if same := &b[0] == &before.pieces[p][0]; !same && may[told.name]>>p&1 == 0 {
				t.Errorf("%s packed %s anew", told.name, Part(p))
			}
		}
		if after.Version == before.Version {
			t.Errorf("%s made no version", told.name)
		}
	}
	told := d.guilds[7].change(d.rnd, "role+") // a role that the bot does not have
	c.Apply(told.name, 7, told.data)
	before := lookUp(c, 7).held.Load().pieces
	c.Apply("GUILD_ROLE_DELETE", 7, toJSON(object{"guild_id": "7", "role_id": told.id}))
	after := lookUp(c, 7).held.Load().pieces
	if &after[PartGuild][0] == &before[PartGuild][0] || &after[PartMember][0] != &before[PartMember][0] {
		t.Error("a role that goes changes the guild, and not who never had it")
	}
}

// TestIdlePackers: whoever packs at once on all processors needs no new packer.
func TestIdlePackers(t *testing.T) {
	for procs, want := range map[int]int{1: 2, 2: 2, 4: 4, 8: 8, 64: maxIdlePackers} {
		if got := idlePackers(procs); got != want {
			t.Errorf("%d for %d processors, want %d", got, procs, want)
		}
	}
	if n, want := cap(newTestPacking(t).idle), idlePackers(runtime.GOMAXPROCS(0)); n != want {
		t.Errorf("room for %d, want %d", n, want)
	}
}
