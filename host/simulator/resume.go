package simulator

import (
	"encoding/json"
	"fmt"
	"time"
)

// parseResume reads op 6; ok is false when it is malformed.
func parseResume(d json.RawMessage) (token, id string, seq uint64, ok bool) {
	var in struct {
		Token   *string `json:"token"`
		Session *string `json:"session_id"`
		Seq     *uint64 `json:"seq"`
	}
	if json.Unmarshal(d, &in) != nil || in.Token == nil || in.Session == nil || in.Seq == nil {
		return "", "", 0, false
	}
	return *in.Token, *in.Session, *in.Seq, true
}

// resumeSession takes op 6: the events above seq follow in order, then RESUMED. A session that is gone, or of
// which more is given up than seq allows, is answered with op 9 false.
func (c *conn) resumeSession(d json.RawMessage) {
	if c.ses.Load() != nil {
		c.fail(4005, RuleIdentifyTwice, "resume on a connection that has a session")
		return
	}
	token, id, seq, ok := parseResume(d)
	switch {
	case !ok:
		c.fail(4002, RuleMalformed, "resume does not decode")
		return
	case !c.s.validToken(token):
		c.fail(4004, RuleToken, "resume")
		return
	}
	ses := c.s.session(id)
	if ses == nil || ses.expired(c.s.cfg.ReplayWindow, time.Now()) {
		if ses != nil {
			c.s.remove(ses)
		}
		c.s.resumesRefused.Add(1)
		c.refuse(c.s.placeOfLost(id))
		return
	}
	if !c.resume {
		c.s.breach(RuleResumeURL, ses.shard, "resumed at the gateway's URL")
	}
	old, last, kept := ses.attach(c, seq, &c.s.cfg)
	switch {
	case seq > last:
		c.s.remove(ses)
		c.fail(4007, RuleSeq, fmt.Sprintf("resume from %d, sent were %d", seq, last))
	case !kept:
		c.s.remove(ses)
		c.s.resumesRefused.Add(1)
		c.refuse(ses.place())
	default:
		if old != nil {
			old.abandon()
		}
		c.s.sent(ses.shard, "RESUMED")
		c.nudge()
		c.s.log.Info("resumed", "shard", ses.shard, "seq", seq, "sent", last)
	}
}

// attach gives the session a new connection that has everything up to seq. It changes nothing when seq is above
// what was sent or below what is kept.
func (ses *session) attach(c *conn, seq uint64, limits *Config) (old *conn, last uint64, kept bool) {
	ses.mu.Lock()
	defer ses.mu.Unlock()
	ses.ripen(limits)
	last = ses.top
	if seq > last || seq+1 < ses.first || ses.dead {
		return nil, last, false
	}
	old = ses.conn
	c.s.tallyOf(ses.shard).resumes.Add(1) // before the client can know of it
	ses.conn = c
	c.ses.Store(ses)
	ses.written = seq
	ses.resumes++
	ses.lost = time.Time{}
	ses.release()
	ses.append("RESUMED", []byte(`{"_trace":["[\"gateway-simulator\",{\"micros\":0}]"]}`), limits)
	return old, last, true
}

// abandon closes a connection whose session has gone to another: the client believes it dead already.
func (c *conn) abandon() {
	c.over.Store(true)
	c.ses.Store(nil)
	_ = c.link.Close()
}
