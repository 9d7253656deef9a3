package simulator

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"time"
)

// Many guilds and shards under seeded faults: a correct client hears every message once and in order.
func TestChaos(t *testing.T) {
	const shards, guilds = 2, 10
	n := 4000
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	s := start(t, Config{Seed: seed, World: World{Guilds: guilds}, IdentifyInterval: time.Nanosecond, Shards: shards, Outgoing: 64, VaryKeys: true})
	list := s.Guilds()
	var wg sync.WaitGroup
	for shard := range shards {
		want := make(map[uint64]int)
		left := 0
		for i := range n {
			if g := list[i%guilds].ID; shardOf(g, shards) == shard {
				want[g] = -1
				left++
			}
		}
		c := dial(t, s.GatewayURL(), [...]string{"zlib-stream", "zstd-stream"}[shard])
		c.identify(s, shard, shards, intentMessages|intentContent)
		wg.Go(func() { listen(t, s, c, want, left, shard) })
	}
	err := s.Run(t.Context(), Rate{Count: n}, func(i int) bool {
		g := list[i%guilds]
		s.Say(g.ID, g.Channels[i%len(g.Channels)], g.Members[i%len(g.Members)], strconv.Itoa(i))
		switch shard := rnd.IntN(shards); rnd.IntN(200) {
		case 0:
			s.Drop(shard)
		case 1:
			s.Reset(shard)
		case 2:
			s.Reconnect(shard)
		case 3:
			s.CloseCode(shard, 4000)
		case 4:
			s.Invalidate(shard, true)
		}
		return true
	})
	if err != nil {
		t.Error(err)
	}
	wg.Wait()
	wantBreaches(t, s, nil)
	if c := s.Counts(); c.Identifies != shards || c.Shards[0].Unseen+c.Shards[1].Unseen != 0 {
		t.Errorf("counts %+v", c)
	}
}

// listen is a client that resumes after every end of its connection.
func listen(t *testing.T, s *Server, c *client, want map[uint64]int, left, shard int) {
	compress := [...]string{"zlib-stream", "zstd-stream"}[shard]
	for left > 0 {
		p, err := c.read()
		switch {
		case err != nil, p.Op == 7, p.Op == 9:
			_ = c.ws.Close()
			if c = again(t, s, c, compress); c == nil {
				return
			}
		case p.name() == "MESSAGE_CREATE":
			left--
			g := guildOf(p.name(), p.D)
			i, err := strconv.Atoi(contentOf(p))
			if err != nil || i <= want[g] || want[g] >= 0 && i != want[g]+10 {
				t.Errorf("guild %d: %d after %d: %v", g, i, want[g], err)
			}
			want[g] = i
		}
	}
}

// again resumes until HELLO comes: the connection may be hit before it.
func again(t *testing.T, s *Server, c *client, compress string) *client {
	n := dial(t, c.resume, compress)
	n.seq, n.session, n.resume = c.seq, c.session, c.resume
	if _, err := n.read(); err != nil {
		t.Errorf("no HELLO: %v", err)
		return nil
	}
	n.send(resumeText(s.Token(), c.session, c.seq))
	return n
}

func TestMass(t *testing.T) {
	s := start(t, Config{World: World{Guilds: 5, MembersPerGuild: 20}})
	var ids []uint64
	for _, g := range s.Guilds() {
		ids = append(ids, g.ID)
	}
	c := connect(t, s, intentMembers|intentModeration)
	if n := s.MassLeave(t.Context(), ids, 60, 0); n != 60 {
		t.Errorf("%d left, want 60", n)
	}
	if n := s.MassBan(t.Context(), ids, 1000, 0); n != 35 {
		t.Errorf("%d banned, want the 35 that are left beside the owners", n)
	}
	seen := make(map[string]int)
	for range 130 {
		p, err := c.read()
		if err != nil {
			t.Fatal(err)
		}
		seen[p.name()]++
	}
	if seen["GUILD_MEMBER_REMOVE"] != 95 || seen["GUILD_BAN_ADD"] != 35 {
		t.Errorf("seen %v", seen)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if n := s.MassLeave(ctx, ids, 10, 1); n != 0 {
		t.Errorf("%d left after the context's end", n)
	}
}

// A start with many guilds does not need memory for all of them at once.
func TestManyGuilds(t *testing.T) {
	s := start(t, Config{World: World{Guilds: 600, GuildBytes: func(int) int { return 25_000 }}, Outgoing: 16})
	c := connect(t, s, intentGuilds)
	eventually(t, "the writer waits for the client", func() bool {
		before := s.Sessions()[0].Awaiting
		time.Sleep(20 * time.Millisecond)
		return s.Sessions()[0].Awaiting == before
	})
	if n := s.Sessions()[0].Awaiting; n < 100 {
		t.Errorf("%d guilds are still to come, want a good part of 600", n)
	}
	last := s.Guilds()[599]
	s.RenameGuild(last.ID, "renamed")
	seen, update := 0, false
	for seen < 600 || !update {
		p, err := c.read()
		if err != nil {
			t.Fatal(err)
		}
		switch p.name() {
		case "GUILD_CREATE":
			seen++
		case "GUILD_UPDATE":
			update = true
		}
	}
	if seen != 600 {
		t.Errorf("%d GUILD_CREATE, want 600", seen)
	}
}

func TestConcurrentDrivers(t *testing.T) {
	s := start(t, Config{World: World{Guilds: 4}, Outgoing: 32})
	c := connect(t, s, intentMessages|intentContent)
	const each = 500
	var wg sync.WaitGroup
	for _, g := range s.Guilds() {
		wg.Go(func() {
			for i := range each {
				s.Say(g.ID, g.Channels[0], g.Members[0], fmt.Sprint(i))
			}
		})
	}
	next := make(map[uint64]int)
	for range 4 * each {
		p := c.until("MESSAGE_CREATE")
		g := guildOf(p.name(), p.D)
		if contentOf(p) != fmt.Sprint(next[g]) {
			t.Fatalf("guild %d: %s, want %d", g, contentOf(p), next[g])
		}
		next[g]++
	}
	wg.Wait()
}

func BenchmarkSay(b *testing.B) {
	for _, compress := range []string{"", "zlib-stream", "zstd-stream"} {
		b.Run("compress="+compress, func(b *testing.B) {
			s := start(b, oneGuild())
			c := dial(b, s.GatewayURL(), compress)
			c.identify(s, 0, 1, intentMessages|intentContent)
			g := s.Guilds()[0]
			done := make(chan struct{})
			go func() {
				defer close(done)
				for range b.N { // without decoding: what is measured is the simulator
					if _, _, err := c.ws.ReadMessage(); err != nil {
						b.Error(err)
						return
					}
				}
			}()
			b.ReportAllocs()
			b.ResetTimer()
			for i := range b.N {
				s.Say(g.ID, g.Channels[0], g.Members[0], "message number "+strconv.Itoa(i))
			}
			<-done
		})
	}
}
