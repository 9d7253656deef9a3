package cache

import (
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

const everything = Members | VoiceStates | Presences

// TestPeople: what each event says of a person.
func TestPeople(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newFake(1, 7)
		c := newTestCache(t, Options{Load: d.load, Self: 900, People: everything})
		defer c.Close()
		steps := []struct{ event, data, want string }{
			{"GUILD_MEMBER_UPDATE", `{"guild_id":"7","user":{"id":"5"},"nick":"no roles told"}`, `no`},
			{"GUILD_MEMBER_UPDATE", `{"guild_id":"7","user":{"id":"5"},"roles":["1"]}`, `{"user":{"id":"5"},"roles":["1"]} . .`},
			{"GUILD_MEMBER_ADD", `{"guild_id":"7","user":{"id":"5"},"roles":[],"deaf":true}`, `{"user":{"id":"5"},"roles":[],"deaf":true} . .`},
			{"GUILD_MEMBER_UPDATE", `{"guild_id":"7","user":{"id":"5","x":1},"roles":["1","2"],"nick":null}`, `{"user":{"id":"5","x":1},"roles":["1","2"],"deaf":true,"nick":null} . .`},
			{"GUILD_ROLE_DELETE", `{"guild_id":"7","role_id":"1"}`, `{"user":{"id":"5","x":1},"roles":["2"],"deaf":true,"nick":null} . .`},
			{"VOICE_STATE_UPDATE", `{"guild_id":"7","user_id":"5","channel_id":"8","member":{"user":{"id":"5"}}}`, `{"user":{"id":"5","x":1},"roles":["2"],"deaf":true,"nick":null} {"user_id":"5","channel_id":"8"} .`},
			{"GUILD_MEMBER_REMOVE", `{"guild_id":"7","user":{"id":"6"}}`, `{"user":{"id":"5","x":1},"roles":["2"],"deaf":true,"nick":null} {"user_id":"5","channel_id":"8"} .`},
			{"GUILD_MEMBER_REMOVE", `{"guild_id":"7","user":{"id":"5"}}`, `no`},
			{"PRESENCE_UPDATE", `{"guild_id":"7","user":{"id":"5"},"status":"idle"}`, `. . {"user":{"id":"5"},"status":"idle"}`},
			{"VOICE_STATE_UPDATE", `{"guild_id":"7","user_id":"5","channel_id":"8"}`, `. {"user_id":"5","channel_id":"8"} {"user":{"id":"5"},"status":"idle"}`},
			{"PRESENCE_UPDATE", `{"guild_id":"7","user":{"id":"5"},"status":"offline"}`, `. {"user_id":"5","channel_id":"8"} .`},
			{"VOICE_STATE_UPDATE", `{"guild_id":"7","user_id":"5","channel_id":null}`, `no`},
			{"GUILD_MEMBERS_CHUNK", `{"guild_id":"7","members":[{"user":{"id":"5"},"roles":[]}],"presences":[{"user":{"id":"5"},"status":"dnd"}]}`, `{"user":{"id":"5"},"roles":[]} . {"user":{"id":"5"},"status":"dnd"}`},
			{"GUILD_MEMBERS_CHUNK", `{"guild_id":"7","members":[{"user":{"id":"5"},"nick":}]}`, `{"user":{"id":"5"},"roles":[]} . {"user":{"id":"5"},"status":"dnd"}`}, // no JSON
			{"GUILD_DELETE", `{"id":"7","unavailable":true}`, `no`},
			{"GUILD_CREATE", `{"id":"7","members":[{"user":{"id":"4"}}],"voice_states":[{"user_id":"5","channel_id":"9"}],"presences":[{"user":{"id":"4"},"status":"idle"}]}`, `. {"user_id":"5","channel_id":"9"} .`},
			{"GUILD_MEMBER_UPDATE", `{"guild_id":"7","user":{"id":"5"}`, `. {"user_id":"5","channel_id":"9"} .`}, // no JSON
			{"GUILD_DELETE", `{"id":"7"}`, `no`},
		}
		c.Apply("PRESENCE_UPDATE", 7, []byte(`{"guild_id":"7","user":{"id":"5"},"status":"idle"}`))
		mustLoad(t, c, 7)
		for _, s := range steps {
			c.Apply(s.event, 7, []byte(s.data))
			got := "no"
			if p, ok := c.Person(7, 5); ok {
				var parts []string
				for _, raw := range []json.RawMessage{p.Member, p.VoiceState, p.Presence} {
					if raw == nil {
						raw = json.RawMessage(".")
					}
					parts = append(parts, string(raw))
				}
				got = strings.Join(parts, " ")
			}
			if got != s.want {
				t.Errorf("%s %s:\n%s\nwant\n%s", s.event, s.data, got, s.want)
			}
			audit(t, c)
		}
	})
}

