package host

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-bot/holdfast/host/gateway"
	"github.com/holdfast-bot/holdfast/sdk/wire"
)

const askedGuild = 7<<22 | 5 // on shard 3 of 4

// asked is one who asks for members.
type asked struct {
	done   chan struct{}
	chunks [][]byte
	err    error
	took   time.Duration
}

func ask(ctx context.Context, c *gatewayCalls, r *wire.MembersRequest) *asked {
	a := &asked{done: make(chan struct{})}
	began := time.Now()
	if r.GetGuild() == 0 {
		r.Guild = askedGuild
	}
	go func() { // result waits
		defer close(a.done)
		answer, err := c.Members(ctx, r)
		a.chunks, a.err, a.took = answer.GetChunks(), err, time.Since(began)
	}()
	synctest.Wait()
	return a
}

// result waits for the answer: how many chunks, or what is wrong.
func (a *asked) result() string {
	<-a.done
	if a.err != nil {
		return a.err.Error()
	}
	return fmt.Sprint(len(a.chunks), " chunks")
}

// chunk answers the request that was sent n-th.
func chunk(c *gatewayCalls, f *fakeSessions, n, index, count int) {
	eventf(c, 3, "GUILD_MEMBERS_CHUNK", askedGuild, `{"members":[],"chunk_index":%d,"chunk_count":%d,"nonce":%q}`, index, count, f.sent()[n].d["nonce"])
	synctest.Wait()
}

func limited(c *gatewayCalls, f *fakeSessions, n int, after float64) {
	eventf(c, 3, "RATE_LIMITED", 0, `{"opcode":8,"retry_after":%g,"meta":{"guild_id":"%d","nonce":%q}}`, after, askedGuild, f.sent()[n].d["nonce"])
	synctest.Wait()
}

func expect(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %s, want %s", what, got, want)
	}
}

// held is what calls have in memory.
func held(c *gatewayCalls) (bytes, gathers, lists int) {
	c.members.mu.Lock()
	defer c.members.mu.Unlock()
	return c.members.bytes, len(c.members.gathers), len(c.members.lists)
}

func expectSent(t *testing.T, f *fakeSessions, n int) {
	t.Helper()
	if all := f.sent(); len(all) != n {
		t.Fatalf("%d requests were sent, want %d: %+v", len(all), n, all)
	}
}

func TestChunksAreGathered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, f := bubbleCalls(t)
		a := ask(t.Context(), c, &wire.MembersRequest{Query: "ann"})
		expectSent(t, f, 1)
		p := f.sent()[0]
		if nonce := fmt.Sprint(p.d["nonce"]); p.shard != 3 || p.op != 8 || len(nonce) == 0 || len(nonce) > 32 ||
			p.d["query"] != "ann" || p.d["limit"] != 100.0 || p.d["presences"] != false || p.d["guild_id"] != fmt.Sprint(askedGuild) {
			t.Errorf("sent %+v", p)
		}
		eventf(c, 3, "GUILD_MEMBERS_CHUNK", askedGuild, `{"chunk_index":0,"chunk_count":1,"nonce":"another's"}`)
		eventf(c, 3, "GUILD_MEMBERS_CHUNK", askedGuild, `no JSON`)
		for _, index := range []int{2, 0, 0, 1} {
			chunk(c, f, 0, index, 3)
		}
		expect(t, "answer", a.result(), "3 chunks")
		for n, chunk := range a.chunks {
			if !strings.Contains(string(chunk), fmt.Sprintf(`"chunk_index":%d,`, n)) {
				t.Errorf("chunk %d is %s", n, chunk)
			}
		}
		b := ask(t.Context(), c, &wire.MembersRequest{Users: []uint64{2, 1, 2}})
		if got := fmt.Sprint(f.sent()[1].d["user_ids"]); got != "[1 2]" {
			t.Errorf("asked for users %s", got)
		}
		chunk(c, f, 1, 5, 3)
		expect(t, "contradiction", b.result(), "discord sent chunk 5 of 3 after one of 3: report this")
	})
}

func TestTheSameIsAskedForOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, f := bubbleCalls(t)
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		all := []*asked{
			ask(short, c, &wire.MembersRequest{Users: []uint64{1, 2}}),
			ask(t.Context(), c, &wire.MembersRequest{Users: []uint64{2, 1}}),
		}
		other := ask(t.Context(), c, &wire.MembersRequest{Users: []uint64{1, 2}, Presences: true})
		expectSent(t, f, 2)
		expect(t, "one whose context ends", all[0].result(), "context deadline exceeded")
		chunk(c, f, 0, 0, 1)
		chunk(c, f, 1, 0, 1)
		expect(t, "one who goes on waiting", all[1].result(), "1 chunks")
		expect(t, "one who wants more", other.result(), "1 chunks")
		ask(t.Context(), c, &wire.MembersRequest{Users: []uint64{1, 2}})
		expectSent(t, f, 3) // what is over is not shared
	})
}

func TestAWholeListIsAskedForOnceIn30s(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, f := bubbleCalls(t)
		first := ask(t.Context(), c, &wire.MembersRequest{Presences: true})
		second := ask(t.Context(), c, &wire.MembersRequest{}) // is in the first, too
		expectSent(t, f, 1)
		chunk(c, f, 0, 0, 2)
		chunk(c, f, 0, 1, 2)
		expect(t, "first", first.result(), "2 chunks")
		expect(t, "second", second.result(), "2 chunks")
		time.Sleep(29 * time.Second)
		expect(t, "third", ask(t.Context(), c, &wire.MembersRequest{}).result(), "2 chunks")
		expectSent(t, f, 1)
		time.Sleep(2 * time.Second)
		if bytes, _, lists := held(c); bytes != 0 || lists != 0 {
			t.Errorf("after 31 s %d bytes in %d lists are kept", bytes, lists)
		}
		fourth := ask(t.Context(), c, &wire.MembersRequest{})
		expectSent(t, f, 2)
		chunk(c, f, 1, 0, 1)
		expect(t, "fourth", fourth.result(), "1 chunks")

		// The fourth has no presences: who wants them must wait, and who cannot is told.
		began := time.Now()
		short, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		fifth := ask(t.Context(), c, &wire.MembersRequest{Presences: true})
		sixth := ask(short, c, &wire.MembersRequest{Presences: true})
		expect(t, "one who cannot wait", sixth.result(), "discord sends the members of guild 29360133 again in 30.5s, and this context ends before: ask later, or for fewer members")
		if sixth.took != 0 {
			t.Errorf("told after %v", sixth.took)
		}
		expectSent(t, f, 2)
		time.Sleep(listEvery)
		synctest.Wait()
		expectSent(t, f, 3)
		if at := f.sent()[2].at.Sub(began); at != listEvery {
			t.Errorf("asked again after %v", at)
		}
		chunk(c, f, 2, 0, 1)
		expect(t, "fifth", fifth.result(), "1 chunks")
	})
}

func TestDiscordsLimitIsWaitedOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, f := bubbleCalls(t)
		short, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		a := ask(t.Context(), c, &wire.MembersRequest{})
		b := ask(short, c, &wire.MembersRequest{})
		eventf(c, 3, "RATE_LIMITED", 0, `{"opcode":8,"retry_after":1,"meta":{"nonce":"another's"}}`)
		limited(c, f, 0, 12.5)
		expect(t, "one who cannot wait", b.result(), "discord sends the members of guild 29360133 again in 12.5s, and this context ends before: ask later, or for fewer members")
		time.Sleep(12400 * time.Millisecond)
		synctest.Wait()
		expectSent(t, f, 1)
		time.Sleep(200 * time.Millisecond)
		synctest.Wait()
		expectSent(t, f, 2)
		if all := f.sent(); all[0].d["nonce"] == all[1].d["nonce"] {
			t.Error("asked again with the same nonce")
		}
		chunk(c, f, 0, 0, 1) // late, and of the first
		chunk(c, f, 1, 0, 1)
		expect(t, "one who waits", a.result(), "1 chunks")

		long := ask(t.Context(), c, &wire.MembersRequest{Query: "x"})
		limited(c, f, 2, 3600)
		expect(t, "an hour", long.result(), "discord sends the members of guild 29360133 again in 1h0m0s: ask later, or for fewer members")
	})
}

