package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// ErrStopped is answered for a shard whose session does not run (any more).
var ErrStopped = errors.New("the gateway has stopped")

// Set runs the sessions of some shards.
type Set struct {
	cfg      Config
	queue    *identifyQueue
	sessions []*session // by shard number, ascending
	stopped  chan struct{}
	ending   atomic.Bool // the sessions shall not be resumed
}

// NewSet checks the settings and opens nothing.
func NewSet(cfg Config) (*Set, error) {
	cfg, err := cfg.complete()
	if err != nil {
		return nil, err
	}
	s := &Set{
		cfg:     cfg,
		queue:   cfg.identifyQueue(),
		stopped: make(chan struct{}),
	}
	known := newNames()
	for _, shard := range cfg.Shards {
		s.sessions = append(s.sessions, newSession(&s.cfg, known, s.queue, &s.ending, shard))
	}
	return s, nil
}

// Run keeps every session connected until ctx ends; then it closes them so
// that they can be resumed and returns nil. It returns a *CloseError as soon as Discord
// refuses a session for good; the others are closed likewise.
// Everything it has started has ended when it returns. It may run once.
func (s *Set) Run(ctx context.Context) error {
	defer close(s.stopped)
	// Places are taken before any session runs, so that shards identify in their order.
	// One that has a session to resume takes none: RESUME does not count, and waits for nobody.
	for _, session := range s.sessions {
		if session.id == "" {
			session.turn = s.queue.enter(session.shard, s.cfg.Permits)
		}
	}
	group, ctx := errgroup.WithContext(ctx)
	for _, session := range s.sessions {
		group.Go(func() error { return session.run(ctx) })
	}
	return group.Wait()
}

// identifyQueue is the queue of the set beside, if that has as many keys, or one that rests as
// long as is known.
func (c *Config) identifyQueue() *identifyQueue {
	last := c.LastIdentify
	if c.Beside != nil {
		q := c.Beside.queue
		if len(q.keys) == c.MaxConcurrency {
			return q
		}
		last = time.Now() // nobody knows of which new keys the old ones' shards are
	}
	q := newIdentifyQueue(c.MaxConcurrency, c.IdentifyInterval)
	if !last.IsZero() {
		q.rest(last)
	}
	return q
}

// End is said before Run's ctx ends: then the connections are closed so that Discord ends the
// sessions, which nobody shall resume.
func (s *Set) End() { s.ending.Store(true) }

// Handled says that every event of the shard up to seq is journaled or
// skipped. Heartbeats report it, so that Discord keeps for a resume
// whatever could still be lost. Call it in the order of the events; batches are fine.
func (s *Set) Handled(shard int, seq uint64) {
	if session := s.session(shard); session != nil {
		session.progress.note(seq)
	}
}

// Send sends a payload of the operations a bot may send of its own accord:
// 3 presence, 4 voice state, 8 request guild members, 31 request soundboard
// sounds, 43 request channel info. It waits until the session is ready and Discord's limit
// (120 payloads in 60 s, heartbeats first) has room, or ctx ends. A payload over 4096
// bytes is refused. An error after a lost connection leaves open whether Discord got it.
func (s *Set) Send(ctx context.Context, shard, op int, d json.RawMessage) error {
	switch op {
	case 3, 4, 8, 31, 43:
	default:
		return fmt.Errorf("gateway operation %d is not one a bot may send: take 3, 4, 8, 31 or 43", op)
	}
	payload, err := encode(op, d)
	if err != nil {
		return err
	}
	session := s.session(shard)
	if session == nil {
		return fmt.Errorf("shard %d: %w", shard, ErrStopped)
	}
	r := request{payload: payload, answer: make(chan error, 1)}
	select {
	case session.requests <- r:
		return <-r.answer // the session answers each request it takes, within its write timeout
	case <-s.stopped:
		return ErrStopped
	case <-ctx.Done():
		return fmt.Errorf("send to shard %d: %w", shard, ctx.Err())
	}
}

// Status is a moment of every session's life, by shard number. It may be
// called at any time, by anyone.
func (s *Set) Status() []ShardStatus {
	all := make([]ShardStatus, 0, len(s.sessions))
	for _, session := range s.sessions {
		all = append(all, session.gauges.snapshot(session.shard, session.progress.current()))
	}
	return all
}

// Ready says whether a shard's session is: what Discord had for it until then has come.
func (s *Set) Ready(shard int) bool {
	session := s.session(shard)
	return session != nil && State(session.gauges.state.Load()) == StateReady
}

func (s *Set) session(shard int) *session {
	i, ok := slices.BinarySearchFunc(s.sessions, shard, func(s *session, n int) int { return s.shard - n })
	if !ok {
		return nil
	}
	return s.sessions[i]
}
