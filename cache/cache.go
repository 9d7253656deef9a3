package cache

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
)

// Options of a Cache. Load is needed; the zero value of all else is its default.
type Options struct {
	Idle    time.Duration // a guild that has no event and no reader for so long goes; 1 h, at least 1 s
	Bytes   int64         // bound of all guilds together; 256 MiB, at least 64 KiB. A guild above a tenth of it does not fit
	Timeout time.Duration // of a whole load; 10 s
	Load    Loader
	Self    uint64 // the bot's user id if it is known; else READY or the first own member tells it
	Guard   GuardOptions
	Keep    Keep   // which fields are kept; all
	People  People // what is kept of others than the bot itself; nothing
	// Warm is asked whether a guild that READY has listed, or Resumed told, is to be
	// kept when its GUILD_CREATE comes although nobody waits for it; nil: none is. It
	// must be quick and not call the cache.
	Warm func(guild uint64) bool
	// Membership is asked before Discord is asked for a guild or a member of one: of a
	// guild that the bot is outside of nothing is. It must be quick, not call the cache,
	// and be true as of the events that were applied; nil: it is not known.
	Membership func(guild uint64) Membership
	Log        hclog.Logger // none
}

// Cache keeps guilds. All of it is for any goroutine, but for Close.
type Cache struct {
	idle, timeout time.Duration
	load          Loader
	log           hclog.Logger
	began         time.Time

	packing *packing
	store   *store
	keeper  *keeper
	guard   *guard
	books   books
	raws    raws
	rawFrom int
	version atomic.Uint64
	self    atomic.Pointer[identity]
	shards  [shards]shard
	running sync.WaitGroup // loads
	closed  atomic.Bool
	counts  counts

	complaints complaints

	keeps      keeps
	people     People
	warm       func(guild uint64) bool
	membership membership
	asking     atomic.Int64 // members that Discord is being asked for
}

// shards divide the locks.
const shards = 64

type shard struct {
	mu      sync.Mutex
	loads   map[uint64]*load
	overlay map[uint64]*entry
	records records
	awaited map[uint64]struct{} // guilds whose GUILD_CREATE is to come
	resumed map[uint64]struct{} // guilds of sessions from before the start; it may still come
	waits   map[uint64]*load    // for those of them that somebody wants
	asks    map[uint64]asks     // by guild
}

// identity is the bot's user id, as a number and as it stands in JSON.
type identity struct {
	id   uint64
	text []byte
}

// New makes a cache. Close it.
func New(o Options) (*Cache, error) {
	if o.Load == nil {
		return nil, errors.New("make a guild cache: it needs a Load function")
	}
	o.Idle = orDefault(o.Idle, time.Hour)
	o.Bytes = orDefault(o.Bytes, 256<<20)
	if o.Idle < time.Second || o.Bytes < 64<<10 {
		return nil, fmt.Errorf("make a guild cache of %d bytes, idle %v: give it at least 64 KiB and 1s", o.Bytes, o.Idle)
	}
	k, err := newPacking()
	if err != nil {
		return nil, err
	}
	keep, err := newKeeps(o.Keep)
	if err != nil {
		return nil, fmt.Errorf("make a guild cache: %w", err)
	}
	// Ristretto has 15/16, what is on its way to it at most 1/10, what is raw 1/80: never
	// above 1.05.
	s, err := newStore(o.Bytes - o.Bytes/16)
	if err != nil {
		return nil, err
	}
	c := &Cache{
		packing: k,
		idle:    o.Idle, timeout: orDefault(o.Timeout, 10*time.Second), load: o.Load, log: o.Log, began: time.Now(),
		store: s, keeper: newKeeper(), guard: newGuard(o.Guard.withDefaults()),
		books: books{limit: o.Bytes / 10, rawLimit: o.Bytes / rawShare}, rawFrom: rawFrom, keeps: keep, people: o.People, warm: o.Warm, membership: o.Membership,
	}
	if c.log == nil {
		c.log = hclog.NewNullLogger()
	}
	if o.Self != 0 {
		c.know(o.Self)
	}
	for i := range c.shards {
		sh := &c.shards[i]
		sh.loads, sh.overlay = make(map[uint64]*load), make(map[uint64]*entry)
		sh.records.limit = max(c.guard.options.Remembered/shards, 1)
	}
	go c.keep() // Close waits for it
	return c, nil
}

// Close ends loads and waits for every goroutine. Calls of Apply and Guild must
// have ended, but for those that wait for a load: they return Closed.
func (c *Cache) Close() {
	if !c.closed.CompareAndSwap(false, true) {
		return
	}
	for i := range c.shards {
		sh := &c.shards[i]
		sh.mu.Lock()
		for _, l := range sh.loads {
			l.cancel() // the one after it sees that the cache is closed
		}
		c.endWaits(sh)
		sh.mu.Unlock()
	}
	c.running.Wait()
	c.raws.close()
	c.keeper.close()
	c.store.close()
}

// rounds is how often a read goes on when a guild goes while more of it is being
// loaded.
const rounds = 3