// A session that is lost takes the request along, before or between chunks.
func TestMembersAreAskedForAgainAfterALoss(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, f := bubbleCalls(t)
		a := ask(t.Context(), c, &wire.MembersRequest{})
		eventf(c, 3, "READY", 0, "{}") // of the session that was asked: it came in the same moment
		eventf(c, 2, "RESUMED", 0, "{}")
		chunk(c, f, 0, 0, 3)
		time.Sleep(time.Second)
		expectSent(t, f, 1)
		eventf(c, 3, "READY", 0, "{}")
		synctest.Wait()
		expectSent(t, f, 2)
		chunk(c, f, 1, 0, 2)
		time.Sleep(time.Second)
		eventf(c, 3, "RESUMED", 0, "{}") // Discord has the request, and goes on
		time.Sleep(2 * time.Second)
		chunk(c, f, 1, 1, 2)
		expect(t, "went on", a.result(), "2 chunks")
		expectSent(t, f, 2)

		b := ask(t.Context(), c, &wire.MembersRequest{Query: "x"})
		time.Sleep(time.Second)
		eventf(c, 3, "RESUMED", 0, "{}") // Discord has not got the request
		time.Sleep(resumedQuiet)
		synctest.Wait()
		expectSent(t, f, 4)
		chunk(c, f, 3, 0, 1)
		expect(t, "asked again", b.result(), "1 chunks")

		faults := []error{errors.New("write payload: broken pipe"), nil}
		f.answer(func(context.Context, sentPayload) error {
			fault := faults[0]
			faults = faults[1:]
			return fault
		})
		d := ask(t.Context(), c, &wire.MembersRequest{Query: "y"})
		expectSent(t, f, 5)
		chunk(c, f, 4, 0, 1)
		expect(t, "a broken pipe", d.result(), "1 chunks")
	})
}

func TestMembersThatNeverCome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, f := bubbleCalls(t)
		a, b := ask(t.Context(), c, &wire.MembersRequest{}), ask(t.Context(), c, &wire.MembersRequest{Query: "x"})
		chunk(c, f, 1, 1, 3)
		expect(t, "no answer", a.result(), "discord sent no members within 30s: is the bot in guild 29360133?")
		expect(t, "half an answer", b.result(), "discord sent 1 of 3 chunks within 30s: ask again later")

		f.answer(func(ctx context.Context, _ sentPayload) error { // the session is never ready
			<-ctx.Done()
			return ctx.Err()
		})
		d := ask(t.Context(), c, &wire.MembersRequest{Query: "x"})
		expect(t, "no session", d.result(), "no answer within 1m0s: the session was not ready, or Discord did not answer: ask again later")

		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		ask(short, c, &wire.MembersRequest{}).result()
		synctest.Wait()
		if _, n, _ := held(c); n != 0 {
			t.Errorf("%d gathers go on for nobody", n)
		}

		f.answer(func(context.Context, sentPayload) error { return gateway.ErrStopped })
		expect(t, "the gateway stops", ask(t.Context(), c, &wire.MembersRequest{Query: "x"}).result(), "ask shard 3: the gateway has stopped")
		f.answer(nil)
		e := ask(t.Context(), c, &wire.MembersRequest{Query: "x"})
		c.stop()
		expect(t, "the host stops", e.result(), "the host stops")
		expect(t, "the host has stopped", ask(t.Context(), c, &wire.MembersRequest{}).result(), "the host stops")
	})
}

