package simulator

import (
	"encoding/json"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

type counts struct {
	connections atomic.Uint64
	mu          sync.Mutex
	shards      map[int]*tally
	names       map[string]uint64
	unseen      map[string]uint64
	payloads    map[int]uint64
}

// tally is what is counted for each shard.
type tally struct {
	dispatches, heartbeats, identifies, resumes, unseen atomic.Uint64
}

func (s *Server) tallyOf(shard int) *tally {
	c := &s.counts
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.tally(shard)
}

func (c *counts) tally(shard int) *tally {
	t := c.shards[shard]
	if t == nil {
		t = &tally{}
		if c.shards == nil {
			c.shards = make(map[int]*tally)
		}
		c.shards[shard] = t
	}
	return t
}

// payload counts what a client sent.
func (c *counts) payload(op int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.payloads == nil {
		c.payloads = make(map[int]uint64)
	}
	c.payloads[op]++
}

// sent counts a dispatch that a session was given.
func (s *Server) sent(shard int, name string) {
	c := &s.counts
	c.mu.Lock()
	c.tally(shard).dispatches.Add(1)
	if c.names == nil {
		c.names = make(map[string]uint64)
	}
	c.names[name]++
	c.mu.Unlock()
}

// Counts is what has happened so far.
type Counts struct {
	Connections    uint64
	Identifies     uint64
	Resumes        uint64
	ResumesRefused uint64 // op 9 false after a resume
	Heartbeats     uint64
	Dispatches     uint64
	Shards         map[int]ShardCounts
	Events         map[string]uint64 // dispatches by name
	Unseen         map[string]uint64 // events emitted without a session, by name
	Payloads       map[int]uint64    // what clients sent on the gateway, by opcode
	Requests       map[string]uint64 // by route
	Statuses       map[int]uint64    // by status
	Limited        uint64            // answers of 429
	Interactions   uint64
	Unanswered     uint64 // interactions without an answer after 3 s
	BreachesTotal  int
	SessionStarts  int // left
}

// ShardCounts is the same for one shard.
type ShardCounts struct {
	Identifies, Resumes, Heartbeats, Dispatches uint64
	Unseen                                      uint64 // emitted without a session
}

// Counts tells what has happened so far.
func (s *Server) Counts() Counts {
	out := Counts{
		Connections: s.counts.connections.Load(), ResumesRefused: s.resumesRefused.Load(), Shards: make(map[int]ShardCounts),
	}
	s.counts.mu.Lock()
	for shard, t := range s.counts.shards {
		sc := ShardCounts{
			Identifies: t.identifies.Load(), Resumes: t.resumes.Load(), Heartbeats: t.heartbeats.Load(),
			Dispatches: t.dispatches.Load(), Unseen: t.unseen.Load(),
		}
		out.Shards[shard] = sc
		out.Identifies += sc.Identifies
		out.Resumes += sc.Resumes
		out.Heartbeats += sc.Heartbeats
		out.Dispatches += sc.Dispatches
	}
	out.Events, out.Unseen, out.Payloads = maps.Clone(s.counts.names), maps.Clone(s.counts.unseen), maps.Clone(s.counts.payloads)
	s.counts.mu.Unlock()
	for _, n := range s.BreachCounts() {
		out.BreachesTotal += n
	}
	s.mu.Lock()
	out.SessionStarts = s.starts.remaining
	s.mu.Unlock()
	s.requests.count(&out)
	out.Interactions, out.Unanswered = s.interactions.count(time.Now())
	return out
}

// SessionState is one session as it is now.
type SessionState struct {
	ID        string
	Shard     int
	Shards    int
	Intents   uint64
	Connected bool
	Seq       uint64 // the last number given
	Written   uint64 // the last number written to the connection
	Reported  uint64 // the last number a heartbeat reported
	Bytes     uint64 // of the data of all events that were numbered
	Kept      int    // events kept for a resume
	Dropped   uint64 // events given up because of the bounds
	Awaiting  int    // guilds whose GUILD_CREATE is still to come
	Resumes   int
	Presence  json.RawMessage // as IDENTIFY or op 3 set it, nil: never
}

// Sessions lists the sessions that live, connected or resumable.
func (s *Server) Sessions() []SessionState {
	var out []SessionState
	for _, ses := range *s.live.Load() {
		ses.mu.Lock()
		out = append(out, SessionState{
			ID: ses.id, Shard: ses.shard, Shards: ses.shards, Intents: ses.intents, Connected: ses.conn != nil, Seq: ses.seq,
			Written: ses.written, Reported: ses.beaten, Bytes: ses.told, Kept: len(ses.frames), Dropped: ses.dropped,
			Awaiting: len(ses.waiting), Resumes: ses.resumes, Presence: ses.presence,
		})
		ses.mu.Unlock()
	}
	slices.SortFunc(out, func(a, b SessionState) int { return a.Shard - b.Shard })
	return out
}
