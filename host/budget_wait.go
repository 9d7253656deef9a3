package host

import "time"

// wouldWait is until when a shard that has a session would wait if it gave that
// up, or zero if it could identify at once.
func (b *budget) wouldWait(at place) time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	if until := b.until(at, now); until.After(now) {
		return until
	}
	return time.Time{}
}

// tell says once why shards wait until then.
func (b *budget) tell(until, now time.Time) {
	switch {
	case !until.After(now):
	case until.Equal(b.known.Reset):
		if b.told != until {
			b.told = until
			b.log.Warn("too many identifies today: shards that must identify wait, so that Discord does not reset the token; those that can be resumed are",
				"left", b.known.Remaining, "until", until.Format(time.RFC3339), "reserve", b.reserve())
		}
	case b.toldPause != until:
		b.toldPause = until
		b.log.Warn("earlier starts had to identify and ended before their sessions settled: the next identify waits, so that a crash loop does not spend the day's; the log of those starts tells why they ended",
			"starts", len(b.known.Starts), "until", until.Format(time.RFC3339))
	}
}
