package simulator

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"
)

// message is what was said. What came as JSON (embeds, components, …) is kept as JSON.
type message struct {
	id, channel, author uint64
	content             string
	edited              time.Time
	kind                int
	flags               int
	tts, pinned         bool
	mentions            []uint64
	mentionRoles        []uint64
	everyone            bool
	embeds              json.RawMessage
	components          json.RawMessage
	attachments         json.RawMessage
	poll                json.RawMessage
	nonce               json.RawMessage
	reference           *reference
	reactions           []reaction
	cause               *Interaction // the interaction that this message answers
	webhook             bool         // sent with an interaction's token
}

type reference struct{ message, channel, guild uint64 }

type reaction struct {
	emoji string // name, or name:id
	users []uint64
}

// Flags of messages.
const (
	flagEphemeral    = 1 << 6
	flagLoading      = 1 << 7
	flagComponentsV2 = 1 << 15
)

// mentionsIn finds <@id> and <@&id> in a text.
func (m *message) findMentions() {
	if !strings.Contains(m.content, "<@") && !strings.Contains(m.content, "@everyone") {
		return
	}
	m.everyone = strings.Contains(m.content, "@everyone") || strings.Contains(m.content, "@here")
	rest := m.content
	for {
		_, after, ok := strings.Cut(rest, "<@")
		if !ok {
			return
		}
		rest = after
		text, _, ok := strings.Cut(after, ">")
		if !ok {
			return
		}
		list := &m.mentions
		if strings.HasPrefix(text, "&") {
			list = &m.mentionRoles
		}
		if id, ok := parseID(strings.TrimLeft(text, "!&")); ok && !slices.Contains(*list, id) {
			*list = append(*list, id)
		}
	}
}

// open tells whether a session without MESSAGE_CONTENT sees the content all the same: direct messages, the
// bot's own, and those that mention it.
func (m *message) open(s *Server, g *guildState) bool {
	return g.id == 0 || m.author == s.world.bot || slices.Contains(m.mentions, s.world.bot)
}

// message writes the members of a message object; bare leaves out what MESSAGE_CONTENT guards.
func (o *jsonOut) message(s *Server, g *guildState, m *message, bare bool) {
	o.id("id", m.id)
	o.id("channel_id", m.channel)
	o.key("author")
	o.open('{')
	o.user(s, m.author)
	o.shut('}')
	if bare {
		o.raw(`"content":"","embeds":[],"components":[],"attachments":[]`)
	} else {
		o.str("content", m.content)
		o.orJSON("embeds", m.embeds, "[]")
		o.orJSON("components", m.components, "[]")
		o.orJSON("attachments", m.attachments, "[]")
		if len(m.poll) > 0 {
			o.json("poll", m.poll)
		}
	}
	o.num("type", int64(m.kind))
	o.time("timestamp", createdAt(m.id))
	o.time("edited_timestamp", m.edited)
	o.num("flags", int64(m.flags))
	o.yes("tts", m.tts)
	o.yes("pinned", m.pinned)
	o.yes("mention_everyone", m.everyone)
	o.ids("mention_roles", m.mentionRoles)
	o.mentioned(s, g, m)
	if len(m.nonce) > 0 {
		o.json("nonce", m.nonce)
	}
	if m.webhook {
		o.id("application_id", s.world.bot)
		o.id("webhook_id", s.world.bot)
	}
	o.origin(s, g, m, bare)
}

func (o *jsonOut) mentioned(s *Server, g *guildState, m *message) {
	o.key("mentions")
	o.open('[')
	for _, user := range m.mentions {
		o.open('{')
		o.user(s, user)
		if g.id != 0 && !o.rest {
			o.key("member")
			o.open('{')
			o.member(g.someone(user))
			o.shut('}')
		}
		o.shut('}')
	}
	o.shut(']')
}

// origin writes what a message answers: another message or an interaction.
func (o *jsonOut) origin(s *Server, g *guildState, m *message, bare bool) {
	if r := m.reference; r != nil {
		o.key("message_reference")
		o.open('{')
		o.raw(`"type":0`)
		o.id("message_id", r.message)
		o.id("channel_id", r.channel)
		if r.guild != 0 {
			o.id("guild_id", r.guild)
		}
		o.shut('}')
		if to := g.room(r.channel).find(r.message); to != nil && to.reference == nil {
			o.key("referenced_message")
			o.open('{')
			o.message(s, g, to, bare && !to.open(s, g))
			o.shut('}')
		} else {
			o.raw(`"referenced_message":null`)
		}
	}
	if i := m.cause; i != nil {
		o.key("interaction_metadata")
		o.open('{')
		o.id("id", i.ID)
		o.num("type", int64(i.Kind))
		o.userObject(s, "user", i.User)
		o.raw(`"authorizing_integration_owners":{}`)
		if i.message != nil {
			o.id("interacted_message_id", i.message.id)
		}
		o.shut('}')
	}
	if len(m.reactions) > 0 {
		o.reactions(s, m.reactions)
	}
}

func (o *jsonOut) reactions(s *Server, list []reaction) {
	o.key("reactions")
	o.open('[')
	for _, r := range list {
		n := strconv.Itoa(len(r.users))
		o.open('{')
		o.emoji(r.emoji)
		o.raw(`"count":` + n + `,"count_details":{"burst":0,"normal":` + n + `},"burst_colors":[],"burst_count":0,"me_burst":false`)
		o.yes("me", slices.Contains(r.users, s.world.bot))
		o.shut('}')
	}
	o.shut(']')
}

// emoji writes an emoji given as "👍" or "name:id".
func (o *jsonOut) emoji(e string) {
	o.key("emoji")
	o.open('{')
	name, id, _ := strings.Cut(strings.TrimPrefix(e, "a:"), ":")
	o.str("name", name)
	n, _ := parseID(id)
	o.id("id", n)
	o.shut('}')
}

// messageEvent writes a message as dispatches carry it: with its guild and the author's member.
func (o *jsonOut) messageEvent(s *Server, g *guildState, m *message, bare bool) {
	o.open('{')
	o.message(s, g, m, bare)
	if g.id == 0 {
		o.raw(`"channel_type":1`)
	} else {
		o.num("channel_type", int64(g.kindOf(m.channel)))
		o.id("guild_id", g.id)
		if m.author != s.world.bot || !m.webhook {
			o.key("member")
			o.open('{')
			o.member(g.someone(m.author))
			o.shut('}')
		}
	}
	o.shut('}')
}

// kindOf gives a channel's type without building the content of a guild that nobody has changed.
func (g *guildState) kindOf(channel uint64) int {
	if g.kept != nil {
		if c := g.kept.find(channel); c != nil {
			return c.kind
		}
		return kindText
	}
	n := channel - g.id
	switch {
	case n >= threadBase && n < threadBase+1<<16:
		return kindThread
	case n == channelBase:
		return kindCategory
	case n == channelBase+uint64(g.plan.text)+1:
		return kindVoice
	}
	return kindText
}

// has tells whether a channel exists, likewise without building anything.
func (g *guildState) has(channel uint64) bool {
	if g.id == 0 {
		_, ok := g.rooms[channel]
		return ok
	}
	if g.kept != nil {
		return g.kept.find(channel) != nil
	}
	n := channel - g.id
	return n >= channelBase && n < channelBase+uint64(g.plan.text)+2 || n >= threadBase && n < threadBase+uint64(g.plan.threads)
}