// Guild returns a guild, with these parts at least, as it is after all events
// that were applied before the call: from the cache, or loaded, together with all
// who want it now. Discord is asked only for parts that are not there. It waits
// until ctx ends; a load goes on without it. The error is a *MissingError; the
// parts that are there stay what they are.
func (c *Cache) Guild(ctx context.Context, guild uint64, want Parts, why Cause) (*Snapshot, error) {
	want = want.wanted()
	var missing error
	for range rounds {
		s, l, err := c.look(ctx, guild, want, why)
		if l == nil {
			return s, c.firstTold(guild, err)
		}
		var again bool
		select {
		case <-l.done:
			s, missing, again = l.snapshot, l.err, l.again
		case <-ctx.Done():
			missing, again = &MissingError{Guild: guild, Reason: Timeout, Err: ctx.Err()}, false
		}
		switch {
		case missing == nil && s.Has(want):
			return s, nil
		case missing == nil: // it went while more of it was being loaded
			missing = &MissingError{Guild: guild, Reason: Memory}
		case !again:
			c.counts.refuse(missing)
			_ = c.firstTold(guild, missing)
			return nil, missing
		}
	}
	c.counts.refuse(missing)
	return nil, missing
}

// firstTold is err in the words of what it stands for: a handler whose event waited
// for a load in vain is the first to hear of it, and that the guild backs off is not
// why. Who comes later is told that.
func (c *Cache) firstTold(guild uint64, err error) error {
	missing, ok := errors.AsType[*MissingError](err)
	if !ok || missing.Reason != BackingOff && missing.Reason != Failed && missing.Reason != Timeout {
		return err
	}
	sh := c.shard(guild)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if rec, first := sh.records.tell(guild); first && missing.Reason == BackingOff {
		return &MissingError{Guild: guild, Reason: rec.reason, Until: rec.until}
	}
	return err
}

// Want is Guild without waiting: it returns the guild's version, or, when parts
// of it are being loaded, a channel that is closed when that load has ended.
func (c *Cache) Want(ctx context.Context, guild uint64, want Parts, why Cause) (version uint64, pending <-chan struct{}, err error) {
	s, l, err := c.look(ctx, guild, want.wanted(), why)
	switch {
	case l != nil:
		return 0, l.done, nil
	case err != nil:
		return 0, nil, err
	}
	return s.Version, nil, nil
}

// look finds the guild, or the load that brings what is missing, or why there is
// none.
func (c *Cache) look(ctx context.Context, guild uint64, want Parts, why Cause) (*Snapshot, *load, error) {
	if e := c.store.get(guild); e != nil {
		if h := e.held.Load(); h.answers(want) && !h.down {
			s, err := c.hit(e, h)
			return s, nil, err
		}
	}
	return c.join(ctx, guild, want, why)
}

func (c *Cache) hit(e *entry, h *held) (*Snapshot, error) {
	c.counts.hits.Add(1)
	c.active(e)
	s, err := h.answer(e.guild)
	c.counts.refuse(err)
	return s, err
}

// join finds the guild on its way into the cache, joins its load, or starts one
// if nothing speaks against it.
func (c *Cache) join(ctx context.Context, guild uint64, want Parts, why Cause) (*Snapshot, *load, error) {
	sh := c.shard(guild)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	now := time.Now()
	var have Parts
	if e := c.find(sh, guild); e != nil {
		h := e.held.Load()
		if h.answers(want) && (!h.down || !sh.awaits(guild, now)) {
			s, err := c.hit(e, h)
			return s, nil, err
		}
		c.active(e)
		have = h.Parts()
	}
	c.counts.misses.Add(1)
	if sh.awaits(guild, now) && !c.closed.Load() {
		return nil, c.await(sh, guild), nil
	}
	for l := sh.loads[guild]; l != nil; l = l.next {
		if !l.begun {
			l.want |= want
		}
		if (l.want | have).Has(want) {
			return nil, l, nil
		}
	}
	err := error(&MissingError{Guild: guild, Reason: Closed})
	if !c.closed.Load() {
		if rec, holds := sh.records.look(guild, now); holds {
			err = refusal(guild, rec)
		} else if missing := c.outsider(guild); have == 0 && missing != nil {
			err = missing
		} else if t, r, until := c.guard.admit(why); t.admitted {
			if sh.loads[guild] == nil {
				want &^= have
			}
			return nil, c.start(ctx, sh, guild, want, t), nil
		} else {
			err = &MissingError{Guild: guild, Reason: r, Until: until}
		}
	}
	c.counts.refuse(err)
	return nil, nil, err
}

func (c *Cache) shard(guild uint64) *shard {
	hash, _ := spread(guild)
	return &c.shards[hash%shards]
}

// find returns a guild's entry wherever it is, or nil; the caller holds the
// shard's lock.
func (c *Cache) find(sh *shard, guild uint64) *entry {
	if e := sh.overlay[guild]; e != nil && !e.gone() {
		return e
	}
	return c.store.get(guild)
}

func (sh *shard) pin(e *entry) {
	e.pinned = true
	sh.overlay[e.guild] = e
}

func (sh *shard) unpin(e *entry) {
	if !e.pinned {
		return
	}
	e.pinned = false
	if sh.overlay[e.guild] == e {
		delete(sh.overlay, e.guild)
	}
	e.books.transit.Add(-e.transit)
	e.transit = 0
}
