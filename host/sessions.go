package host

import (
	"encoding/json"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/holdfast-bot/holdfast/host/gateway"
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
	log     hclog.Logger
}

// resumable are the sessions that an earlier host has left and that fit this
// one. An event is journaled before its number is saved, so after a kill the
// journal may know a later one. Times do not tell whose it is: clocks go back.
func (s *savedSessions) resumable() map[int]gateway.Saved {
	out := make(map[int]gateway.Saved)
	for _, v := range s.values.All() {
		if int(v.Count) != s.count || v.Intents != s.intents {
			s.log.Info("a session of before is not resumed: shards or intents are others now", "shard", v.Shard,
				"shards", s.count, "before", v.Count, "intents", s.intents, "intents_before", v.Intents)
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
		SessionID string `json:"session_id"`
		ResumeURL string `json:"resume_gateway_url"`
	}
	err := json.Unmarshal(e.Data, &d)
	if err == nil {
		_, journaled := s.events.Range(uint32(e.Shard))
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
