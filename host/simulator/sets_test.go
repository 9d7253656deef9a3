package simulator

import (
	"bytes"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"
)

// sets connects every shard of two sets of a bot: one of one, and one of two.
func sets(t *testing.T, s *Server, intents, others uint64) [3]*client {
	t.Helper()
	var all [3]*client
	for i, at := range []place{{0, 1}, {0, 2}, {1, 2}} {
		all[i] = dial(t, s.GatewayURL(), "")
		if at.shards == 2 {
			intents = others
		}
		all[i].identify(s, at.shard, at.shards, intents)
	}
	return all
}

// An IDENTIFY of another set costs of the same account, and ends no session of the first.
func TestSetsShareTheAccount(t *testing.T) {
	s := start(t, Config{World: World{Guilds: 4}, IdentifyInterval: time.Hour, MaxConcurrency: 2, SessionStarts: 10})
	one := dial(t, s.GatewayURL(), "")
	one.identify(s, 0, 1, intentMessages|intentContent)
	two := dial(t, s.GatewayURL(), "")
	two.identify(s, 1, 2, intentMessages|intentContent)
	early := dial(t, s.GatewayURL(), "")
	early.until("op 10")
	early.send(identifyText(s.Token(), 0, 2, 0)) // the key of shard 0 of 1
	early.until("op 9")
	wantBreaches(t, s, map[Rule]int{RuleIdentifyEarly: 1})
	if left := s.Counts().SessionStarts; left != 7 {
		t.Errorf("%d session starts left, want 7", left)
	}
	g := s.Guilds()[0]
	s.Say(g.ID, g.Channels[0], g.Members[0], "still here")
	if got := contentOf(one.until("MESSAGE_CREATE")); got != "still here" {
		t.Errorf("the first set heard %q", got)
	}
}

// What op 9 refuses to a shard of one set it does not refuse to the other's.
func TestOp9OfAnotherSet(t *testing.T) {
	s := start(t, Config{IdentifyInterval: time.Nanosecond, InvalidWait: time.Hour})
	one := dial(t, s.GatewayURL(), "")
	one.identify(s, 0, 1, 0)
	s.Invalidate(0, false)
	one.until("op 9")
	two := dial(t, s.GatewayURL(), "")
	two.identify(s, 0, 2, 0)
	wantBreaches(t, s, nil)
	again := dial(t, s.GatewayURL(), "")
	again.until("op 10")
	again.send(identifyText(s.Token(), 0, 1, 0))
	again.until("op 9")
	wantBreaches(t, s, map[Rule]int{RuleIdentifyAfter9: 1})
}

// Two sets hear the same, with the keys in other orders, each in the order of each guild, with the content that
// its intents allow; and what is told of emissions is the same.
func TestSetsHearTheSame(t *testing.T) {
	const messages, guilds = 400, 4
	var mu sync.Mutex
	var told [][]byte
	s := start(t, Config{
		Seed: 5, World: World{Guilds: guilds}, IdentifyInterval: time.Nanosecond, VaryKeys: true, VaryData: true, Skew: 20 * time.Millisecond,
		Emitted: func(e Emission) {
			mu.Lock()
			defer mu.Unlock()
			if e.Name != "MESSAGE_CREATE" || e.Intents != intentMessages || e.Bare == nil {
				t.Errorf("told of %+v", e)
			}
			told = append(told, e.Data)
		},
	})
	clients := sets(t, s, intentMessages|intentContent, intentMessages)
	all := s.Guilds()
	for n := range messages {
		g := all[n%guilds]
		s.Say(g.ID, g.Channels[0], g.Members[0], strconv.Itoa(n))
	}
	heard := [2]map[string]json.RawMessage{{}, {}} // by set and message
	same := 0
	orders := [2]map[string][]string{{}, {}} // by set and guild
	read := func(set int, c *client) {
		p := c.until("MESSAGE_CREATE")
		id, guild := idsOf(t, p.D)
		heard[set][id] = p.D
		orders[set][guild] = append(orders[set][guild], id)
		if other, ok := heard[1-set][id]; ok && bytes.Equal(sortedBytes(other), sortedBytes(p.D)) {
			t.Errorf("the content makes no difference: %s", p.D)
		} else if ok && bytes.Equal(first(t, other), first(t, p.D)) {
			same++
		}
	}
	for n := range messages {
		read(0, clients[0])
		read(1, clients[1+shardOf(all[n%guilds].ID, 2)])
	}
	if !maps.EqualFunc(orders[0], orders[1], slices.Equal) {
		t.Error("the sets do not hear the same in the same order")
	}
	if same > messages/2 {
		t.Errorf("%d of %d begin with the same key in both sets", same, messages)
	}
	mu.Lock()
	defer mu.Unlock()
	for n, raw := range told {
		id, _ := idsOf(t, raw)
		if whole := decoded(t, heard[0][id]); !reflect.DeepEqual(whole, decoded(t, raw)) || whole["content"] != strconv.Itoa(n) {
			t.Errorf("told of %s, heard %s", raw, heard[0][id])
		}
		if bare := decoded(t, heard[1][id]); bare["content"] != "" {
			t.Errorf("without the intent: %v", bare["content"])
		}
	}
	wantBreaches(t, s, nil)
}

