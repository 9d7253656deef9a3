package plugins

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-bot/holdfast/sdk/wire"
)

// shelf is a guild cache whose guilds come when the test says so.
type shelf struct {
	mu       sync.Mutex
	versions map[uint64]uint64        // there
	coming   map[uint64]chan struct{} // on their way
	asked    []string
}

func (s *shelf) Want(guild uint64, parts uint32, event string) (version uint64, pending <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, fmt.Sprintf("%s %b", event, parts))
	if c := s.coming[guild]; c != nil {
		return 0, c
	}
	return s.versions[guild], nil
}

func (s *shelf) Guild(context.Context, *wire.GuildRequest) (*wire.GuildResponse, error) {
	return new(wire.GuildResponse), nil
}

func (s *shelf) Member(context.Context, string, *wire.MemberRequest) (*wire.MemberResponse, error) {
	return new(wire.MemberResponse), nil
}

// arrive ends the way of a guild; version 0 is none.
func (s *shelf) arrive(guild, version uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.versions[guild] = version
	close(s.coming[guild])
	delete(s.coming, guild)
}

// guildQueue is the queue of a plugin that wants the guild of messages and
// interactions; the guilds 1 to 3 are on their way.
func guildQueue() (*queue, *shelf) {
	s := &shelf{versions: map[uint64]uint64{}, coming: map[uint64]chan struct{}{}}
	for guild := range uint64(3) {
		s.coming[guild+1] = make(chan struct{})
	}
	q := upQueue(defaultLimits())
	q.guilds = s
	q.keep(wants(&wire.Manifest{Events: []*wire.Subscription{
		{Event: "MESSAGE_CREATE", WithGuild: true}, {Event: "MESSAGE_DELETE"}, {Event: interactionCreate, WithGuild: true},
	}}))
	return q, s
}

func fresh(index, guild uint64) *wire.Event {
	e := message(index, guild, 10)
	e.Received = time.Now().UnixNano()
	return e
}

func indexes(events []wire.Event) (out []uint64) {
	for _, e := range events {
		out = append(out, e.Index)
	}
	return out
}

func expect(t *testing.T, what string, got []wire.Event, want ...uint64) {
	t.Helper()
	have := indexes(got)
	if len(have) != len(want) {
		t.Fatalf("%s: sent %v, want %v", what, have, want)
	}
	for n := range have {
		if have[n] != want[n] {
			t.Fatalf("%s: sent %v, want %v", what, have, want)
		}
	}
}

// TestLaneWaitsForItsGuild: a lane whose guild is on its way holds up nobody
// else, keeps its order, and goes on with the guild's version.
func TestLaneWaitsForItsGuild(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, s := guildQueue()
		defer q.close()
		plain := fresh(3, 1)
		plain.Name = "MESSAGE_DELETE"
		pushAll(t, q, fresh(1, 1), fresh(2, 1), plain, fresh(4, 9), fresh(5, 2))
		expect(t, "at once", sentBy(t, q), 4)
		time.Sleep(time.Second)
		s.arrive(1, 77)
		synctest.Wait()
		got := sentBy(t, q)
		expect(t, "with the guild", got, 1, 2, 3)
		if got[0].GuildVersion != 77 || got[1].GuildVersion != 77 || got[2].GuildVersion != 0 {
			t.Errorf("versions %d, %d, %d", got[0].GuildVersion, got[1].GuildVersion, got[2].GuildVersion)
		}
		s.arrive(2, 0) // it could not be had
		synctest.Wait()
		expect(t, "without", sentBy(t, q), 5)
		q.ack(ackOf(*fresh(1, 1), *fresh(2, 1), *plain, *fresh(4, 9), *fresh(5, 2)))
		if err := q.waitIdle(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
}

// TestGuildIsWaitedForThreeSeconds: counted from when the host read the event, so
// that what is late already does not wait, and events of a lane do not add up.
func TestGuildIsWaitedForThreeSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, _ := guildQueue()
		defer q.close()
		late := fresh(1, 2)
		late.Received -= int64(4 * time.Second)
		pushAll(t, q, late, fresh(2, 1), fresh(3, 1))
		expect(t, "at once", sentBy(t, q), 1)
		time.Sleep(3*time.Second - time.Millisecond)
		synctest.Wait()
		expect(t, "before the time", sentBy(t, q))
		time.Sleep(time.Millisecond)
		synctest.Wait()
		expect(t, "after it", sentBy(t, q), 2, 3)
	})
}

