package simulator

import (
	"encoding/json"
	"strconv"
	"time"
)

// Opcodes that clients send.
const (
	opHeartbeat   = 1
	opIdentify    = 2
	opPresence    = 3
	opVoice       = 4
	opResume      = 6
	opMembers     = 8
	opSoundboard  = 31
	opChannelInfo = 43
)

// parse reads a client's payload: its opcode and its data. ok is false when it is not one.
func parse(payload []byte) (op int, d json.RawMessage, ok bool) {
	m, ok := object(payload)
	if !ok {
		return 0, nil, false
	}
	if json.Unmarshal(m["op"], &op) != nil || string(m["op"]) == "null" {
		return 0, nil, false
	}
	return op, m["d"], true
}

// take looks at one payload of the client.
func (c *conn) take(payload []byte) {
	if !c.payloads.take(time.Now()) {
		c.fail(4008, RulePayloadRate, "more than 120 within a minute")
		return
	}
	op, d, ok := parse(payload)
	if !ok {
		c.fail(4002, RuleMalformed, "no JSON object with an integer op")
		return
	}
	c.s.counts.payload(op)
	switch op {
	case opHeartbeat:
		c.heartbeat(d)
	case opIdentify:
		c.identify(d)
	case opResume:
		c.resumeSession(d)
	case opPresence, opVoice, opMembers, opSoundboard, opChannelInfo:
		c.command(op, d)
	default:
		c.fail(4001, RuleOpcode, "op "+strconv.Itoa(op))
	}
}

// command takes what needs a session.
func (c *conn) command(op int, d json.RawMessage) {
	ses := c.ses.Load()
	if ses == nil {
		if at := c.released.Load(); at == 0 || time.Since(time.Unix(0, at)) > reconnectGrace {
			c.fail(4003, RuleUnauthenticated, "op "+strconv.Itoa(op))
		}
		return // else it was under way when the client had not read op 9 yet
	}
	var ok bool
	switch op {
	case opPresence:
		ok = ses.present(d)
	case opVoice:
		ok = c.s.moveVoice(ses, d)
	case opMembers:
		ok = c.s.sendMembers(ses, d)
	case opSoundboard:
		ok = c.s.sendSounds(ses, d)
	case opChannelInfo:
		ok = c.s.sendChannelInfo(ses, d)
	}
	if !ok {
		c.fail(4002, RuleMalformed, "data of op "+strconv.Itoa(op))
	}
}

// heartbeat reads a heartbeat: d is null or the number of the last event, never above what was sent.
func (c *conn) heartbeat(d json.RawMessage) {
	ses := c.ses.Load()
	if len(d) == 0 {
		c.fail(4002, RuleMalformed, "heartbeat without d")
		return
	}
	if string(d) != "null" {
		seq, err := strconv.ParseUint(string(d), 10, 64)
		switch {
		case err != nil:
			c.fail(4002, RuleMalformed, "heartbeat whose d is no number")
			return
		case ses != nil && !ses.beat(seq):
			c.fail(4002, RuleSeq, "heartbeat with "+string(d))
			return
		}
	}
	c.mu.Lock()
	calm := c.pulse.beat(time.Now())
	c.mu.Unlock()
	if ses != nil {
		c.s.tallyOf(ses.shard).heartbeats.Add(1)
	}
	if !calm {
		c.s.breach(RuleHeartbeatOften, c.shard(), "more than twice as many as the interval asks for")
	}
	if c.noACK.Load() {
		return
	}
	select {
	case c.notes <- note{payload: []byte(`{"t":null,"s":null,"op":11,"d":null}`)}:
	default: // 64 answers wait already: the client is not reading
	}
}

// validPresence checks op 3: since, activities, status and afk are all required.
func validPresence(d json.RawMessage) bool {
	var p struct {
		Since      *int64             `json:"since"`
		Activities *[]json.RawMessage `json:"activities"`
		Status     string             `json:"status"`
		AFK        *bool              `json:"afk"`
	}
	if json.Unmarshal(d, &p) != nil || p.Activities == nil || p.AFK == nil {
		return false
	}
	switch p.Status {
	case "online", "dnd", "idle", "invisible", "offline":
		return true
	}
	return false
}
