package host

import "github.com/holdfast-bot/holdfast/cache"

// membership is what the sessions know of whether the bot is in a guild, as of the
// events that were applied. It is for any goroutine.
func (s *sessionSets) membership(guild uint64) cache.Membership {
	s.mu.Lock()
	current, next := s.current, s.next
	s.mu.Unlock()
	if next != nil && next.membership(guild) == cache.Inside {
		// At the moment at which it takes over the other hears of no guild any more.
		return cache.Inside
	}
	return current.membership(guild)
}

// membership is what the session of a guild's shard knows: READY lists all of them, also
// those in an outage. While it is not ready the bot may have joined some that it has not
// been told of, and of other hosts' shards nothing is known here.
func (s *sessionSet) membership(guild uint64) cache.Membership {
	shard := int(guild >> 22 % uint64(s.count)) // Discord's formula, "Gateway", Sharding
	in, known := s.saved.guilds.has(shard, guild)
	switch {
	case in:
		return cache.Inside
	case known && s.set.Ready(shard):
		return cache.Outside
	default:
		return cache.Unsure
	}
}

// has says whether a guild is among a shard's, if they are known.
func (s *shardGuilds) has(shard int, guild uint64) (in, known bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ids, known := s.ids[shard]
	_, in = ids[guild]
	return in, known
}
