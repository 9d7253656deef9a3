package cache

import "sync/atomic"

// overhead is what an entry costs beside its bytes: itself, its snapshot, its
// place in ristretto (131 bytes measured) and in the expiry index.
const overhead = 512

// chargeFor is what an entry of this size is charged: a little more, so that
// small growth needs no new admission.
func chargeFor(size int64) int64 { return (size + size/32 + 255) &^ 255 }

// entry is one guild. Ristretto and the overlay hold pointers to it.
type entry struct {
	guild uint64
	books *books
	held  atomic.Pointer[held]
	armed atomic.Int64 // when its expiry was last set, or is about to be; clock of the cache
	// charge is what the books count for it; 0: gone.
	charge atomic.Int64
	queued atomic.Bool // waits for the keeper
	// raw is what it holds in raw parts beside its charge. The shard's lock guards it,
	// but for die.
	raw atomic.Int64

	people  *people // nil: none are kept; the shard's lock
	beside  int64   // bytes that hang on it beside its snapshot, its people; the shard's lock
	pinned  bool    // in the overlay; the shard's lock
	transit int64   // its share of the books' transit; the shard's lock
	fresh   bool    // not yet taken for the first time; the shard's lock
	failed  bool    // a load of further parts has failed, and its record holds; the shard's lock
	left    bool    // its guild was removed; the shard's lock
	changed int64   // when its raw part last was, clock of the cache; the shard's lock

	taken int64 // charge that ristretto knows, 0: none; the keeper's
}

// books count bytes and guilds.
type books struct {
	bytes   atomic.Int64
	guilds  atomic.Int64
	transit atomic.Int64 // bytes that ristretto does not know of yet
	limit   int64        // of transit
	raw     atomic.Int64 // bytes of raw parts, which are not in bytes
	index   index

	rawLimit int64
}

func newEntry(b *books, guild uint64, h *held, charge, now int64) *entry {
	e := &entry{guild: guild, books: b, fresh: true}
	e.held.Store(h)
	e.armed.Store(now)
	e.charge.Store(charge)
	b.bytes.Add(charge)
	b.guilds.Add(1)
	b.index.add(e)
	return e
}

// size is what the entry costs; the caller holds the shard's lock.
func (e *entry) size() int64 { return sizeOf(&e.held.Load().Snapshot) + e.beside }

func sizeOf(s *Snapshot) int64 { return s.size() + overhead }

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
	e.books.raw.Add(-e.raw.Swap(0))
	e.books.index.remove(e)
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
