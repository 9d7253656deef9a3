package cache

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"testing"
	"testing/synctest"
	"time"
)

// TestRandomEventsWithLoadsRacing changes guilds, tells the cache with a delay
// and in order, and reads and loads meanwhile. No snapshot is older than an
// event that was applied, and at rest all are what the world is.
func TestRandomEventsWithLoadsRacing(t *testing.T) {
	seed := rand.Uint64()
	for round := range uint64(6) {
		synctest.Test(t, func(t *testing.T) { randomWorld(t, seed+round) })
	}
}

func randomWorld(t *testing.T, seed uint64) {
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 2))
	ids := []uint64{101, 102, 103, 104}
	d := newFake(seed, ids...)
	delays := rand.New(rand.NewPCG(seed, 3))
	slow := func(ctx context.Context, guild uint64, p Part) (json.RawMessage, error) {
		d.mu.Lock()
		before, after := delays.IntN(40), delays.IntN(40)
		d.mu.Unlock()
		time.Sleep(time.Duration(before) * time.Millisecond)
		defer time.Sleep(time.Duration(after) * time.Millisecond)
		return d.load(ctx, guild, p)
	}
	c := newTestCache(t, Options{Load: slow, Guard: GuardOptions{Rate: 1e6, Burst: 1e6}})
	defer c.Close()

	var wire []told // happened at Discord, not yet here
	seen := map[uint64][]told{}
	reads := 0
	for step := range 1500 {
		switch rnd.IntN(10) {
		default: // something happens
			d.mu.Lock()
			g := d.guilds[ids[rnd.IntN(len(ids))]]
			wire = append(wire, g.change(rnd, changeKinds[rnd.IntN(len(changeKinds))]))
			d.mu.Unlock()
		case 5, 6: // some of it arrives
			for range min(rnd.IntN(12), len(wire)) {
				e := wire[0]
				wire = wire[1:]
				c.Apply(e.name, e.guild, e.data)
				seen[e.guild] = append(seen[e.guild], e)
			}
		case 7: // somebody reads
			id := ids[rnd.IntN(len(ids))]
			applied := seen[id]
			reads++
			if s, err := c.Guild(t.Context(), id, anyParts(rnd), Read); err != nil {
				t.Fatalf("step %d: %v", step, err)
			} else {
				notOlder(t, s, applied)
			}
		case 8: // somebody starts to, and does not wait
			go c.Guild(t.Context(), ids[rnd.IntN(len(ids))], anyParts(rnd), Event)
			time.Sleep(time.Duration(rnd.IntN(60)) * time.Millisecond)
		case 9: // a guild is forgotten
			if rnd.IntN(10) == 0 {
				forget(c, ids[rnd.IntN(len(ids))])
			}
		}
	}
	for _, e := range wire {
		c.Apply(e.name, e.guild, e.data)
	}
	for _, id := range ids {
		s, err := c.Guild(t.Context(), id, AllParts, Read)
		if err != nil {
			t.Fatal(err)
		}
		equals(t, d.guilds[id], s)
	}
	if st := c.Status(); reads == 0 || st.Applied < 50 || st.Loads < 6 {
		t.Errorf("little happened: %+v", st)
	}
}

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
	guild, lists, member := parsed(t, s)
	world := bodies{
		Guild: toJSON(g.body(true)), Channels: toJSON(sorted(g.channels)),
		Threads: toJSON(sorted(g.threads)), Member: toJSON(g.member),
	}
	want := world.packed(s.packing)
	wantGuild, wantLists, wantMember := parsed(t, &want)
	for _, o := range []object{guild, wantGuild} {
		delete(o, "roles") // compared by id
		delete(o, "approximate_member_count")
	}
	for what, pair := range map[string][2]any{
		"guild": {guild, wantGuild}, "member": {member, wantMember}, "roles": {lists["roles"], wantLists["roles"]},
		"channels": {lists["channels"], wantLists["channels"]}, "threads": {lists["threads"], wantLists["threads"]},
	} {
		if !reflect.DeepEqual(pair[0], pair[1]) {
			t.Errorf("%s at rest:\n%s\nthe world has\n%s", what, toJSON(pair[0]), toJSON(pair[1]))
		}
	}
}

func newTestCache(t testing.TB, o Options) *Cache {
	t.Helper()
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}
