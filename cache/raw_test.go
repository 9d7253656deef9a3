package cache

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// dragged is a cache with guilds of about so many bytes, of which somebody drags the
// first channel.
type dragged struct {
	*Cache
	t  *testing.T
	at map[uint64]int // where the channel is, by guild
}

func newDragged(t *testing.T, o Options, size int, guilds ...uint64) *dragged {
	t.Helper()
	d := &dragged{t: t, at: make(map[uint64]int)}
	whole := make(map[uint64]bodies)
	for _, g := range guilds {
		whole[g] = newMaker(g).guild(g, 900, size)
	}
	o.Self = 900
	o.Load = func(_ context.Context, guild uint64, p Part) (json.RawMessage, error) {
		b := whole[guild]
		return *b.part(p), nil
	}
	d.Cache = newTestCache(t, o)
	for _, g := range guilds {
		mustLoad(t, d.Cache, g)
	}
	return d
}

// first is the guild's first channel.
func (d *dragged) first(guild uint64) (channel []byte) {
	d.t.Helper()
	elements(lookUp(d.Cache, guild).held.Load().Part(PartChannels), func(e []byte) bool {
		channel = bytes.Clone(e)
		return false
	})
	if channel == nil {
		d.t.Fatalf("guild %d has no channel", guild)
	}
	return channel
}

func (d *dragged) drag(guild uint64) (version uint64) {
	d.t.Helper()
	d.at[guild]++
	data := with(d.first(guild), "position", fmt.Append(nil, d.at[guild]))
	if version = d.Apply("CHANNEL_UPDATE", guild, data); version == 0 {
		d.t.Fatalf("guild %d is gone", guild)
	}
	return version
}

// is checks what is held of a guild: whether a part is raw, and where the channel is.
func (d *dragged) is(what string, guild uint64, raw bool, version uint64) {
	d.t.Helper()
	audit(d.t, d.Cache)
	h := lookUp(d.Cache, guild).held.Load()
	if (h.raw != nil) != raw || h.Version != version {
		d.t.Errorf("%s: raw is %t, want %t; version %d, want %d", what, h.raw != nil, raw, h.Version, version)
	}
	if at := string(field(d.first(guild), "position")); at != fmt.Sprint(d.at[guild]) {
		d.t.Errorf("%s: the channel is at %s, want %d", what, at, d.at[guild])
	}
}

// TestChangedPartsArePackedLater: not before the changes have ended, and then nothing is
// different but the bytes.
func TestChangedPartsArePackedLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDragged(t, Options{}, 100_000, 7)
		defer d.Close()
		before := d.Status().Bytes
		var version uint64
		for range 20 {
			version = d.drag(7)
			d.is("while it changes", 7, true, version)
			if held := d.Status().Bytes; held < before+int64(len(d.held(7).Part(PartChannels))) {
				t.Fatalf("%d bytes are told, %d before anything was raw", held, before)
			}
			time.Sleep(rawFor * 3 / 4)
			d.is("between two changes", 7, true, version)
		}
		// A change while it is being packed is not undone.
		stale, packed := d.held(7), *d.held(7)
		packed.pack()
		version = d.drag(7)
		d.packed(d.shard(7), lookUp(d.Cache, 7), stale, &packed, true)
		d.is("changed while it was packed", 7, true, version)
		old, s := d.held(7), mustLoad(t, d.Cache, 7)
		time.Sleep(2 * rawFor)
		synctest.Wait()
		d.is("at rest", 7, false, version)
		if now := d.held(7); !bytes.Equal(now.Part(PartChannels), old.Part(PartChannels)) || !now.pieces[PartChannels].packed() {
			t.Error("packing has changed the channels")
		}
		if s.Part(PartChannels) == nil || s.Version != version {
			t.Error("the snapshot of before is not what it was")
		}
		if held := d.Status().Bytes; held > before+before/16 || d.books.raw.Load() != 0 {
			t.Errorf("%d bytes are told, %d before; %d raw", held, before, d.books.raw.Load())
		}
		if len(d.raws.entries) != 0 || d.raws.timer != nil {
			t.Errorf("left at rest: %d entries, timer %v", len(d.raws.entries), d.raws.timer)
		}
		d.drag(7)
		d.is("once more", 7, true, version+1)
	})
}

func (d *dragged) held(guild uint64) *held { return lookUp(d.Cache, guild).held.Load() }

