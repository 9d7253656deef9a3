package simulator

import (
	"cmp"
	"slices"
	"sync"
	"time"
)

// worldStart is when the first guild was made: the first second of 2021.
const worldStart = 1609459200000

// guildStep is the time between two guilds in milliseconds. It is prime, so that consecutive guilds spread over
// any number of shards.
const guildStep = 7919

// world is all there is besides sessions. Its lock guards the list; each guild has a lock of its own, taken
// before it. Direct messages live in a guild without an id.
type world struct {
	seed  uint64
	plan  World
	bot   uint64
	first uint64 // id of the first seeded guild

	mu     sync.RWMutex
	guilds map[uint64]*guildState
	order  []*guildState
	left   map[uint64]*guildState // those that the bot was removed from
	alien  map[uint64]*guildState // ids made later → their guild

	direct *guildState
}

func newWorld(seed uint64, plan World) *world {
	start := uint64(worldStart-epoch) + mix(seed, 11)%86_400_000
	w := &world{
		seed:   seed,
		plan:   plan,
		bot:    (uint64(worldStart-epoch)-mix(seed, 12)%86_400_000-1)<<lowBits | 1,
		first:  start << lowBits,
		guilds: make(map[uint64]*guildState, plan.Guilds),
		order:  make([]*guildState, 0, plan.Guilds),
		left:   make(map[uint64]*guildState),
		alien:  make(map[uint64]*guildState),
		direct: &guildState{joined: time.UnixMilli(worldStart)},
	}
	for i := range plan.Guilds {
		w.add(newGuild(w, i))
	}
	return w
}

func (w *world) add(g *guildState) {
	w.guilds[g.id] = g
	w.order = append(w.order, g)
}

// guild gives the guild with this id, nil when the bot is not in it.
func (w *world) guild(id uint64) *guildState {
	w.mu.RLock()
	defer w.mu.RUnlock()
	return w.guilds[id]
}

// all lists the guilds in the order of their ids.
func (w *world) all() []*guildState {
	w.mu.RLock()
	defer w.mu.RUnlock()
	return w.sorted()
}

// sorted is all; the caller holds the lock.
func (w *world) sorted() []*guildState {
	list := slices.Clone(w.order)
	slices.SortStableFunc(list, func(a, b *guildState) int { return cmp.Compare(a.id, b.id) })
	return list
}

// of gives the guild of a channel or role id, nil when there is none. Ids made later are remembered.
func (w *world) of(id uint64) *guildState {
	w.mu.RLock()
	defer w.mu.RUnlock()
	if g := w.guilds[home(id)]; g != nil {
		return g
	}
	return w.alien[id]
}

// adopt remembers which guild an id made later belongs to.
func (w *world) adopt(id uint64, g *guildState) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.alien[id] = g
}

func (w *world) forget(id uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.alien, id)
}

// drop takes a guild out of the world: the bot was removed from it.
func (w *world) drop(g *guildState) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.guilds, g.id)
	w.left[g.id] = g
	w.order = slices.DeleteFunc(w.order, func(o *guildState) bool { return o == g })
}

// takeLeft gives a guild that the bot was removed from, to one caller.
func (w *world) takeLeft(id uint64) *guildState {
	w.mu.Lock()
	defer w.mu.Unlock()
	g := w.left[id]
	delete(w.left, id)
	return g
}

func (w *world) put(g *guildState) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.guilds[g.id] == nil {
		w.add(g)
	}
}

func (w *world) count() int {
	w.mu.RLock()
	defer w.mu.RUnlock()
	return len(w.order)
}

// ofShard lists the guilds of one shard.
func (w *world) ofShard(shard, shards int) []*guildState {
	w.mu.RLock()
	defer w.mu.RUnlock()
	return w.sharded(shard, shards)
}

// sharded is ofShard; the caller holds the lock.
func (w *world) sharded(shard, shards int) []*guildState {
	var list []*guildState
	for _, g := range w.sorted() {
		if shardOf(g.id, shards) == shard {
			list = append(list, g)
		}
	}
	return list
}
