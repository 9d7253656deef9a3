package gateway

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// TestIdentifyOrderOfASet: 64 sessions with max_concurrency 1 and 16, from the first connection to
// READY: each key's shards identify in order, exactly one interval after the answer to the one
// before, and keys do not wait for one another.
func TestIdentifyOrderOfASet(t *testing.T) {
	for _, keys := range []int{1, 16} {
		t.Run(fmt.Sprint(keys), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const shards = 64
				const travel = 20 * time.Millisecond // of each payload of the server's
				f := newFake(t, CompressNone)
				all := make([]int, shards)
				for n := range all {
					all[n] = shards - 1 - n // the order in which they are named does not matter
				}
				began := time.Now()
				set, stop := run(t, f, Config{
					Shards: all, Count: shards, MaxConcurrency: keys, IdentifyInterval: testInterval, Events: make(chan Event, shards),
				})
				type sent struct {
					shard int
					at    time.Duration
				}
				identifies := make(chan sent, shards)
				for range shards {
					c := <-f.conns
					go func() {
						time.Sleep(travel)
						c.must(t, f, "HELLO", "3600000")
						var s sent
						if said := <-c.got; !scanned(said, shards, &s.shard) {
							t.Errorf("the client sent %q", said)
						}
						s.at = time.Since(began)
						time.Sleep(travel)
						c.must(t, f, "READY", fmt.Sprint("session-", s.shard))
						identifies <- s
					}()
				}
				order := make([][]sent, keys)
				for range shards {
					s := <-identifies
					order[s.shard%keys] = append(order[s.shard%keys], s)
				}
				for key, list := range order {
					if !slices.IsSortedFunc(list, func(a, b sent) int { return a.shard - b.shard }) || len(list) != shards/keys {
						t.Errorf("key %d: %v", key, list)
					}
					for n, s := range list {
						if want := travel + time.Duration(n)*(testInterval+2*travel); s.at != want {
							t.Errorf("shard %d identified after %s, want %s", s.shard, s.at, want)
						}
					}
				}
				synctest.Wait()
				for _, s := range set.Status() {
					if s.State != StateReady || s.Identifies != 1 {
						t.Errorf("status %+v", s)
					}
				}
				if err := stop(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func scanned(said string, shards int, shard *int) bool {
	var of int
	n, err := fmt.Sscanf(said, "IDENTIFY token, shard %d of %d", shard, &of)
	return err == nil && n == 2 && of == shards
}
