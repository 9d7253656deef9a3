package plugins

import (
	"fmt"
	"testing"
)

// TestAGuildThatMovesKeepsItsOrder: while the plugin is down, the guild's events
// come by shard 0, then by shard 1 of another number of shards, in this life of
// the host or the next. The plugin gets them in the order in which they came.
func TestAGuildThatMovesKeepsItsOrder(t *testing.T) {
	for _, restart := range []bool{false, true} {
		t.Run(fmt.Sprintf("restart=%v", restart), func(t *testing.T) {
			const guild, each = 7, 200
			j := newMemoryJournal()
			l := smallLimits()
			var came int
			come := func(q *keptQueue, shard uint32, seq uint64) {
				for n := range uint64(each) {
					e := message(0, guild, 0)
					e.Shard, e.Seq, e.Data = shard, seq+n, fmt.Append(nil, came)
					came++
					q.push(j.add(*e))
					other := message(0, guild+1+n%5, 100) // of guilds that stay
					q.push(j.add(*other))
				}
			}
			q := openQueue(t, j, l, manifestOf("MESSAGE_CREATE"))
			q.setAway(true)
			come(q, 0, 9000)
			if restart {
				q.over()
				q = openQueue(t, j, l, manifestOf("MESSAGE_CREATE"))
				q.setAway(true)
			}
			come(q, 1, 1)
			if _, _, behind := q.snapshot(); behind < each {
				t.Fatalf("only %d events wait in the journal", behind)
			}
			q.setAway(false)
			come(q, 1, 1+each) // while it catches up
			next := 0
			for _, e := range q.takenUntil(t, 2*came, always) {
				if e.Lane != guild {
					continue
				}
				if string(e.Data) != fmt.Sprint(next) {
					t.Fatalf("event %s of the guild, by shard %d, follows, want %d", e.Data, e.Shard, next)
				}
				next++
			}
			if next != came {
				t.Errorf("%d events of the guild, want %d", next, came)
			}
			if low, _, _ := j.cursors["p"].Position(); low != j.Last() {
				t.Errorf("handled up to %d, want %d", low, j.Last())
			}
		})
	}
}
