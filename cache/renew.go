package cache

// Renewed takes note that, between two events, other sessions have taken the place of
// those that READY spoke of: GUILD_CREATEs that were awaited of these come no more.
// Expects tells which guilds the others have not introduced yet, such as those in an
// outage: they stay awaited. It must not call the cache.
func (c *Cache) Renewed(expects func(guild uint64) bool) {
	for i := range c.shards {
		sh := &c.shards[i]
		sh.mu.Lock()
		for guild := range sh.awaited {
			if !expects(guild) {
				c.unawait(sh, guild)
			}
		}
		sh.mu.Unlock()
	}
}

// unawait ends the wait for a GUILD_CREATE that will not come: who wants the guild
// loads it. What is held may be older than READY, and a load under way, too. The
// caller holds the shard's lock.
func (c *Cache) unawait(sh *shard, guild uint64) {
	if sh.records.of(guild).reason == Outage {
		sh.records.forget(guild)
	}
	if l := sh.loads[guild]; l != nil {
		l.overflow, l.meantime = true, nil
	}
	if e := c.find(sh, guild); e != nil && e.held.Load().down {
		e.die()
		c.keeper.enqueue(e)
	}
	if l := sh.waits[guild]; l != nil {
		l.again = true
	}
	sh.settle(guild, nil, &MissingError{Guild: guild, Reason: Outage})
}
