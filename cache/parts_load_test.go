package cache

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// numbered is a guild whose parts each carry a number that only grows.
type numbered struct {
	now     [parts]atomic.Int64 // as Discord has it
	applied [parts]atomic.Int64 // as the cache was told
}

func (g *numbered) answer(guild uint64, p Part) json.RawMessage {
	v := g.now[p].Load()
	switch p {
	case PartGuild:
		return fmt.Appendf(nil, `{"id":"%d","v":%d,"pad":"%s"}`, guild, v, noise(int(v*31%900)))
	case PartChannels:
		return fmt.Appendf(nil, `[{"id":"1","v":%d,"pad":"%s"}]`, v, noise(int(v*57%1900)))
	case PartThreads:
		return fmt.Appendf(nil, `{"threads":[{"id":"2","v":%d}],"members":[]}`, v)
	default:
		return fmt.Appendf(nil, `{"user":{"id":"900"},"v":%d}`, v)
	}
}

// change changes a part and tells the cache; one goroutine for each guild does.
func (g *numbered) change(c *Cache, guild uint64, p Part) {
	g.now[p].Add(1)
	body := string(g.answer(guild, p))
	switch p {
	case PartGuild:
		c.Apply("GUILD_UPDATE", guild, []byte(body))
	case PartChannels:
		c.Apply("CHANNEL_UPDATE", guild, []byte(body[1:len(body)-1]))
	case PartThreads:
		c.Apply("THREAD_LIST_SYNC", guild, []byte(body))
	default:
		c.Apply("GUILD_MEMBER_UPDATE", guild, []byte(body))
	}
	g.applied[p].Store(g.now[p].Load())
}

// number is the one that a part carries.
func number(t *testing.T, s *Snapshot, p Part) int64 {
	t.Helper()
	type has struct{ V int64 }
	var one has
	list := []has{}
	raw := s.Part(p)
	to := any(&one)
	if isList(raw) {
		to = &list
	}
	if err := json.Unmarshal(raw, to); err != nil || isList(raw) && len(list) != 1 {
		t.Errorf("%s is %.80q: %v", p, raw, err)
		return -1
	}
	if isList(raw) {
		return list[0].V
	}
	return one.V
}

// TestPartsUnderLoad reads random parts of many guilds from several goroutines
// while others change them, in a cache that has room for a few: guilds are loaded,
// loaded further, changed, evicted and loaded again, all at once. Every read has
// what it wants, and no part of it is older than an event that was applied before.
func TestPartsUnderLoad(t *testing.T) {
	const bound, guilds, rounds = 128 << 10, 200, 4000
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	world := make([]numbered, guilds)
	c := newTestCache(t, Options{
		Self: 900, Bytes: bound,
		Load: func(_ context.Context, guild uint64, p Part) (json.RawMessage, error) {
			return world[guild-1].answer(guild, p), nil
		},
		Guard: GuardOptions{Rate: 1e9, Burst: 1e9, Concurrency: 64, Waiting: 1000, BackoffMin: 1, BackoffMax: 1},
	})
	defer c.Close()
	var all sync.WaitGroup
	var got, missed atomic.Int64
	for i := range uint64(4) {
		all.Go(func() { // guilds i, i+4, ... are changed by this one alone
			rnd := rand.New(rand.NewPCG(seed, i))
			for range rounds {
				guild := 1 + i + 4*rnd.Uint64N(guilds/4)
				if rnd.IntN(2) == 0 {
					world[guild-1].change(c, guild, Part(rnd.IntN(int(parts))))
				}
				guild = 1 + rnd.Uint64N(guilds)
				g, want := &world[guild-1], anyParts(rnd)
				var least [parts]int64
				for p := range parts {
					least[p] = g.applied[p].Load()
				}
				s, err := c.Guild(t.Context(), guild, want, Read)
				if err != nil {
					missed.Add(1)
					continue
				}
				got.Add(1)
				if !s.Has(want) {
					t.Errorf("guild %d has %s, wanted %s", guild, s.Parts(), want)
				}
				for p := range parts {
					if s.Has(PartsOf(p)) && number(t, s, p) < least[p] {
						t.Errorf("guild %d: %s is older than %d", guild, p, least[p])
					}
				}
				if b := c.books.bytes.Load(); b > bound*105/100 {
					t.Errorf("%d bytes of %d", b, bound)
				}
			}
		})
	}
	all.Wait()
	atRest(t, c)
	st := c.Status()
	if got.Load() < 10*missed.Load() || st.Evicted == 0 || st.Hits == 0 || st.Applied == 0 {
		t.Errorf("%d reads, %d without a guild: %+v", got.Load(), missed.Load(), st)
	}
	t.Logf("%d reads, %d without a guild: %+v", got.Load(), missed.Load(), st)
}

// TestOthersEventsDoNotFillALoad: what a load remembers is bounded, and a raid
// that is cleaned up brings more than that.
func TestOthersEventsDoNotFillALoad(t *testing.T) {
	for name, people := range map[string]People{"nobody is kept": 0, "voice states": VoiceStates, "everything": everything} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newFake(1, 7)
				c := newTestCache(t, Options{Self: 900, People: people, Load: func(ctx context.Context, guild uint64, p Part) (json.RawMessage, error) {
					time.Sleep(time.Second)
					return d.load(ctx, guild, p)
				}})
				defer c.Close()
				var all sync.WaitGroup
				all.Go(func() {
					if _, err := c.Guild(t.Context(), 7, AllParts, Read); err != nil {
						t.Error(err)
					}
				})
				time.Sleep(time.Second / 2)
				for n := range maxMeantime + 1 {
					c.Apply("GUILD_MEMBER_UPDATE", 7, fmt.Appendf(nil, `{"guild_id":"7","user":{"id":"%d"},"roles":[]}`, 100_000+n))
					c.Apply("GUILD_MEMBER_REMOVE", 7, fmt.Appendf(nil, `{"guild_id":"7","user":{"id":"%d"}}`, 100_000+n))
				}
				all.Wait()
			})
		})
	}
}
