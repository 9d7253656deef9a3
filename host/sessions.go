package host

import (
	"encoding/json"
	"math"
	"slices"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/holdfast-bot/holdfast/host/gateway"
	"github.com/holdfast-bot/holdfast/host/state"
)

// savedSessions keeps on disk what the sessions need to be resumed by the next
// host. The router tells it what it has done, in the order of the events: so
// the sequence number on disk never belongs to another session than the id, and
// is never ahead of the journal.
//
// Sessions that run beside others, muted, are kept in memory until they take over.
type savedSessions struct {
	values  *state.Sessions
	events  *state.Journal
	count   int
	intents uint64
	denied  uint64
	guilds  *shardGuilds
	place   keptGuilds // where guilds are kept when these sessions deliver
	log     hclog.Logger

	muted  map[int]state.SessionValues // by shard; nil: they are on disk
	fenced bool                        // the journal's numbers are not theirs any more
}

// sessionsAlive is for how long sessions of before decide on the number of shards,
// where Discord's number is asked for: what can be resumed misses nothing.
const sessionsAlive = 10 * time.Minute

// eventReady begins a session.
const eventReady = "READY"

// firstSessions prepares the sessions; those that an earlier host has left go on.
// It refuses when Discord does not allow the bot enough IDENTIFYs for the others.
func (h *Host) firstSessions(r *rooms, sets *sessionSets) (*sessionSet, *budget, error) {
	saved := h.savedFor(r, intentsFor(manifests(r.set), h.config.Settings.CachePeople, h.config.Settings.DenyIntents))
	want := h.config.Settings.Shards
	if n := saved.savedCount(); want.Count == 0 && n > 0 && n != r.discord.gateway.Shards {
		saved.log.Info("sessions of before are resumed with their number of shards, Discord recommends another one: holdfast reshard auto changes it without a gap",
			"shards", n, "recommended", r.discord.gateway.Shards)
		want.Count = n
	}
	var shards []int
	shards, saved.count = want.Of(r.discord.gateway.Shards)
	budget, err := newBudget(r.folder, r.discord.bot.id, saved.count, saved.log)
	if err != nil {
		return nil, nil, err
	}
	budget.learn(r.discord.gateway.SessionStartLimit)
	resume, missed := saved.resumable(shards)
	if err := budget.admit(shards, resume); err != nil {
		return nil, nil, err
	}
	saved.guilds.take(saved.place, time.Now())
	saved.guilds.restore(resume, time.Now())
	for shard := range resume {
		r.guilds.cache.Resumed(saved.guilds.list(shard))
	}
	c := h.sessionConfig(r, &r.discord.gateway, saved)
	c.MissedSince = missed
	c.Events, c.Shards, c.Resume, c.LastIdentify, c.Permits = sets.events, shards, resume, budget.last(), budget.of(0)
	if h.config.Settings.Shards.Until == 0 {
		c.TooFewShards = sets.tooFew(0)
	}
	set, err := gateway.NewSet(c)
	if err != nil {
		return nil, nil, err
	}
	return &sessionSet{count: saved.count, intents: saved.intents, set: set, saved: saved}, budget, nil
}

func (h *Host) savedFor(r *rooms, intents uint64) *savedSessions {
	log := h.log.Named("gateway")
	return &savedSessions{
		values: r.kept.sessions, events: r.kept.journal.events, intents: intents,
		denied: uint64(h.config.Settings.DenyIntents), guilds: newShardGuilds(log), place: r.kept.guilds, log: log,
	}
}

// sessionConfig is what the first set and those that replace it have in common.
func (h *Host) sessionConfig(r *rooms, info *gatewayInfo, saved *savedSessions) gateway.Config {
	return gateway.Config{
		Token:            h.config.Token,
		URL:              info.URL,
		Count:            saved.count,
		MaxConcurrency:   info.SessionStartLimit.MaxConcurrency,
		Intents:          saved.intents,
		Compress:         h.config.Settings.Compress,
		IdentifyInterval: h.config.IdentifyInterval,
		Presence:         r.calls.presences.identify,
		Whole: func(shard int, session string, at time.Time) {
			saved.values.SetWhole(uint32(shard), session, at.UnixNano())
		},
		Log: saved.log,
	}
}

