package cache

import (
	"encoding/json"
	"sync/atomic"
)

// Snapshot is a guild at one moment. Neither it nor its bytes are ever changed:
// any goroutine may keep and read them, none may write.
//
// What moves with every message or member (last_message_id, last_pin_timestamp,
// counts of members) is as old as the load or the event that last carried it.
type Snapshot struct {
	// Version is higher than that of every snapshot made before, of any guild.
	Version uint64
	// Guild is the guild object with roles, emojis and stickers inside.
	Guild json.RawMessage
	// Channels is a list of channel objects, without threads, in no promised order.
	Channels json.RawMessage
	// Threads is the list of active threads; those that the bot has joined have
	// their "member" inside, as in GUILD_CREATE.
	Threads json.RawMessage
	// Member is the bot's own member object, or null if it is not known.
	Member json.RawMessage
}

// overhead is what an entry costs beside its bytes: itself, its snapshot, its
// place in ristretto (131 bytes measured) and in the expiry index.
const overhead = 512

func (s *Snapshot) size() int64 {
	return int64(cap(s.Guild)+cap(s.Channels)+cap(s.Threads)+cap(s.Member)) + overhead
}

// chargeFor is what an entry of this size is charged: a little more, so that
// small growth needs no new admission.
func chargeFor(size int64) int64 { return (size + size/32 + 255) &^ 255 }

// held is what an entry points at; replaced as a whole.
type held struct {
	Snapshot
	down bool // GUILD_DELETE with unavailable: true as of late
}

// entry is one guild. Ristretto and the overlay hold pointers to it.
type entry struct {
	guild uint64
	books *books
	held  atomic.Pointer[held]
	armed atomic.Int64 // when its expiry was last set, or is about to be; clock of the cache
	// charge is what the books count for it; 0: gone.
	charge atomic.Int64
	queued atomic.Bool // waits for the keeper

	pinned  bool  // in the overlay; the shard's lock
	transit int64 // its share of the books' transit; the shard's lock
	fresh   bool  // not yet taken for the first time; the shard's lock
	left    bool  // its guild was removed; the shard's lock

	taken int64 // charge that ristretto knows, 0: none; the keeper's
}

// books count bytes and guilds.
type books struct {
	bytes   atomic.Int64
	guilds  atomic.Int64
	transit atomic.Int64 // bytes that ristretto does not know of yet
	limit   int64        // of transit
}

func newEntry(b *books, guild uint64, h *held, charge, now int64) *entry {
	e := &entry{guild: guild, books: b, fresh: true}
	e.held.Store(h)
	e.armed.Store(now)
	e.charge.Store(charge)
	b.bytes.Add(charge)
	b.guilds.Add(1)
	return e
}

func (e *entry) gone() bool { return e.charge.Load() == 0 }

// version is that of the guild, 0 if it is not to be had.
func (e *entry) version() uint64 {
	if h := e.held.Load(); !h.down && !e.gone() {
		return h.Version
	}
	return 0
}

// die takes the entry out of the books and makes it a miss for everyone; true
// for the one call that did it.
func (e *entry) die() bool {
	charge := e.charge.Swap(0)
	if charge == 0 {
		return false
	}
	e.books.bytes.Add(-charge)
	e.books.guilds.Add(-1)
	return true
}

// recharge changes the charge unless the entry is gone.
func (e *entry) recharge(to int64) bool {
	for {
		from := e.charge.Load()
		if from == 0 {
			return false
		}
		if e.charge.CompareAndSwap(from, to) {
			e.books.bytes.Add(to - from)
			return true
		}
	}
}

// enter takes room for bytes on their way to ristretto.
func (b *books) enter(bytes int64) bool {
	if b.transit.Add(bytes) <= b.limit {
		return true
	}
	b.transit.Add(-bytes)
	return false
}
