package gateway

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

const testInterval = 5 * time.Second

func isGranted(t *turn) bool {
	select {
	case <-t.granted:
		return true
	default:
		return false
	}
}

// TestIdentifyPace: 64 shards, with 1 and with 16 keys: in order within a key, never early, never
// later than the interval after the answer.
func TestIdentifyPace(t *testing.T) {
	for _, keys := range []int{1, 16} {
		t.Run(fmt.Sprint(keys), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const shards = 64
				const answer = 300 * time.Millisecond
				q := newIdentifyQueue(keys, testInterval)
				start := time.Now()
				type grant struct {
					shard int
					at    time.Duration
				}
				grants := make(chan grant, shards)
				turns := make([]*turn, shards)
				for _, shard := range rand.Perm(shards) {
					// Whoever comes first is granted at once; let that be the first of each key.
					if shard >= keys {
						continue
					}
					turns[shard] = q.enter(shard, nil)
				}
				for _, shard := range rand.Perm(shards) {
					if shard >= keys {
						turns[shard] = q.enter(shard, nil)
					}
				}
				var wait sync.WaitGroup
				for shard, turn := range turns {
					wait.Go(func() {
						<-turn.granted
						grants <- grant{shard, time.Since(start)}
						time.Sleep(answer)
						q.leave(turn, true)
					})
				}
				last := make(map[int]grant)
				for range shards {
					g := <-grants
					before, ok := last[g.shard%keys]
					if !ok {
						before = grant{g.shard%keys - keys, -testInterval - answer}
					}
					if g.shard != before.shard+keys {
						t.Errorf("shard %d followed shard %d", g.shard, before.shard)
					}
					if gap := g.at - before.at; gap != testInterval+answer {
						t.Errorf("shard %d came %s after the one before, want %s", g.shard, gap, testInterval+answer)
					}
					last[g.shard%keys] = g
				}
				wait.Wait()
			})
		})
	}
}

// TestIdentifyGiveBack: a turn that was not spent goes to the next at once; one that gave up
// waiting is passed over; one that comes again takes its place by number.
func TestIdentifyGiveBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newIdentifyQueue(1, testInterval)
		zero, one, two, three := q.enter(0, nil), q.enter(1, nil), q.enter(2, nil), q.enter(3, nil)
		if !isGranted(zero) || isGranted(one) {
			t.Fatal("the first of a key goes ahead, alone")
		}
		q.leave(zero, false)
		if !isGranted(one) {
			t.Fatal("a turn given back unspent goes to the next at once")
		}
		zero = q.enter(0, nil)
		q.leave(one, true)
		q.leave(two, false)
		time.Sleep(testInterval - time.Nanosecond)
		synctest.Wait()
		if isGranted(zero) || isGranted(three) {
			t.Fatal("the key was not left to rest")
		}
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		if !isGranted(zero) || isGranted(three) {
			t.Fatal("the lowest shard goes first")
		}
		q.leave(zero, false)
		if !isGranted(three) || isGranted(two) {
			t.Fatal("who has left is passed over")
		}
		q.leave(three, true)
		if four := q.enter(4, nil); isGranted(four) {
			t.Fatal("granted while the key rests")
		} else {
			q.leave(four, false)
		}
		if k := q.key(4); k.timer != nil || k.held != nil || len(k.waiting) != 0 {
			t.Fatalf("left over: %+v", k)
		}
	})
}

// TestIdentifyRandom: whatever the order of entering, failing and leaving, no two identifies of a
// key are nearer than the interval, and all shards get there.
func TestIdentifyRandom(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	synctest.Test(t, func(t *testing.T) {
		const shards, keys = 20, 3
		q := newIdentifyQueue(keys, testInterval)
		type sent struct {
			key int
			at  time.Time
		}
		done := make(chan sent, shards)
		for shard := range shards {
			r := rand.New(rand.NewPCG(seed, uint64(shard)))
			go func() {
				for {
					time.Sleep(time.Duration(r.Int64N(int64(3 * time.Second))))
					turn := q.enter(shard, nil)
					if r.IntN(4) == 0 { // gave up before its turn came, or after
						time.Sleep(time.Duration(r.Int64N(int64(9 * time.Second))))
						q.leave(turn, false)
						continue
					}
					<-turn.granted
					time.Sleep(time.Duration(r.Int64N(int64(time.Second))))
					if r.IntN(3) == 0 { // could not dial
						q.leave(turn, false)
						continue
					}
					at := time.Now()
					time.Sleep(time.Duration(r.Int64N(int64(time.Second))))
					q.leave(turn, true)
					done <- sent{shard % keys, at}
					return
				}
			}()
		}
		times := make([][]time.Time, keys)
		for range shards {
			s := <-done
			times[s.key] = append(times[s.key], s.at)
		}
		for key, all := range times {
			slices.SortFunc(all, time.Time.Compare)
			for i := 1; i < len(all); i++ {
				if gap := all[i].Sub(all[i-1]); gap < testInterval {
					t.Errorf("key %d: two identifies within %s", key, gap)
				}
			}
		}
	})
}

// TestIdentifyAfterAnotherProcess: Discord's interval holds over restarts.
func TestIdentifyAfterAnotherProcess(t *testing.T) {
	for name, test := range map[string]struct{ ago, wait time.Duration }{
		"just now":       {0, testInterval},
		"a while ago":    {testInterval / 4, testInterval - testInterval/4},
		"long ago":       {time.Hour, 0},
		"clock set back": {-time.Hour, testInterval},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q := newIdentifyQueue(2, testInterval)
				q.rest(time.Now().Add(-test.ago))
				start := time.Now()
				for shard := range 2 {
					turn := q.enter(shard, nil)
					<-turn.granted
					if waited := time.Since(start); waited != test.wait {
						t.Errorf("shard %d waited %s, want %s", shard, waited, test.wait)
					}
				}
			})
		})
	}
}
