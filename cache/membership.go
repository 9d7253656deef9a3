package cache

// Membership is what is known of whether the bot is in a guild.
type Membership uint8

// What is known.
const (
	Unsure  Membership = iota // nothing
	Inside                    // Discord has told of it
	Outside                   // all guilds that it may be among are known, and it is none of them
)

// of asks for a guild's; nil knows nothing.
func (m membership) of(guild uint64) Membership {
	if m == nil {
		return Unsure
	}
	return m(guild)
}

type membership func(guild uint64) Membership

// outsider is why a guild is not asked for that the bot is not in, nil if it may be.
// Users name guilds: each of a wrong id would cost a request and a token of the guard,
// and many would open the breaker for all. Nothing is remembered, as there is no end of
// ids, and the bot may join the next moment.
func (c *Cache) outsider(guild uint64) error {
	if c.membership.of(guild) != Outside {
		return nil
	}
	return &MissingError{Guild: guild, Reason: Removed}
}

// howItWent is a load's outcome for the breaker. That Discord does not know a guild of
// which nothing is known says nothing about Discord, and counts for no ban.
func (c *Cache) howItWent(guild uint64, err error) outcome {
	if c.closed.Load() {
		return abandoned
	}
	if err == nil {
		return succeeded
	}
	if why, _ := judge(err); why == Removed && c.membership.of(guild) != Inside {
		return abandoned
	}
	return failed
}