func decoded(t *testing.T, raw []byte) (m map[string]any) {
	t.Helper()
	if err := json.Unmarshal(raw, &m); err != nil {
		t.Fatalf("%v: %s", err, raw)
	}
	return m
}

func idsOf(t *testing.T, raw []byte) (id, guild string) {
	m := decoded(t, raw)
	id, _ = m["id"].(string)
	guild, _ = m["guild_id"].(string)
	return id, guild
}

// first is the first key of an object.
func first(t *testing.T, raw []byte) []byte {
	t.Helper()
	key, _, ok := bytes.Cut(raw, []byte(":"))
	if !ok {
		t.Fatalf("no object: %s", raw)
	}
	return key
}

func sortedBytes(raw []byte) []byte {
	out := slices.Clone(raw)
	slices.Sort(out)
	return out
}

// A mute shard of a set takes IDENTIFY, and no READY comes; the same shard of another set is ready.
func TestMute(t *testing.T) {
	s := start(t, Config{IdentifyInterval: time.Nanosecond, HeartbeatInterval: 20 * time.Millisecond})
	s.Mute(0, 2, true)
	mute := dial(t, s.GatewayURL(), "")
	mute.until("op 10")
	mute.send(identifyText(s.Token(), 0, 2, 0))
	dial(t, s.GatewayURL(), "").identify(s, 0, 1, 0)
	mute.send(`{"op":1,"d":null}`)
	if p, err := mute.read(); err != nil || p.Op != 11 {
		t.Errorf("%+v, %v", p, err)
	}
	if n := len(s.Sessions()); n != 1 || s.Counts().Identifies != 2 {
		t.Errorf("%d sessions, %d identifies", n, s.Counts().Identifies)
	}
	s.Mute(0, 2, false)
	dial(t, s.GatewayURL(), "").identify(s, 0, 2, 0)
	wantBreaches(t, s, nil)
}

// Faults can be aimed at one of the sets.
func TestAim(t *testing.T) {
	s := start(t, Config{IdentifyInterval: time.Nanosecond})
	clients := sets(t, s, 0, 0)
	s.Aim(2)
	if n := s.CloseCode(0, 4000); n != 1 {
		t.Errorf("%d hit", n)
	}
	if code := clients[1].closed(); code != 4000 {
		t.Errorf("close code %d", code)
	}
	s.Aim(0)
	if n := s.Reconnect(0); n != 1 { // of the one that is left
		t.Errorf("%d hit", n)
	}
	clients[0].until("op 7")
}

// A set with too few shards is refused; one with enough is not.
func TestGuildsPerShard(t *testing.T) {
	s := start(t, Config{World: World{Guilds: 10}, GuildsPerShard: 6, IdentifyInterval: time.Nanosecond})
	one := dial(t, s.GatewayURL(), "")
	one.until("op 10")
	one.send(identifyText(s.Token(), 0, 1, 0))
	if code := one.closed(); code != 4011 {
		t.Errorf("close code %d", code)
	}
	dial(t, s.GatewayURL(), "").identify(s, 0, 2, 0)
	wantBreaches(t, s, map[Rule]int{RuleSharding: 1})
}

// Guilds that come while a session begins are in its READY or come as events.
func TestInviteWhileSessionsBegin(t *testing.T) {
	s := start(t, Config{World: World{Guilds: 2}, IdentifyInterval: time.Nanosecond})
	var inviting sync.WaitGroup
	const joined = 200
	stop := make(chan struct{})
	inviting.Go(func() {
		for range joined {
			s.Invite()
		}
		close(stop)
	})
	var clients []*client
	for open := true; open && len(clients) < 40; {
		c := dial(t, s.GatewayURL(), "")
		c.identify(s, 0, 1, intentGuilds)
		clients = append(clients, c)
		select {
		case <-stop:
			open = false
		default:
		}
	}
	inviting.Wait()
	for n, c := range clients {
		seen := map[string]bool{}
		for len(seen) < joined+2 {
			id, _ := idsOf(t, c.until("GUILD_CREATE").D)
			if seen[id] {
				t.Errorf("client %d: guild %s twice", n, id)
			}
			seen[id] = true
		}
	}
}
