package simulator

import (
	"encoding/json"
	"fmt"
	"time"
)

// identity is what IDENTIFY asks for.
type identity struct {
	token    string
	intents  uint64
	shard    int
	shards   int
	compress bool
	large    int
	presence json.RawMessage
}

const (
	defaultLarge = 50
	maxShards    = 1 << 20
)

// parseIdentify reads op 2. A code other than 0 says with what Discord closes the connection.
func parseIdentify(d json.RawMessage) (id identity, code int, rule Rule, detail string) {
	var in struct {
		Token      *string         `json:"token"`
		Intents    json.RawMessage `json:"intents"`
		Properties map[string]any  `json:"properties"`
		Shard      json.RawMessage `json:"shard"`
		Compress   bool            `json:"compress"`
		Large      *int            `json:"large_threshold"`
		Presence   json.RawMessage `json:"presence"`
	}
	switch {
	case json.Unmarshal(d, &in) != nil:
		return id, 4002, RuleMalformed, "identify does not decode"
	case in.Token == nil:
		return id, 4002, RuleMalformed, "identify without token"
	case in.Properties == nil:
		return id, 4002, RuleMalformed, "identify without properties"
	case in.Large != nil && (*in.Large < 50 || *in.Large > 250):
		return id, 4002, RuleMalformed, "large_threshold is not within 50 and 250"
	case len(in.Presence) > 0 && string(in.Presence) != "null" && !validPresence(in.Presence):
		return id, 4002, RuleMalformed, "presence of identify"
	}
	for _, key := range [...]string{"os", "browser", "device"} {
		_, plain := in.Properties[key].(string)
		_, dollar := in.Properties["$"+key].(string)
		if !plain && !dollar {
			return id, 4002, RuleMalformed, "identify without property " + key
		}
	}
	id = identity{token: *in.Token, shards: 1, compress: in.Compress, large: defaultLarge}
	if string(in.Presence) != "null" {
		id.presence = in.Presence // a copy: Unmarshal made it
	}
	if in.Large != nil {
		id.large = *in.Large
	}
	if json.Unmarshal(in.Intents, &id.intents) != nil || id.intents&^knownIntents != 0 || string(in.Intents) == "null" {
		return id, 4013, RuleIntents, fmt.Sprintf("intents %.40s", in.Intents)
	}
	if len(in.Shard) == 0 || string(in.Shard) == "null" {
		return id, 0, "", ""
	}
	var pair []int
	if json.Unmarshal(in.Shard, &pair) != nil || len(pair) != 2 || pair[0] < 0 || pair[0] >= pair[1] || pair[1] > maxShards {
		return id, 4010, RuleShard, fmt.Sprintf("shard %.40s", in.Shard)
	}
	id.shard, id.shards = pair[0], pair[1]
	return id, 0, "", ""
}

// identify makes a session, or refuses as Discord does.
func (c *conn) identify(d json.RawMessage) {
	if c.ses.Load() != nil {
		c.fail(4005, RuleIdentifyTwice, "the connection has a session")
		return
	}
	id, code, rule, detail := parseIdentify(d)
	switch {
	case code != 0:
	case !c.s.validToken(id.token):
		code, rule, detail = 4004, RuleToken, "identify"
	case id.intents&c.s.cfg.DisallowedIntents != 0:
		code, rule = 4014, RuleDisallowed
		detail = fmt.Sprintf("intents %#x of %#x", id.intents&c.s.cfg.DisallowedIntents, id.intents)
	case len(c.s.world.ofShard(id.shard, id.shards)) > c.s.cfg.GuildsPerShard:
		code, rule, detail = 4011, RuleSharding, fmt.Sprintf("more than %d guilds on shard %d of %d", c.s.cfg.GuildsPerShard, id.shard, id.shards)
	}
	if code != 0 {
		c.fail(code, rule, detail)
		return
	}
	at := place{id.shard, id.shards}
	switch rule := c.s.start(at); rule {
	case "":
		if c.s.isMute(at) {
			c.s.tallyOf(id.shard).identifies.Add(1)
			return
		}
		c.welcome(id)
	case RuleIdentifyBudget:
		c.s.revoke()
		c.fail(4004, rule, "Discord resets the token")
	default:
		c.s.breach(rule, id.shard, fmt.Sprintf("shard %d of %d", id.shard, id.shards))
		c.refuse(at)
	}
}

// refuse sends op 9 false: wait, then identify.
func (c *conn) refuse(at place) {
	c.s.mu.Lock()
	c.s.starts.refuse(at, time.Now())
	c.s.mu.Unlock()
	c.send(note{payload: []byte(`{"t":null,"s":null,"op":9,"d":false}`), last: true})
	c.nudge()
}

// welcome makes the session: READY, then the guilds one by one as the client takes them.
func (c *conn) welcome(id identity) {
	s := c.s
	ses := s.newSession(id)
	ses.conn = c
	if id.compress {
		if _, plain := c.pack.(plainPacker); plain {
			c.perPayload.Store(true) // before the session is seen: READY is compressed already
		}
	}
	// Nobody may join a guild between the list in READY and the first event.
	s.world.mu.Lock()
	if id.intents&intentGuilds != 0 {
		ses.expect(s.world.sharded(id.shard, id.shards), s.cfg.IntroduceWithin)
	}
	guilds := len(ses.queue)
	ses.push(0, "READY", s.ready(ses), &s.cfg)
	s.addSession(ses)
	s.world.mu.Unlock()
	s.tallyOf(id.shard).identifies.Add(1)
	s.sent(id.shard, "READY")
	c.ses.Store(ses)
	c.nudge()
	s.log.Info("session", "shard", id.shard, "shards", id.shards, "guilds", guilds, "intents", id.intents)
}

// ready builds READY.
func (s *Server) ready(ses *session) []byte {
	var o jsonOut
	o.open('{')
	o.raw(`"v":10,"user_settings":{}`)
	o.key("user")
	o.open('{')
	o.bot(s.world.bot)
	o.raw(`"email":null,"flags":0,"mfa_enabled":true,"verified":true`)
	o.shut('}')
	o.str("session_type", "normal")
	o.str("session_id", ses.id)
	o.str("resume_gateway_url", s.resumeURL)
	o.key("shard")
	o.b = fmt.Appendf(o.b, "[%d,%d]", ses.shard, ses.shards)
	o.key("application")
	o.open('{')
	o.id("id", s.world.bot)
	o.num("flags", applicationFlags)
	o.shut('}')
	o.raw(`"relationships":[],"private_channels":[],"presences":[],"guild_join_requests":[],"game_relationships":[],"auth":{},` +
		`"geo_ordered_rtc_regions":["frankfurt","brussels"]`)
	o.key("guilds")
	o.open('[')
	for _, next := range ses.queue {
		o.open('{')
		o.raw(`"unavailable":true`)
		o.id("id", next.guild.id)
		o.shut('}')
	}
	o.shut(']')
	o.raw(`"_trace":["[\"gateway-simulator\",{\"micros\":0}]"]`)
	o.shut('}')
	return o.b
}

const applicationFlags = 11051008
