package simulator

import (
	"slices"
	"strconv"
)

// Kinds of channels: Discord's channel types.
const (
	kindText     = 0
	kindDM       = 1
	kindVoice    = 2
	kindCategory = 4
	kindThread   = 11
)

type channel struct {
	id, guild, parent uint64
	kind              int
	name, topic       string
	position          int
	rate              int // seconds between two messages of a user
	nsfw              bool
	overwrites        []overwrite
	owner             uint64 // of a thread
	recipient         uint64 // of a direct message
	archived          bool
	botSince          uint64 // an id of the moment when the bot joined the thread; 0: it has not
	version           int64
}

type overwrite struct {
	id          uint64
	member      bool
	allow, deny uint64
}

func (o *jsonOut) overwrites(list []overwrite) {
	o.key("permission_overwrites")
	o.open('[')
	for _, w := range list {
		o.open('{')
		o.id("id", w.id)
		o.str("allow", strconv.FormatUint(w.allow, 10))
		o.str("deny", strconv.FormatUint(w.deny, 10))
		kind := int64(0)
		if w.member {
			kind = 1
		}
		o.num("type", kind)
		o.shut('}')
	}
	o.shut(']')
}

// channel writes the members of a channel object. Within GUILD_CREATE it has no guild_id but a version;
// everywhere else it is the other way round.
func (o *jsonOut) channel(c *channel, last uint64, inGuild bool) {
	o.id("id", c.id)
	o.num("type", int64(c.kind))
	o.str("name", c.name)
	o.raw(`"flags":0`)
	if !inGuild {
		o.id("guild_id", c.guild)
	}
	if c.kind == kindThread {
		o.thread(c, last)
		return
	}
	o.num("position", int64(c.position))
	o.overwrites(c.overwrites)
	if inGuild {
		o.num("version", c.version)
	}
	if c.kind == kindCategory {
		return
	}
	o.id("parent_id", c.parent)
	o.id("last_message_id", last)
	o.num("rate_limit_per_user", int64(c.rate))
	o.raw(`"icon_emoji":{"name":"💬","id":null}`)
	if !inGuild || c.nsfw {
		o.yes("nsfw", c.nsfw)
	}
	if c.kind == kindVoice {
		o.raw(`"bitrate":64000,"user_limit":0,"rtc_region":null`)
		return
	}
	o.orNull("topic", c.topic)
}

func (o *jsonOut) thread(c *channel, last uint64) {
	if c.guild != 0 {
		o.id("parent_id", c.parent)
	}
	o.id("owner_id", c.owner)
	o.id("last_message_id", last)
	o.raw(`"message_count":0,"total_message_sent":0`)
	o.num("member_count", c.people())
	o.num("rate_limit_per_user", int64(c.rate))
	o.key("thread_metadata")
	o.open('{')
	o.yes("archived", c.archived)
	o.raw(`"locked":false,"auto_archive_duration":4320`)
	o.time("archive_timestamp", createdAt(c.id))
	o.time("create_timestamp", createdAt(c.id))
	o.shut('}')
}

// people counts the members of a thread: its owner, and the bot if it has joined.
func (ch *channel) people() int64 {
	if ch.botSince != 0 {
		return 2
	}
	return 1
}

// threadMember writes the members of the bot's thread member object.
func (o *jsonOut) threadMember(s *Server, th *channel) {
	o.id("id", th.id)
	o.id("user_id", s.world.bot)
	o.threadMembership(th)
}

func (o *jsonOut) threadMembership(th *channel) {
	o.time("join_timestamp", createdAt(th.botSince))
	o.raw(`"flags":1`)
}

func (o *jsonOut) direct(s *Server, c *channel, last uint64) {
	o.id("id", c.id)
	o.raw(`"type":1,"flags":0`)
	o.id("last_message_id", last)
	o.key("recipients")
	o.open('[')
	o.open('{')
	o.user(s, c.recipient)
	o.shut('}')
	o.shut(']')
}

// room is what is being said in a channel: the last messages, newest at the end.
type room struct {
	last     uint64
	messages []*message
}

// roomSize is how many messages of a channel are kept for GET, PATCH, DELETE and reactions.
const roomSize = 100

func (g *guildState) room(channel uint64) *room {
	r := g.rooms[channel]
	if r == nil {
		if g.rooms == nil {
			g.rooms = make(map[uint64]*room)
		}
		r = &room{}
		g.rooms[channel] = r
	}
	return r
}

func (g *guildState) lastMessage(channel uint64) uint64 {
	if r := g.rooms[channel]; r != nil {
		return r.last
	}
	return 0
}

func (r *room) add(m *message) {
	r.last = m.id
	if len(r.messages) >= 2*roomSize {
		r.messages = append(r.messages[:0:0], r.messages[len(r.messages)-roomSize:]...)
	}
	r.messages = append(r.messages, m)
}

func (r *room) find(id uint64) *message {
	for _, m := range slices.Backward(r.messages) {
		if m.id == id {
			return m
		}
	}
	return nil
}

func (r *room) remove(id uint64) *message {
	for i, m := range r.messages {
		if m.id == id {
			r.messages = append(r.messages[:i], r.messages[i+1:]...)
			return m
		}
	}
	return nil
}