// A whole list that nobody waits for any more is there for the next.
func TestAWholeListComesWhoeverLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, f := bubbleCalls(t)
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		expect(t, "first", ask(short, c, &wire.MembersRequest{}).result(), "context deadline exceeded")
		b := ask(t.Context(), c, &wire.MembersRequest{})
		chunk(c, f, 0, 0, 1)
		expect(t, "second", b.result(), "1 chunks")
		expectSent(t, f, 1)
	})
}

func TestMembersAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const half = 1 << 19
		c, f := bubbleCalls(t)
		c.members.room = membersRoom{2 * half, 4 * half}
		padding := strings.Repeat(" ", half-100)
		large := func(n int, guild uint64, index, count int) {
			eventf(c, 3, "GUILD_MEMBERS_CHUNK", guild, `{"chunk_index":%d,"chunk_count":%d,"nonce":%q}%s`, index, count, f.sent()[n].d["nonce"], padding)
			synctest.Wait()
		}
		a := ask(t.Context(), c, &wire.MembersRequest{})
		for index := range 3 {
			large(0, askedGuild, index, 3)
		}
		expect(t, "one answer", a.result(), "the answer has more than 1 MiB: ask for users, or by a query")

		// Whole lists are kept while there is room, and given up when what is asked
		// for needs it.
		for n := range 6 {
			guild := uint64(n+1)<<24 | 3<<22
			a := ask(t.Context(), c, &wire.MembersRequest{Guild: guild})
			large(n+1, guild, 0, 1)
			expect(t, "a list", a.result(), "1 chunks")
		}
		if bytes, _, lists := held(c); bytes == 0 || bytes > 4*half || lists != 7 {
			t.Errorf("%d bytes are kept of %d lists", bytes, lists)
		}
		var all []*asked
		for n := range 5 {
			all = append(all, ask(t.Context(), c, &wire.MembersRequest{Query: fmt.Sprint(n)}))
			large(n+7, askedGuild, 0, 2) // there is room for four
		}
		for n := range 4 {
			large(n+7, askedGuild, 1, 2) // the first has none for its second, and leaves the others its room
		}
		for n, a := range all {
			want := "2 chunks"
			if n == 0 || n == 4 {
				want = "the host holds at most 2 MiB of members at a time: ask again later"
			}
			expect(t, fmt.Sprint("query ", n), a.result(), want)
		}
	})
}

func TestMembersThatDiscordWouldNotSend(t *testing.T) {
	many := make([]uint64, 101)
	for n := range many {
		many[n] = uint64(n + 1)
	}
	for want, r := range map[string]*wire.MembersRequest{
		"members of guild 0":        {},
		"user 0":                    {Guild: 1, Users: []uint64{0}},
		"101 users":                 {Guild: 1, Users: many},
		"users and a query":         {Guild: 1, Users: []uint64{1}, Query: "x"},
		"a limit without a query":   {Guild: 1, Limit: 1},
		"limit 101":                 {Guild: 1, Query: "x", Limit: 101},
		"more than 32 characters":   {Guild: 1, Query: strings.Repeat("ä", 33)},
		"the intent GUILD_MEMBERS":  {Guild: 1},
		"the intent GUILD_PRESENCE": {Guild: 1, Query: "x", Presences: true},
	} {
		if _, err := newMembersAsk(r, 0); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	most := &wire.MembersRequest{Guild: 1<<64 - 1, Presences: true}
	for n := range maxMembersUsers {
		most.Users = append(most.Users, 1<<64-1-uint64(n))
	}
	a, err := newMembersAsk(most, intentGuildPresences)
	if err != nil {
		t.Fatal(err)
	}
	if raw, err := a.payload(strings.Repeat("n", 32)); err != nil || len(raw) > 4000 {
		t.Errorf("the largest request has %d bytes, Discord takes 4096: %v", len(raw), err)
	}
}
