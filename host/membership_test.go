package host

import (
	"testing"
	"time"

	"github.com/holdfast-bot/holdfast/cache"
)

// TestMembershipOfSessionsThatAreNotReady: what has been told is known, of either set; of
// all else a session that is not ready may not have been told, and of another host's
// shard nothing is.
func TestMembershipOfSessionsThatAreNotReady(t *testing.T) {
	s, old, next := twoSets(t, time.Hour)
	old.count, next.count = 4, 2
	old.saved.guilds.set(0, "old", map[uint64]struct{}{4 << 22: {}, 8 << 22: {}})
	next.saved.guilds.set(0, "new", map[uint64]struct{}{4 << 22: {}, 12 << 22: {}})
	judge := func(what string, want map[uint64]cache.Membership) {
		t.Helper()
		for n, known := range want {
			if got := s.membership(n << 22); got != known {
				t.Errorf("%s: guild %d is %d, want %d", what, n, got, known)
			}
		}
	}
	alone := map[uint64]cache.Membership{4: cache.Inside, 8: cache.Inside, 12: cache.Unsure, 16: cache.Unsure, 5: cache.Unsure}
	judge("one set", alone)
	s.next = next
	both := map[uint64]cache.Membership{4: cache.Inside, 8: cache.Inside, 12: cache.Inside, 16: cache.Unsure, 5: cache.Unsure}
	judge("two sets", both)
}
