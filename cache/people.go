package cache

import (
	"bytes"
	"encoding/json"
	"maps"
	"math"
	"slices"
)

// People says what is kept of a guild's people beside the bot's own member.
type People uint8

// What may be kept. Events keep it true only if the sessions have the intent.
const (
	Members     People = 1 << iota // GUILD_MEMBERS
	VoiceStates                    // GUILD_VOICE_STATES
	Presences                      // GUILD_PRESENCES
)

// Person is what is known of a user in a guild; each is nil if it is not kept,
// or if nothing was heard of it. Nobody may write to it.
type Person struct {
	Member     json.RawMessage // the member object
	VoiceState json.RawMessage // without the member in it; nil also when not in a voice channel
	Presence   json.RawMessage // nil also when offline
}

// membersChunk is an event of up to a thousand members, some hundred KB.
const membersChunk = "GUILD_MEMBERS_CHUNK"

// person is one as it is held.
type person struct {
	Person
	used uint64 // when, by the people's clock
}

// people are those that are kept of one guild. The lock of the guild's shard
// guards them. Their JSON is replaced, never changed.
type people struct {
	guild  uint64
	kept   People
	keep   *keeps
	byUser map[uint64]*person
	bytes  int64  // that they hold
	clock  uint64 // counts uses
}

// personOverhead is what a person costs beside the JSON: itself and its place in
// the map.
const personOverhead = 128

// concerns reports whether events of this name may change what is kept of people.
func (k People) concerns(name string) bool {
	switch name {
	case "GUILD_CREATE":
		return k != 0
	case "GUILD_MEMBER_REMOVE":
		return k != 0
	case "GUILD_MEMBER_ADD", "GUILD_MEMBER_UPDATE", "GUILD_ROLE_DELETE":
		return k&Members != 0
	case membersChunk:
		return k&(Members|Presences) != 0
	case "VOICE_STATE_UPDATE":
		return k&VoiceStates != 0
	case "PRESENCE_UPDATE":
		return k&Presences != 0
	}
	return false
}

// newPeople are nobody; nil if none are kept.
func newPeople(guild uint64, kept People, keep *keeps) *people {
	if kept == 0 {
		return nil
	}
	return &people{guild: guild, kept: kept, keep: keep, byUser: make(map[uint64]*person)}
}

// size is what they hold in bytes.
func (p *people) size() int64 {
	if p == nil {
		return 0
	}
	return p.bytes
}

// apply changes the people as an event says, which is valid JSON. The bot's own
// member is a part of its guild and not one of them.
func (p *people) apply(e event, self uint64) {
	if p == nil || !p.kept.concerns(e.name) {
		return
	}
	switch e.name {
	case "GUILD_CREATE":
		p.created(e.data, self)
	case "GUILD_MEMBER_ADD":
		p.setMember(e.data, self)
	case "GUILD_MEMBER_UPDATE":
		p.updateMember(e.data, self)
	case "GUILD_MEMBER_REMOVE":
		p.remove(idOf(field(e.data, "user")))
	case membersChunk:
		p.joinAll(e.data, self)
	case "GUILD_ROLE_DELETE":
		p.roleDeleted(snowflake(field(e.data, "role_id")))
	case "VOICE_STATE_UPDATE":
		p.setVoiceState(e.data)
	case "PRESENCE_UPDATE":
		p.setPresence(e.data)
	}
}

// created begins anew: who is not in the event may have changed unheard.
func (p *people) created(d []byte, self uint64) {
	if idOf(d) != p.guild || isTrue(field(d, "unavailable")) {
		return
	}
	p.byUser, p.bytes = make(map[uint64]*person), 0
	p.joinAll(d, self)
	elements(field(d, "voice_states"), func(v []byte) bool {
		p.setVoiceState(v)
		return true
	})
}

// joinAll takes the members and presences of GUILD_CREATE or a chunk.
func (p *people) joinAll(d []byte, self uint64) {
	elements(field(d, "members"), func(m []byte) bool {
		p.setMember(m, self)
		return true
	})
	elements(field(d, "presences"), func(o []byte) bool {
		p.setPresence(o)
		return true
	})
}

func (p *people) setMember(m []byte, self uint64) {
	if user := idOf(field(m, "user")); user != self {
		p.set(user, Members, p.keep.ofMember(strip(m, "guild_id")))
	}
}

