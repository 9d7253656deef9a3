package host

import (
	"encoding/json"
	"strconv"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/holdfast-bot/holdfast/host/gateway"
)

const (
	// Discord takes no IDENTIFY for a shard with more guilds (close code 4011).
	maxShardGuilds = 2500
	// At four fifths of them there is time left to raise the number of shards.
	manyShardGuilds = maxShardGuilds * 4 / 5
	// warnAgain is how often it is told of a shard that stays so.
	warnAgain = 24 * time.Hour
	// lookAgain is how often shards are looked at whose guilds do not change.
	lookAgain = time.Minute
)

// shardGuilds knows the guilds of each shard: READY lists them, GUILD_CREATE and
// GUILD_DELETE change them. A session that is resumed from before the start
// brings no list: its shard's guilds are those that an earlier host has kept.
// All but count is for the router's goroutine.
type shardGuilds struct {
	kept     keptGuilds        // nil: they are in memory alone
	sessions map[int]string    // by shard, the session whose guilds are known
	unkept   map[int]time.Time // shards whose guilds the disk did not take, and when that was told
	told     map[int]time.Time // shards that have too many, and when that was told
	look     time.Time
	log      hclog.Logger

	mu  sync.Mutex
	ids map[int]map[uint64]struct{} // by shard; only the router's goroutine writes
}

// newShardGuilds begins with no shards, in memory alone.
func newShardGuilds(log hclog.Logger) *shardGuilds {
	return &shardGuilds{
		sessions: make(map[int]string), unkept: make(map[int]time.Time), told: make(map[int]time.Time),
		log: log, ids: make(map[int]map[uint64]struct{}),
	}
}

// guildID is a guild in READY's list.
type guildID struct {
	ID string `json:"id"`
}

// ready replaces the guilds of a shard by those of its new session.
func (s *shardGuilds) ready(shard int, session string, list []guildID, now time.Time) {
	ids := make(map[uint64]struct{}, len(list))
	for _, g := range list {
		if id, err := strconv.ParseUint(g.ID, 10, 64); err == nil {
			ids[id] = struct{}{}
		}
	}
	s.set(shard, session, ids)
	s.save(shard, now)
	s.warn(shard, now)
}

// set lets the guilds be known.
func (s *shardGuilds) set(shard int, session string, ids map[uint64]struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sessions[shard], s.ids[shard] = session, ids
}

// apply sees every event before it is journaled, and returns at once for nearly
// all. What is kept is never behind the events that are not repeated after a
// restart; what is repeated changes nothing.
func (s *shardGuilds) apply(e *gateway.Event) {
	if e.Name == "GUILD_CREATE" || e.Name == "GUILD_DELETE" {
		s.change(e)
	}
	if e.Received.After(s.look) {
		s.lookAround(e.Received)
	}
}

func (s *shardGuilds) change(e *gateway.Event) {
	ids, in := s.ids[e.Shard], e.Name == "GUILD_CREATE"
	if _, had := ids[e.Guild]; ids == nil || had == in {
		return
	}
	if !in {
		var d struct {
			Unavailable bool `json:"unavailable"` // an outage: the bot is still in it
		}
		if err := json.Unmarshal(e.Data, &d); err != nil || d.Unavailable {
			return
		}
	}
	s.mu.Lock()
	if in {
		ids[e.Guild] = struct{}{}
	} else {
		delete(ids, e.Guild)
	}
	s.mu.Unlock()
	s.keep(e.Shard, e.Guild, in, e.Received)
	s.warn(e.Shard, e.Received)
}

// lookAround does what time alone asks for.
func (s *shardGuilds) lookAround(now time.Time) {
	s.look = now.Add(lookAgain)
	for shard := range s.unkept {
		s.save(shard, now)
	}
	for shard := range s.told {
		s.warn(shard, now)
	}
}

// warn tells of a shard that has nearly too many guilds, once a day while it
// stays so.
func (s *shardGuilds) warn(shard int, now time.Time) {
	n := len(s.ids[shard])
	if n < manyShardGuilds {
		delete(s.told, shard)
		return
	}
	if at, ok := s.told[shard]; ok && now.Sub(at) < warnAgain {
		return
	}
	s.told[shard] = now
	s.log.Warn("a shard has nearly as many guilds as Discord allows; beyond that it cannot identify any more: run holdfast reshard auto",
		"shard", shard, "guilds", n, "limit", maxShardGuilds)
}

// count returns nil while the number is not known.
func (s *shardGuilds) count(shard int) *int {
	s.mu.Lock()
	defer s.mu.Unlock()
	ids, known := s.ids[shard]
	if !known {
		return nil
	}
	n := len(ids)
	return &n
}
