package host

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/holdfast-bot/holdfast/host/gateway"
)

const (
	// syncTimeout is how long sessions have to show what Discord had for them when
	// they were asked.
	syncTimeout = time.Minute
	// syncAgain is when one is asked again: its connection, or the guild, may be away.
	syncAgain = 5 * time.Second
	// syncNonce begins the nonces of these questions, and of no others; Discord takes 32
	// bytes.
	syncNonce = "holdfast-sync-"
)

// syncing is a question to each session of a set: for one member, the bot itself.
// The answer is an event and comes behind all that Discord had for the session
// before (its documentation, "Request Guild Members"). However much a busy
// machine, or Discord, has left unread, it has been shown then.
type syncing struct {
	set   int
	nonce []byte
	open  map[int]chan struct{} // by shard; closed when its answer is here
}

// newSyncing asks nobody yet. A shard without guilds has nothing to ask for, and
// next to nothing to show; one that Discord refuses, or that has lost its session,
// shows nothing any more.
func newSyncing(set *sessionSet) *syncing {
	s := &syncing{set: set.number, nonce: fmt.Appendf(nil, "%s%d-%x", syncNonce, set.number%1000, uint32(time.Now().UnixMilli())), open: make(map[int]chan struct{})}
	for _, shard := range set.set.Status() {
		if shard.State != gateway.StateRefused && shard.State != gateway.StateQueued && len(set.saved.guilds.list(shard.Shard)) > 0 {
			s.open[shard.Shard] = make(chan struct{})
		}
	}
	return s
}

// answer says whether an event is an answer, and notes it; the router's goroutine
// calls it. Who was asked twice answers twice.
func (s *sessionSets) answer(e *gateway.Event) bool {
	if e.Name != "GUILD_MEMBERS_CHUNK" || !bytes.Contains(e.Data, []byte(syncNonce)) {
		return false
	}
	if q := s.syncing; q != nil && e.Set == q.set && bytes.Contains(e.Data, q.nonce) {
		if here := q.open[e.Shard]; here != nil {
			close(here)
			delete(q.open, e.Shard)
		}
	}
	return true
}

// sync returns when a set has shown all that Discord had for it by now.
func (s *sessionSets) sync(running context.Context, set *sessionSet, bot uint64) error {
	ctx, cancel := context.WithTimeoutCause(running, syncTimeout, fmt.Errorf("sessions have not shown within %s what Discord had for them: the machine is too busy, or connections are down", syncTimeout))
	defer cancel()
	asked := newSyncing(set)
	open := maps.Clone(asked.open) // that one is the router's
	err := s.mark(func(out []gateway.Event) []gateway.Event {
		s.syncing = asked
		return out
	})
	if err != nil {
		return err
	}
	var asking sync.WaitGroup
	for shard, here := range open {
		asking.Go(func() { set.ask(ctx, shard, bot, asked.nonce, here) })
	}
	asking.Wait()
	if running.Err() != nil {
		return errHostStops
	}
	return context.Cause(ctx)
}

// ask asks a session until its answer is here.
func (s *sessionSet) ask(ctx context.Context, shard int, bot uint64, nonce []byte, here <-chan struct{}) {
	for n := 0; ; n++ {
		guilds := s.saved.guilds.list(shard)
		if len(guilds) == 0 {
			return
		}
		d, err := json.Marshal(map[string]any{
			"guild_id": strconv.FormatUint(guilds[n%len(guilds)], 10), "user_ids": []string{strconv.FormatUint(bot, 10)},
			"limit": 0, "nonce": string(nonce),
		})
		if err == nil {
			err = s.set.Send(ctx, shard, opRequestMembers, d)
		}
		if err != nil {
			s.saved.log.Debug("session not asked for what it has not shown", "shard", shard, "error", err)
		}
		select {
		case <-here:
			return
		case <-time.After(syncAgain):
		case <-s.done:
			return
		case <-ctx.Done():
			return
		}
	}
}

// list are a shard's guilds as far as they are known, in their order.
func (s *shardGuilds) list(shard int) []uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]uint64, 0, len(s.ids[shard]))
	for id := range s.ids[shard] {
		out = append(out, id)
	}
	slices.Sort(out)
	return out
}
