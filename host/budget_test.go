package host

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/holdfast-bot/holdfast/host/gateway"
	"github.com/holdfast-bot/holdfast/host/state"
)

const testBot = 4711

// accounting is a state folder whose budget is opened again and again.
type accounting struct {
	t   *testing.T
	dir string
	all int
	log strings.Builder
}

// open is a host's start; close ends it, as a kill does.
func (a *accounting) open(owner uint64, said sessionStartLimit) (b *budget, end func()) {
	a.t.Helper()
	folder, err := state.Open(a.dir, nil)
	if err != nil {
		a.t.Fatal(err)
	}
	b, err = newBudget(folder, owner, a.all, hclog.New(&hclog.LoggerOptions{Output: &a.log, DisableTime: true}))
	if err != nil {
		a.t.Fatal(err)
	}
	b.learn(said)
	return b, func() {
		if err := folder.Close(); err != nil {
			a.t.Error(err)
		}
	}
}

func allowed(total, remaining int, reset time.Duration) sessionStartLimit {
	return sessionStartLimit{Total: total, Remaining: remaining, ResetAfter: reset.Milliseconds(), MaxConcurrency: 1}
}

func numbers(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

// TestBudgetMarks: a start may go down to the reserve, a session that is lost only to one start
// above it, and the day after there is a whole budget again.
func TestBudgetMarks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &accounting{t: t, dir: t.TempDir(), all: 4}
		b, end := a.open(testBot, allowed(1000, 60, time.Hour))
		defer end()
		if err := b.admit(numbers(4), nil); err != nil {
			t.Fatal(err)
		}
		spend := func(shard int) {
			t.Helper()
			if wait := b.of(0).Take(shard); wait != 0 {
				t.Fatalf("shard %d waits %s with %d left", shard, wait, b.known.Remaining)
			}
			b.of(0).Spend(shard)
		}
		for shard := range 4 {
			spend(shard)
		}
		for range 2 { // 56 left; 50 are the reserve, 4 one start
			spend(1)
		}
		for shard := range 2 {
			if wait := b.of(0).Take(shard); wait != time.Hour {
				t.Errorf("shard %d waits %s, want until the reset", shard, wait)
			}
		}
		if s := b.status(); s.Remaining != 54 || s.Reserve != 50 || s.Waiting != 2 || !s.Until.Equal(time.Now().Add(time.Hour)) || !s.Until.Equal(s.Reset) {
			t.Errorf("status %+v", s)
		}
		if n := strings.Count(a.log.String(), "too many identifies today"); n != 1 {
			t.Errorf("told %d times:\n%s", n, a.log.String())
		}
		time.Sleep(time.Hour)
		spend(0)
		spend(1)
		if s := b.status(); s.Remaining != 998 || s.Waiting != 0 || !s.Until.IsZero() || !s.Reset.Equal(time.Now().Add(24*time.Hour)) {
			t.Errorf("status after the reset %+v", s)
		}
	})
}

// TestBudgetPermits: a permit that is not spent counts as spent for others, and is the shard's own.
func TestBudgetPermits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &accounting{t: t, dir: t.TempDir(), all: 2}
		b, end := a.open(testBot, allowed(100, 13, time.Hour))
		defer end()
		for range 3 {
			if wait := b.of(0).Take(0); wait != 0 {
				t.Fatalf("the permit of shard 0 waits %s", wait)
			}
		}
		if wait := b.of(0).Take(1); wait != time.Hour {
			t.Errorf("shard 1 waits %s beside a permit that will be spent", wait)
		}
	})
}

// TestBudgetRefusesAStart: one that would eat into the reserve is refused with the time of the reset;
// sessions that are resumed need nothing.
func TestBudgetRefusesAStart(t *testing.T) {
	resumed := map[int]gateway.Saved{0: {}, 2: {}}
	for _, test := range []struct {
		remaining int
		resume    map[int]gateway.Saved
		refused   bool
	}{
		{54, nil, false}, {53, nil, true}, {52, resumed, false}, {51, resumed, true},
		{0, map[int]gateway.Saved{0: {}, 1: {}, 2: {}, 3: {}}, false},
	} {
		t.Run(fmt.Sprint(test.remaining, len(test.resume)), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := &accounting{t: t, dir: t.TempDir(), all: 4}
				b, end := a.open(testBot, allowed(1000, test.remaining, time.Hour))
				defer end()
				err := b.admit(numbers(4), test.resume)
				if refused := err != nil; refused != test.refused {
					t.Fatalf("refused: %v", err)
				}
				if err == nil {
					return
				}
				need := 4 - len(test.resume)
				for _, words := range []string{
					fmt.Sprintf("start %d of 4 shards", need), fmt.Sprintf("%d more until %s", test.remaining, time.Now().Add(time.Hour).UTC().Format(time.RFC3339)),
					"the last 50", "start again after",
				} {
					if !strings.Contains(err.Error(), words) {
						t.Errorf("no %q in: %v", words, err)
					}
				}
			})
		})
	}
}

// TestBudgetOutlivesTheHost: within a day the lower of both counts holds, Discord's and ours; another
// day, another limit or another bot begin with Discord's.
func TestBudgetOutlivesTheHost(t *testing.T) {
	for name, test := range map[string]struct {
		owner uint64
		said  sessionStartLimit
		want  int
	}{
		"Discord lags":           {testBot, allowed(1000, 900, 9*time.Hour), 897},
		"others spend, too":      {testBot, allowed(1000, 700, 9*time.Hour), 700},
		"another day":            {testBot, allowed(1000, 1000, 20*time.Hour), 1000},
		"Discord has raised it":  {testBot, allowed(2000, 1900, 9*time.Hour), 1900},
		"another bot":            {testBot + 1, allowed(1000, 990, 9*time.Hour), 990},
		"a server without limit": {testBot, sessionStartLimit{}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := &accounting{t: t, dir: t.TempDir(), all: 1}
				b, end := a.open(testBot, allowed(1000, 900, 10*time.Hour))
				for range 3 {
					b.of(0).Take(0)
					b.of(0).Spend(0)
				}
				spent := time.Now()
				end()
				time.Sleep(time.Hour)
				b, end = a.open(test.owner, test.said)
				defer end()
				if b.known.Remaining != test.want || !b.last().Equal(spent) {
					t.Errorf("%d left, last %s; want %d, %s", b.known.Remaining, b.last(), test.want, spent)
				}
				if test.said.Total == 0 && (b.status() != nil || b.admit(numbers(1), nil) != nil || b.of(0).Take(0) != 0) {
					t.Error("a server that names no limit has one")
				}
			})
		})
	}
}
