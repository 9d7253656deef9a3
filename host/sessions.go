package host

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/holdfast-bot/holdfast/host/gateway"
	"github.com/holdfast-bot/holdfast/host/router"
	"github.com/holdfast-bot/holdfast/host/state"
)

// savedSessions keeps on disk what the sessions need to be resumed by the next
// host. The router tells it what it has done, in the order of the events: so
// the sequence number on disk never belongs to another session than the id, and
// is never ahead of the journal.
type savedSessions struct {
	values  *state.Sessions
	events  *state.Journal
	count   int
	intents uint64
	denied  uint64
	budget  *budget
	guilds  *shardGuilds
	log     hclog.Logger
}

// newSessions prepares the sessions; those that an earlier host has left go on.
// It refuses when Discord does not allow the bot enough IDENTIFYs for the others.
func (h *Host) newSessions(r *rooms, events chan<- gateway.Event) (*gateway.Set, *savedSessions, error) {
	shards, count := h.config.Settings.Shards.Of(r.discord.gateway.Shards)
	log := h.log.Named("gateway")
	budget, err := newBudget(r.folder, r.discord.bot.id, count, log)
	if err != nil {
		return nil, nil, err
	}
	budget.learn(r.discord.gateway.SessionStartLimit)
	saved := &savedSessions{values: r.kept.sessions, events: r.kept.journal.events, count: count, intents: router.Intents(manifests(r.set)), denied: uint64(h.config.Settings.DenyIntents), budget: budget, guilds: newShardGuilds(log), log: log}
	resume := saved.resumable(shards)
	if err := budget.admit(shards, resume); err != nil {
		return nil, nil, err
	}
	sessions, err := gateway.NewSet(gateway.Config{
		Token:            h.config.Token,
		URL:              r.discord.gateway.URL,
		Shards:           shards,
		Count:            count,
		MaxConcurrency:   r.discord.gateway.SessionStartLimit.MaxConcurrency,
		Intents:          saved.intents,
		Compress:         h.config.Settings.Compress,
		Events:           events,
		IdentifyInterval: h.config.IdentifyInterval,
		LastIdentify:     budget.last(),
		Resume:           resume,
		Permits:          budget,
		Presence:         r.calls.presences.identify,
		Log:              log,
	})
	return sessions, saved, err
}

// resumable are the sessions of these shards that an earlier host has left and
// that fit this one. Those of other shards are left alone: a host with another
// range may want them back. One with more intents than are needed now fits: a
// plugin may only be broken for the moment. An event is journaled before its number is saved, so
// after a kill the journal may know a later one. Times do not tell whose it is:
// clocks go back.
func (s *savedSessions) resumable(shards []int) map[int]gateway.Saved {
	out := make(map[int]gateway.Saved)
	for _, v := range s.values.All() {
		if !slices.Contains(shards, int(v.Shard)) {
			continue
		}
		if int(v.Count) != s.count || s.intents&^v.Intents != 0 || v.Intents&s.denied != 0 {
			s.log.Warn("a session of before is not resumed, what came since is missed: shards or intents are others now", "shard", v.Shard,
				"shards", s.count, "before", v.Count, "intents", s.intents, "intents_before", v.Intents, "since", v.At.Format(time.RFC3339))
			continue
		}
		if newest, ok := s.events.Newest(v.Shard); ok && newest.Index > v.Journaled && newest.Seq > v.Seq {
			v.Seq, v.At = newest.Seq, time.Unix(0, newest.Received)
		}
		out[int(v.Shard)] = gateway.Saved{ID: v.ID, ResumeURL: v.ResumeURL, Seq: v.Seq, Since: v.At}
	}
	return out
}

// ready saves the session that a READY begins.
func (s *savedSessions) ready(e *gateway.Event) {
	var d struct {
		SessionID string    `json:"session_id"`
		ResumeURL string    `json:"resume_gateway_url"`
		Guilds    []guildID `json:"guilds"`
	}
	err := json.Unmarshal(e.Data, &d)
	if err == nil {
		_, journaled := s.events.Range(uint32(e.Shard))
		s.guilds.ready(e.Shard, d.Guilds)
		err = s.values.Save(state.SessionValues{
			ID: d.SessionID, ResumeURL: d.ResumeURL, Shard: uint32(e.Shard), Count: uint32(s.count), Intents: s.intents,
			Seq: e.Seq, Ready: e.Received, At: e.Received, Journaled: journaled,
		})
	}
	if err != nil {
		s.log.Error("session not saved: after a restart of the host its shard identifies anew, and misses the events in between", "shard", e.Shard, "error", err)
	}
}

// handled saves how far the session of a shard is.
func (s *savedSessions) handled(e *gateway.Event) {
	s.values.SetSeq(uint32(e.Shard), e.Seq, e.Received.UnixNano())
}
