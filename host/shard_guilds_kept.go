package host

import (
	"time"

	"github.com/holdfast-bot/holdfast/host/gateway"
)

// complainGuilds is how often a disk that does not take the guilds is told of.
const complainGuilds = time.Hour

// keptGuilds keeps the guilds of each shard's session on disk. Where that fails
// nothing is left of a shard that is not true any more.
type keptGuilds interface {
	Load(shard uint32, session string) (ids map[uint64]struct{}, known bool, err error)
	Save(shard uint32, session string, ids map[uint64]struct{}) error
	Change(shard uint32, guild uint64, in bool) (whole bool, err error)
}

// take keeps the guilds from now on, those of sessions that only now take over
// included; before, and after release, they are in memory alone. Where sets of
// sessions run beside each other, one of them keeps its guilds.
func (s *shardGuilds) take(kept keptGuilds, now time.Time) {
	s.kept = kept
	for shard := range s.ids {
		s.save(shard, now)
	}
}

// release leaves what is kept to others.
func (s *shardGuilds) release() {
	s.kept = nil
	clear(s.unkept)
}

// restore takes over what an earlier host has kept of the sessions that go on.
func (s *shardGuilds) restore(resume map[int]gateway.Saved, now time.Time) {
	for shard, session := range resume {
		ids, known, err := s.kept.Load(uint32(shard), session.ID)
		if err != nil {
			s.log.Warn("guilds of a shard cannot be read, or not kept; an identify brings them", "shard", shard, "error", err)
		}
		if known {
			s.set(shard, session.ID, ids)
			s.warn(shard, now)
		}
	}
}

// keep writes down one change.
func (s *shardGuilds) keep(shard int, guild uint64, in bool, now time.Time) {
	if s.kept == nil {
		return
	}
	whole, err := s.kept.Change(uint32(shard), guild, in)
	switch {
	case err != nil:
		s.complain(shard, now, err)
	case whole:
		s.save(shard, now)
	}
}

// save writes down all guilds of a shard.
func (s *shardGuilds) save(shard int, now time.Time) {
	if s.kept == nil {
		return
	}
	if err := s.kept.Save(uint32(shard), s.sessions[shard], s.ids[shard]); err != nil {
		s.complain(shard, now, err)
		return
	}
	delete(s.unkept, shard)
}

// complain tells of a disk that does not take the guilds, once a while for each
// shard. They are tried again.
func (s *shardGuilds) complain(shard int, now time.Time, err error) {
	if at, ok := s.unkept[shard]; ok && now.Sub(at) < complainGuilds {
		return
	}
	s.unkept[shard] = now
	s.log.Warn("guilds of a shard are not kept: after a restart of the host their number is not known until the shard identifies", "shard", shard, "error", err)
}
