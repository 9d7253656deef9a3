package simulator

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// afterHello lets a client without a session do something wrong.
func TestGatewayRefuses(t *testing.T) {
	id := func(d string) string { return `{"op":2,"d":{` + d + `}}` }
	tests := []struct {
		name  string
		cfg   Config
		query string // instead of v=10&encoding=json
		ready bool   // identify first
		send  string // TOKEN stands for the token
		code  int
		rule  Rule
	}{
		{name: "not JSON", send: `{"op":`, code: 4002, rule: RuleMalformed},
		{name: "a list", send: `[1]`, code: 4002, rule: RuleMalformed},
		{name: "op is a string", send: `{"op":"1","d":null}`, code: 4002, rule: RuleMalformed},
		{name: "no op", send: `{"d":null}`, code: 4002, rule: RuleMalformed},
		{name: "unknown op", send: `{"op":99,"d":null}`, code: 4001, rule: RuleOpcode},
		{name: "an op that only Discord sends", send: `{"op":7,"d":null}`, code: 4001, rule: RuleOpcode},
		{name: "oversize", send: `{"op":1,"d":null,"x":"` + strings.Repeat("x", 4096) + `"}`, code: 4002, rule: RuleOversize},
		{name: "oversize by one", send: `{"op":1,"d":null,"x":"` + strings.Repeat("x", 4097-24) + `"}`, code: 4002, rule: RuleOversize},
		{name: "heartbeat without d", send: `{"op":1}`, code: 4002, rule: RuleMalformed},
		{name: "heartbeat with a string", send: `{"op":1,"d":"1"}`, code: 4002, rule: RuleMalformed},
		{name: "heartbeat with an object", send: `{"op":1,"d":{"d":1}}`, code: 4002, rule: RuleMalformed},
		{name: "heartbeat with a fraction", send: `{"op":1,"d":1.5}`, code: 4002, rule: RuleMalformed},
		{name: "heartbeat from the future", ready: true, send: `{"op":1,"d":1000}`, code: 4002, rule: RuleSeq},
		{name: "presence before identify", send: `{"op":3,"d":{}}`, code: 4003, rule: RuleUnauthenticated},
		{name: "members before identify", send: `{"op":8,"d":{}}`, code: 4003, rule: RuleUnauthenticated},
		{name: "wrong token", send: id(`"token":"no","intents":0,` + properties), code: 4004, rule: RuleToken},
		{name: "no token", send: id(`"intents":0,` + properties), code: 4002, rule: RuleMalformed},
		{name: "no properties", send: id(`"token":"TOKEN","intents":0`), code: 4002, rule: RuleMalformed},
		{name: "a property is missing", send: id(`"token":"TOKEN","intents":0,"properties":{"os":"linux"}`), code: 4002, rule: RuleMalformed},
		{name: "large_threshold", send: id(`"token":"TOKEN","intents":0,"large_threshold":10,` + properties), code: 4002, rule: RuleMalformed},
		{name: "second identify", ready: true, send: id(`"token":"TOKEN","intents":0,` + properties), code: 4005, rule: RuleIdentifyTwice},
		{name: "shard out of range", send: id(`"token":"TOKEN","intents":0,"shard":[2,2],` + properties), code: 4010, rule: RuleShard},
		{name: "shard of one number", send: id(`"token":"TOKEN","intents":0,"shard":[0],` + properties), code: 4010, rule: RuleShard},
		{name: "negative shard", send: id(`"token":"TOKEN","intents":0,"shard":[-1,2],` + properties), code: 4010, rule: RuleShard},
		{name: "sharding required", cfg: Config{World: World{Guilds: 2501}}, send: id(`"token":"TOKEN","intents":0,` + properties), code: 4011, rule: RuleSharding},
		{name: "unknown intent", send: id(`"token":"TOKEN","intents":262144,` + properties), code: 4013, rule: RuleIntents},
		{name: "intents are missing", send: id(`"token":"TOKEN",` + properties), code: 4013, rule: RuleIntents},
		{name: "negative intents", send: id(`"token":"TOKEN","intents":-1,` + properties), code: 4013, rule: RuleIntents},
		{name: "disallowed intent", cfg: Config{DisallowedIntents: intentContent}, send: id(`"token":"TOKEN","intents":32768,` + properties), code: 4014, rule: RuleDisallowed},
		{name: "version", query: "v=9&encoding=json", code: 4012, rule: RuleVersion},
		{name: "no version", query: "encoding=json", code: 4012, rule: RuleVersion},
		{name: "encoding", query: "v=10&encoding=etf", code: 4012, rule: RuleVersion},
		{name: "compression", query: "v=10&encoding=json&compress=gzip", code: 4002, rule: RuleCompress},
		{name: "presence without a status", ready: true, send: `{"op":3,"d":{"since":null,"activities":[],"afk":false}}`, code: 4002, rule: RuleMalformed},
		{name: "voice without flags", ready: true, send: `{"op":4,"d":{"guild_id":"1","channel_id":null}}`, code: 4002, rule: RuleMalformed},
		{name: "members without query and users", ready: true, send: `{"op":8,"d":{"guild_id":"1"}}`, code: 4002, rule: RuleMalformed},
		{name: "members of two guilds", ready: true, send: `{"op":8,"d":{"guild_id":["1","2"],"query":"","limit":0}}`, code: 4002, rule: RuleMalformed},
		{name: "sounds without guilds", ready: true, send: `{"op":31,"d":{}}`, code: 4002, rule: RuleMalformed},
		{name: "channel info without fields", ready: true, send: `{"op":43,"d":{"guild_id":"1"}}`, code: 4002, rule: RuleMalformed},
		{name: "resume that is malformed", send: `{"op":6,"d":{"token":"TOKEN"}}`, code: 4002, rule: RuleMalformed},
		{name: "resume with a wrong token", send: `{"op":6,"d":{"token":"no","session_id":"x","seq":1}}`, code: 4004, rule: RuleToken},
		{name: "resume on a connection with a session", ready: true, send: `{"op":6,"d":{"token":"TOKEN","session_id":"x","seq":1}}`, code: 4005, rule: RuleIdentifyTwice},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := start(t, tt.cfg)
			url := s.GatewayURL()
			if tt.query != "" {
				url += "/?" + tt.query
			}
			c := dial(t, url, "")
			if tt.ready {
				c.identify(s, 0, 1, 0)
			}
			if tt.send != "" {
				c.send(strings.ReplaceAll(tt.send, "TOKEN", s.Token()))
			}
			if code := c.closed(); code != tt.code {
				t.Errorf("close code %d, want %d", code, tt.code)
			}
			wantBreaches(t, s, map[Rule]int{tt.rule: 1})
		})
	}
}

