package cache

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"reflect"
	"strconv"
	"testing"
	"testing/synctest"
	"time"
)

// TestRandomEventsWithLoadsRacing changes guilds, tells the cache with a delay
// and in order, and reads and loads meanwhile; sessions are lost with all that
// was on its way, guilds are in an outage, the bot leaves and joins. Nothing
// that is read is older than an event that was applied, and at rest all is what
// the world is, as far as the keep-lists go.
//
// HOLDFAST_SEED replays one round, HOLDFAST_FULL=1 plays many.
func TestRandomEventsWithLoadsRacing(t *testing.T) {
	if text := os.Getenv("HOLDFAST_SEED"); text != "" {
		seed, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		synctest.Test(t, func(t *testing.T) { randomWorld(t, seed) })
		return
	}
	rounds := uint64(8)
	if os.Getenv("HOLDFAST_FULL") != "" {
		rounds = 80
	}
	seed := rand.Uint64()
	for round := range rounds {
		synctest.Test(t, func(t *testing.T) { randomWorld(t, seed+round) })
	}
}

// play is one round.
type play struct {
	t     *testing.T
	rnd   *rand.Rand
	delay *rand.Rand // guarded by d
	d     *fakeDiscord
	c     *Cache
	keep  Keep
	ids   []uint64

	wire   []told            // happened at Discord, not yet here
	seen   map[uint64][]told // applied, since the last GUILD_CREATE
	absent map[uint64]bool   // what was applied says that it is awaited or gone
	reads  map[string]int
}

func randomWorld(t *testing.T, seed uint64) {
	t.Logf("seed %d", seed)
	p := &play{
		t: t, rnd: rand.New(rand.NewPCG(seed, 2)), delay: rand.New(rand.NewPCG(seed, 3)), ids: []uint64{101, 102, 103, 104},
		seen: map[uint64][]told{}, absent: map[uint64]bool{}, reads: map[string]int{},
	}
	p.d = newFake(seed, p.ids...)
	o := Options{Load: p.load, Guard: GuardOptions{Rate: 1e6, Burst: 1e6}}
	if p.rnd.IntN(4) > 0 {
		o.People = Members | VoiceStates | Presences
	}
	if p.rnd.IntN(2) == 0 {
		p.keep = Keep{
			"guild": {"name", "emojis", "stage_instances", "member_count"}, "channel": {"name"}, "thread": {"name", "member"}, "role": {"name"},
			"emoji": {"name"}, "member": {"nick"}, "voice_state": {"session_id"}, "presence": {"status"},
		}
		o.Keep = p.keep
	}
	switch p.rnd.IntN(3) {
	case 0:
		o.Warm = func(uint64) bool { return true }
	case 1:
		o.Warm = func(guild uint64) bool { return guild%2 == 0 }
	}
	p.c = newTestCache(t, o)
	defer p.c.Close()
	if p.rnd.IntN(2) == 0 {
		p.c.rawFrom = 1
	}
	for _, f := range []fields{p.c.keeps.guild, p.c.keeps.channel, p.c.keeps.thread, p.c.keeps.role, p.c.keeps.emoji, p.c.keeps.member, p.c.keeps.voiceState, p.c.keeps.presence} {
		if f != nil {
			f["v"] = true // by which the objects' ages are told
		}
	}
	for range 2500 {
		p.step()
	}
	p.rest()
	if st := p.c.Status(); st.Applied < 50 || st.Loads < 6 || p.reads["guild"] < 50 || p.reads["awaited"] == 0 || p.reads["member"] < 50 {
		t.Errorf("little happened: %v, %+v", p.reads, st)
	}
	if o.People != 0 && p.reads["person"] < 20 {
		t.Errorf("few people were known: %v", p.reads)
	}
}

func (p *play) load(ctx context.Context, guild uint64, part Part) (json.RawMessage, error) {
	defer p.takesTime()()
	return p.d.load(ctx, guild, part)
}

// takesTime is the way of a request, and, when it is called, that of its answer.
func (p *play) takesTime() func() {
	p.d.mu.Lock()
	before, after := p.delay.IntN(40), p.delay.IntN(40)
	p.d.mu.Unlock()
	time.Sleep(time.Duration(before) * time.Millisecond)
	return func() { time.Sleep(time.Duration(after) * time.Millisecond) }
}

// ask is REST for a member.
func (p *play) ask(guild uint64, user string) func(context.Context) (json.RawMessage, error) {
	return func(context.Context) (json.RawMessage, error) {
		defer p.takesTime()()
		p.d.mu.Lock()
		defer p.d.mu.Unlock()
		o := p.d.guilds[guild].people[user]
		if o == nil || p.d.guilds[guild].out {
			return nil, &LoadError{Status: http.StatusNotFound}
		}
		return toJSON(o.member), nil
	}
}

