package cache

import (
	"context"
	"encoding/json"
	"maps"
	"math"
	"slices"
	"sync"
	"time"
)

// A part that an event has changed is held raw for a moment, beside the piece that it
// was: who drags channels changes the same part with every event, and packing it is most
// of what that costs. What is raw is counted by itself, within a bound of its own, so
// that no guild goes to make room for it. When the bound is reached parts are packed at
// once, as those of less than rawFrom are.
const (
	// rawFor is for how long a part is left alone before it is packed.
	rawFor = time.Second
	// rawFrom is the size from which it is worth it, rawNever more than any part has.
	rawFrom  = 8 << 10
	rawNever = math.MaxInt
	// rawShare of the cache's bytes may be raw: what the bound leaves beside ristretto's
	// share and what is on its way there.
	rawShare = 80
)

// rawPart stands in the place of the piece of its part.
type rawPart struct {
	part Part
	body json.RawMessage
}

// body is a part as JSON, nil if it is not there.
func (s *Snapshot) body(p Part) json.RawMessage {
	if s.raw != nil && s.raw.part == p {
		return s.raw.body
	}
	return s.packing.unpack(s.pieces[p])
}

// replace takes the new JSON of a part, which it packs unless it has so many bytes and
// no other part is raw.
func (s *Snapshot) replace(p Part, body json.RawMessage, from int) {
	free := s.raw == nil || s.raw.part == p
	if free && len(body) >= from && s.pieces[p] != nil {
		s.raw = &rawPart{p, body}
		return
	}
	if free {
		s.raw = nil
	}
	s.pieces[p] = s.packing.pack(body)
}

// pack ends that a part is raw.
func (s *Snapshot) pack() {
	if s.raw != nil {
		s.pieces[s.raw.part], s.raw = s.packing.pack(s.raw.body), nil
	}
}

// rawBytes are those of the part that is raw.
func (s *Snapshot) rawBytes() int64 {
	if s.raw == nil {
		return 0
	}
	return int64(cap(s.raw.body))
}

// setRaw takes room for so many raw bytes of an entry in the place of those that it had;
// the caller holds the shard's lock. False: there is none, and it has none any more.
func (e *entry) setRaw(bytes int64) bool {
	before := e.raw.Swap(bytes)
	now := e.books.raw.Add(bytes - before)
	if bytes > before && now > e.books.rawLimit || e.gone() { // who takes it out may have done so before
		e.books.raw.Add(-e.raw.Swap(0))
		return false
	}
	return true
}

// leaveRaw leaves a part of a guild that has changed as it is, and has it packed soon, or
// packs it if there is no room; the caller holds the shard's lock. H is not the entry's yet.
func (c *Cache) leaveRaw(e *entry, h *held) {
	if !e.setRaw(h.rawBytes()) {
		h.pack()
	}
	if h.raw != nil {
		e.changed = c.now()
		c.raws.add(e, c.packRaw)
	}
}

// raws are the entries that have raw parts. Its timer runs while there are any.
type raws struct {
	mu      sync.Mutex
	entries map[*entry]struct{}
	timer   *time.Timer // nil: it does not run, nor does its function
	closed  bool
	running sync.WaitGroup // that function
}

// add has pack be called soon.
func (r *raws) add(e *entry, pack func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.entries == nil {
		r.entries = make(map[*entry]struct{})
	}
	r.entries[e] = struct{}{}
	if r.timer == nil {
		r.arm(pack)
	}
}

// arm starts the timer; the lock is held.
func (r *raws) arm(pack func()) {
	if r.closed {
		return
	}
	r.running.Add(1) // close waits
	r.timer = time.AfterFunc(rawFor, func() {
		defer r.running.Done()
		pack()
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.timer = nil; len(r.entries) > 0 {
			r.arm(pack)
		}
	})
}

func (r *raws) list() []*entry {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Collect(maps.Keys(r.entries))
}

func (r *raws) drop(e *entry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.entries, e)
}

func (r *raws) close() {
	r.mu.Lock()
	r.closed = true
	if r.timer != nil && r.timer.Stop() {
		r.running.Done()
	}
	r.mu.Unlock()
	r.running.Wait()
}

// packRaw packs what has not changed for a while.
func (c *Cache) packRaw() {
	for _, e := range c.raws.list() {
		c.packEntry(e)
	}
}

func (c *Cache) packEntry(e *entry) {
	sh := c.shard(e.guild)
	sh.mu.Lock()
	h := e.held.Load()
	done := h.raw == nil || e.gone()
	if done {
		c.raws.drop(e)
	}
	changing := c.now()-e.changed < int64(rawFor)
	sh.mu.Unlock()
	if done || changing {
		return
	}
	packed := *h
	packed.pack() // this takes milliseconds: no lock is held
	for left := flushes; !c.packed(sh, e, h, &packed, left == 0); left-- {
		if c.keeper.flush(context.Background()) != nil {
			left = 1 // the last look
		}
	}
}

// packed lets an entry hold its parts packed. False: it has grown, there is no room now
// on the way to ristretto, and this is not the last look.
func (c *Cache) packed(sh *shard, e *entry, raw, packed *held, last bool) bool {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if e.held.Load() != raw || e.gone() {
		return true // there is a next time
	}
	size := sizeOf(&packed.Snapshot) + e.beside
	if !last && chargeFor(size) <= c.books.limit && !c.resized(sh, e, size) {
		return false
	}
	e.held.Store(packed)
	e.setRaw(0)
	c.raws.drop(e)
	c.fit(sh, e)
	return true
}