// What is just within the rules is no breach.
func TestGatewayAccepts(t *testing.T) {
	s := start(t, Config{World: World{Guilds: 2500}, SessionStarts: 1})
	c := dial(t, s.GatewayURL(), "")
	c.until("op 10")
	c.send(`{"op":1,"d":null}`)
	c.until("op 11")
	c.send(identifyText(s.Token(), 0, 1, 0))
	c.until("READY")
	c.send(`{"op":1,"d":null,"x":"` + strings.Repeat("x", 4096-24) + `"}`)
	c.until("op 11")
	for range 117 { // with the three above 120 within the minute
		c.send(`{"op":3,"d":{"since":null,"activities":[],"status":"idle","afk":false}}`)
	}
	wantBreaches(t, s, nil)
	if n := s.Counts().SessionStarts; n != 0 {
		t.Errorf("%d session starts left, want 0", n)
	}
	c.send(`{"op":1,"d":1}`)
	if code := c.closed(); code != 4008 {
		t.Errorf("payload 121: close code %d, want 4008", code)
	}
	wantBreaches(t, s, map[Rule]int{RulePayloadRate: 1})
}

func TestIdentifyBudget(t *testing.T) {
	s := start(t, Config{SessionStarts: 1, MaxConcurrency: 4})
	dial(t, s.GatewayURL(), "").identify(s, 0, 2, 0)
	c := dial(t, s.GatewayURL(), "")
	c.until("op 10")
	c.send(identifyText(s.Token(), 1, 2, 0))
	if code := c.closed(); code != 4004 {
		t.Errorf("close code %d, want 4004", code)
	}
	wantBreaches(t, s, map[Rule]int{RuleIdentifyBudget: 1})
	if r := get(t, s, "/users/@me"); r.status != 401 {
		t.Errorf("REST answers %d after the token was reset, want 401", r.status)
	}
	if len(s.Sessions()) != 0 {
		t.Error("sessions outlive the token")
	}
}

