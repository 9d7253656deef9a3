package host

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/holdfast-bot/holdfast/host/gateway"
	"github.com/holdfast-bot/holdfast/host/state"
)

// guildsAt is what a test sees of one host's counts: of shard 3, at a time of its own.
type guildsAt struct {
	t   *testing.T
	s   *shardGuilds
	log strings.Builder
	now time.Time
}

func newGuildsAt(t *testing.T, kept keptGuilds) *guildsAt {
	t.Helper()
	a := &guildsAt{t: t, now: time.Unix(1_700_000_000, 0)}
	a.s = newShardGuilds(hclog.New(&hclog.LoggerOptions{Output: &a.log, DisableTime: true}))
	if kept != nil {
		a.s.take(kept, a.now)
	}
	return a
}

func (a *guildsAt) event(name string, guild uint64, data string) {
	a.s.apply(&gateway.Event{Shard: 3, Name: name, Guild: guild, Data: []byte(data), Received: a.now})
}

func (a *guildsAt) ready(n int) {
	list := []guildID{{"not a number"}}
	for id := range n {
		list = append(list, guildID{strconv.Itoa(id + 1)})
	}
	a.s.ready(3, "session", list, a.now)
}

func (a *guildsAt) want(what string, n int) {
	a.t.Helper()
	if got := a.s.count(3); got == nil || *got != n {
		a.t.Errorf("%s: %v, want %d", what, got, n)
	}
}

func (a *guildsAt) told(what string, times int, words ...string) {
	a.t.Helper()
	if n := strings.Count(a.log.String(), "\n"); n != times {
		a.t.Errorf("%s: told %d times, want %d: %s", what, n, times, a.log.String())
	}
	for _, word := range words {
		if !strings.Contains(a.log.String(), word) {
			a.t.Errorf("%s: no %q in %s", what, word, a.log.String())
		}
	}
	a.log.Reset()
}

func TestShardGuilds(t *testing.T) {
	_, _, kept := openKept(t)
	a := newGuildsAt(t, kept)
	a.event("GUILD_CREATE", 9, `{}`)
	if a.s.count(3) != nil {
		t.Error("a resumed session's number is known")
	}
	a.ready(2)
	a.want("READY", 2)
	a.event("GUILD_CREATE", 1, `{}`)
	a.want("the guild that READY had listed", 2)
	a.event("GUILD_CREATE", 5, `{}`)
	a.want("a new guild", 3)
	a.event("GUILD_DELETE", 1, `{"id":"1","unavailable":true}`)
	a.want("an outage", 3)
	a.event("GUILD_DELETE", 1, `{"id":"1"}`)
	a.event("GUILD_DELETE", 8, `{"id":"8"}`)
	a.event("GUILD_UPDATE", 2, `{}`)
	a.want("the bot was removed", 2)
	if a.s.count(0) != nil {
		t.Error("another shard has a number")
	}
	a.ready(1)
	a.want("another READY", 1)
	a.told("all of it", 0)
}

// TestShardIsNearlyFull: told when four fifths of Discord's limit are reached, and again when that comes anew, or
// after a day.
func TestShardIsNearlyFull(t *testing.T) {
	_, _, kept := openKept(t)
	a := newGuildsAt(t, kept)
	a.ready(1999)
	a.told("1999", 0)
	for id := uint64(2000); id < 2010; id++ {
		a.event("GUILD_CREATE", id, `{}`)
	}
	a.ready(2003)
	a.told("2000 and more", 1, "shard=3 guilds=2000 limit=2500", "run holdfast reshard auto", "[WARN]")
	for id := uint64(1); id < 5; id++ {
		a.event("GUILD_DELETE", id, `{}`)
	}
	a.told("it fell below", 0)
	a.event("GUILD_CREATE", 1, `{}`)
	a.told("and came back", 1, "guilds=2000")
	a.now = a.now.Add(24*time.Hour - time.Minute)
	a.event("MESSAGE_CREATE", 1, `{}`)
	a.told("a day but a minute", 0)
	a.now = a.now.Add(2 * time.Minute)
	a.event("MESSAGE_CREATE", 1, `{}`)
	a.event("MESSAGE_CREATE", 1, `{}`)
	a.told("a day", 1, "guilds=2000")

	// The next host tells it at its start, without READY.
	b := newGuildsAt(t, kept)
	b.s.restore(map[int]gateway.Saved{3: {ID: "session"}, 4: {ID: "session"}}, b.now)
	b.want("restored", 2000)
	b.told("at the start", 1, "guilds=2000")
}

