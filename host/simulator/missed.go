package simulator

import (
	"encoding/json"
	"slices"
)

// Missed is an event that no session can bring any more.
type Missed struct {
	Shard int
	// Session had numbered the event with Seq before it ended. Both are empty when there was no session to get it.
	Session string
	Seq     uint64
	// Written tells that the event was handed to a connection. Whether it arrived, the client alone knows: a
	// reset loses what lies in the buffers of both sides.
	Written bool
	Name    string
	Data    json.RawMessage
}

// Missed lists, if Config.KeepMissed is set, what was emitted while there was no session of its shard, in order,
// then what ended sessions had numbered above the last heartbeat's report, session by session. A client that
// misses anything else, or has got anything of the first part, is wrong. What a session had given up because of
// the bounds of its replay is not in it (SessionState.Dropped).
func (s *Server) Missed() []Missed {
	s.mu.Lock()
	out, gone := slices.Clone(s.missed), slices.Clone(s.gone)
	s.mu.Unlock()
	for _, ses := range gone {
		out = append(out, ses.left()...)
	}
	return out
}

// left is what a session still keeps.
func (ses *session) left() []Missed {
	ses.mu.Lock()
	defer ses.mu.Unlock()
	out := make([]Missed, len(ses.frames))
	for i, f := range ses.frames {
		seq := ses.first + uint64(i)
		out[i] = Missed{Shard: ses.shard, Session: ses.id, Seq: seq, Written: seq <= ses.top, Name: f.name, Data: f.data}
	}
	return out
}

// unseen counts an event for whose shard there was no session.
func (s *Server) unseen(ev *event) {
	s.mu.Lock()
	shard := shardOf(ev.guild, s.shards)
	if s.cfg.KeepMissed {
		s.missed = append(s.missed, Missed{Shard: shard, Name: ev.name, Data: ev.data})
	}
	s.mu.Unlock()
	s.tallyOf(shard).unseen.Add(1)
	c := &s.counts
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.unseen == nil {
		c.unseen = make(map[string]uint64)
	}
	c.unseen[ev.name]++
}
