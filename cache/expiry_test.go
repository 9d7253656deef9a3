package cache

import (
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"
)

// TestManyGuildsExpireEachInItsTime: guilds with activity of their own, frequent
// or rare. None goes before it was idle for the idle time, and each is gone from
// ristretto and the books at 1.13 of it and 7 s.
func TestManyGuildsExpireEachInItsTime(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	for _, idle := range []time.Duration{time.Minute, time.Hour} {
		t.Run(idle.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { manyExpire(t, seed, idle) })
		})
	}
}

// watched is a guild whose activity the test knows.
type watched struct {
	id     uint64
	every  time.Duration // between its events, on average
	entry  *entry        // as of the last load
	active time.Time     // its last event or reader
}

// act has something happen in the guild; a reader loads it if it is gone.
func (w *watched) act(t *testing.T, c *Cache, rnd *rand.Rand) {
	there := !w.entry.gone() && c.store.get(w.id) == w.entry
	switch rnd.IntN(3) {
	case 0:
		if _, err := c.Guild(t.Context(), w.id, PartsOf(PartGuild), Read); err != nil {
			t.Fatal(err)
		}
		if !there {
			w.entry = lookUp(c, w.id)
		}
		there = true
	case 1:
		c.Apply("MESSAGE_CREATE", w.id, []byte(`{}`))
	default:
		c.Apply("GUILD_UPDATE", w.id, []byte(`{"id":"0","name":"x"}`))
	}
	if there {
		w.active = time.Now()
	}
}

func manyExpire(t *testing.T, seed uint64, idle time.Duration) {
	rnd := rand.New(rand.NewPCG(seed, uint64(idle)))
	const guilds = 200
	a := &answers{}
	c := newTestCache(t, Options{Load: a.load, Idle: idle, Guard: GuardOptions{Rate: 1e6, Burst: 1e6, Concurrency: guilds}})
	defer c.Close()
	var all []*watched
	for g := range uint64(guilds) {
		w := &watched{id: g + 1, every: time.Duration((0.05 + 3*rnd.Float64()*rnd.Float64()) * float64(idle))}
		time.Sleep(time.Duration(rnd.Int64N(int64(3 * time.Second))))
		if _, err := c.Guild(t.Context(), w.id, PartsOf(PartGuild), Read); err != nil {
			t.Fatal(err)
		}
		w.entry, w.active = lookUp(c, w.id), time.Now()
		all = append(all, w)
	}
	step := idle / 60
	gone, stayed := 0, 0
	for end := time.Now().Add(6 * idle); time.Now().Before(end); {
		time.Sleep(step/2 + time.Duration(rnd.Int64N(int64(step))))
		for _, w := range all {
			since := time.Since(w.active)
			switch is := w.entry.gone() || c.store.get(w.id) != w.entry; {
			case is && since < idle:
				t.Fatalf("guild %d is gone after %v", w.id, since)
			case since > idle*113/100+7*time.Second && !w.entry.gone():
				t.Fatalf("guild %d is there after %v", w.id, since)
			case is:
				gone++
			default:
				stayed++
			}
			if rnd.Float64() < float64(step)/float64(w.every) {
				w.act(t, c, rnd)
			}
		}
		synctest.Wait()
	}
	time.Sleep(idle*113/100 + 7*time.Second)
	synctest.Wait()
	if st := c.Status(); st.Guilds != 0 || st.Bytes != 0 || st.Evicted != 0 || st.Rejected != 0 || gone < 100 || stayed < 100 {
		t.Errorf("all idle: %+v; found gone %d times, there %d times", st, gone, stayed)
	}
	atRest(t, c)
}