// TestGuildsOfSetsBesideEachOther: a set that has not taken over leaves alone what is kept of the same shards, and so does
// one that was taken over from.
func TestGuildsOfSetsBesideEachOther(t *testing.T) {
	_, _, kept := openKept(t)
	next := func(session string) *int {
		b := newGuildsAt(t, kept)
		b.s.restore(map[int]gateway.Saved{3: {ID: session}}, b.now)
		return b.s.count(3)
	}
	old, muted := newGuildsAt(t, kept), newGuildsAt(t, nil)
	old.ready(5)
	muted.s.ready(3, "muted", []guildID{{"1"}}, muted.now)
	muted.event("GUILD_CREATE", 2, `{}`)
	old.event("GUILD_CREATE", 10, `{}`)
	if n := next("session"); n == nil || *n != 6 || next("muted") != nil {
		t.Errorf("before: %v", n)
	}
	old.s.release()
	muted.s.take(kept, muted.now)
	old.event("GUILD_CREATE", 11, `{}`)
	old.ready(1)
	muted.event("GUILD_CREATE", 3, `{}`)
	if n := next("muted"); n == nil || *n != 3 || next("session") != nil {
		t.Errorf("after: %v", n)
	}
}

// fullDisk takes nothing while it is full; what it had of a shard is gone then, as the state folder promises.
type fullDisk struct {
	keptGuilds

	full bool
}

func (f *fullDisk) Save(shard uint32, session string, ids map[uint64]struct{}) error {
	if f.full {
		return errors.Join(errors.New("no space left"), f.keptGuilds.Save(shard, "nobody", nil))
	}
	return f.keptGuilds.Save(shard, session, ids)
}

func (f *fullDisk) Change(shard uint32, guild uint64, in bool) (bool, error) {
	if f.full {
		return false, f.Save(shard, "", nil)
	}
	return f.keptGuilds.Change(shard, guild, in)
}

// TestGuildsOnAFullDisk: it is told once, and the guilds are kept again when there is room.
func TestGuildsOnAFullDisk(t *testing.T) {
	_, _, kept := openKept(t)
	disk := &fullDisk{keptGuilds: kept}
	a := newGuildsAt(t, disk)
	next := func() (known bool) {
		b := newGuildsAt(t, kept)
		b.s.restore(map[int]gateway.Saved{3: {ID: "session"}}, b.now)
		if known = b.s.count(3) != nil; known && !maps.Equal(b.s.ids[3], a.s.ids[3]) {
			t.Errorf("the next host has %v, want %v", b.s.ids[3], a.s.ids[3])
		}
		return known
	}
	a.ready(2)
	disk.full = true
	a.event("GUILD_CREATE", 8, `{}`)
	a.told("full", 1, "are not kept", "shard=3", "no space left")
	if next() {
		t.Error("an old list is kept")
	}
	for range 10 {
		a.now = a.now.Add(2 * time.Minute)
		a.event("MESSAGE_CREATE", 8, `{}`)
	}
	a.want("in memory", 3)
	a.told("still full", 0)
	disk.full = false
	a.now = a.now.Add(2 * time.Minute)
	a.event("MESSAGE_CREATE", 8, `{}`)
	if !next() {
		t.Error("not kept although there is room")
	}
}

// TestGuildsOverKills: whenever a host is killed, and whatever Discord repeats to the next, the guilds are those that
// the events say. A host is killed between keeping guilds and saving its sequence number, or after it.
func TestGuildsOverKills(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	folder, err := state.Open(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer folder.Close()
	begin := func() *guildsAt {
		kept, err := folder.OpenGuilds()
		if err != nil {
			t.Fatal(err)
		}
		a := newGuildsAt(t, kept)
		a.s.restore(map[int]gateway.Saved{3: {ID: "session"}}, a.now)
		return a
	}
	truth := map[uint64]struct{}{1: {}, 2: {}, 3: {}}
	a := begin()
	a.ready(3)
	var events []*gateway.Event // of the session, in their order
	seq := 0                    // how many of them are saved as handled
	for range 300 {
		for range r.IntN(20) {
			e := &gateway.Event{Shard: 3, Guild: r.Uint64N(12), Received: a.now, Data: []byte(`{}`)}
			switch r.IntN(4) {
			case 0:
				e.Name = "GUILD_DELETE"
				delete(truth, e.Guild)
			case 1:
				e.Name, e.Data = "GUILD_DELETE", []byte(`{"unavailable":true}`)
			default:
				e.Name = "GUILD_CREATE"
				truth[e.Guild] = struct{}{}
			}
			events = append(events, e)
		}
		applied := seq + r.IntN(len(events)-seq+1)
		for _, e := range events[seq:applied] {
			a.s.apply(e)
		}
		seq += r.IntN(applied - seq + 1)
		if r.IntN(2) == 0 {
			a = begin() // what was applied and not saved as handled comes again
			continue
		}
		seq = applied
	}
	for _, e := range events[seq:] {
		a.s.apply(e)
	}
	if !maps.Equal(a.s.ids[3], truth) || !maps.Equal(begin().s.ids[3], truth) {
		t.Errorf("got %v, kept %v, want %v", a.s.ids[3], begin().s.ids[3], truth)
	}
	if a.log.Len() > 0 || len(events) < 1000 {
		t.Error(fmt.Sprint(len(events), a.log.String()))
	}
}
