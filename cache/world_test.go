package cache

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
)

// A small Discord for tests: guilds with objects whose "v" only grows, the
// events that tell of each change, and REST that answers as the guild is now.

type object = map[string]any

const botID = "900"

type fakeGuild struct {
	id       uint64
	v        int
	next     uint64
	props    object
	roles    map[string]object
	channels map[string]object
	threads  map[string]object
	member   object
	people   map[string]*fakePerson       // by user id
	counted  map[string]map[string]object // by the list's name, then id
	out      bool                         // the bot is not in it
	down     bool                         // in an outage
	unsent   bool                         // listed by READY, and its GUILD_CREATE is to come
}

// fakePerson is another user; nil is none.
type fakePerson struct{ member, voice, presence object }

type fakeDiscord struct {
	mu     sync.Mutex
	rnd    *rand.Rand
	guilds map[uint64]*fakeGuild
	calls  map[Part]int
}

func newFake(seed uint64, guilds ...uint64) *fakeDiscord {
	d := &fakeDiscord{rnd: rand.New(rand.NewPCG(seed, 1)), guilds: map[uint64]*fakeGuild{}, calls: map[Part]int{}}
	for _, id := range guilds {
		g := &fakeGuild{
			id: id, next: id * 1000, roles: map[string]object{}, channels: map[string]object{}, threads: map[string]object{},
			props: object{
				"name": "guild", "emojis": []any{}, "stickers": []any{}, "owner_id": "5",
				"description": "a \\ \"quoted\" {brace] snowman ☃\n",
			},
			member:  object{"user": object{"id": botID, "username": "bot"}, "nick": nil, "roles": []any{}},
			people:  map[string]*fakePerson{},
			counted: map[string]map[string]object{"guild_scheduled_events": {}, "stage_instances": {}, "soundboard_sounds": {}},
		}
		for range 3 {
			g.change(d.rnd, "channel+")
			g.change(d.rnd, "role+")
			g.change(d.rnd, "join")
		}
		g.change(d.rnd, "thread+")
		d.guilds[id] = g
	}
	return d
}

func sorted(m map[string]object) []object {
	out := []object{}
	for _, k := range slices.Sorted(maps.Keys(m)) {
		out = append(out, m[k])
	}
	return out
}

func (g *fakeGuild) body(gateway bool) object {
	o := maps.Clone(g.props)
	o["id"] = fmt.Sprint(g.id)
	o["roles"] = sorted(g.roles)
	if !gateway {
		o["approximate_member_count"] = 7
	}
	return o
}

func (g *fakeGuild) create() object {
	o := g.body(true)
	bare := []object{}
	for _, c := range sorted(g.channels) {
		c = maps.Clone(c)
		delete(c, "guild_id")
		bare = append(bare, c)
	}
	o["unavailable"], o["channels"], o["threads"] = false, bare, sorted(g.threads)
	members, voices, presences := []object{g.member}, []object{}, []object{}
	for _, id := range slices.Sorted(maps.Keys(g.people)) {
		p := g.people[id]
		members = append(members, p.member)
		if p.voice != nil {
			voices = append(voices, p.voice)
		}
		if p.presence != nil {
			presences = append(presences, p.presence)
		}
	}
	o["members"], o["voice_states"], o["presences"] = members, voices, presences
	for name, list := range g.counted {
		o[name] = sorted(list)
	}
	return o
}

// load is REST, at this moment.
func (d *fakeDiscord) load(_ context.Context, guild uint64, p Part) (json.RawMessage, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.calls[p]++
	g := d.guilds[guild]
	if g == nil || g.out {
		return nil, &LoadError{Status: 404}
	}
	switch p {
	case PartGuild:
		return toJSON(g.body(false)), nil
	case PartChannels:
		return toJSON(sorted(g.channels)), nil
	case PartThreads:
		members, threads := []object{}, []object{}
		for _, t := range sorted(g.threads) {
			if m, ok := t["member"].(object); ok {
				t = maps.Clone(t)
				delete(t, "member")
				members = append(members, m)
			}
			threads = append(threads, t)
		}
		return toJSON(object{"threads": threads, "members": members}), nil
	default:
		return toJSON(g.member), nil
	}
}

func (d *fakeDiscord) total() (n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, c := range d.calls {
		n += c
	}
	return n
}

func toJSON(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}

// parsed is a snapshot's content with its lists by id; nothing for a part that is
// not there.
func parsed(t testing.TB, s *Snapshot) (guild object, lists map[string]map[string]object, member object) {
	t.Helper()
	var channels, threads []object
	for part, to := range map[Part]any{PartGuild: &guild, PartChannels: &channels, PartThreads: &threads, PartMember: &member} {
		if !s.Has(PartsOf(part)) {
			continue
		}
		if err := json.Unmarshal(s.Part(part), to); err != nil {
			t.Fatalf("snapshot holds %q as %s: %v", s.Part(part), part, err)
		}
	}
	lists = map[string]map[string]object{"channels": byID(channels), "threads": byID(threads), "roles": {}}
	roles, _ := guild["roles"].([]any)
	for _, r := range roles {
		lists["roles"][r.(object)["id"].(string)] = r.(object)
	}
	if len(lists["channels"]) != len(channels) || len(lists["threads"]) != len(threads) {
		t.Fatalf("an id twice in %s or %s", s.Part(PartChannels), s.Part(PartThreads))
	}
	return guild, lists, member
}

func byID(list []object) map[string]object {
	m := map[string]object{}
	for _, o := range list {
		m[o["id"].(string)] = o
	}
	return m
}
