package router

import "time"

const (
	// discordEpoch is the time of the snowflake 0, Unix time in milliseconds, and
	// snowflakeTime the bits below the time (Discord's documentation, "Snowflakes").
	discordEpoch  = 1420070400000
	snowflakeTime = 22

	// skewWindow is how long the least delay is remembered, at least.
	skewWindow = 10 * time.Minute
	// skewSamples is how many interactions it takes to blame the clock.
	skewSamples = 5
	// usualDelay is what Discord and the way from there may take.
	usualDelay = 500 * time.Millisecond
)

// skew is how far this machine's clock is ahead of Discord's, as far as
// interactions show: all of them seem to have been on their way for so long at
// least. Without it a wrong clock would make each interaction look too old.
type skew struct {
	least, before time.Duration // in this window, and in the one before
	since         time.Time
	seen          int
}

// see takes what one interaction shows.
func (s *skew) see(delay time.Duration, now time.Time) {
	switch {
	case s.seen == 0:
		s.least, s.before, s.since = delay, delay, now
	case now.Sub(s.since) > skewWindow:
		s.least, s.before, s.since = delay, s.least, now
	}
	s.least = min(s.least, delay)
	s.seen++
}

func (s *skew) ahead() time.Duration {
	ahead := min(s.least, s.before)
	if ahead > 0 && (ahead <= usualDelay || s.seen < skewSamples) {
		return 0
	}
	return ahead
}

// createdAt is the time of a snowflake, by Discord's clock.
func createdAt(id uint64) time.Time {
	return time.UnixMilli(int64(id>>snowflakeTime) + discordEpoch)
}

// times says when an interaction is to be deferred, and from when on it is too
// late for an answer. Of one that comes live the id's time only hastens the
// deferral: Discord would not have sent it if it were too old.
func (s *skew) times(id uint64, received time.Time, replayed bool, now time.Time) (due, until time.Time) {
	delay := received.Sub(createdAt(id))
	if !replayed {
		s.see(delay, now)
	}
	delay = max(0, delay-s.ahead())
	if replayed {
		created := received.Add(-delay)
		return created.Add(deferAfter), created.Add(answerWithin)
	}
	return received.Add(deferAfter - min(delay, deferAfter)), received.Add(answerWithin)
}
