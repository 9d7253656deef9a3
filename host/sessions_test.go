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
		if got := saved.resumable([]int{0})[0]; got.ID != id || got.Seq != seq {
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

// TestSessionsThatFit: a session is resumed if it gives all events that are
// needed, and none that are denied.
func TestSessionsThatFit(t *testing.T) {
	events, values, _ := openKept(t)
	before := &savedSessions{values: values, events: events, count: 2, intents: 0b1011, guilds: newShardGuilds(hclog.NewNullLogger()), log: hclog.NewNullLogger()}
	before.ready(&gateway.Event{Shard: 1, Seq: 1, Name: "READY", Received: time.Now(), Data: []byte(`{"session_id":"one"}`)})
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
		if _, got := test.now.resumable([]int{0, 1})[1]; got != test.want {
			t.Errorf("%s: resumed %v", name, got)
		}
	}
}
