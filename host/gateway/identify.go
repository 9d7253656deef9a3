package gateway

import (
	"slices"
	"sync"
	"time"
)

// identifyQueue paces IDENTIFY: for each rate limit key (shard modulo
// max_concurrency) one at a time, in the order of the shards that wait, and
// not before the interval has passed since Discord took the last one. Keys do
// not wait for one another, and a shard that has a permit does not wait for a lower
// one that has none. Sets of one bot that run side by side share it. It starts no
// goroutine; a timer grants what must wait.
type identifyQueue struct {
	interval time.Duration
	mu       sync.Mutex
	keys     []identifyKey
}

type identifyKey struct {
	waiting []*turn // by shard
	held    *turn   // granted and not given back
	free    time.Time
	timer   *time.Timer // set while someone waits for free
}

// turn is a shard's place in the queue. granted is closed, by the queue, when
// the shard may connect and identify.
type turn struct {
	shard   int
	permits Permits // nil: it needs none
	granted chan struct{}
}

// askAgain is how long the queue waits at most for a permit before it asks again:
// what allows one may have come from elsewhere.
const askAgain = time.Minute

func newIdentifyQueue(concurrency int, interval time.Duration) *identifyQueue {
	return &identifyQueue{interval: interval, keys: make([]identifyKey, concurrency)}
}

// rest keeps every key for the interval since an earlier process identified. A
// clock that was set back makes nobody wait longer than that.
func (q *identifyQueue) rest(last time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if now := time.Now(); last.After(now) {
		last = now
	}
	for i := range q.keys {
		q.keys[i].free = last.Add(q.interval)
	}
}

// enter takes a place. Whoever enters must leave.
func (q *identifyQueue) enter(shard int, permits Permits) *turn {
	q.mu.Lock()
	defer q.mu.Unlock()
	t := &turn{shard: shard, permits: permits, granted: make(chan struct{})}
	k := q.key(shard)
	at, _ := slices.BinarySearchFunc(k.waiting, shard, func(w *turn, s int) int { return w.shard - s })
	k.waiting = slices.Insert(k.waiting, at, t)
	q.grant(k)
	return t
}

// leave gives a place back, granted or not. spent says that an IDENTIFY may
// have reached Discord: then the key rests for the interval from now. Discord
// counts from when it received it, and its answer, or the end of the connection, is the first
// moment by which it must have.
func (q *identifyQueue) leave(t *turn, spent bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	k := q.key(t.shard)
	if k.held == t {
		k.held = nil
		if spent {
			k.free = time.Now().Add(q.interval)
		}
	}
	k.waiting = slices.DeleteFunc(k.waiting, func(w *turn) bool { return w == t })
	q.grant(k)
}

func (q *identifyQueue) key(shard int) *identifyKey { return &q.keys[shard%len(q.keys)] }

// grant lets the first of those who wait and may go ahead, or sets the timer for it.
func (q *identifyQueue) grant(k *identifyKey) {
	if k.timer != nil {
		k.timer.Stop()
		k.timer = nil
	}
	if k.held != nil || len(k.waiting) == 0 {
		return
	}
	next, rest := 0, time.Until(k.free)
	if rest <= 0 {
		next, rest = q.permitted(k)
	}
	if rest > 0 {
		k.timer = time.AfterFunc(rest, func() {
			q.mu.Lock()
			defer q.mu.Unlock()
			q.grant(k)
		})
		return
	}
	k.held = k.waiting[next]
	k.waiting = slices.Delete(k.waiting, next, next+1)
	close(k.held.granted)
}

// permitted finds the first of those who wait that has a permit, or says when to
// look again.
func (q *identifyQueue) permitted(k *identifyKey) (next int, wait time.Duration) {
	least := askAgain
	for n, t := range k.waiting {
		if t.permits == nil {
			return n, 0
		}
		wait := t.permits.Take(t.shard)
		if wait <= 0 {
			return n, 0
		}
		least = min(least, wait)
	}
	return 0, least
}
