package cache

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
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
// many goroutines at once, and none is left behind.
func TestPackedIsTheSameAgain(t *testing.T) {
	k := newTestPacking(t)
	before := runtime.NumGoroutine()
	m := newMaker(2)
	var all []json.RawMessage
	for _, size := range []int{1000, 25_000, 250_000} {
		b := m.guild(7, 900, size)
		for p := range parts {
			all = append(all, *b.part(p))
		}
	}
	_, real := realGuild(t)
	all = append(all, real.Guild, real.Channels, real.Threads, real.Member,
		json.RawMessage(`null`), json.RawMessage(`[]`), json.RawMessage(noise(packFrom)), json.RawMessage(noise(100_000)),
		json.RawMessage(noise(dictionaryTo)), json.RawMessage(noise(dictionaryTo+1)))
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
	if now := runtime.NumGoroutine(); now > before {
		t.Errorf("%d goroutines were left", now-before)
	}
	if n := len(k.idle); n == 0 || n > idlePackers {
		t.Errorf("%d packers are kept", n)
	}
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
	for kind, may := range map[string]Parts{
		"guild": 1, "emojis": 1, "stickers": 1, "role+": 1, "role~": 1, "role-": 1 | 8, "member": 8,
		"channel+": 2, "channel~": 2, "channel-": 2 | 4, "thread+": 4, "thread~": 4, "threadmember": 4, "archive": 4,
	} {
		before := *lookUp(c, 7).held.Load()
		told := d.guilds[7].change(d.rnd, kind)
		c.Apply(told.name, 7, told.data)
		after := lookUp(c, 7).held.Load()
		for p, b := range after.pieces {
			if same := &b[0] == &before.pieces[p][0]; !same && may>>p&1 == 0 {
				t.Errorf("%s packed %s anew", told.name, Part(p))
			}
		}
		if after.Version == before.Version {
			t.Errorf("%s made no version", told.name)
		}
	}
}
