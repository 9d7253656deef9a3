package host

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/holdfast-bot/holdfast/host/control"
	"github.com/holdfast-bot/holdfast/host/gateway"
	"github.com/holdfast-bot/holdfast/host/rest"
	"github.com/holdfast-bot/holdfast/host/state"
)

const (
	// The reserve is a twentieth of the day's IDENTIFYs, and 10 at least. Others spend
	// from the same account, such as hosts of other shards or a developer's machine,
	// and between two answers of Discord this host does not see them.
	reserveShare = 20
	reserveLeast = 10
	// budgetDay is how long Discord's account of IDENTIFYs lasts.
	budgetDay = 24 * time.Hour
	// askInterval is how often Discord is asked what is left.
	askInterval = time.Hour
	// sameDay is how far two tellings of one reset may lie apart.
	sameDay = time.Minute
)

// budget is the account of the bot's IDENTIFYs; the sessions ask it for permits.
// Discord resets the token of a bot that has spent all of a day's, so there are
// two marks. Below the reserve nobody goes. Sessions that are lost while the host
// runs stop one start of all shards above it: whatever loses them, the bot can be
// started again when it is mended.
type budget struct {
	folder *state.State
	log    hclog.Logger

	writing sync.Mutex // held over mu's and the file's change, so that the file is the newest

	mu      sync.Mutex // for moments: Take must not wait
	all     int        // shards of the bot
	known   state.Identifies
	first   map[place]bool      // shards that begin by identifying
	taken   map[place]bool      // permits that are not spent
	waiting map[place]time.Time // shards without a permit, and until when
	told    time.Time           // the until that was told last

	identified bool           // since the start
	unsettled  map[place]bool // shards whose session has not lived for a minute
	toldPause  time.Time
}

// place is a shard of one of the host's sets of sessions.
type place struct{ set, shard int }

// permits are the budget's for one set; they implement gateway.Permits.
type permits struct {
	*budget
	set int
}

// of are the permits for a set of sessions, by its number.
func (b *budget) of(set int) *permits { return &permits{b, set} }

// newBudget goes on with what an earlier host has counted for this bot.
func newBudget(folder *state.State, owner uint64, all int, log hclog.Logger) (*budget, error) {
	known, err := folder.Identifies()
	if err != nil {
		return nil, err
	}
	if known.Bot != owner {
		known = state.Identifies{Last: known.Last, Bot: owner}
	}
	known.Starts = recentStarts(known.Starts, time.Now())
	return &budget{
		folder: folder, all: all, log: log, known: known,
		first: make(map[place]bool), taken: make(map[place]bool), waiting: make(map[place]time.Time),
		unsettled: make(map[place]bool),
	}, nil
}

// learn takes in what Discord says. Within a day it may lag behind our own
// count, and then ours holds.
func (b *budget) learn(l sessionStartLimit) {
	b.mu.Lock()
	defer b.mu.Unlock()
	reset := time.Now().Add(time.Duration(l.ResetAfter) * time.Millisecond)
	if l.Total == b.known.Total && reset.Sub(b.known.Reset).Abs() < sameDay {
		l.Remaining = min(l.Remaining, b.known.Remaining)
	}
	b.known.Total, b.known.Remaining, b.known.Reset = l.Total, l.Remaining, reset.UTC().Round(0)
}

// hear is learn for an answer of later: one without numbers is no reason to forget
// those that hold.
func (b *budget) hear(l sessionStartLimit) {
	if l.Total > 0 {
		b.learn(l)
	}
}

// watch asks Discord from time to time what is left, until ctx ends.
func (b *budget) watch(ctx context.Context, gate *rest.Gate) {
	tick := time.NewTicker(askInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		var info gatewayInfo
		if err := get(ctx, gate, gatewayPath, &info); err != nil {
			b.log.Debug("Discord does not say how many identifies are left, the host's own count holds", "error", err)
			continue
		}
		b.hear(info.SessionStartLimit)
	}
}

// admit says whether those shards of the first set that have nothing to resume may
// identify.
func (b *budget) admit(shards []int, resume map[int]gateway.Saved) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, shard := range shards {
		b.unsettled[place{0, shard}] = true
		if _, ok := resume[shard]; !ok {
			b.first[place{0, shard}] = true
		}
	}
	left := b.left(time.Now())
	if len(b.first) == 0 || b.known.Total == 0 || left-len(b.first) >= b.reserve() {
		return nil
	}
	return fmt.Errorf("start %d of %d shards that have no session to resume: each needs an identify, Discord allows this bot %d more until %s, "+
		"and the host keeps the last %d, because Discord resets the token of a bot that spends all: start again after that time",
		len(b.first), b.all, left, b.known.Reset.Format(time.RFC3339), b.reserve())
}