// TestInteractionWaitsASecond: and no interaction waits for another.
func TestInteractionWaitsASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, s := guildQueue()
		defer q.close()
		var all []*wire.Event
		for n := range uint64(4) {
			e := fresh(n+1, n+1) // that of guild 4 is not wanted any more
			e.Name = interactionCreate
			all = append(all, e)
		}
		pushAll(t, q, all...)
		expect(t, "at once", sentBy(t, q), 4)
		s.arrive(2, 5)
		synctest.Wait()
		got := sentBy(t, q)
		expect(t, "that of the guild that came", got, 2)
		if got[0].GuildVersion != 5 {
			t.Errorf("version %d", got[0].GuildVersion)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if got := sentBy(t, q); len(got) != 2 {
			t.Fatalf("after a second: %v", indexes(got))
		}
	})
}

// TestHeldInteractionsAreBounded: when many wait for guilds, the next do not.
func TestHeldInteractionsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, _ := guildQueue()
		defer q.close()
		for n := range uint64(100) {
			e := fresh(n+1, 1)
			e.Name = interactionCreate
			pushAll(t, q, e)
		}
		if got := sentBy(t, q); len(got) != 100-q.limits.interactions {
			t.Fatalf("%d went at once", len(got))
		}
	})
}

// TestGuildThatIsThere: an event that came with its guild's version keeps it, also
// when the guild is newer by now.
func TestGuildThatIsThere(t *testing.T) {
	q, s := guildQueue()
	defer q.close()
	s.versions[8], s.versions[9] = 12, 13
	known := fresh(1, 9)
	known.GuildVersion = 3
	pushAll(t, q, known, fresh(2, 8))
	got := sentBy(t, q)
	expect(t, "at once", got, 1, 2)
	if got[0].GuildVersion != 3 || got[1].GuildVersion != 12 || len(s.asked) != 2 {
		t.Errorf("versions %d and %d, asked %v", got[0].GuildVersion, got[1].GuildVersion, s.asked)
	}
}

// TestPartsThatAreMissing: an event that came with its guild's version waits for
// the parts that its guild lacks.
func TestPartsThatAreMissing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, s := guildQueue()
		defer q.close()
		known := fresh(1, 1)
		known.GuildVersion = 3
		pushAll(t, q, known)
		expect(t, "while parts are on their way", sentBy(t, q))
		s.arrive(1, 7)
		synctest.Wait()
		got := sentBy(t, q)
		expect(t, "with all parts", got, 1)
		if got[0].GuildVersion != 3 {
			t.Errorf("version %d", got[0].GuildVersion)
		}
	})
}

// TestPartsOfAGuild: what the handlers of a kind want is wanted together, and an
// old plugin, which names no parts, wants all.
func TestPartsOfAGuild(t *testing.T) {
	q, s := guildQueue()
	defer q.close()
	q.keep(wants(&wire.Manifest{Events: []*wire.Subscription{
		{Event: "MESSAGE_CREATE", WithGuild: true, GuildParts: 0b1},
		{Event: "MESSAGE_CREATE"},
		{Event: "MESSAGE_CREATE", WithGuild: true, GuildParts: 0b110},
		{Event: "MESSAGE_UPDATE", WithGuild: true, GuildParts: 0b1},
		{Event: "MESSAGE_UPDATE", WithGuild: true},
		{Event: "MESSAGE_DELETE", GuildParts: 0b1},
	}}))
	for n, name := range []string{"MESSAGE_CREATE", "MESSAGE_UPDATE", "MESSAGE_DELETE"} {
		e := fresh(uint64(n)+1, 8)
		e.Name = name
		pushAll(t, q, e)
	}
	expect(t, "at once", sentBy(t, q), 1, 2, 3)
	if want := []string{"MESSAGE_CREATE 111", "MESSAGE_UPDATE 0"}; !slices.Equal(s.asked, want) {
		t.Errorf("asked %v, want %v", s.asked, want)
	}
}

// TestCloseEndsWaits: nobody waits for guilds of a plugin that is gone.
func TestCloseEndsWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, _ := guildQueue()
		i := fresh(2, 2)
		i.Name = interactionCreate
		pushAll(t, q, fresh(1, 1), i)
		expect(t, "while they wait", sentBy(t, q))
		began := time.Now()
		q.close()
		if waited := time.Since(began); waited != 0 {
			t.Errorf("close waited for %s", waited)
		}
	})
}

// TestReloadWhileALaneWaits: what a new build does not want goes, also from a
// lane that waits.
func TestReloadWhileALaneWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, s := guildQueue()
		defer q.close()
		other := fresh(2, 1)
		other.Name = "MESSAGE_DELETE"
		pushAll(t, q, fresh(1, 1), other)
		expect(t, "while it waits", sentBy(t, q))
		q.pause()
		q.keep(wants(manifestOf("MESSAGE_DELETE")))
		q.resume()
		s.arrive(1, 4)
		synctest.Wait()
		expect(t, "after it", sentBy(t, q), 2)
		q.ack(ackOf(*other))
		if !q.empty() || len(q.lanes) != 0 && q.readyHead == nil {
			t.Error("something is left")
		}
	})
}
