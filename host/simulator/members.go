package simulator

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

const (
	membersPerChunk = 1000
	membersPerQuery = 100
	maxNonce        = 32
	fullListEvery   = 30 * time.Second
)

// memberRequest is op 8.
type memberRequest struct {
	guild     uint64
	users     []uint64
	byUsers   bool
	query     string
	limit     int
	presences bool
	nonce     string
}

func parseMemberRequest(d json.RawMessage) (req memberRequest, ok bool) {
	var in struct {
		Guild     json.RawMessage `json:"guild_id"`
		Query     *string         `json:"query"`
		Limit     *int            `json:"limit"`
		Presences bool            `json:"presences"`
		Users     json.RawMessage `json:"user_ids"`
		Nonce     string          `json:"nonce"`
	}
	if json.Unmarshal(d, &in) != nil {
		return req, false
	}
	req = memberRequest{guild: snowflake(in.Guild), presences: in.Presences, nonce: in.Nonce}
	if len(in.Users) > 0 && string(in.Users) != "null" {
		var list []json.RawMessage
		if json.Unmarshal(in.Users, &list) != nil {
			list = []json.RawMessage{in.Users}
		}
		for _, raw := range list {
			id := snowflake(raw)
			if id == 0 {
				return req, false
			}
			req.users = append(req.users, id)
		}
		req.byUsers = true
		return req, req.guild != 0
	}
	if in.Query == nil || in.Limit == nil || *in.Limit < 0 {
		return req, false
	}
	req.query, req.limit = *in.Query, *in.Limit
	return req, req.guild != 0
}

// full tells whether the whole member list is asked for.
func (r *memberRequest) full() bool { return !r.byUsers && r.query == "" && r.limit == 0 }

// sendMembers answers op 8 with GUILD_MEMBERS_CHUNK, to this session only.
func (s *Server) sendMembers(ses *session, d json.RawMessage) bool {
	req, ok := parseMemberRequest(d)
	if !ok {
		return false
	}
	g := s.world.guild(req.guild)
	if g == nil || !ses.covers(req.guild) {
		return true // Discord does not answer for a guild of another shard
	}
	if !s.permitted(ses, &req) {
		return true
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	found, missing := g.choose(&req)
	count := max(1, (len(found)+membersPerChunk-1)/membersPerChunk)
	for i := range count {
		part := found[min(len(found), i*membersPerChunk):min(len(found), (i+1)*membersPerChunk)]
		o := s.scratch()
		o.chunk(s, &req, part, missing, i, count)
		if ses.push(g.id, "GUILD_MEMBERS_CHUNK", s.finish(o), &s.cfg) {
			s.sent(ses.shard, "GUILD_MEMBERS_CHUNK")
		}
	}
	return true
}

// permitted applies what Discord demands of op 8; a full list comes at most every 30 s for a guild.
func (s *Server) permitted(ses *session, req *memberRequest) bool {
	if !req.byUsers && req.query == "" && ses.intents&intentMembers == 0 {
		s.breach(RuleMembersIntent, ses.shard, "an empty query needs GUILD_MEMBERS")
		return false
	}
	if req.presences && ses.intents&intentPresences == 0 {
		s.breach(RuleMembersIntent, ses.shard, "presences need GUILD_PRESENCES")
		req.presences = false
	}
	if len(req.users) > membersPerQuery {
		s.breach(RuleMembersLimit, ses.shard, "more than 100 user_ids")
		req.users = req.users[:membersPerQuery]
	}
	if len(req.nonce) > maxNonce {
		s.breach(RuleMembersLimit, ses.shard, "nonce of more than 32 bytes")
		req.nonce = ""
	}
	if !req.full() {
		return true
	}
	now := time.Now()
	s.mu.Lock()
	last, again := s.fullLists[req.guild]
	wait := fullListEvery - now.Sub(last)
	if !again || wait <= 0 {
		s.fullLists[req.guild] = now
	}
	s.mu.Unlock()
	if !again || wait <= 0 {
		return true
	}
	o := s.scratch()
	o.open('{')
	o.raw(`"opcode":8`)
	o.raw(fmt.Sprintf(`"retry_after":%.3f`, wait.Seconds()))
	o.key("meta")
	o.open('{')
	o.id("guild_id", req.guild)
	if req.nonce != "" {
		o.str("nonce", req.nonce)
	}
	o.shut('}')
	o.shut('}')
	if ses.push(req.guild, "RATE_LIMITED", s.finish(o), &s.cfg) {
		s.sent(ses.shard, "RATE_LIMITED")
	}
	return false
}

// choose finds who is asked for; the caller holds the guild's lock.
func (g *guildState) choose(req *memberRequest) (found []*member, missing []uint64) {
	if req.byUsers {
		for _, id := range req.users {
			if m := g.member(id); m != nil {
				found = append(found, m)
			} else {
				missing = append(missing, id)
			}
		}
		return found, missing
	}
	if req.full() {
		return g.members(0, g.count), nil
	}
	limit := req.limit
	if limit == 0 || limit > membersPerQuery {
		limit = membersPerQuery
	}
	return g.search(req.query, limit), nil
}

// search finds members whose name begins with a prefix; the caller holds the guild's lock.
func (g *guildState) search(prefix string, limit int) []*member {
	var found []*member
	for _, m := range g.members(0, g.count) {
		name := userName(m.user)
		if m.user == g.bot {
			name = "holdfast"
		}
		if strings.HasPrefix(name, strings.ToLower(prefix)) || m.nick != "" && strings.HasPrefix(m.nick, prefix) {
			if found = append(found, m); len(found) == limit {
				return found
			}
		}
	}
	return found
}

func (o *jsonOut) chunk(s *Server, req *memberRequest, part []*member, missing []uint64, index, count int) {
	o.open('{')
	o.id("guild_id", req.guild)
	o.key("members")
	o.open('[')
	for _, m := range part {
		o.memberObject(s, m)
	}
	o.shut(']')
	o.num("chunk_index", int64(index))
	o.num("chunk_count", int64(count))
	o.ids("not_found", missing)
	if req.presences {
		o.raw(`"presences":[]`)
	}
	if req.nonce != "" {
		o.str("nonce", req.nonce)
	}
	o.shut('}')
}
