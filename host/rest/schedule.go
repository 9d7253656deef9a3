package rest

import (
	"container/heap"
	"time"
)

// schedule grants what may go now and sets the timer for what may go next.
func (g *Gate) schedule(now time.Time) {
	if g.cause != nil {
		return
	}
	for len(g.wakes) > 0 && !g.wakes[0].wakeAt.After(now) {
		g.touch(g.wakes[0], now)
	}
	if g.banned.After(now) {
		g.arm(g.banned, now)
		return
	}
	for l := g.express.next(); l != nil && g.trusted(now); l = g.express.next() {
		g.grant(l, now)
	}
	var next time.Time
	for l := g.normal.next(); l != nil && g.trusted(now); l = g.normal.next() {
		if wait := g.pace.wait(now); wait > 0 {
			next = now.Add(wait)
			break
		}
		g.grant(l, now)
	}
	if len(g.wakes) > 0 && (next.IsZero() || g.wakes[0].wakeAt.Before(next)) {
		next = g.wakes[0].wakeAt
	}
	g.arm(next, now)
}

// trusted tells whether one more request may be under way. After a ban one asks first whether it has ended, because each
// that is answered with it counts towards the next. And what is under way must not bring a ban, should Discord refuse all
// of it.
func (g *Gate) trusted(now time.Time) bool {
	return g.room.inflight == 0 || !g.doubted && g.ledger.bears(g.room.inflight, now)
}

// grant lets a lane's head go.
func (g *Gate) grant(l *lane, now time.Time) {
	t, b := l.head(), l.bucket
	l.take(t)
	if t.route.write {
		l.writer = t
	}
	b.charge(t)
	g.room.inflight++
	if !t.route.exempt {
		t.slot = g.pace.take(now)
	}
	b.toBack(l)
	g.touch(b, now)
	g.turns(b).done(l.caller)
	t.ready <- struct{}{}
}

// touch puts everything that hangs on a bucket in order after something of it changed. What is done with is forgotten.
func (g *Gate) touch(b *bucket, now time.Time) {
	b.roll(now)
	turns := g.turns(b)
	kept := b.lanes[:0]
	for _, l := range b.lanes {
		turns.update(l)
		if l.queue.Len() == 0 && l.writer == nil {
			turns.drop(l)
			continue
		}
		kept = append(kept, l)
	}
	clear(b.lanes[len(kept):])
	b.lanes = kept
	switch {
	case b.counted && b.index < 0:
		b.wakeAt = b.reset
		heap.Push(&g.wakes, b)
	case b.counted:
		b.wakeAt = b.reset
		heap.Fix(&g.wakes, b.index)
	case b.index >= 0:
		heap.Remove(&g.wakes, b.index)
	}
	if b.idle() && g.buckets[b.key] == b {
		delete(g.buckets, b.key)
	}
	if b.heir != nil && b.inflight == 0 {
		heir := b.heir
		b.heir = nil
		g.touch(heir, now)
	}
}

// bucket returns the bucket of a route, new if there was none.
func (g *Gate) bucket(r route, now time.Time) *bucket {
	known := g.routes[r.template]
	key := bucketKey{id: known.id, major: r.major}
	if key.id == "" {
		key.id = r.template
	}
	b := g.buckets[key]
	if b == nil {
		g.forget(now)
		b = &bucket{key: key, exempt: r.exempt, free: known.free, index: -1}
		g.buckets[key] = b
	}
	return b
}

// forget makes room for a bucket by giving up windows that end soonest and that nobody waits for.
func (g *Gate) forget(now time.Time) {
	for len(g.buckets) >= maxBuckets && len(g.wakes) > 0 {
		b := g.wakes[0]
		if !b.unused() {
			if b = g.anyUnused(); b == nil {
				return
			}
		}
		b.counted = false
		g.touch(b, now)
	}
}

// anyUnused is a bucket with a window that nobody waits for, or nil. Most are: the queue is bounded far below them.
func (g *Gate) anyUnused() *bucket {
	for _, b := range g.buckets {
		if b.counted && b.unused() {
			return b
		}
	}
	return nil
}

func (g *Gate) turns(b *bucket) *turns {
	if b.exempt {
		return g.express
	}
	return g.normal
}

func (g *Gate) lane(b *bucket, caller string) *lane { return b.lane(g.turns(b).caller(caller)) }

// arm sets the timer; a zero time means that nothing waits for time to pass.
func (g *Gate) arm(at, now time.Time) {
	if at.Equal(g.armed) {
		return
	}
	g.armed = at
	if at.IsZero() {
		g.timer.Stop()
		return
	}
	g.timer.Reset(max(at.Sub(now), 0))
}

// wake is what the timer runs.
func (g *Gate) wake() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.armed = time.Time{}
	g.schedule(time.Now())
}
