package host

import (
	"fmt"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/holdfast-bot/holdfast/host/gateway"
	"github.com/holdfast-bot/holdfast/host/state"
)

// openKept opens what a state folder keeps of sessions, until the test ends.
func openKept(t *testing.T) (*state.Journal, *state.Sessions, *state.Guilds) {
	t.Helper()
	folder, err := state.Open(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { folder.Close() })
	events, err := folder.OpenJournal(state.JournalOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { events.Close() })
	values, err := folder.OpenSessions()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { values.Close() })
	guilds, err := folder.OpenGuilds()
	if err != nil {
		t.Fatal(err)
	}
	return events, values, guilds
}

func resumableOf(s *savedSessions, shards ...int) map[int]gateway.Saved {
	out, _ := s.resumable(shards)
	return out
}

// TestResumableWhenTheClockGoesBack: which of the journal's events are the
// session's own does not hang on the clock.
func TestResumableWhenTheClockGoesBack(t *testing.T) {
	events, values, _ := openKept(t)
	saved := &savedSessions{values: values, events: events, count: 1, guilds: newShardGuilds(hclog.NewNullLogger()), log: hclog.NewNullLogger()}
	now := time.Now()
	at := func(seq uint64, received time.Time) {
		if err := events.Append([]state.Record{{Seq: seq, Received: received.UnixNano(), Name: "MESSAGE_CREATE"}}); err != nil {
			t.Fatal(err)
		}
	}
	ready := func(id string, received time.Time) {
		saved.ready(&gateway.Event{Seq: 1, Name: "READY", Received: received, Data: fmt.Appendf(nil, `{"session_id":%q}`, id)})
	}
	want := func(id string, seq uint64) {
		t.Helper()
		if got := resumableOf(saved, 0)[0]; got.ID != id || got.Seq != seq {
			t.Errorf("resumable by %s, seq %d, want %s, %d", got.ID, got.Seq, id, seq)
		}
	}
	ready("one", now)
	want("one", 1)
	at(7, now.Add(time.Second))
	saved.handled(&gateway.Event{Seq: 9, Received: now.Add(2 * time.Second)})
	want("one", 9)
	at(10, now.Add(-time.Hour)) // and the host is killed before it is saved
	want("one", 10)
	at(5000, now.Add(time.Second))
	ready("two", now.Add(-time.Hour))
	want("two", 1)
	at(4, now.Add(-time.Hour))
	want("two", 4)
}

// TestResumableBesideOtherShards: all shards have one journal, and each session is
// resumed from its own last event there.
func TestResumableBesideOtherShards(t *testing.T) {
	events, values, _ := openKept(t)
	saved := &savedSessions{values: values, events: events, count: 2, guilds: newShardGuilds(hclog.NewNullLogger()), log: hclog.NewNullLogger()}
	now := time.Now()
	at := func(shard uint32, seq uint64) {
		if err := events.Append([]state.Record{{Shard: shard, Seq: seq, Received: now.UnixNano(), Name: "MESSAGE_CREATE"}}); err != nil {
			t.Fatal(err)
		}
	}
	ready := func(shard int) {
		saved.ready(&gateway.Event{Shard: shard, Seq: 1, Name: "READY", Received: now, Data: fmt.Appendf(nil, `{"session_id":"of %d"}`, shard)})
	}
	at(1, 800) // of a session before
	ready(0)
	ready(1)
	at(0, 5)
	at(0, 6) // and the host is killed before these are saved
	for shard, want := range []uint64{6, 1} {
		if got := resumableOf(saved, 0, 1)[shard]; got.Seq != want {
			t.Errorf("shard %d is resumed from seq %d, want %d", shard, got.Seq, want)
		}
	}
	at(1, 900)
	at(0, 7)
	for shard, want := range []uint64{7, 900} {
		if got := resumableOf(saved, 0, 1)[shard]; got.Seq != want {
			t.Errorf("shard %d is resumed from seq %d, want %d", shard, got.Seq, want)
		}
	}
}