// TestPeopleMakeNoVersion: else each presence would have every plugin read the
// guild anew.
func TestPeopleMakeNoVersion(t *testing.T) {
	d := newFake(1, 7)
	c := newTestCache(t, Options{Load: d.load, Self: 900, People: everything})
	defer c.Close()
	before := mustLoad(t, c, 7)
	for _, kind := range []string{"join", "member~", "voice", "presence", "chunk", "leave"} {
		if e := d.guilds[7].change(d.rnd, kind); c.Apply(e.name, 7, e.data) != before.Version {
			t.Errorf("%s made a new version", e.name)
		}
	}
	if after := mustLoad(t, c, 7); after != before {
		t.Error("the snapshot is another one")
	}
	if p, ok := c.Person(7, 900); !ok || idOf(field(p.Member, "user")) != 900 {
		t.Errorf("the bot itself: %v, %v", p, ok)
	}
	if _, ok := c.Person(8, 900); ok {
		t.Error("somebody is known in a guild that is not loaded")
	}
}

// TestPeopleKeepAGuildActive: who reads them uses the guild.
func TestPeopleKeepAGuildActive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newFake(1, 7)
		c := newTestCache(t, Options{Load: d.load, People: everything, Idle: time.Minute})
		defer c.Close()
		mustLoad(t, c, 7)
		for range 20 {
			time.Sleep(30 * time.Second)
			c.Person(7, 1)
			synctest.Wait()
		}
		if len(c.Kept()) != 1 {
			t.Error("the guild is gone")
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if len(c.Kept()) != 0 {
			t.Error("the guild is there for ever")
		}
	})
}

// TestPeopleAreBounded: people never push their guild out; who was not used for
// longest goes, and who is in a voice channel stays.
func TestPeopleAreBounded(t *testing.T) {
	d := newFake(1, 7)
	c := newTestCache(t, Options{Load: d.load, Self: 900, People: everything, Bytes: 1 << 20})
	defer c.Close()
	mustLoad(t, c, 7)
	person := func(n int) []byte {
		return toJSON(object{"guild_id": "7", "user": object{"id": fmt.Sprint(n)}, "roles": []any{}, "nick": strings.Repeat("x", 200)})
	}
	const speaker, reader, people = 1_000_001, 1_000_002, 3000
	c.Apply("VOICE_STATE_UPDATE", 7, fmt.Appendf(nil, `{"guild_id":"7","user_id":"%d","channel_id":"3"}`, speaker))
	c.Apply("GUILD_MEMBER_ADD", 7, person(reader))
	for n := range people {
		c.Apply("GUILD_MEMBER_ADD", 7, person(n+1))
		if n%100 == 0 {
			atRest(t, c)
		}
		if n%5 == 0 { // of a few, who was used longest ago goes: hardly ever who was used just now
			if _, ok := c.Person(7, reader); !ok {
				t.Fatalf("who is read all the time is gone after %d", n)
			}
		}
	}
	audit(t, c)
	known, late := 0, 0
	for n := range people {
		if _, ok := c.Person(7, uint64(n+1)); ok {
			if known++; n > people-100 {
				late++
			}
		}
	}
	st := c.Status()
	if known < 80 || known > 250 || late < 60 {
		t.Errorf("%d of %d are known, of the last 100 %d", known, people, late)
	}
	if st.Guilds != 1 || st.Evicted != 0 || st.Bytes > 1<<20/10 || d.total() != 4 {
		t.Errorf("%d requests, %+v", d.total(), st)
	}
	if len(c.VoiceStates(7)) != 1 {
		t.Error("the voice state is gone")
	}
	chunk := []json.RawMessage{}
	for n := range people {
		chunk = append(chunk, person(n+1))
	}
	c.Apply("GUILD_MEMBERS_CHUNK", 7, toJSON(object{"guild_id": "7", "members": chunk}))
	atRest(t, c)
	audit(t, c)
	if mustLoad(t, c, 7); d.total() != 4 {
		t.Error("a chunk of many members has pushed the guild out")
	}
	c.Apply("GUILD_UPDATE", 7, toJSON(object{"id": "7", "pad": strings.Repeat("x", 80_000)}))
	atRest(t, c)
	audit(t, c)
	if mustLoad(t, c, 7); d.total() != 4 || c.Status().Bytes > 1<<20/10 {
		t.Errorf("a guild that grows goes instead of its people: %+v", c.Status())
	}
}

