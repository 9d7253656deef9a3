package cache

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// load is one under way, or the one after it. The shard's lock guards
// want, begun, next and meantime.
type load struct {
	guild    uint64
	want     Parts // what Discord is asked for
	begun    bool  // it is; want stays as it is
	ticket   ticket
	cancel   context.CancelFunc
	done     chan struct{} // closed when snapshot or err is there
	snapshot *Snapshot
	err      error
	next     *load // for who came later and wants other parts; begins when this one has ended

	again  bool        // there is none, and who looks again waits for GUILD_CREATE
	timer  *time.Timer // of one that only waits for GUILD_CREATE
	people *people     // heard of while it is under way

	meantime []event // came while the answers were under way, in order
	bytes    int
	overflow bool
}

// What may come in the meantime, else the load counts as failed: it could not
// be told whether its answers are older than what was left out.
const (
	maxMeantime      = 4096
	maxMeantimeBytes = 16 << 20
)

func (l *load) remember(e event) {
	if len(l.meantime) >= maxMeantime || l.bytes+len(e.data) > maxMeantimeBytes {
		l.overflow, l.meantime = true, nil
	}
	if !l.overflow {
		l.meantime = append(l.meantime, e)
		l.bytes += len(e.data)
	}
}

// start begins a load that the guard has admitted, when the one under way has
// ended; the caller holds the shard's lock. It outlives its first waiter: the
// guild is wanted.
func (c *Cache) start(ctx context.Context, sh *shard, guild uint64, want Parts, t ticket) *load {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	before := sh.loads[guild]
	l := &load{guild: guild, want: want, begun: before == nil, ticket: t, cancel: cancel, done: make(chan struct{})}
	if before == nil {
		sh.loads[guild] = l
	} else {
		before.next = l
	}
	c.counts.loads.Add(1)
	c.running.Go(func() { // Close waits
		defer cancel()
		if before != nil {
			<-before.done // closed by its own goroutine, which Close cancels too
			if !c.resume(l) {
				return
			}
		}
		ctx, stop := context.WithTimeout(ctx, c.timeout)
		defer stop()
		got, err := c.fetch(ctx, guild, l.want, t.wait)
		c.finish(ctx, l, got, err)
	})
	return l
}

// resume looks what a load that had to wait still has to do. False: nothing, it
// has ended.
func (c *Cache) resume(l *load) bool {
	sh := c.shard(l.guild)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if !c.outcome(sh, l) {
		l.begun = true
		return true
	}
	sh.ended(l)
	c.guard.ended(l.ticket, abandoned)
	close(l.done)
	return false
}

// outcome tells whether a load that has not begun has one already, by the load
// before it or by an event; else it wants only what is still missing.
func (c *Cache) outcome(sh *shard, l *load) bool {
	now := time.Now()
	if e := c.find(sh, l.guild); e != nil {
		h := e.held.Load()
		if h.answers(l.want) {
			l.snapshot, l.err = h.answer(l.guild)
			l.again = l.err != nil && sh.awaits(l.guild, now)
			return true
		}
		l.want &^= h.Parts()
	}
	if c.closed.Load() {
		l.err = &MissingError{Guild: l.guild, Reason: Closed}
	} else if rec, holds := sh.records.look(l.guild, now); holds {
		l.err = refusal(l.guild, rec)
	} else if sh.awaits(l.guild, now) {
		l.err, l.again = &MissingError{Guild: l.guild, Reason: Outage}, true
	}
	return l.err != nil
}

// ended takes a load that has its outcome out of the shard; the next one begins.
// The caller holds the lock.
func (sh *shard) ended(l *load) {
	if l.next == nil {
		delete(sh.loads, l.guild)
		return
	}
	sh.loads[l.guild] = l.next
}

// fetch waits for its token and a place, and asks for the parts: for the guild
// first, as that shows that there is one, then for all else at once.
func (c *Cache) fetch(ctx context.Context, guild uint64, want Parts, wait time.Duration) (b bodies, err error) {
	if err := pause(ctx, wait); err != nil {
		return b, fmt.Errorf("wait for a load to be allowed: %w", err)
	}
	select {
	case c.guard.places <- struct{}{}:
		defer func() { <-c.guard.places }()
	case <-ctx.Done():
		return b, fmt.Errorf("wait for other loads: %w", ctx.Err())
	}
	var got [parts]json.RawMessage
	if want.Has(PartsOf(PartGuild)) {
		if got[PartGuild], err = c.ask(ctx, guild, PartGuild); err != nil {
			return b, err
		}
	}
	var all sync.WaitGroup
	var errs [parts]error
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for p := PartChannels; p < parts; p++ {
		if !want.Has(PartsOf(p)) {
			continue
		}
		all.Go(func() {
			if got[p], errs[p] = c.ask(ctx, guild, p); errs[p] != nil {
				cancel()
			}
		})
	}
	all.Wait()
	if err := first(errs[:]); err != nil {
		return b, err
	}
	for p := range parts {
		*b.part(p) = got[p]
	}
	return b, nil
}

func pause(ctx context.Context, wait time.Duration) error {
	if wait <= 0 {
		return nil
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// first returns the error that cancelled the others, if any.
func first(errs []error) (found error) {
	for _, err := range errs {
		if err != nil && (found == nil || errors.Is(found, context.Canceled)) {
			found = err
		}
	}
	return found
}

// ask gets one part, checks that it is one, and gives it the form of its part.
func (c *Cache) ask(ctx context.Context, guild uint64, p Part) (json.RawMessage, error) {
	b, err := c.load(ctx, guild, p)
	if err != nil {
		return nil, fmt.Errorf("get %s: %w", p, err)
	}
	ok := json.Valid(b)
	switch p {
	case PartGuild:
		ok = ok && idOf(b) == guild
		b = c.keeps.ofGuild(strip(b, "unavailable"))
	case PartChannels:
		ok = ok && isList(b)
		b = c.keeps.channel.all(joined(b, nil))
	case PartThreads:
		threads := b
		if isObject(b) {
			threads = field(b, "threads")
		}
		ok = ok && isList(threads)
		b = c.keeps.thread.all(joined(threads, field(b, "members")))
	case PartMember:
		user := idOf(field(b, "user"))
		ok = ok && user != 0
		if ok {
			c.know(user)
		}
		b = c.keeps.ofMember(strip(b, "guild_id"))
	}
	if !ok {
		return nil, fmt.Errorf("get %s: the answer of %d bytes is no such part", p, len(b))
	}
	return b, nil
}

// judge says what an error means: the reason, and how long not to try again at least.
func judge(err error) (why Reason, least time.Duration) {
	var l *LoadError
	switch {
	case errors.As(err, &l):
		switch l.Status {
		case http.StatusForbidden:
			return Forbidden, 0
		case http.StatusNotFound:
			return Removed, 0
		}
		return Failed, l.RetryAfter
	case errors.Is(err, context.DeadlineExceeded):
		return Timeout, 0
	default:
		return Failed, 0
	}
}