// TestSessionsThatFit: a session is resumed if it gives all events that are
// needed, and none that are denied.
func TestSessionsThatFit(t *testing.T) {
	events, values, _ := openKept(t)
	before := &savedSessions{values: values, events: events, count: 2, intents: 0b1011, guilds: newShardGuilds(hclog.NewNullLogger()), log: hclog.NewNullLogger()}
	for shard := range 2 {
		before.ready(&gateway.Event{Shard: shard, Seq: 1, Name: "READY", Received: time.Now(), Data: []byte(`{"session_id":"one"}`)})
	}
	// Up to here nothing is missing: a heartbeat's ACK has shown it, and no event came.
	at := time.Now().Add(time.Minute)
	values.SetWhole(0, "one", at.UnixNano())
	values.SetWhole(1, "one", at.Add(time.Second).UnixNano())
	values.SetWhole(1, "another", 1) // not saved
	for name, test := range map[string]struct {
		now  savedSessions
		want bool
	}{
		"the same":            {savedSessions{count: 2, intents: 0b1011}, true},
		"a plugin is missing": {savedSessions{count: 2, intents: 0b0001}, true},
		"a plugin more":       {savedSessions{count: 2, intents: 0b1111}, false},
		"denied since":        {savedSessions{count: 2, intents: 0b0011, denied: 0b1000}, false},
		"other shards":        {savedSessions{count: 3, intents: 0b1011}, false},
	} {
		test.now.values, test.now.events, test.now.log = values, events, hclog.NewNullLogger()
		resumed, missed := test.now.resumable([]int{0, 1})
		if _, got := resumed[1]; got != test.want {
			t.Errorf("%s: resumed %v", name, got)
		}
		if got := !missed.IsZero(); got == test.want || got && !missed.Equal(at) {
			t.Errorf("%s: missed since %v, the session of before was whole at %v", name, missed, at)
		}
		// With other intents all must identify anyway, as many as Discord recommends.
		if got := test.now.savedCount() == 2; got != (test.want || name == "other shards") {
			t.Errorf("%s: sessions of before decide on the number of shards: %v", name, got)
		}
	}
}

// TestSessionsTakeOver: whenever the host is killed while other sessions take over,
// those on disk have numbers of their own.
func TestSessionsTakeOver(t *testing.T) {
	events, values, places := openKept(t)
	now := time.Now()
	keep := func(count int) *savedSessions {
		return &savedSessions{values: values, events: events, count: count, guilds: newShardGuilds(hclog.NewNullLogger()), place: places, log: hclog.NewNullLogger()}
	}
	old, next := keep(2), keep(3)
	next.muted = map[int]state.SessionValues{}
	event := func(s *savedSessions, shard int, seq uint64) {
		s.handled(&gateway.Event{Shard: shard, Seq: seq, Received: now})
		if s.muted != nil {
			return
		}
		if err := events.Append([]state.Record{{Shard: uint32(shard), Seq: seq, Received: now.UnixNano(), Name: "MESSAGE_CREATE"}}); err != nil {
			t.Fatal(err)
		}
	}
	want := func(s *savedSessions, ids string, seqs ...uint64) {
		t.Helper()
		got := resumableOf(s, 0, 1, 2)
		if len(got) != len(seqs) {
			t.Fatalf("resumable by %v, want %d", got, len(seqs))
		}
		for shard, seq := range seqs {
			if v := got[shard]; v.ID != fmt.Sprint(ids, shard) || v.Seq != seq {
				t.Errorf("shard %d resumable by %s, seq %d, want %d", shard, v.ID, v.Seq, seq)
			}
		}
	}
	for _, s := range []*savedSessions{old, next} {
		id := map[*savedSessions]string{old: "old", next: "new"}[s]
		for shard := range s.count {
			s.ready(&gateway.Event{Shard: shard, Seq: 1, Name: "READY", Received: now, Data: fmt.Appendf(nil, `{"session_id":"%s%d"}`, id, shard)})
		}
	}
	event(old, 0, 5)
	event(old, 1, 6)
	event(next, 0, 700)
	event(next, 2, 800)
	want(old, "old", 5, 6)
	old.fence()
	// What only the new ones had is journaled, and the host is killed.
	if err := events.Append([]state.Record{{Shard: 0, Seq: 701, Received: now.UnixNano(), Name: "MESSAGE_CREATE"}}); err != nil {
		t.Fatal(err)
	}
	want(old, "old", 5, 6)
	next.takeOver()
	want(next, "new", 700, 1, 800)
	event(next, 1, 9)
	want(next, "new", 700, 9, 800)
	if n := next.savedCount(); n != 3 {
		t.Errorf("%d sessions decide on the number of shards", n)
	}
	if got := resumableOf(old, 0, 1); len(got) != 0 {
		t.Errorf("the old sessions are resumable by %v", got)
	}
}
