package cache

import (
	"math/rand/v2"
	"runtime"
	"testing"
	"testing/synctest"
	"time"
)

// TestRecordsComeBackAsTheyWere: in little room, and bounded.
func TestRecordsComeBackAsTheyWere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := GuardOptions{}.withDefaults()
		r := records{limit: 1000}
		var last [100]record
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		rnd := rand.New(rand.NewPCG(seed, 1))
		for range 20_000 {
			guild := rnd.Uint64N(uint64(len(last)))
			all := reasons()
			if rnd.IntN(50) == 0 {
				last[guild] = record{}
				r.forget(guild)
			} else {
				last[guild] = r.fail(guild, all[rnd.IntN(len(all))], time.Duration(rnd.IntN(3))*time.Minute, o)
			}
			time.Sleep(time.Duration(rnd.IntN(int(20 * time.Second))))
			rec, holds := r.look(guild, time.Now())
			want := last[guild]
			want.failures = min(want.failures, 255)
			if rec.reason != want.reason || !rec.until.Equal(want.until) || rec.failures != want.failures {
				t.Fatalf("guild %d: remembered %+v, it was %+v", guild, rec, want)
			}
			if holds != time.Now().Before(want.until) {
				t.Fatalf("guild %d: holds %v at %v: %+v", guild, holds, time.Now(), want)
			}
		}
		for g := range uint64(5000) {
			r.fail(g, Failed, 0, o)
		}
		if n := len(r.byGuild); n != r.limit {
			t.Errorf("%d guilds are remembered, want %d", n, r.limit)
		}
		for g := range uint64(5000) {
			r.forget(g)
		}
		if r.byGuild != nil {
			t.Error("what is forgotten takes room")
		}
	})
}

// TestOutageOfAllGuildsIsSmall: 60,000 guilds that go down at once cost at most 100
// bytes each, of their records and of being awaited, and nothing when they have
// come back.
func TestOutageOfAllGuildsIsSmall(t *testing.T) {
	const guilds = 60_000
	c := newTestCache(t, Options{Load: newFake(1).load, Self: 900})
	defer c.Close()
	before := liveHeap()
	for g := range uint64(guilds) {
		c.Apply("GUILD_DELETE", g<<22, append(append([]byte(`{"id":`), quoted(g<<22)...), `,"unavailable":true}`...))
	}
	down := liveHeap() - before
	if st := c.Status(); st.Remembered < guilds*9/10 {
		t.Fatalf("%+v: the outages are not remembered", st)
	}
	whole := newMaker(1).guild(7, 900, 2_000)
	data := whole.created()
	for g := range uint64(guilds) {
		c.Apply("GUILD_CREATE", g<<22, data)
	}
	after := liveHeap() - before
	if down > 100*guilds || after > 4*guilds {
		t.Errorf("%.1f bytes for each guild in an outage, %.1f when it is over", down/guilds, after/guilds)
	}
	t.Logf("%.1f bytes for each guild in an outage, %.1f when it is over", down/guilds, after/guilds)
	runtime.KeepAlive(c)
}
