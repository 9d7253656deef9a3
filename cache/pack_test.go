package cache

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
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
		if n := len(k.idle); n == 0 || n > idlePackers {
			t.Errorf("%d packers are kept", n)
		}
	})
}

// TestPackedByItself: packing lets go of what an edit or an event shares with it.
func TestPackedByItself(t *testing.T) {
	k := newTestPacking(t)
	for _, raw := range []string{`null`, `{"id":"7","roles":[]}`, noise(3000)} {
		given := make([]byte, len(raw), 2*len(raw)+4096)
		copy(given, raw)
		b := k.pack(given)
		clear(given)
		if got := k.unpack(b); string(got) != raw {
			t.Errorf("%q became %q with the bytes that it was made of", raw, got)
		}
		if cap(b) > 2*len(raw)+16 {
			t.Errorf("%d bytes hold %d", cap(b), len(raw))
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
}
