package cache

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
)

// maxMemberMeantime bounds the events of one member while it is being asked for.
const maxMemberMeantime = 64

var errLeft = errors.New("the member has left")

// afterwards is an answer with what came in the meantime on top. Who joined is
// told whole, so that holds against any answer: a 404 may be of before.
func afterwards(m json.RawMessage, err error, meantime []event) (json.RawMessage, error) {
	if err != nil {
		m = nil
	}
	for _, e := range meantime {
		if m != nil || e.name == "GUILD_MEMBER_ADD" {
			m = memberAfter(m, e)
		}
	}
	switch {
	case m != nil:
		return m, nil
	case err == nil:
		err = &LoadError{Status: http.StatusNotFound, Err: errLeft}
	}
	return nil, err
}

// memberAfter is a member after an event of its own, or of a role; nil: it has left.
func memberAfter(m json.RawMessage, e event) json.RawMessage {
	switch e.name {
	case "GUILD_MEMBER_ADD":
		return strip(e.data, "guild_id")
	case "GUILD_MEMBER_REMOVE":
		return nil
	case "GUILD_MEMBER_UPDATE":
		return merge(m, e.data, "guild_id")
	case "GUILD_ROLE_DELETE":
		if rest := withoutRole(m, snowflake(field(e.data, "role_id"))); rest != nil {
			return rest
		}
	}
	return m
}

// ofMembers reports whether events of this name may change a member that is
// being asked for.
func ofMembers(name string) bool {
	switch name {
	case "GUILD_MEMBER_ADD", "GUILD_MEMBER_UPDATE", "GUILD_MEMBER_REMOVE", membersChunk,
		"GUILD_ROLE_DELETE", "GUILD_CREATE", "GUILD_DELETE":
		return true
	}
	return false
}

// meanwhile notes an event for the members that are being asked for. It reads
// nothing of a guild that nobody asks, and of no whole guild: a start brings
// thousands.
func (c *Cache) meanwhile(guild uint64, ev event) {
	sh := c.shard(guild)
	if ev.name == membersChunk {
		c.meanwhileMany(sh, guild, ev.data)
		return
	}
	sh.mu.Lock()
	defer sh.mu.Unlock()
	asked := sh.asks[guild]
	if len(asked) == 0 {
		return
	}
	if ofAvailability(ev.name) {
		c.partAll(sh, guild)
		return
	}
	if !json.Valid(ev.data) {
		return
	}
	switch ev.name {
	case "GUILD_MEMBER_ADD", "GUILD_MEMBER_UPDATE", "GUILD_MEMBER_REMOVE":
		c.note(sh, asked[idOf(field(ev.data, "user"))], ev)
	default:
		for _, of := range asked {
			c.note(sh, of, ev)
		}
	}
}

// meanwhileMany is meanwhile for the members of a chunk, of which there may be a
// thousand: they are looked through while others have the lock. Who begins to ask
// meanwhile asks after them.
func (c *Cache) meanwhileMany(sh *shard, guild uint64, chunk []byte) {
	sh.mu.Lock()
	told := make(map[uint64]json.RawMessage, len(sh.asks[guild]))
	for user := range sh.asks[guild] {
		told[user] = nil
	}
	sh.mu.Unlock()
	if len(told) == 0 {
		return
	}
	elements(field(chunk, "members"), func(m []byte) bool {
		user := idOf(field(m, "user"))
		if _, asked := told[user]; asked && json.Valid(m) {
			told[user] = bytes.Clone(m)
		}
		return true
	})
	sh.mu.Lock()
	defer sh.mu.Unlock()
	for user, m := range told {
		if m != nil {
			c.note(sh, sh.asks[guild][user], event{"GUILD_MEMBER_ADD", m})
		}
	}
}

// note has those who ask for a member remember an event.
func (c *Cache) note(sh *shard, of []*asking, ev event) {
	for _, a := range slices.Backward(of) { // part takes it out
		if len(a.meantime) < maxMemberMeantime {
			a.meantime = append(a.meantime, ev)
		} else {
			c.part(sh, a)
		}
	}
}
