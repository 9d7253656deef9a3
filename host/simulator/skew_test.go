package simulator

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"
)

// With skew the sets tell guilds apart in other orders: not one clock for all.
func TestSkewMixesGuilds(t *testing.T) {
	const guilds, rounds = 6, 50
	s := start(t, Config{Seed: 9, World: World{Guilds: guilds}, IdentifyInterval: time.Nanosecond, Skew: 30 * time.Millisecond})
	clients := sets(t, s, intentMessages|intentContent, intentMessages|intentContent)
	two := dial(t, s.GatewayURL(), "")
	two.identify(s, 0, 1, intentMessages|intentContent)
	for n := range guilds * rounds {
		g := s.Guilds()[n%guilds]
		s.Say(g.ID, g.Channels[0], g.Members[0], strconv.Itoa(n))
	}
	var order [2][]string
	for range guilds * rounds {
		order[0] = append(order[0], contentOf(clients[0].until("MESSAGE_CREATE")))
		order[1] = append(order[1], contentOf(two.until("MESSAGE_CREATE")))
	}
	if slices.Equal(order[0], order[1]) {
		t.Error("both sessions hear all guilds in the same order")
	}
	for _, o := range order {
		if slices.Sort(o); len(slices.Compact(o)) != guilds*rounds {
			t.Error("something is missing or came twice")
		}
	}
}

// What is late still comes before the end of a session that is invalidated, and after a resume.
func TestSkewAndEnds(t *testing.T) {
	s := start(t, Config{World: World{Guilds: 1}, Skew: 50 * time.Millisecond})
	c := connect(t, s, intentMessages|intentContent)
	g := s.Guilds()[0]
	const each = 20
	say := func() {
		for n := range each {
			s.Say(g.ID, g.Channels[0], g.Members[0], strconv.Itoa(n))
		}
	}
	hear := func(c *client) {
		t.Helper()
		for n := range each {
			if got := contentOf(c.until("MESSAGE_CREATE")); got != strconv.Itoa(n) {
				t.Errorf("%d heard as %q", n, got)
			}
		}
	}
	say()
	s.Drop(0)
	c.closed()
	c = c.again(s, "")
	say()
	heard := 0
	for heard < 2*each {
		if got := contentOf(c.until("MESSAGE_CREATE")); got != strconv.Itoa(heard%each) {
			t.Fatalf("%d heard as %q", heard, got)
		}
		heard++
	}
	say()
	s.Invalidate(0, false)
	hear(c)
	c.until("op 9")
	wantBreaches(t, s, nil)
}

// Guilds are introduced over a time after READY, and nothing of them is told before.
func TestIntroduceWithin(t *testing.T) {
	s := start(t, Config{World: World{Guilds: 12}, IntroduceWithin: 200 * time.Millisecond})
	c := connect(t, s, intentGuilds|intentMessages|intentContent)
	guilds := s.Guilds()
	gone, down := guilds[0].ID, guilds[1].ID
	s.Remove(gone)
	s.Outage(down)
	said := 0
	say := func() {
		for _, g := range guilds[2:] {
			s.Say(g.ID, g.Channels[0], g.Members[0], "x")
			said++
		}
	}
	for s.Sessions()[0].Awaiting > 0 {
		say()
		time.Sleep(time.Millisecond)
	}
	say() // behind the last GUILD_CREATE
	s.Restore(down)
	s.Dispatch(0, "USER_UPDATE", json.RawMessage(`{}`))
	known, heard := map[string]bool{}, 0
	for {
		p, err := c.read()
		if err != nil {
			t.Fatal(err)
		}
		id, guild := idsOf(t, p.D)
		switch p.name() {
		case "GUILD_CREATE":
			if known[id] {
				t.Errorf("guild %s introduced twice", id)
			}
			known[id] = true
		case "GUILD_DELETE":
			if id == fmt.Sprint(gone) && known[id] {
				t.Error("introduced after it was gone")
			}
			delete(known, id)
		case "MESSAGE_CREATE":
			if heard++; !known[guild] {
				t.Errorf("a message of guild %s before its GUILD_CREATE", guild)
			}
		}
		if p.name() == "USER_UPDATE" {
			break
		}
	}
	if len(known) != 11 || heard == 0 || heard == said {
		t.Errorf("%d guilds known, %d of %d messages heard", len(known), heard, said)
	}
}
