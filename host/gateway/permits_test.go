package gateway

import (
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// purse is an account that a test fills.
type purse struct {
	mu      sync.Mutex
	waits   map[int]time.Duration // how long each shard is told to wait; none: not at all
	asked   map[int]int
	spent   []int
	settled []int
}

func (p *purse) Take(shard int) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.asked == nil {
		p.asked = make(map[int]int)
	}
	p.asked[shard]++
	return p.waits[shard]
}

func (p *purse) Spend(shard int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.spent = append(p.spent, shard)
}

func (p *purse) Settled(shard int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.settled = append(p.settled, shard)
}

func (p *purse) let(shard int, wait time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waits[shard] = wait
}

func (p *purse) has(t *testing.T, spent, settled []int) {
	t.Helper()
	synctest.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	if !slices.Equal(p.spent, spent) || !slices.Equal(p.settled, settled) {
		t.Fatalf("spent %v, settled %v; want %v, %v", p.spent, p.settled, spent, settled)
	}
}

// TestIdentifyPermits: who has no permit lets others pass, is asked again when his time has come and
// each minute before, and does not keep the interval waiting.
func TestIdentifyPermits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &purse{waits: map[int]time.Duration{0: 10 * time.Second, 1: time.Hour}}
		q := newIdentifyQueue(1, testInterval)
		zero, one, two := q.enter(0, p), q.enter(1, p), q.enter(2, p)
		if isGranted(zero) || isGranted(one) || !isGranted(two) {
			t.Fatal("the one with a permit goes ahead, alone")
		}
		q.leave(two, true)
		time.Sleep(testInterval)
		synctest.Wait()
		if isGranted(zero) || isGranted(one) {
			t.Fatal("granted without a permit")
		}
		p.let(0, 0)
		time.Sleep(10*time.Second - time.Nanosecond)
		synctest.Wait()
		if isGranted(zero) {
			t.Fatal("granted before its time")
		}
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		if !isGranted(zero) {
			t.Fatal("not granted when its time had come")
		}
		q.leave(zero, false)
		if isGranted(one) {
			t.Fatal("granted without a permit")
		}
		p.let(1, 0) // from elsewhere, long before the hour is over
		time.Sleep(askAgain)
		synctest.Wait()
		if !isGranted(one) {
			t.Fatal("not asked again within a minute")
		}
		q.leave(one, false)
		if k := q.key(0); k.timer != nil || k.held != nil || len(k.waiting) != 0 {
			t.Fatalf("left over: %+v", k)
		}
	})
}

// TestPermitsFollowTheSession: one is spent for each IDENTIFY and none for a RESUME; a session settles
// once, a minute after READY, over reconnections, and not if it is lost before.
func TestPermitsFollowTheSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t, CompressZstd)
		p := &purse{}
		_, stop := run(t, f, Config{Events: make(chan Event, 99), Permits: p})
		identify := func() *fakeConn {
			t.Helper()
			c := <-f.conns
			c.must(t, f, "HELLO", "3600000")
			c.expect(t, "IDENTIFY token, shard 0 of 1, intents 0")
			c.must(t, f, "READY", "session-1")
			synctest.Wait()
			return c
		}
		c := identify()
		time.Sleep(settled - time.Second)
		p.has(t, []int{0}, nil)
		c.close(4009) // gone before it settled
		c = identify()
		time.Sleep(settled / 2)
		c.abort()
		c = <-f.conns
		c.must(t, f, "HELLO", "3600000")
		c.expect(t, "RESUME token, session-1, seq 1")
		c.must(t, f, "RESUMED", "2")
		p.has(t, []int{0, 0}, nil)
		time.Sleep(time.Hour)
		p.has(t, []int{0, 0}, []int{0})
		if err := stop(); err != nil {
			t.Error(err)
		}
		p.has(t, []int{0, 0}, []int{0})
	})
}

// TestResumedSessionSettles: also one of before the restart.
func TestResumedSessionSettles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t, CompressZstd)
		p := &purse{}
		_, stop := run(t, f, Config{
			Events: make(chan Event, 9), Permits: p, Resume: map[int]Saved{0: {ID: "session-1", ResumeURL: "ws://resume.test", Seq: 7}},
		})
		c := <-f.conns
		c.must(t, f, "HELLO", "3600000")
		c.expect(t, "RESUME token, session-1, seq 7")
		time.Sleep(30 * time.Second)
		c.must(t, f, "RESUMED", "8")
		synctest.Wait()
		time.Sleep(settled - time.Nanosecond)
		p.has(t, nil, nil)
		time.Sleep(time.Nanosecond)
		p.has(t, nil, []int{0})
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

// TestStopWithoutPermit: who waits for one ends with the set.
func TestStopWithoutPermit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t, CompressZstd)
		p := &purse{waits: map[int]time.Duration{0: time.Hour}}
		set, stop := run(t, f, Config{Events: make(chan Event, 9), Permits: p})
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if s := set.Status()[0]; s.State != StateQueued || s.Connections != 0 {
			t.Errorf("status %+v", s)
		}
		began := time.Now()
		if err := stop(); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("the stop took %s of the bubble's time", took)
		}
		p.has(t, nil, nil)
	})
}
