package cache

import (
	"context"
	"sync"
)

// keeper is the goroutine that writes to ristretto.
type keeper struct {
	mu      sync.Mutex
	queue   []*entry        // each entry at most once: as bounded as the entries are
	flushes []chan struct{} // closed when what was queued before has been settled
	closing bool

	wake chan struct{} // one place; the keeper is its reader
	done chan struct{} // closed by the keeper
}

func newKeeper() *keeper {
	return &keeper{wake: make(chan struct{}, 1), done: make(chan struct{})}
}

// enqueue has the keeper look at the entry soon.
func (k *keeper) enqueue(e *entry) {
	if !e.queued.CompareAndSwap(false, true) {
		return
	}
	k.mu.Lock()
	k.queue = append(k.queue, e)
	k.mu.Unlock()
	k.nudge()
}

func (k *keeper) nudge() {
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// flush waits until what is queued now has been settled.
func (k *keeper) flush(ctx context.Context) error {
	settled := make(chan struct{})
	k.mu.Lock()
	k.flushes = append(k.flushes, settled)
	k.mu.Unlock()
	k.nudge()
	select {
	case <-settled:
		return nil
	case <-k.done:
		return &MissingError{Reason: Closed}
	case <-ctx.Done():
		return ctx.Err()
	}
}

// close ends the keeper after what is queued, and waits for it.
func (k *keeper) close() {
	k.mu.Lock()
	k.closing = true
	k.mu.Unlock()
	k.nudge()
	<-k.done
}

// keep is the keeper's life.
func (c *Cache) keep() {
	k := c.keeper
	defer close(k.done)
	for range k.wake {
		k.mu.Lock()
		batch, flushes, closing := k.queue, k.flushes, k.closing
		k.queue, k.flushes = nil, nil
		k.mu.Unlock()
		c.settle(batch)
		for _, f := range flushes {
			close(f)
		}
		if closing {
			return
		}
	}
}

// tries is how often a put that ristretto dropped is tried again: it drops only
// when its buffer is full, and the keeper has waited for that to be worked off.
const tries = 8

// settle brings ristretto up to date with the entries, and lets those that it
// has taken, or will not take, leave the overlay.
func (c *Cache) settle(batch []*entry) {
	for _, e := range batch {
		e.queued.Store(false) // what happens from here on queues it again
	}
	for range tries {
		if len(batch) == 0 {
			return
		}
		charges := make([]int64, len(batch))
		for i, e := range batch {
			charges[i] = c.write(e)
		}
		c.store.wait()
		dropped := batch[:0]
		for i, e := range batch {
			if charges[i] == dropCharge {
				c.store.dropped.Add(1)
				dropped = append(dropped, e)
			} else {
				c.release(e, charges[i])
			}
		}
		batch = dropped
	}
	for _, e := range batch {
		if e.die() {
			c.store.rejected.Add(1)
		}
		c.release(e, 0)
	}
}

// dropCharge is what write returns when ristretto dropped the entry.
const dropCharge = -1

// write tells ristretto of an entry: gone, new, grown, shrunk or active. It
// returns the charge that ristretto was told.
func (c *Cache) write(e *entry) int64 {
	charge := e.charge.Load()
	if charge == 0 {
		return 0 // release removes it
	}
	ttl := c.idle + c.idle/8
	if charge > e.taken {
		e.taken = 0
		if !c.store.replace(e, charge, ttl) {
			return dropCharge
		}
		return charge
	}
	// The lock keeps changes away: one that did not find the entry because its
	// time was up must not see it come back.
	sh := c.shard(e.guild)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if !c.store.has(e) {
		e.die()
		return 0
	}
	c.store.put(e, charge, ttl)
	return charge
}

// release ends an entry's stay in the overlay, if ristretto has it as it is now.
func (c *Cache) release(e *entry, told int64) {
	sh := c.shard(e.guild)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	taken := told > 0 && c.store.has(e)
	if taken {
		e.taken = told
	}
	if e.gone() || !taken {
		if e.die() {
			c.store.rejected.Add(1)
		}
		c.store.remove(e)
		sh.unpin(e)
		if e.fresh && !e.left {
			sh.records.fail(e.guild, Memory, 0, c.guard.options)
		}
		return
	}
	if e.charge.Load() > told {
		c.keeper.enqueue(e) // it has grown meanwhile
		return
	}
	if e.fresh {
		if e.fresh = false; !e.failed {
			sh.records.forget(e.guild)
		}
	}
	sh.unpin(e)
}