func TestIdentifyTooEarly(t *testing.T) {
	s := start(t, Config{IdentifyInterval: time.Hour, InvalidWait: time.Hour, MaxConcurrency: 2})
	dial(t, s.GatewayURL(), "").identify(s, 0, 4, 0)
	dial(t, s.GatewayURL(), "").identify(s, 1, 4, 0) // another key
	wantBreaches(t, s, nil)
	c := dial(t, s.GatewayURL(), "")
	c.until("op 10")
	c.send(identifyText(s.Token(), 2, 4, 0))
	if p := c.until("op 9"); string(p.D) != "false" {
		t.Errorf("op 9 %s, want false", p.D)
	}
	wantBreaches(t, s, map[Rule]int{RuleIdentifyEarly: 1})
	if n := s.Counts().SessionStarts; n != 997 {
		t.Errorf("%d session starts left, want 997: an early one costs too", n)
	}
}

// The accounting of identifies, without a clock.
func TestStarts(t *testing.T) {
	t0 := time.Unix(1000, 0)
	at := func(s float64) time.Time { return t0.Add(time.Duration(s * float64(time.Second))) }
	st := newStarts(Config{MaxConcurrency: 2}.filled())
	steps := []struct {
		shard int
		at    float64
		want  Rule
	}{
		{0, 0, ""}, {1, 0, ""}, {2, 4.999, RuleIdentifyEarly}, {2, 5, ""}, {3, 5, ""}, {4, 9.9, RuleIdentifyEarly}, {4, 10, ""},
	}
	for i, step := range steps {
		if got := st.take(place{step.shard, 8}, at(step.at)); got != step.want {
			t.Errorf("step %d: %q, want %q", i, got, step.want)
		}
	}
	st.refuse(place{4, 8}, at(20))
	if got := st.take(place{4, 8}, at(20.9)); got != RuleIdentifyAfter9 {
		t.Errorf("0.9 s after op 9: %q", got)
	}
	if got := st.take(place{4, 8}, at(21)); got != "" {
		t.Errorf("1 s after op 9: %q", got)
	}
	st.remaining = 0
	if got := st.take(place{5, 8}, at(100)); got != RuleIdentifyBudget {
		t.Errorf("no start left: %q", got)
	}
}

func TestWindow(t *testing.T) {
	t0 := time.Unix(0, 0)
	w := newWindow(3, time.Second)
	for i, step := range []struct {
		ms   int
		want bool
	}{{0, true}, {10, true}, {20, true}, {30, false}, {999, false}, {1000, true}, {1005, false}, {1010, true}, {1500, true}, {1600, false}} {
		if got := w.take(t0.Add(time.Duration(step.ms) * time.Millisecond)); got != step.want {
			t.Errorf("step %d at %d ms: %t", i, step.ms, got)
		}
	}
	if wait := w.wait(t0.Add(1600 * time.Millisecond)); wait != 400*time.Millisecond {
		t.Errorf("wait %v, want 400ms", wait)
	}
}