// TestPeopleGoWhenThereIsNoRoom: where nothing more may be on its way to
// ristretto, who is new goes and not the guild.
func TestPeopleGoWhenThereIsNoRoom(t *testing.T) {
	d := newFake(1, 7)
	c := newTestCache(t, Options{Load: d.load, Self: 900, People: everything})
	defer c.Close()
	mustLoad(t, c, 7)
	c.books.transit.Add(c.books.limit)
	c.Apply("GUILD_MEMBERS_CHUNK", 7, toJSON(object{"guild_id": "7", "members": []object{
		{"user": object{"id": "5"}, "nick": strings.Repeat("x", 2000)}, {"user": object{"id": "6"}, "nick": strings.Repeat("x", 2000)},
	}}))
	_, five := c.Person(7, 5)
	_, six := c.Person(7, 6)
	if five || six || c.store.get(7) == nil {
		t.Errorf("there are %v and %v, and the guild: %v", five, six, c.store.get(7) != nil)
	}
	audit(t, c)
	c.books.transit.Add(-c.books.limit)
	c.Apply("GUILD_MEMBER_ADD", 7, []byte(`{"guild_id":"7","user":{"id":"5"}}`))
	if _, five := c.Person(7, 5); !five {
		t.Error("nobody is kept when there is room again")
	}
}

// TestPeopleAreChargedRight: people cost no more memory than the books say.
func TestPeopleAreChargedRight(t *testing.T) {
	heap := func() float64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return float64(m.HeapAlloc)
	}
	for _, n := range []int{1000, 30_000} {
		before := heap()
		p := newPeople(7, everything, &keeps{})
		for id := range uint64(n) {
			p.apply(event{"GUILD_MEMBER_ADD", fmt.Appendf(nil, `{"guild_id":"7","user":{"id":"%d"},"roles":[],"nick":"%s"}`, id+1, strings.Repeat("x", int(id%97)))}, 0)
		}
		held := heap() - before
		t.Logf("%d people hold %.0f bytes, the books say %d", n, held, p.bytes)
		if held > 1.1*float64(p.bytes) || held < 0.7*float64(p.bytes) {
			t.Errorf("%d people hold %.0f bytes, the books say %d", n, held, p.bytes)
		}
	}
}

// TestPeopleOffCostNothing: no event of a person allocates, of a loaded guild or
// another one.
func TestPeopleOffCostNothing(t *testing.T) {
	d := newFake(1, 7)
	c := newTestCache(t, Options{Load: d.load, Self: 900})
	defer c.Close()
	mustLoad(t, c, 7)
	for _, name := range []string{"PRESENCE_UPDATE", "VOICE_STATE_UPDATE", "GUILD_MEMBER_ADD", "GUILD_MEMBER_UPDATE", "GUILD_MEMBER_REMOVE", "GUILD_MEMBERS_CHUNK"} {
		data := []byte(`{"guild_id":"7","user":{"id":"77"},"status":"idle","user_id":"77","channel_id":"1","members":[]}`)
		for _, guild := range []uint64{7, 8} {
			if n := testing.AllocsPerRun(100, func() { c.Apply(name, guild, data) }); n != 0 {
				t.Errorf("%s of guild %d allocates %v times", name, guild, n)
			}
		}
	}
	if _, ok := c.Person(7, 77); ok || c.VoiceStates(7) != nil {
		t.Error("somebody is known")
	}
}
