package cache

import "sync"

// index knows the entries that are not gone. Its lock is the last that anybody
// takes: ristretto's callbacks do.
type index struct {
	mu      sync.Mutex
	byGuild map[uint64]*entry
}

func (i *index) add(e *entry) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.byGuild == nil {
		i.byGuild = make(map[uint64]*entry)
	}
	i.byGuild[e.guild] = e
}

// remove takes an entry out, unless another has taken its place.
func (i *index) remove(e *entry) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.byGuild[e.guild] == e {
		delete(i.byGuild, e.guild)
	}
}

// Kept lists the guilds in the cache, in no order.
func (c *Cache) Kept() []uint64 {
	i := &c.books.index
	i.mu.Lock()
	defer i.mu.Unlock()
	all := make([]uint64, 0, len(i.byGuild))
	for guild := range i.byGuild {
		all = append(all, guild)
	}
	return all
}
