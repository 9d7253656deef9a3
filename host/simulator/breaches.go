package simulator

import (
	"maps"
	"slices"
	"sync"
	"time"
)

// Rule names a rule of Discord that a client can break.
type Rule string

// The rules. What Discord refuses is refused as Discord refuses it, and counted here.
const (
	RuleIdentifyEarly   Rule = "identify too early for its key"           // op 9 false
	RuleIdentifyAfter9  Rule = "identify too soon after op 9"             // op 9 false
	RuleIdentifyBudget  Rule = "session starts exhausted"                 // 4004, token reset
	RuleIdentifyTwice   Rule = "second identify"                          // 4005
	RuleToken           Rule = "wrong token"                              // 4004
	RuleShard           Rule = "bad shard"                                // 4010
	RuleSharding        Rule = "sharding required"                        // 4011
	RuleVersion         Rule = "bad API version"                          // 4012
	RuleIntents         Rule = "bad intents"                              // 4013
	RuleDisallowed      Rule = "disallowed intents"                       // 4014
	RuleOversize        Rule = "payload over 4096 bytes"                  // 4002
	RulePayloadRate     Rule = "over 120 payloads in 60 s"                // 4008
	RuleOpcode          Rule = "bad opcode"                               // 4001
	RuleMalformed       Rule = "malformed payload"                        // 4002
	RuleUnauthenticated Rule = "payload before identify"                  // 4003
	RuleSeq             Rule = "seq above what was sent"                  // 4007 or 4002
	RuleHeartbeatLate   Rule = "heartbeat late"                           // 4009
	RuleHeartbeatOften  Rule = "heartbeats too frequent"                  // counted only
	RuleResumeURL       Rule = "resume not at resume_gateway_url"         // counted only
	RuleCompress        Rule = "bad compression"                          // 4002
	RuleMembersIntent   Rule = "member list without its intent"           // ignored
	RuleMembersLimit    Rule = "member request over its limits"           // cut down
	RuleUserAgent       Rule = "bad User-Agent"                           // 403
	RuleUnauthorized    Rule = "wrong Authorization"                      // 401
	RuleGlobalLimit     Rule = "global limit exceeded"                    // 429
	RuleIgnored429      Rule = "request before retry_after"               // 429
	RuleInvalidRequests Rule = "too many invalid requests"                // ban
	RuleBody            Rule = "body not JSON"                            // 50109
	RuleForm            Rule = "invalid form body"                        // 50035
	RuleEmptyMessage    Rule = "empty message"                            // 50006
	RuleTooLarge        Rule = "body too large"                           // 40005
	RuleAnsweredTwice   Rule = "interaction answered twice"               // 40060
	RuleAnsweredLate    Rule = "interaction answered after 3 s"           // 10062
	RuleInteraction     Rule = "unknown interaction"                      // 10062
	RuleFollowUp        Rule = "interaction token used after 15 min"      // 50027
	RuleUnacknowledged  Rule = "follow-up before the answer"              // 10015
	RuleWrongAnswer     Rule = "answer of a kind the interaction forbids" // 50035
	RuleCommandLimit    Rule = "too many commands"                        // 30032
	RuleCommandCreates  Rule = "200 command creates a day"                // 30034
	RuleForeignAuthor   Rule = "edit of another author's message"         // 50005
)

// Breach is one rule broken by a client.
type Breach struct {
	Rule   Rule
	Detail string
	Time   time.Time
	Shard  int // -1: REST, or a connection without a shard
}

// breachLog is how many breaches are kept in full; all of them are counted.
const breachLog = 1000

type breaches struct {
	mu    sync.Mutex
	list  []Breach
	count map[Rule]int
}

// breach records a broken rule.
func (s *Server) breach(rule Rule, shard int, detail string) {
	s.log.Warn("breach", "rule", string(rule), "shard", shard, "detail", detail)
	b := &s.breaches
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.count == nil {
		b.count = make(map[Rule]int)
	}
	b.count[rule]++
	if len(b.list) < breachLog {
		b.list = append(b.list, Breach{Rule: rule, Detail: detail, Time: time.Now(), Shard: shard})
	}
}

// Breaches lists the rules that clients broke, in order, the first 1000 of them. A test of a correct client
// demands that there are none.
func (s *Server) Breaches() []Breach {
	s.breaches.mu.Lock()
	defer s.breaches.mu.Unlock()
	return slices.Clone(s.breaches.list)
}

// BreachCounts counts all breaches by rule.
func (s *Server) BreachCounts() map[Rule]int {
	s.breaches.mu.Lock()
	defer s.breaches.mu.Unlock()
	return maps.Clone(s.breaches.count)
}