// admitBeside says whether so many shards of a set beside the one that runs may
// identify. It is nobody's need, unless the bot has outgrown its shards: then as
// many are left as it takes to start them all once.
func (b *budget) admitBeside(set, count int, needed bool) error {
	if err := b.allow(count, needed); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for shard := range count {
		b.first[place{set, shard}] = true
	}
	return nil
}

// allow is admitBeside without taking anything.
func (b *budget) allow(count int, needed bool) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	keep := b.reserve()
	if !needed {
		keep += count
	}
	if left := b.left(time.Now()); b.known.Total > 0 && left-count < keep {
		return fmt.Errorf("bring up %d new sessions: each needs an identify, Discord allows this bot %d more until %s, and the host keeps the last %d, "+
			"because Discord resets the token of a bot that spends all: try again after that time", count, left, b.known.Reset.Format(time.RFC3339), keep)
	}
	return nil
}

// drop forgets a set that has ended.
func (b *budget) drop(set int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	of := func(p place, _ bool) bool { return p.set == set }
	maps.DeleteFunc(b.first, of)
	maps.DeleteFunc(b.taken, of)
	maps.DeleteFunc(b.unsettled, of)
	maps.DeleteFunc(b.waiting, func(p place, _ time.Time) bool { return p.set == set })
}

// resize takes note of another number of shards.
func (b *budget) resize(all int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.all = all
}

// Take implements gateway.Permits.
func (p *permits) Take(shard int) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	now, at := time.Now(), place{p.set, shard}
	until := p.until(at, now)
	p.tell(until, now)
	if wait := until.Sub(now); wait > 0 {
		p.waiting[at] = until
		return wait
	}
	p.taken[at] = true
	delete(p.waiting, at)
	return 0
}

// until is when the shard may identify; a time that has passed stands for now.
func (b *budget) until(at place, now time.Time) time.Time {
	if b.taken[at] {
		return now
	}
	keep := b.reserve()
	if !b.first[at] {
		keep += b.all
	}
	left := b.left(now)
	if b.known.Total == 0 || left-len(b.taken) > keep {
		return b.pausedUntil(now)
	}
	return b.known.Reset
}

// left is how many IDENTIFYs remain. Discord counts anew after the reset; what it
// says of that comes within askInterval.
func (b *budget) left(now time.Time) int {
	for b.known.Total > 0 && !now.Before(b.known.Reset) {
		b.known.Remaining, b.known.Reset = b.known.Total, b.known.Reset.Add(budgetDay)
	}
	return b.known.Remaining
}

func (b *budget) reserve() int {
	if b.known.Total == 0 {
		return 0
	}
	return max(reserveLeast, b.known.Total/reserveShare)
}

// Spend implements gateway.Permits.
func (p *permits) Spend(shard int) {
	at := place{p.set, shard}
	p.change(func(now time.Time) {
		p.known.Last = now
		p.noteStart(now)
		p.unsettled[at] = true
		if p.left(now) > 0 {
			p.known.Remaining--
		}
		delete(p.first, at)
		delete(p.taken, at)
	})
}

// change changes what is known, in memory and on disk.
func (b *budget) change(how func(now time.Time)) {
	b.writing.Lock()
	defer b.writing.Unlock()
	b.mu.Lock()
	how(time.Now().UTC().Round(0))
	known := b.known
	known.Starts = slices.Clone(known.Starts)
	b.mu.Unlock()
	if err := b.folder.SetIdentifies(known); err != nil {
		b.log.Warn("identifies are not counted on disk: a restart may identify too early or too often", "error", err)
	}
}

// last is when the bot identified last, as far as is known.
func (b *budget) last() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.known.Last
}

func (b *budget) status() *control.Identifies {
	b.mu.Lock()
	defer b.mu.Unlock()
	left := b.left(time.Now())
	if b.known.Total == 0 {
		return nil
	}
	out := &control.Identifies{
		Total: b.known.Total, Remaining: left, Reset: b.known.Reset, Reserve: b.reserve(), Waiting: len(b.waiting),
	}
	if len(b.waiting) > 0 {
		out.Until = slices.MinFunc(slices.Collect(maps.Values(b.waiting)), time.Time.Compare)
	}
	return out
}