func (p *play) step() {
	id := p.ids[p.rnd.IntN(len(p.ids))]
	switch p.rnd.IntN(12) {
	default:
		p.happen(id)
	case 5, 6, 7:
		for range min(p.rnd.IntN(12), len(p.wire)) {
			p.arrive()
		}
	case 8:
		p.read(id)
	case 9:
		p.readPerson(id)
	case 10: // somebody starts to read, and does not wait
		go p.c.Guild(p.t.Context(), id, anyParts(p.rnd), Event)
		if user := p.anyone(id); user != "" {
			go p.c.Member(p.t.Context(), "reader", id, mustID(user), p.ask(id, user))
		}
		time.Sleep(time.Duration(p.rnd.IntN(60)) * time.Millisecond)
	case 11:
		switch p.rnd.IntN(30) {
		case 0, 1, 2:
			forget(p.c, id)
		case 3:
			p.loseSession()
		}
	}
}

// happen changes a guild at Discord, which tells of it if it sends that guild's
// events.
func (p *play) happen(id uint64) {
	p.d.mu.Lock()
	defer p.d.mu.Unlock()
	g := p.d.guilds[id]
	gone := func(name string, o object) { p.wire = append(p.wire, told{name: name, guild: id, data: toJSON(o)}) }
	roll := p.rnd.IntN(60)
	switch {
	case (g.out || g.down || g.unsent) && roll < 12:
		g.out, g.down, g.unsent = false, false, false
		p.wire = append(p.wire, g.change(p.rnd, "create"))
	case g.unsent && roll == 12: // READY has listed it, and it is in an outage
		g.unsent, g.down = false, true
		gone("GUILD_DELETE", object{"id": fmt.Sprint(id), "unavailable": true})
	case g.out || g.down || g.unsent:
		g.change(p.rnd, changeKinds[p.rnd.IntN(len(changeKinds))]) // unheard
	case roll == 13:
		g.down = true
		gone("GUILD_DELETE", object{"id": fmt.Sprint(id), "unavailable": true})
	case roll == 14:
		g.out = true
		gone("GUILD_DELETE", object{"id": fmt.Sprint(id)})
	default:
		p.wire = append(p.wire, g.change(p.rnd, changeKinds[p.rnd.IntN(len(changeKinds))]))
	}
}

// loseSession loses what was on its way; a new session begins.
func (p *play) loseSession() {
	p.d.mu.Lock()
	defer p.d.mu.Unlock()
	p.wire = nil
	list := []object{}
	for _, id := range p.ids {
		if g := p.d.guilds[id]; !g.out {
			g.unsent, g.down = true, false
			list = append(list, object{"id": fmt.Sprint(id), "unavailable": true})
		}
	}
	p.wire = append(p.wire, told{name: "READY", data: toJSON(object{"user": object{"id": botID}, "guilds": list, "shard": []int{0, 1}})})
}

// arrive applies the next event.
func (p *play) arrive() {
	e := p.wire[0]
	p.wire = p.wire[1:]
	if e.name == "READY" && p.rnd.IntN(2) == 0 { // it finds loads under way, and some behind them
		for _, id := range p.ids {
			forget(p.c, id)
			for range 3 {
				go p.c.Guild(p.t.Context(), id, anyParts(p.rnd), Event)
				time.Sleep(time.Duration(p.rnd.IntN(20)) * time.Millisecond)
			}
		}
	}
	version := p.c.Apply(e.name, e.guild, e.data)
	switch e.name {
	case "READY":
		for _, id := range p.ids { // those that are not listed are gone
			p.seen[id], p.absent[id] = nil, true
		}
	case "GUILD_CREATE":
		p.seen[e.guild], p.absent[e.guild] = []told{e}, false
	case "GUILD_DELETE":
		p.seen[e.guild], p.absent[e.guild] = nil, true
	default:
		p.seen[e.guild] = append(p.seen[e.guild], e)
	}
	if p.absent[e.guild] && version != 0 {
		p.t.Fatalf("%s: version %d of a guild that is not there", e.name, version)
	}
}

// mayMiss reports whether the guild may be missing now, as Discord or the cache
// see it.
func (p *play) mayMiss(id uint64) bool {
	p.d.mu.Lock()
	defer p.d.mu.Unlock()
	if p.absent[id] || p.d.guilds[id].out {
		return true
	}
	for _, e := range p.wire { // REST said 404 before, or does after
		if e.name == "READY" || e.guild == id && (e.name == "GUILD_CREATE" || e.name == "GUILD_DELETE") {
			return true
		}
	}
	return false
}