func TestPulse(t *testing.T) {
	t0 := time.Unix(0, 0)
	p := pulse{interval: 10 * time.Second, grace: time.Second, began: t0, last: t0}
	if due := p.due(); due != t0.Add(13500*time.Millisecond) {
		t.Errorf("due at %v", due)
	}
	for i := range 100 {
		if !p.beat(t0.Add(time.Duration(i) * 10 * time.Second)) {
			t.Fatalf("beat %d of a calm client is too many", i)
		}
	}
	p = pulse{interval: 10 * time.Second, began: t0, last: t0}
	calm := 0
	for range 10 {
		if p.beat(t0.Add(time.Second)) {
			calm++
		}
	}
	if calm != 3 {
		t.Errorf("%d of 10 heartbeats in a second are allowed, want 3", calm)
	}
}

func TestHeartbeatLate(t *testing.T) {
	s := start(t, Config{HeartbeatInterval: 40 * time.Millisecond, HeartbeatGrace: time.Millisecond})
	c := connect(t, s, 0)
	if code := c.closed(); code != 4009 {
		t.Errorf("close code %d, want 4009", code)
	}
	wantBreaches(t, s, map[Rule]int{RuleHeartbeatLate: 1})
	if n := len(s.Sessions()); n != 0 {
		t.Errorf("%d sessions left, want none: 4009 ends it", n)
	}
}

func TestHeartbeats(t *testing.T) {
	s := start(t, Config{})
	c := connect(t, s, 0)
	for range 3 {
		c.send(fmt.Sprintf(`{"op":1,"d":%d}`, c.seq))
		c.until("op 11")
	}
	wantBreaches(t, s, nil)
	s.RequestHeartbeat(0)
	c.until("op 1")
	c.send(fmt.Sprintf(`{"op":1,"d":%d}`, c.seq))
	c.until("op 11")
	wantBreaches(t, s, nil)
	c.send(fmt.Sprintf(`{"op":1,"d":%d}`, c.seq))
	c.until("op 11")
	wantBreaches(t, s, map[Rule]int{RuleHeartbeatOften: 1})
	if n := s.Counts().Heartbeats; n != 5 {
		t.Errorf("%d heartbeats counted, want 5", n)
	}
	s.NoACK(0, true)
	c.send(fmt.Sprintf(`{"op":1,"d":%d}`, c.seq))
	eventually(t, "the heartbeat arrives", func() bool { return s.Counts().Heartbeats == 6 })
	s.NoACK(0, false)
	s.Typing(0, 1, 2)
	c.send(fmt.Sprintf(`{"op":1,"d":%d}`, c.seq))
	c.until("op 11") // exactly one: the next payload is the event
}

// What a client sent before it could read that its session is over breaks no rule;
// what it sends long after does.
func TestCommandsUnderWayAtOp9(t *testing.T) {
	for _, resumable := range []bool{true, false} {
		t.Run(fmt.Sprint(resumable), func(t *testing.T) {
			s := start(t, oneGuild())
			c := connect(t, s, intentMessages)
			conn := s.connsOf(0)[0]
			s.Invalidate(0, resumable)
			eventually(t, "the session is taken", func() bool { return conn.ses.Load() == nil })
			c.send(fmt.Sprintf(`{"op":8,"d":{"guild_id":"%d","query":"","limit":0}}`, s.Guilds()[0].ID))
			c.until("op 9")
			c.send(`{"op":1,"d":null}`)
			c.until("op 11")
			wantBreaches(t, s, nil)
			conn.released.Store(time.Now().Add(-2 * reconnectGrace).UnixNano())
			c.send(`{"op":8,"d":{}}`)
			if code := c.closed(); code != 4003 {
				t.Errorf("closed with %d, want 4003", code)
			}
			wantBreaches(t, s, map[Rule]int{RuleUnauthenticated: 1})
		})
	}
}