// updateMember lays an update over a member. One that was not known is as whole
// as an update is, if it says at least who it is and what roles it has.
func (p *people) updateMember(m []byte, self uint64) {
	user := idOf(field(m, "user"))
	if o := p.byUser[user]; o != nil && o.Member != nil {
		p.set(user, Members, p.keep.ofMember(merge(o.Member, m, "guild_id")))
	} else if isList(field(m, "roles")) {
		p.setMember(m, self)
	}
}

func (p *people) setVoiceState(v []byte) {
	user := snowflake(field(v, "user_id"))
	if snowflake(field(v, "channel_id")) == 0 { // null: left
		p.set(user, VoiceStates, nil)
		return
	}
	p.set(user, VoiceStates, p.keep.voiceState.of(strip(v, "guild_id", "member")))
}

func (p *people) setPresence(o []byte) {
	user := idOf(field(o, "user"))
	if status := field(o, "status"); status == nil || string(status) == `"offline"` {
		p.set(user, Presences, nil)
		return
	}
	p.set(user, Presences, p.keep.ofPresence(strip(o, "guild_id")))
}

func (p *people) roleDeleted(role uint64) {
	for user, o := range p.byUser {
		if rest := withoutRole(o.Member, role); rest != nil {
			used := o.used
			p.set(user, Members, rest)
			o.used = used
		}
	}
}

// withoutRole is a member without a role, nil if it does not have it.
func withoutRole(member []byte, role uint64) json.RawMessage {
	rest := without(field(member, "roles"), func(e []byte) bool { return role != 0 && snowflake(e) == role })
	if rest == nil {
		return nil
	}
	return with(member, "roles", rest)
}

// set replaces what is kept of a user; nil: nothing any more.
func (p *people) set(user uint64, what People, value []byte) {
	if user == 0 || p.kept&what == 0 {
		return
	}
	o := p.byUser[user]
	if o == nil {
		if value == nil {
			return
		}
		o = &person{}
		p.byUser[user] = o
		p.bytes += personOverhead
	}
	if cap(value)-len(value) > len(value)/6 {
		value = bytes.Clone(value) // lets go of what edits left
	}
	place := o.place(what)
	p.bytes += int64(cap(value) - cap(*place))
	*place = value
	p.use(o)
	if o.Member == nil && o.VoiceState == nil && o.Presence == nil {
		p.remove(user)
	}
}

func (o *person) place(what People) *json.RawMessage {
	switch what {
	case Members:
		return &o.Member
	case VoiceStates:
		return &o.VoiceState
	default:
		return &o.Presence
	}
}

func (p *people) use(o *person) {
	p.clock++
	o.used = p.clock
}

func (p *people) remove(user uint64) {
	o := p.byUser[user]
	if o == nil {
		return
	}
	p.bytes -= int64(cap(o.Member)+cap(o.VoiceState)+cap(o.Presence)) + personOverhead
	delete(p.byUser, user)
}

// get returns what is kept of a user.
func (p *people) get(user uint64) (Person, bool) {
	if p == nil {
		return Person{}, false
	}
	o := p.byUser[user]
	if o == nil {
		return Person{}, false
	}
	p.use(o)
	return o.Person, true
}

// voiceStates are those of the guild, in the order of the users.
func (p *people) voiceStates() (all []json.RawMessage) {
	if p == nil {
		return nil
	}
	for _, user := range slices.Sorted(maps.Keys(p.byUser)) {
		if v := p.byUser[user].VoiceState; v != nil {
			all = append(all, v)
		}
	}
	return all
}

// looked is of how many people the one that goes is chosen.
const looked = 8

// shed lets people go until they hold no more than this: of a few, who was used
// longest ago and is not in a voice channel, so that those lists stay whole.
func (p *people) shed(bytes int64) {
	for p != nil && p.bytes > bytes && len(p.byUser) > 0 {
		var least, of uint64
		seen := 0
		for user, o := range p.byUser { // in random order
			used := o.used
			if o.VoiceState != nil {
				used |= math.MaxInt64 + 1
			}
			if seen == 0 || used < of {
				least, of = user, used
			}
			if seen++; seen == looked {
				break
			}
		}
		p.remove(least)
	}
}