func (p *play) read(id uint64) {
	applied := p.seen[id]
	want := anyParts(p.rnd)
	ctx, cancel := context.WithTimeout(p.t.Context(), 2*time.Second)
	defer cancel()
	s, err := p.c.Guild(ctx, id, want, Read)
	switch {
	case err == nil && p.absent[id]:
		p.t.Fatalf("guild %d is read before its GUILD_CREATE", id)
	case err != nil && !p.mayMiss(id):
		p.t.Fatal(err)
	case err != nil:
		p.reads["awaited"]++
	case !s.Has(want):
		p.t.Fatalf("it has %s of %s", s.Parts(), want)
	default:
		p.reads["guild"]++
		notOlder(p.t, s, applied)
		p.d.mu.Lock()
		nothingLost(p.t, p.d.guilds[id], s, applied)
		p.d.mu.Unlock()
	}
}

// nothingLost: what was told and is still there in the world is there.
func nothingLost(t *testing.T, g *fakeGuild, s *Snapshot, applied []told) {
	t.Helper()
	_, lists, _ := parsed(t, s)
	for _, e := range applied {
		world, part := map[string]map[string]object{"roles": g.roles, "channels": g.channels, "threads": g.threads}[e.kind],
			map[string]Part{"roles": PartGuild, "channels": PartChannels, "threads": PartThreads}[e.kind]
		if world[e.id] != nil && s.Has(PartsOf(part)) && lists[e.kind][e.id] == nil {
			t.Fatalf("%s: %s is not there", e.name, e.id)
		}
	}
}

// anyone is a user who is or was in the guild.
func (p *play) anyone(id uint64) string {
	if n := len(p.seen[id]); n > 0 && p.rnd.IntN(2) == 0 {
		if e := p.seen[id][p.rnd.IntN(n)]; e.kind == "member of" {
			return e.id
		}
	}
	p.d.mu.Lock()
	defer p.d.mu.Unlock()
	users := map[string]object{}
	for user := range p.d.guilds[id].people {
		users[user] = object{"id": user}
	}
	if o := pick(p.rnd, users); o != nil {
		return o["id"].(string)
	}
	return ""
}

func (p *play) readPerson(id uint64) {
	user := p.anyone(id)
	if user == "" {
		return
	}
	if known, ok := p.c.Person(id, mustID(user)); ok {
		p.reads["person"]++
		if p.absent[id] {
			p.t.Fatalf("a person of guild %d is read before its GUILD_CREATE", id)
		}
		for kind, part := range map[string]json.RawMessage{"member of": known.Member, "voice of": known.VoiceState, "presence of": known.Presence} {
			p.personNotOlder(id, kind, user, part)
		}
	}
	applied := p.seen[id]
	ctx, cancel := context.WithTimeout(p.t.Context(), 2*time.Second)
	defer cancel()
	m, err := p.c.Member(ctx, "reader", id, mustID(user), p.ask(id, user))
	p.reads["member"]++
	var missing *MissingError
	if (errors.Is(err, context.DeadlineExceeded) || errors.As(err, &missing) && missing.Reason == Removed) && p.mayMiss(id) {
		return
	}
	var refused *LoadError
	if err != nil && (!errors.As(err, &refused) || refused.Status != http.StatusNotFound) {
		p.t.Fatal(err)
	}
	p.seen[id] = applied
	p.personNotOlder(id, "member of", user, m)
}

// personNotOlder holds what is known of a user against what was told last.
func (p *play) personNotOlder(id uint64, kind, user string, known json.RawMessage) {
	p.t.Helper()
	if known == nil {
		return
	}
	var o object
	if err := json.Unmarshal(known, &o); err != nil {
		p.t.Fatalf("%q: %v", known, err)
	}
	for _, e := range p.seen[id] {
		if e.kind != kind || e.id != user {
			continue
		}
		if num(o) < e.v || e.gone && kind == "member of" {
			p.t.Fatalf("%s %s is of %d, and %s told of %d (gone: %v)", kind, user, num(o), e.name, e.v, e.gone)
		}
	}
}