// resumable are the sessions of these shards that an earlier host has left and
// that fit this one. Those of other shards are left alone: a host with another
// range may want them back. One with more intents than are needed now fits: a
// plugin may only be broken for the moment. An event is journaled before its number is saved, so
// after a kill the journal may know a later one. Times do not tell whose it is:
// clocks go back. missed is since when the others miss events, zero if there were none.
func (s *savedSessions) resumable(shards []int) (out map[int]gateway.Saved, missed time.Time) {
	out = make(map[int]gateway.Saved)
	for _, v := range s.values.All() {
		if !slices.Contains(shards, int(v.Shard)) {
			continue
		}
		if int(v.Count) != s.count || !s.fits(&v) {
			if missed.IsZero() || v.At.Before(missed) {
				missed = v.At
			}
			s.log.Warn("a session of before is not resumed, what came since is missed until the next READY: shards or intents are others now", "shard", v.Shard,
				"shards", s.count, "before", v.Count, "intents", s.intents, "intents_before", v.Intents, "since", v.At.Format(time.RFC3339))
			continue
		}
		if newest, ok := s.events.Newest(v.Shard); ok && newest.Index > v.Journaled && newest.Seq > v.Seq {
			v.Seq, v.At = newest.Seq, time.Unix(0, newest.Received)
		}
		out[int(v.Shard)] = gateway.Saved{ID: v.ID, ResumeURL: v.ResumeURL, Seq: v.Seq, Since: v.At}
	}
	return out, missed
}

// fits says whether a session has the intents that are needed, and none that are denied.
func (s *savedSessions) fits(v *state.SessionValues) bool {
	return s.intents&^v.Intents == 0 && v.Intents&s.denied == 0
}

// savedCount is the number of shards whose sessions are all there, have what intents
// are needed, and were alive a moment ago, 0 if there are no such.
func (s *savedSessions) savedCount() int {
	all := s.values.All()
	if len(all) == 0 || int(all[0].Count) != len(all) {
		return 0
	}
	for n, v := range all {
		if int(v.Shard) != n || v.Count != all[0].Count || !s.fits(&v) || time.Since(v.At) > sessionsAlive {
			return 0
		}
	}
	return len(all)
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
		s.guilds.ready(e.Shard, d.SessionID, d.Guilds, e.Received)
		err = s.save(state.SessionValues{
			ID: d.SessionID, ResumeURL: d.ResumeURL, Shard: uint32(e.Shard), Count: uint32(s.count), Intents: s.intents,
			Seq: e.Seq, Ready: e.Received, At: e.Received,
		})
	}
	if err != nil {
		s.log.Error("session not saved: after a restart of the host its shard identifies anew, and misses the events in between", "shard", e.Shard, "error", err)
	}
}

func (s *savedSessions) save(v state.SessionValues) error {
	if s.muted != nil {
		s.muted[int(v.Shard)] = v
		return nil
	}
	if _, v.Journaled = s.events.Range(); s.fenced {
		v.Journaled = math.MaxUint64
	}
	return s.values.Save(v)
}

// fence ends what the journal adds to these sessions' numbers: what is appended
// from now on may be others'.
func (s *savedSessions) fence() {
	s.fenced = true
	list := s.values.All()
	for n := range list {
		list[n].Journaled = math.MaxUint64
	}
	if err := s.values.Replace(list); err != nil {
		s.log.Error("sessions not saved: a host that is killed at this moment identifies anew", "error", err)
	}
}

// takeOver saves muted sessions in the place of all others. Up to where they are,
// all is journaled.
func (s *savedSessions) takeOver() {
	list := make([]state.SessionValues, 0, len(s.muted))
	for _, v := range s.muted {
		_, v.Journaled = s.events.Range()
		list = append(list, v)
	}
	s.muted = nil
	s.guilds.take(s.place, time.Now())
	if err := s.values.Replace(list); err != nil {
		s.log.Error("sessions not saved: after a restart of the host the shards identify anew, and miss the events in between", "error", err)
	}
}

// handled saves how far the session of a shard is.
func (s *savedSessions) handled(e *gateway.Event) {
	if v, ok := s.muted[e.Shard]; ok {
		v.Seq, v.At = e.Seq, e.Received
		s.muted[e.Shard] = v
		return
	}
	s.values.SetSeq(uint32(e.Shard), e.Seq, e.Received.UnixNano())
}
