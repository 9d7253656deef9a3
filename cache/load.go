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

// Part is one request's worth of a guild.
type Part uint8

// The parts, and where Discord has them.
const (
	PartGuild    Part = iota // GET /guilds/{id}?with_counts=true
	PartChannels             // GET /guilds/{id}/channels
	PartThreads              // GET /guilds/{id}/threads/active
	PartMember               // GET /guilds/{id}/members/{the bot}
	parts
)

func (p Part) String() string {
	return [...]string{"guild", "channels", "threads", "member", "no part"}[min(p, parts)]
}

// Loader gets one part of a guild, as Discord answers it. It must end when ctx
// does, and tell what Discord answered as a *LoadError. It is called from
// several goroutines at once.
type Loader func(ctx context.Context, guild uint64, part Part) (json.RawMessage, error)

// load is one under way. The shard's lock guards meantime.
type load struct {
	guild    uint64
	ticket   ticket
	cancel   context.CancelFunc
	done     chan struct{} // closed when snapshot or err is there
	snapshot *Snapshot
	err      error

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

// start begins a load that the guard has admitted; the caller holds the shard's
// lock. It outlives its first waiter: the guild is wanted.
func (c *Cache) start(ctx context.Context, sh *shard, guild uint64, t ticket) *load {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.timeout)
	l := &load{guild: guild, ticket: t, cancel: cancel, done: make(chan struct{})}
	sh.loads[guild] = l
	c.counts.loads.Add(1)
	c.running.Go(func() { // Close waits
		defer cancel()
		got, err := c.fetch(ctx, guild, t.wait)
		c.finish(ctx, l, got, err)
	})
	return l
}

// fetch waits for its token and a place, and asks for the guild, then, as that has shown that
// there is one, for all else at once.
func (c *Cache) fetch(ctx context.Context, guild uint64, wait time.Duration) (s Snapshot, err error) {
	if err := pause(ctx, wait); err != nil {
		return s, fmt.Errorf("wait for a load to be allowed: %w", err)
	}
	select {
	case c.guard.places <- struct{}{}:
		defer func() { <-c.guard.places }()
	case <-ctx.Done():
		return s, fmt.Errorf("wait for other loads: %w", ctx.Err())
	}
	var got [parts]json.RawMessage
	if got[PartGuild], err = c.ask(ctx, guild, PartGuild); err != nil {
		return s, err
	}
	var all sync.WaitGroup
	var errs [parts]error
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for p := PartChannels; p < parts; p++ {
		all.Go(func() {
			if got[p], errs[p] = c.ask(ctx, guild, p); errs[p] != nil {
				cancel()
			}
		})
	}
	all.Wait()
	if err := first(errs[:]); err != nil {
		return s, err
	}
	s.Guild, s.Channels, s.Threads, s.Member = got[PartGuild], got[PartChannels], got[PartThreads], got[PartMember]
	return s, nil
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
		b = strip(b, "unavailable")
	case PartChannels:
		ok = ok && isList(b)
		b = joined(b, nil)
	case PartThreads:
		threads := b
		if isObject(b) {
			threads = field(b, "threads")
		}
		ok = ok && isList(threads)
		b = joined(threads, field(b, "members"))
	case PartMember:
		user := idOf(field(b, "user"))
		ok = ok && user != 0
		if ok {
			c.know(user)
		}
		b = strip(b, "guild_id")
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