// rest lets all arrive and compares; then again after a new session, when all is
// known.
func (p *play) rest() {
	p.calm()
	for _, id := range p.ids {
		if s, err := p.c.Guild(p.t.Context(), id, AllParts, Read); err != nil {
			p.t.Fatal(err)
		} else {
			equalsKept(p.t, p.d.guilds[id], s, p.keep)
		}
		p.peopleEqual(id, false)
	}
	p.loseSession()
	p.calm()
	for _, id := range p.ids {
		s, err := p.c.Guild(p.t.Context(), id, AllParts, Read)
		if err != nil {
			p.t.Fatal(err)
		}
		equalsKept(p.t, p.d.guilds[id], s, p.keep)
		p.peopleEqual(id, true)
	}
	audit(p.t, p.c)
	for i := range p.c.shards {
		if sh := &p.c.shards[i]; sh.awaited != nil || len(sh.waits) > 0 || len(sh.asks) > 0 || len(sh.loads) > 0 {
			p.t.Errorf("left at rest: %d awaited, %d waits, %d asks, %d loads", len(sh.awaited), len(sh.waits), len(sh.asks), len(sh.loads))
		}
	}
}

// calm sends what is to come, and waits.
func (p *play) calm() {
	p.d.mu.Lock()
	for _, id := range p.ids {
		if g := p.d.guilds[id]; g.out || g.down || g.unsent {
			g.out, g.down, g.unsent = false, false, false
			p.wire = append(p.wire, g.change(p.rnd, "create"))
		}
	}
	p.d.mu.Unlock()
	for len(p.wire) > 0 {
		p.arrive()
	}
	time.Sleep(time.Minute)
	synctest.Wait()
}

// peopleEqual compares what is known of people; all: everybody must be.
func (p *play) peopleEqual(id uint64, all bool) {
	p.t.Helper()
	if p.c.people == 0 {
		return
	}
	voices := map[string]bool{}
	for _, v := range p.c.VoiceStates(id) {
		voices[string(v)] = true
	}
	for user, o := range p.d.guilds[id].people {
		known, _ := p.c.Person(id, mustID(user))
		if (known.VoiceState != nil) != voices[string(known.VoiceState)] {
			p.t.Errorf("%s is not in the list %v", known.VoiceState, voices)
		}
		for _, pair := range []struct {
			kind  string
			known json.RawMessage
			world object
		}{{"member", known.Member, o.member}, {"voice_state", known.VoiceState, o.voice}, {"presence", known.Presence, o.presence}} {
			if pair.known == nil && (!all || pair.world == nil) {
				continue
			}
			var got, want object
			if err := errors.Join(json.Unmarshal(toJSON(pair.known), &got), json.Unmarshal(toJSON(pair.world), &want)); err != nil {
				p.t.Fatal(err)
			}
			if want = pared(p.keep, pair.kind, want); !reflect.DeepEqual(got, want) {
				p.t.Errorf("%s of %s at rest:\n%s\nthe world has\n%s", pair.kind, user, toJSON(got), toJSON(want))
			}
		}
	}
}

// audit holds the books against what is there.
func audit(t *testing.T, c *Cache) {
	t.Helper()
	var bytes, raw int64
	for _, guild := range c.Kept() {
		sh := c.shard(guild)
		sh.mu.Lock()
		e := c.find(sh, guild)
		if e == nil {
			t.Errorf("guild %d is in the index alone", guild)
			sh.mu.Unlock()
			continue
		}
		if e.people != nil {
			var people int64
			for _, o := range e.people.byUser {
				people += int64(cap(o.Member)+cap(o.VoiceState)+cap(o.Presence)) + personOverhead
			}
			if people != e.people.bytes || people != e.beside {
				t.Errorf("people hold %d bytes, are said to hold %d, and are charged %d", people, e.people.bytes, e.beside)
			}
		}
		charge := e.charge.Load()
		if size := e.size(); charge < size || charge > chargeFor(size)*4/3+256 {
			t.Errorf("guild %d of %d bytes is charged %d", guild, size, charge)
		}
		if have := e.held.Load().rawBytes(); have != e.raw.Load() {
			t.Errorf("guild %d has %d raw bytes, and %d are counted", guild, have, e.raw.Load())
		}
		bytes += charge
		raw += e.raw.Load()
		sh.mu.Unlock()
	}
	if all := c.books.raw.Load(); all != raw || all > c.books.rawLimit {
		t.Errorf("the books say %d raw bytes, there are %d, the bound is %d", all, raw, c.books.rawLimit)
	}
	bytes += raw
	if st := c.Status(); st.Bytes != bytes || int(st.Guilds) != len(c.Kept()) {
		t.Errorf("the books say %d bytes of %d guilds, there are %d of %d", st.Bytes, st.Guilds, bytes, len(c.Kept()))
	}
}

func mustID(text string) uint64 {
	id, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		panic(err)
	}
	return id
}
