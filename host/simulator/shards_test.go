package simulator

import (
	"encoding/json"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Each shard sees its guilds only, and what has no guild goes to shard 0.
func TestShards(t *testing.T) {
	s := start(t, Config{Seed: 3, World: World{Guilds: 20}, IdentifyInterval: time.Nanosecond, Shards: 3})
	var c [3]*client
	for i := range c {
		c[i] = dial(t, s.GatewayURL(), "")
		c[i].identify(s, i, 3, intentGuilds|intentMessages|intentContent)
	}
	s.DirectMessage(1, "direct") // not asked for
	want := [3]int{}
	for i, g := range s.Guilds() {
		if got := s.Say(g.ID, g.Channels[0], g.Members[0], strconv.Itoa(i)); got == 0 {
			t.Fatal("not said")
		}
		want[(g.ID>>22)%3]++
	}
	for i := range c {
		guilds, messages := map[uint64]bool{}, 0
		for len(guilds) < want[i] || messages < want[i] {
			p, err := c[i].read()
			if err != nil {
				t.Fatal(err)
			}
			var d struct {
				ID    string
				Guild string `json:"guild_id"`
			}
			if err := json.Unmarshal(p.D, &d); err != nil {
				t.Fatal(err)
			}
			switch p.name() {
			case "GUILD_CREATE":
				id, _ := parseID(d.ID)
				if guilds[id] || shardOf(id, 3) != i {
					t.Errorf("shard %d: guild %d twice or not its own", i, id)
				}
				guilds[id] = true
			case "MESSAGE_CREATE":
				id, _ := parseID(d.Guild)
				if !guilds[id] {
					t.Errorf("shard %d: a message of guild %d before its GUILD_CREATE", i, id)
				}
				messages++
			}
		}
	}
	if want[0] == 0 || want[1] == 0 || want[2] == 0 {
		t.Errorf("guilds are not spread: %v", want)
	}
	s.Dispatch(2, "USER_UPDATE", json.RawMessage(`{"id":"2"}`))
	c[2].until("USER_UPDATE")
	wantBreaches(t, s, nil)
}

// Two sets of sessions with different shard counts stand side by side.
func TestTwoSets(t *testing.T) {
	s := start(t, Config{World: World{Guilds: 4}, IdentifyInterval: time.Nanosecond})
	one := dial(t, s.GatewayURL(), "")
	one.identify(s, 0, 1, intentMessages|intentContent)
	var two [2]*client
	for i := range two {
		two[i] = dial(t, s.GatewayURL(), "")
		two[i].identify(s, i, 2, intentMessages|intentContent)
	}
	for i, g := range s.Guilds() {
		s.Say(g.ID, g.Channels[0], g.Members[0], fmt.Sprint(i))
		if got := contentOf(one.until("MESSAGE_CREATE")); got != fmt.Sprint(i) {
			t.Errorf("one shard heard %q", got)
		}
		if got := contentOf(two[shardOf(g.ID, 2)].until("MESSAGE_CREATE")); got != fmt.Sprint(i) {
			t.Errorf("two shards heard %q", got)
		}
	}
	wantBreaches(t, s, nil)
}

// The same seed makes the same world, another one another.
func TestSeed(t *testing.T) {
	build := func(seed uint64) string {
		w := newWorld(seed, World{Guilds: 3, GuildBytes: Spread(seed, 4000, 200_000)}.filled())
		var o jsonOut
		for _, g := range w.order {
			o.guildCreate(&Server{world: w}, g, allIntents, 50)
		}
		if !json.Valid([]byte("[" + string(o.b) + "]")) {
			t.Fatalf("not JSON: %.300s", o.b)
		}
		return string(o.b)
	}
	if first := build(1); build(1) != first {
		t.Error("the same seed makes different worlds")
	}
	if build(1) == build(2) {
		t.Error("different seeds make the same world")
	}
}

func TestSpread(t *testing.T) {
	size := Spread(7, 2000, 2_000_000)
	small, large := 0, 0
	for i := range 10_000 {
		n := size(i)
		if n < 2000 || n > 2_000_000 {
			t.Fatalf("size %d", n)
		}
		if n < 20_000 {
			small++
		}
		if n > 500_000 {
			large++
		}
	}
	if small < 5000 || large == 0 {
		t.Errorf("%d small and %d large of 10,000", small, large)
	}
}

// Op 8, 4, 31 and 43 are answered to the session that asked.
func TestGatewayCommands(t *testing.T) {
	s := start(t, Config{World: World{Guilds: 1, MembersPerGuild: 2500}})
	g := s.Guilds()[0]
	c := connect(t, s, intentMembers|intentVoice)
	chunk := func() (n, index, count, missing int, nonce string) {
		p := c.until("GUILD_MEMBERS_CHUNK")
		var d struct {
			Members  []any
			Index    int      `json:"chunk_index"`
			Count    int      `json:"chunk_count"`
			NotFound []string `json:"not_found"`
			Nonce    string
		}
		if err := json.Unmarshal(p.D, &d); err != nil {
			t.Fatal(err)
		}
		return len(d.Members), d.Index, d.Count, len(d.NotFound), d.Nonce
	}
	c.send(fmt.Sprintf(`{"op":8,"d":{"guild_id":"%d","query":"","limit":0,"nonce":"n1"}}`, g.ID))
	for i, want := range []int{1000, 1000, 501} {
		if n, index, count, _, nonce := chunk(); n != want || index != i || count != 3 || nonce != "n1" {
			t.Errorf("chunk %d: %d members, index %d of %d, nonce %q", i, n, index, count, nonce)
		}
	}
	c.send(fmt.Sprintf(`{"op":8,"d":{"guild_id":"%d","query":"","limit":0,"nonce":"n2"}}`, g.ID))
	limited := c.until("RATE_LIMITED")
	var l struct {
		Opcode     int
		RetryAfter float64 `json:"retry_after"`
		Meta       struct {
			Guild string `json:"guild_id"`
			Nonce string
		}
	}
	if err := json.Unmarshal(limited.D, &l); err != nil || l.Opcode != 8 || l.RetryAfter <= 0 || l.RetryAfter > 30 || l.Meta.Nonce != "n2" {
		t.Errorf("RATE_LIMITED %s: %v", limited.D, err)
	}
	c.send(fmt.Sprintf(`{"op":8,"d":{"guild_id":"%d","user_ids":["%d","17"],"limit":0}}`, g.ID, g.Members[3]))
	if n, _, _, missing, _ := chunk(); n != 1 || missing != 1 {
		t.Errorf("by users: %d members, %d not found", n, missing)
	}
	c.send(fmt.Sprintf(`{"op":8,"d":{"guild_id":"%d","query":"a","limit":5}}`, g.ID))
	if n, _, _, _, _ := chunk(); n == 0 || n > 5 {
		t.Errorf("by prefix: %d members, want up to 5", n)
	}
	c.send(fmt.Sprintf(`{"op":4,"d":{"guild_id":"%d","channel_id":"%d","self_mute":true,"self_deaf":false}}`, g.ID, g.Voice[0]))
	c.until("VOICE_STATE_UPDATE")
	c.until("VOICE_SERVER_UPDATE")
	c.send(fmt.Sprintf(`{"op":31,"d":{"guild_ids":["%d"]}}`, g.ID))
	c.until("SOUNDBOARD_SOUNDS")
	c.send(fmt.Sprintf(`{"op":43,"d":{"guild_id":"%d","fields":["status"]}}`, g.ID))
	c.until("CHANNEL_INFO")
	wantBreaches(t, s, nil)
	want := map[int]uint64{opIdentify: 1, opVoice: 1, opMembers: 4, opSoundboard: 1, opChannelInfo: 1}
	if got := s.Counts().Payloads; !maps.Equal(got, want) {
		t.Errorf("payloads %v, want %v", got, want)
	}
}

// A presence is the session's, from IDENTIFY or from op 3.
func TestPresenceOfSessions(t *testing.T) {
	s := start(t, Config{})
	presence := func() string { return string(s.Sessions()[0].Presence) }
	c := dial(t, s.GatewayURL(), "")
	c.until("op 10")
	first := `{"since":null,"activities":[],"status":"idle","afk":false}`
	c.send(`{"op":2,"d":{"token":"` + s.Token() + `","intents":0,"properties":{"os":"x","browser":"x","device":"x"},"presence":` + first + `}}`)
	c.until("READY")
	if got := presence(); got != first {
		t.Errorf("presence after IDENTIFY %s", got)
	}
	second := strings.Replace(first, "idle", "dnd", 1)
	c.send(`{"op":3,"d":` + second + `}`)
	c.send(`{"op":31,"d":{"guild_ids":["` + fmt.Sprint(s.Guilds()[0].ID) + `"]}}`)
	c.until("SOUNDBOARD_SOUNDS")
	if got := presence(); got != second {
		t.Errorf("presence after op 3 %s", got)
	}
	wantBreaches(t, s, nil)
}

func TestMemberRequestBreaches(t *testing.T) {
	s := start(t, Config{World: World{Guilds: 1}})
	g := s.Guilds()[0]
	c := connect(t, s, 0)
	c.send(fmt.Sprintf(`{"op":8,"d":{"guild_id":"%d","query":"","limit":0}}`, g.ID))
	c.send(fmt.Sprintf(`{"op":8,"d":{"guild_id":"%d","query":"","limit":7}}`, g.ID))
	c.send(fmt.Sprintf(`{"op":8,"d":{"guild_id":"%d","query":"a","limit":1,"nonce":"%033d"}}`, g.ID, 1))
	c.until("GUILD_MEMBERS_CHUNK")
	wantBreaches(t, s, map[Rule]int{RuleMembersIntent: 2, RuleMembersLimit: 1})
}