// TestRawPartsAreBounded: what finds no room is packed at once, and what goes makes room.
func TestRawPartsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDragged(t, Options{Bytes: 8 << 20}, 100_000, 7, 8, 9) // 104 KB may be raw
		defer d.Close()
		d.is("the first", 7, true, d.drag(7))
		d.is("the second finds no room", 8, false, d.drag(8))
		d.is("the first goes on", 7, true, d.drag(7))
		forget(d.Cache, 7)
		if raw := d.books.raw.Load(); raw != 0 {
			t.Errorf("%d raw bytes of a guild that is gone", raw)
		}
		d.is("the second finds room", 8, true, d.drag(8))
		if version := d.Apply("GUILD_DELETE", 8, []byte(`{"id":"8"}`)); version != 0 || d.books.raw.Load() != 0 {
			t.Errorf("%d raw bytes of a guild that the bot has left", d.books.raw.Load())
		}
		d.is("the third finds room", 9, true, d.drag(9))
		time.Sleep(3 * rawFor)
		synctest.Wait()
		if len(d.raws.entries) != 0 {
			t.Errorf("%d entries are left", len(d.raws.entries))
		}
	})
}

// TestOnePartOfAGuildIsRaw: what else changes meanwhile is packed, what is loaded
// meanwhile leaves it, and a GUILD_CREATE replaces it.
func TestOnePartOfAGuildIsRaw(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDragged(t, Options{}, 100_000, 7)
		defer d.Close()
		version := d.drag(7)
		role := []byte(`{"guild_id":"7","role":{"id":"77","name":"diver"}}`)
		d.Apply("GUILD_ROLE_CREATE", 7, role)
		d.is("a role beside it", 7, true, version+1)
		if h := d.held(7); h.raw.part != PartChannels || find(field(h.Part(PartGuild), "roles"), 77) == nil {
			t.Errorf("%s is raw, and the role is %s", h.raw.part, find(field(h.Part(PartGuild), "roles"), 77))
		}
		less := *d.held(7) // without its threads, which are loaded again
		less.pieces[PartThreads] = nil
		lookUp(d.Cache, 7).held.Store(&less)
		mustLoad(t, d.Cache, 7)
		d.is("threads loaded beside it", 7, true, version+2)
		all := bodies{Guild: d.held(7).Part(PartGuild), Channels: json.RawMessage(`[{"id":"5","position":0}]`), Threads: json.RawMessage(`[]`), Member: d.held(7).Part(PartMember)}
		d.at[7] = 0
		if v := d.Apply("GUILD_CREATE", 7, all.created()); v != version+3 {
			t.Errorf("version %d", v)
		}
		d.is("another GUILD_CREATE", 7, false, version+3)
		time.Sleep(3 * rawFor)
		synctest.Wait()
		d.is("at rest", 7, false, version+3)
	})
}

// TestPackingWaitsForRoom: a guild that has grown stays while there is no room for that
// on the way to ristretto, and is packed when there is.
func TestPackingWaitsForRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDragged(t, Options{Bytes: 16 << 20}, 60_000, 7, 8)
		defer d.Close()
		charge := lookUp(d.Cache, 7).charge.Load()
		for n := range 40 {
			d.Apply("CHANNEL_CREATE", 7, toJSON(object{"id": fmt.Sprint(1000 + n), "guild_id": "7", "topic": noise(2000 + n)}))
		}
		version := d.drag(7)
		d.is("it has grown", 7, true, version)
		// There is no room until the keeper has written another guild, which takes it longer
		// than the first look for room.
		d.books.transit.Add(d.books.limit)
		set := d.store.set
		d.store.set = func(guild uint64, e *entry, charge int64, ttl time.Duration) bool {
			if guild == 8 {
				time.Sleep(rawFor / 4)
				d.books.transit.Add(-d.books.limit)
			}
			return set(guild, e, charge, ttl)
		}
		time.Sleep(rawFor * 7 / 8)
		d.keeper.enqueue(lookUp(d.Cache, 8))
		time.Sleep(3 * rawFor)
		synctest.Wait()
		d.is("there was room in the end", 7, false, version)
		if now := lookUp(d.Cache, 7).charge.Load(); now < charge*3/2 {
			t.Errorf("it is charged %d, and was charged %d before it grew", now, charge)
		}
		if s := d.Status(); s.Evicted != 0 {
			t.Errorf("%d guilds were evicted", s.Evicted)
		}
	})
}
