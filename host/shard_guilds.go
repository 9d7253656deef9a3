package host

import (
	"encoding/json"
	"strconv"
	"sync"

	"github.com/hashicorp/go-hclog"
	"github.com/holdfast-bot/holdfast/host/gateway"
)

const (
	// Discord takes no IDENTIFY for a shard with more guilds (close code 4011).
	maxShardGuilds = 2500
	// At four fifths of them there is time left to raise the number of shards.
	manyShardGuilds = maxShardGuilds * 4 / 5
)

// shardGuilds counts the guilds of each shard: READY lists them, GUILD_CREATE and
// GUILD_DELETE change them. A session that was resumed from before the start
// brings no list, so its shard's number is not known until it identifies.
type shardGuilds struct {
	log hclog.Logger

	mu   sync.Mutex
	ids  map[int]map[uint64]struct{} // by shard
	told map[int]bool
}

func newShardGuilds(log hclog.Logger) *shardGuilds {
	return &shardGuilds{log: log, ids: make(map[int]map[uint64]struct{}), told: make(map[int]bool)}
}

// guildID is a guild in READY's list.
type guildID struct {
	ID string `json:"id"`
}

// ready replaces the guilds of a shard.
func (s *shardGuilds) ready(shard int, list []guildID) {
	ids := make(map[uint64]struct{}, len(list))
	for _, g := range list {
		if id, err := strconv.ParseUint(g.ID, 10, 64); err == nil {
			ids[id] = struct{}{}
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ids[shard] = ids
	s.warn(shard)
}

// apply sees every event, and returns at once for nearly all.
func (s *shardGuilds) apply(e *gateway.Event) {
	if e.Name != "GUILD_CREATE" && e.Name != "GUILD_DELETE" {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	ids := s.ids[e.Shard]
	if ids == nil {
		return
	}
	if e.Name == "GUILD_CREATE" {
		ids[e.Guild] = struct{}{}
		s.warn(e.Shard)
		return
	}
	var d struct {
		Unavailable bool `json:"unavailable"` // an outage: the bot is still in it
	}
	if err := json.Unmarshal(e.Data, &d); err == nil && !d.Unavailable {
		delete(ids, e.Guild)
	}
}

func (s *shardGuilds) warn(shard int) {
	if n := len(s.ids[shard]); n >= manyShardGuilds && !s.told[shard] {
		s.told[shard] = true
		s.log.Warn("a shard has nearly as many guilds as Discord allows; beyond that it cannot identify: raise --shards, or leave it at auto and start again",
			"shard", shard, "guilds", n, "limit", maxShardGuilds)
	}
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
