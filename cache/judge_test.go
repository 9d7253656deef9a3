package cache

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
)

func anyParts(rnd *rand.Rand) Parts { return Parts(1 + rnd.IntN(int(AllParts))) }

// forget makes the cache lose a guild.
func forget(c *Cache, guild uint64) {
	sh := c.shard(guild)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if e := c.find(sh, guild); e != nil {
		e.left = true
		e.die()
		c.keeper.enqueue(e)
	}
}

// notOlder holds what each object was last told to be against the snapshot.
func notOlder(t *testing.T, s *Snapshot, applied []told) {
	t.Helper()
	guild, lists, member := parsed(t, s)
	for _, e := range applied {
		switch {
		case e.kind == "guild" && e.name == "GUILD_UPDATE":
			if guild != nil && num(guild) < e.v {
				t.Fatalf("the guild is of %d, and was told to be of %d", num(guild), e.v)
			}
		case e.kind == "member":
			if member != nil && num(member) < e.v {
				t.Fatalf("the member is of %d, and was told to be of %d", num(member), e.v)
			}
		case e.v > 0 && lists[e.kind] != nil:
			o, there := lists[e.kind][e.id]
			if there && num(o) < e.v && !e.gone {
				t.Fatalf("%s: %s is of %d, and was told to be of %d", e.name, e.id, num(o), e.v)
			}
			if there && e.gone {
				if e.name != "THREAD_UPDATE" { // an archived one may come back
					t.Fatalf("%s: %s is there again", e.name, e.id)
				}
			}
		}
	}
}

func num(o object) int {
	v, _ := o["v"].(float64)
	return int(v)
}

// equals compares field by field.
func equals(t *testing.T, g *fakeGuild, s *Snapshot) {
	t.Helper()
	equalsKept(t, g, s, nil)
}

// equalsKept compares what the lists keep. Of what is counted it compares the
// ids, if they are known.
func equalsKept(t *testing.T, g *fakeGuild, s *Snapshot, keep Keep) {
	t.Helper()
	guild, lists, member := parsed(t, s)
	world := bodies{
		Guild: toJSON(g.body(true)), Channels: toJSON(sorted(g.channels)),
		Threads: toJSON(sorted(g.threads)), Member: toJSON(g.member),
	}
	want := world.packed(s.packing)
	wantGuild, wantLists, wantMember := parsed(t, &want)
	for _, c := range counted() {
		if list, known := guild[c.name].([]any); known {
			ids := map[string]bool{}
			for _, o := range list {
				ids[o.(object)[c.id].(string)] = len(o.(object)) == 1
			}
			if len(ids) != len(g.counted[c.name]) || len(list) != len(ids) {
				t.Errorf("%s at rest: %v, the world has %v", c.name, ids, g.counted[c.name])
			}
			for id := range g.counted[c.name] {
				if !ids[id] {
					t.Errorf("%s at rest: no %s in %v", c.name, id, ids)
				}
			}
		}
		delete(guild, c.name)
	}
	wantGuild = pared(keep, "guild", wantGuild)
	for kind, list := range map[string]string{"emoji": "emojis", "sticker": "stickers"} {
		if all, there := wantGuild[list].([]any); there {
			for i := range all {
				all[i] = pared(keep, kind, all[i].(object))
			}
		}
	}
	for _, o := range []object{guild, wantGuild} {
		delete(o, "roles") // compared by id
		delete(o, "approximate_member_count")
	}
	for list, kind := range map[string]string{"channels": "channel", "threads": "thread", "roles": "role"} {
		for id, o := range wantLists[list] {
			wantLists[list][id] = pared(keep, kind, o)
		}
	}
	for what, pair := range map[string][2]any{
		"guild": {guild, wantGuild}, "member": {member, pared(keep, "member", wantMember)}, "roles": {lists["roles"], wantLists["roles"]},
		"channels": {lists["channels"], wantLists["channels"]}, "threads": {lists["threads"], wantLists["threads"]},
	} {
		if !reflect.DeepEqual(pair[0], pair[1]) {
			t.Errorf("%s at rest:\n%s\nthe world has\n%s", what, toJSON(pair[0]), toJSON(pair[1]))
		}
	}
}

// pared is an object as a keep-list leaves it, by another way than the cache's.
func pared(keep Keep, kind string, o object) object {
	if len(keep[kind]) == 0 {
		return o
	}
	always := map[string][]string{
		"guild": {"id", "owner_id", "roles"}, "role": {"id", "permissions", "position"}, "emoji": {"id"}, "sticker": {"id"},
		"channel": {"id", "guild_id", "type", "position", "parent_id", "permission_overwrites"}, "thread": {"id", "guild_id", "type", "parent_id"},
		"member": {"roles", "communication_disabled_until"}, "voice_state": {"user_id", "channel_id"}, "presence": {"status"},
	}
	out := object{}
	for name, value := range o {
		if name == "v" || slices.Contains(keep[kind], name) || slices.Contains(always[kind], name) {
			out[name] = value
		} else if user, is := value.(object); is && name == "user" {
			out[name] = object{"id": user["id"]}
		}
	}
	return out
}

func newTestCache(t testing.TB, o Options) *Cache {
	t.Helper()
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}
