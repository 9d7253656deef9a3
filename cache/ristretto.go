package cache

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/dgraph-io/ristretto/v2"
)

// store is ristretto with what must be known about it. get is for any
// goroutine; all else is the keeper's.
type store struct {
	cache *ristretto.Cache[uint64, *entry]
	// set is the cache's SetWithTTL; tests have it drop what it gets.
	set func(guild uint64, e *entry, charge int64, ttl time.Duration) bool
	// keeping is the entry that the keeper sets or deletes right now to set it
	// again. What leaves ristretto otherwise is gone.
	keeping atomic.Pointer[entry]

	evicted, expired, rejected, dropped atomic.Uint64
}

// newStore makes a store that holds at most this many bytes of charges.
func newStore(bytes int64) (*store, error) {
	s := &store{}
	c, err := ristretto.NewCache(&ristretto.Config[uint64, *entry]{
		NumCounters:            min(max(bytes/256, 1<<14), 1<<20), // ten for each guild of 2.5 KB
		MaxCost:                bytes,
		BufferItems:            64,
		IgnoreInternalCost:     true, // the charge has it
		KeyToHash:              spread,
		TtlTickerDurationInSec: 1,
		OnEvict:                s.onEvict,
		OnReject:               s.onReject,
		OnExit:                 s.onExit,
	})
	if err != nil {
		return nil, fmt.Errorf("make the guild cache of %d bytes: %w", bytes, err)
	}
	s.cache, s.set = c, c.SetWithTTL
	return s, nil
}

// spread is a bijection (the finalizer of splitmix64): ids differ in their
// upper bits, ristretto's shards are chosen by the lower ones. No two guilds
// share a hash, so there is no conflict to tell apart.
func spread(id uint64) (hash, conflict uint64) {
	id = (id ^ id>>30) * 0xbf58476d1ce4e5b9
	id = (id ^ id>>27) * 0x94d049bb133111eb
	return id ^ id>>31, 0
}

func (s *store) onEvict(i *ristretto.Item[*entry]) {
	if i.Value == nil || !i.Value.die() {
		return
	}
	if i.Expiration.IsZero() {
		s.evicted.Add(1)
	} else {
		s.expired.Add(1)
	}
}

func (s *store) onReject(i *ristretto.Item[*entry]) {
	if i.Value != nil && i.Value.die() {
		s.rejected.Add(1)
	}
}

// onExit is told of every value that leaves its place, also of one that is set
// again. An entry that had expired but was not swept leaves only this way.
func (s *store) onExit(e *entry) {
	if e != nil && e != s.keeping.Load() {
		e.die()
	}
}

// get returns the guild's entry, nil if there is none or it is gone.
func (s *store) get(guild uint64) *entry {
	e, ok := s.cache.Get(guild)
	if !ok || e.gone() {
		return nil
	}
	return e
}

// has reports whether ristretto holds this very entry, gone or not.
func (s *store) has(e *entry) bool {
	held, ok := s.cache.Get(e.guild)
	return ok && held == e
}

// put sets an entry; false: ristretto dropped it. Taken or not is known after
// wait.
func (s *store) put(e *entry, charge int64, ttl time.Duration) bool {
	s.keeping.Store(e)
	defer s.keeping.Store(nil)
	return s.set(e.guild, e, charge, ttl)
}

// replace sets an entry that is new or has grown. An update may grow beyond the
// bound; a new admission may not. The deletion may wait for ristretto.
func (s *store) replace(e *entry, charge int64, ttl time.Duration) bool {
	s.keeping.Store(e)
	defer s.keeping.Store(nil)
	s.cache.Del(e.guild)
	return s.set(e.guild, e, charge, ttl)
}

// remove deletes an entry that is gone, if it is still in its place.
func (s *store) remove(e *entry) {
	if s.has(e) {
		s.cache.Del(e.guild)
	}
}

// wait returns when all that was put has been taken or refused.
func (s *store) wait() { s.cache.Wait() }

func (s *store) close() { s.cache.Close() }
