package host

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestCrashLoopSpendsLittle: a crash loop of the host spends at most 5 identifies of a shard in any
// hour, whenever in its life it ends and however soon it is started again; and it is not kept from
// trying for longer than that.
func TestCrashLoopSpendsLittle(t *testing.T) {
	const shards, allowance = 3, 100_000
	for pace, hours := range map[time.Duration]int{10 * time.Second: 3, time.Minute: 6, 10 * time.Minute: 24} {
		t.Run(fmt.Sprint(pace), func(t *testing.T) {
			seed := rand.Uint64()
			t.Logf("seed %d", seed)
			synctest.Test(t, func(t *testing.T) {
				r := rand.New(rand.NewPCG(seed, 0))
				a := &accounting{t: t, dir: t.TempDir(), all: shards}
				spent := make(map[int][]time.Time)
				for began := time.Now(); time.Since(began) < time.Duration(hours)*time.Hour; {
					b, end := a.open(testBot, allowed(allowance, allowance, time.Hour))
					if err := b.admit(numbers(shards), nil); err != nil {
						t.Fatal(err)
					}
					patience := time.Now().Add(time.Duration(r.Int64N(int64(pace))))
					for shard := range shards {
						wait := b.of(0).Take(shard)
						for wait > 0 && !time.Now().Add(wait).After(patience) {
							time.Sleep(wait)
							wait = b.of(0).Take(shard)
						}
						if wait > 0 {
							break
						}
						b.of(0).Spend(shard)
						spent[shard] = append(spent[shard], time.Now())
						if r.IntN(4) == 0 {
							break // killed between two shards
						}
					}
					time.Sleep(max(time.Second, time.Until(patience)))
					end()
				}
				for shard, times := range spent {
					for n := loopStarts; n < len(times); n++ {
						if times[n].Sub(times[n-loopStarts]) < time.Hour {
							t.Errorf("shard %d: %d identifies within an hour: %s", shard, loopStarts+1, times[n-loopStarts:n+1])
						}
					}
				}
				if len(spent[0]) < hours {
					t.Errorf("shard 0 identified %d times in %d hours", len(spent[0]), hours)
				}
			})
		})
	}
}

// TestLaterStartsWaitLonger: the second start does not wait; each further one waits longer, and one
// line tells until when.
func TestLaterStartsWaitLonger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &accounting{t: t, dir: t.TempDir(), all: 1}
		var waits []time.Duration
		for range 7 {
			b, end := a.open(testBot, allowed(1000, 1000, 10*time.Hour))
			if err := b.admit(numbers(1), nil); err != nil {
				t.Fatal(err)
			}
			var waited time.Duration
			for wait := b.of(0).Take(0); wait > 0; wait = b.of(0).Take(0) {
				until := time.Now().Add(wait).UTC().Format(time.RFC3339)
				if n := strings.Count(a.log.String(), "the next identify waits"); n != 1 || !strings.Contains(a.log.String(), "until="+until) {
					t.Errorf("told %d times, want once and until %s:\n%s", n, until, a.log.String())
				}
				if s := b.status(); s.Waiting != 1 || !s.Until.Equal(time.Now().Add(wait)) {
					t.Errorf("status %+v", s)
				}
				waited += wait
				time.Sleep(wait)
				a.log.Reset()
			}
			waits = append(waits, waited)
			b.of(0).Spend(0)
			end()
		}
		hour := time.Hour - waits[2] - waits[3] - waits[4]
		want := []time.Duration{0, 0, 30 * time.Second, 2 * time.Minute, 8 * time.Minute, hour, 8 * time.Minute}
		if !slices.Equal(waits, want) {
			t.Errorf("waited %s, want %s", waits, want)
		}
	})
}

// TestSettledSessionsEndTheWait: when all sessions have settled, starts are counted anew; those that
// are merely resumed are not counted at all.
func TestSettledSessionsEndTheWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &accounting{t: t, dir: t.TempDir(), all: 2}
		begin := func() (*budget, func()) {
			b, end := a.open(testBot, allowed(1000, 1000, 10*time.Hour))
			if err := b.admit(numbers(2), nil); err != nil {
				t.Fatal(err)
			}
			return b, end
		}
		for range 2 {
			b, end := begin()
			b.of(0).Take(0)
			b.of(0).Spend(0)
			b.of(0).Settled(0) // shard 1 never did
			end()
		}
		for range 9 { // resumed, and ended at once
			_, end := begin()
			end()
		}
		b, end := begin()
		if wait := b.of(0).Take(0); wait != 30*time.Second {
			t.Fatalf("after two starts: %s", wait)
		}
		b.of(0).Settled(0)
		b.of(0).Settled(1) // resumed
		if wait := b.of(0).Take(0); wait != 0 {
			t.Fatalf("settled, and waits %s", wait)
		}
		end()
		b, end = begin()
		defer end()
		if wait := b.of(0).Take(1); wait != 0 || len(b.known.Starts) != 0 {
			t.Fatalf("the start after: %s, %s", wait, b.known.Starts)
		}
	})
}

// TestClockSetBack: starts in the future count as just now, and not for longer.
func TestClockSetBack(t *testing.T) {
	now := time.Now()
	got := recentStarts([]time.Time{now.Add(time.Hour), now.Add(-time.Minute), now.Add(-time.Hour)}, now)
	if want := []time.Time{now.Add(-time.Minute), now}; !slices.Equal(got, want) {
		t.Errorf("got %s, want %s", got, want)
	}
}
