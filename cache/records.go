package cache

import (
	"math"
	"math/rand/v2"
	"slices"
	"time"
)

// record is why a guild is not to be loaded now.
type record struct {
	reason   Reason
	failures int
	until    time.Time
}

// records remember failures of a shard's guilds; the shard's lock guards them.
type records struct {
	byGuild map[uint64]remembered
	began   time.Time
	limit   int
}

// remembered is a record in little room: an outage may be one of all guilds, and
// each costs at most 60 bytes so, with its place in the map.
type remembered struct {
	until    time.Duration // since the records began
	why      uint8         // its index in reasons
	failures uint8         // or more
	told     bool          // to a reader, in its own words
}

// of returns a guild's record, whether it holds or not; a zero one if there is
// none.
func (r *records) of(guild uint64) record {
	m, ok := r.byGuild[guild]
	if !ok {
		return record{}
	}
	return record{reason: reasons()[m.why], failures: int(m.failures), until: r.began.Add(m.until)}
}

// look returns the record that holds at this moment.
func (r *records) look(guild uint64, now time.Time) (record, bool) {
	rec := r.of(guild)
	return rec, now.Before(rec.until)
}

// fail remembers a failure: twice as long as the one before it, within the
// guard's limits and not less than the given time. What will not mend soon
// (403, 404, removal) is remembered for the longest time at once.
func (r *records) fail(guild uint64, why Reason, least time.Duration, o GuardOptions) record {
	n := r.of(guild).failures + 1
	wait := o.BackoffMin << min(n-1, 20)
	if wait <= 0 || wait > o.BackoffMax || why == Removed || why == Forbidden || why == Outage {
		wait = o.BackoffMax
	}
	wait -= time.Duration(rand.Int64N(int64(wait)/4 + 1)) // so that guilds that failed together do not come back together
	rec := record{reason: why, failures: n, until: time.Now().Add(max(wait, least))}
	r.put(guild, rec)
	return rec
}

// put bounds what is remembered: of a few, the one that runs out first goes.
func (r *records) put(guild uint64, rec record) {
	if _, known := r.byGuild[guild]; !known && len(r.byGuild) >= r.limit {
		var least uint64
		looked := 0
		for g, old := range r.byGuild { // in random order
			if looked == 0 || old.until < r.byGuild[least].until {
				least = g
			}
			if looked++; looked == 8 {
				break
			}
		}
		delete(r.byGuild, least)
	}
	if r.byGuild == nil {
		r.byGuild, r.began = make(map[uint64]remembered), time.Now()
	}
	all := reasons()
	r.byGuild[guild] = remembered{
		until:    rec.until.Sub(r.began),
		why:      uint8(slices.Index(all[:], rec.reason)),
		failures: uint8(min(rec.failures, math.MaxUint8)),
	}
}

// tell returns the record of a failure that no reader has been told of yet.
func (r *records) tell(guild uint64) (record, bool) {
	m, ok := r.byGuild[guild]
	if !ok || m.told {
		return record{}, false
	}
	m.told = true
	r.byGuild[guild] = m
	return r.of(guild), true
}

// forget ends a guild's record. When the last one ends the room goes, too: a map
// does not shrink, and an outage of many guilds ends.
func (r *records) forget(guild uint64) {
	if delete(r.byGuild, guild); len(r.byGuild) == 0 {
		r.byGuild = nil
	}
}
