package simulator

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"time"
)

// messageRoutes are messages and reactions.
func messageRoutes() []route {
	return []route{
		{name: "GET " + pathChannel + "/messages", handle: getMessages, limit: perFive()},
		{name: "POST " + pathChannel + "/messages", handle: postMessage, limit: perFive()},
		{name: "POST " + pathChannel + "/messages/bulk-delete", handle: bulkDelete, limit: Limit{1, time.Second}},
		{name: "GET " + pathMessage, handle: getMessage, limit: perFive()},
		{name: "PATCH " + pathMessage, handle: patchMessage, limit: perFive()},
		{name: "DELETE " + pathMessage, handle: deleteMessage, limit: perSecond()},
		{name: "DELETE " + pathMessage + "/reactions", handle: clearReactions, limit: reactLimit(), group: "reactions"},
		{name: "GET " + pathReaction, handle: getReactions, limit: readLimit()},
		{name: "DELETE " + pathReaction, handle: clearEmoji, limit: reactLimit(), group: "reactions"},
		{name: "PUT " + pathReaction + "/@me", handle: putReaction, limit: reactLimit(), group: "reactions"},
		{name: "DELETE " + pathReaction + "/{user}", handle: deleteReaction, limit: reactLimit(), group: "reactions"},
	}
}

func embedShape() shape {
	return shape{
		"title": {kind: isString, max: 256}, "description": {kind: isString, max: 4096}, "url": {kind: isString, max: 2048},
		"color": {kind: isInt, max: 0xffffff},
		"fields": {kind: isList, max: 25, each: shape{
			"name": {kind: isString, required: true, min: 1, max: 256}, "value": {kind: isString, required: true, min: 1, max: 1024},
			"inline": {kind: isBool},
		}},
		"footer": {kind: isObject, each: shape{"text": {kind: isString, max: 2048}}},
		"author": {kind: isObject, each: shape{"name": {kind: isString, max: 256}}},
	}
}

func messageShape() shape {
	return shape{
		"content": {kind: isString, max: 2000}, "tts": {kind: isBool}, "flags": {kind: isInt},
		"embeds":            {kind: isList, max: 10, each: embedShape()},
		"components":        {kind: isList, max: 40, each: shape{"type": {kind: isInt, required: true, max: 30}}},
		"allowed_mentions":  {kind: isObject, each: shape{"parse": {kind: isList, max: 3}}},
		"message_reference": {kind: isObject, each: shape{"message_id": {kind: isID}, "channel_id": {kind: isID}}},
		"sticker_ids":       {kind: isList, max: 3},
		"attachments":       {kind: isList, max: 10, each: shape{"id": {kind: isAny, required: true}}},
		"poll":              {kind: isObject}, "enforce_nonce": {kind: isBool},
	}
}

// build makes a message of a form; an empty one is refused.
func (q *query) build(m map[string]json.RawMessage, channel uint64) (*message, answer) {
	msg := &message{id: q.s.mint.id(), channel: channel, author: q.s.world.bot, nonce: m["nonce"]}
	setText(&msg.content, m["content"])
	setNumber(&msg.flags, m["flags"])
	setBool(&msg.tts, m["tts"])
	msg.embeds, msg.components, msg.poll = enrich(m["embeds"]), numbered(m["components"]), nullless(m["poll"])
	msg.attachments = q.attachments(channel)
	msg.findMentions()
	if ref, ok := object(m["message_reference"]); ok {
		msg.reference = &reference{message: snowflake(ref["message_id"]), channel: channel}
		if id := snowflake(ref["channel_id"]); id != 0 {
			msg.reference.channel = id
		}
		msg.kind = 19 // a reply
	}
	if msg.hollow() && len(nullless(m["sticker_ids"])) == 0 {
		q.s.breach(RuleEmptyMessage, -1, q.rt.name)
		return nil, problem(400, 50006, "Cannot send an empty message")
	}
	return msg, answer{}
}

func (m *message) hollow() bool {
	return m.content == "" && bare(m.embeds) && bare(m.components) && bare(m.attachments) && len(m.poll) == 0
}

func bare(raw json.RawMessage) bool { return len(raw) == 0 || string(raw) == "[]" }

func nullless(raw json.RawMessage) json.RawMessage {
	if string(raw) == "null" {
		return nil
	}
	return raw
}

// enrich gives embeds as Discord sends them back: with their type.
func enrich(raw json.RawMessage) json.RawMessage {
	var list []map[string]json.RawMessage
	if json.Unmarshal(raw, &list) != nil || len(list) == 0 {
		return nil
	}
	for _, e := range list {
		if _, ok := e["type"]; !ok {
			e["type"] = json.RawMessage(`"rich"`)
		}
	}
	out, err := json.Marshal(list)
	if err != nil {
		return raw
	}
	return out
}

// numbered gives components as Discord sends them back: each with an id, counted from 1, and selects with how many
// values they take.
func numbered(raw json.RawMessage) json.RawMessage {
	var list []any
	if json.Unmarshal(raw, &list) != nil || len(list) == 0 {
		return nil
	}
	next := 1
	number(list, &next)
	out, err := json.Marshal(list)
	if err != nil {
		return raw
	}
	return out
}

func number(list []any, next *int) {
	for _, item := range list {
		c, ok := item.(map[string]any)
		if !ok {
			continue
		}
		if _, has := c["id"]; !has {
			c["id"] = *next
		}
		*next++
		if kind, _ := c["type"].(float64); kind == 3 || kind >= 5 && kind <= 8 {
			for _, bound := range [...]string{"min_values", "max_values"} {
				if _, has := c[bound]; !has {
					c[bound] = 1
				}
			}
		}
		if sub, ok := c["components"].([]any); ok {
			number(sub, next)
		}
		if sub, ok := c["accessory"].(map[string]any); ok {
			number([]any{sub}, next)
		}
	}
}

func (q *query) attachments(channel uint64) json.RawMessage {
	if len(q.files) == 0 {
		return nil
	}
	var o jsonOut
	o.open('[')
	for _, f := range q.files {
		id := q.s.mint.id()
		url := "https://cdn.discordapp.com/attachments/" + string(appendNumber(nil, channel)) + "/" + string(appendNumber(nil, id)) + "/" + url.PathEscape(f.name)
		o.open('{')
		o.id("id", id)
		o.str("filename", f.name)
		o.num("size", int64(f.size))
		o.str("url", url)
		o.str("proxy_url", url)
		if f.kind != "" {
			o.str("content_type", f.kind)
		}
		o.shut('}')
	}
	o.shut(']')
	return o.b
}

// say stores a message and dispatches it; the guild's lock is held.
func (s *Server) say(g *guildState, m *message) {
	if m.reference != nil {
		m.reference.guild = g.id
	}
	g.room(m.channel).add(m)
	s.emitMessage(g, "MESSAGE_CREATE", m)
}

func (q *query) message(g *guildState, m *message) answer {
	return q.done(func(o *jsonOut) {
		o.open('{')
		o.message(q.s, g, m, false)
		o.shut('}')
	})
}

func postMessage(q *query) answer {
	m, bad := q.form(messageShape())
	if m == nil {
		return bad
	}
	return q.inChannel(func(g *guildState, id uint64) answer {
		if g.kindOf(id) == kindCategory {
			return problem(400, 50008, "Cannot send messages in a non-text channel")
		}
		msg, bad := q.build(m, id)
		if msg == nil {
			return bad
		}
		if old := g.room(id).repeated(m, msg); old != nil {
			return q.message(g, old)
		}
		q.s.say(g, msg)
		return q.message(g, msg)
	})
}

// repeated finds the message that has this nonce already, when the form enforces it.
func (r *room) repeated(form map[string]json.RawMessage, msg *message) *message {
	if string(form["enforce_nonce"]) != "true" || len(msg.nonce) == 0 {
		return nil
	}
	for _, m := range r.messages {
		if m.author == msg.author && string(m.nonce) == string(msg.nonce) {
			return m
		}
	}
	return nil
}

func getMessages(q *query) answer {
	return q.inChannel(func(g *guildState, id uint64) answer {
		list := slices.Clone(g.room(id).messages)
		slices.Reverse(list)
		limit, after := q.limit(50, 100), q.after()
		before, _ := parseID(q.r.URL.Query().Get("before"))
		return q.done(func(o *jsonOut) {
			o.open('[')
			n := 0
			for _, m := range list {
				if n == limit || m.id <= after || before != 0 && m.id >= before || m.flags&flagEphemeral != 0 {
					continue
				}
				n++
				o.open('{')
				o.message(q.s, g, m, false)
				o.shut('}')
			}
			o.shut(']')
		})
	})
}

// withMessage runs look with the message of the path.
func (q *query) withMessage(look func(g *guildState, m *message) answer) answer {
	return q.inChannel(func(g *guildState, id uint64) answer {
		if m := g.room(id).find(q.id("message")); m != nil {
			return look(g, m)
		}
		return unknown(10008, "Message")
	})
}

func getMessage(q *query) answer {
	return q.withMessage(func(g *guildState, m *message) answer { return q.message(g, m) })
}

func patchMessage(q *query) answer {
	form, bad := q.form(messageShape())
	if form == nil {
		return bad
	}
	return q.withMessage(func(g *guildState, m *message) answer {
		if m.author != q.s.world.bot {
			q.s.breach(RuleForeignAuthor, -1, q.rt.name)
			return problem(403, 50005, "Cannot edit a message authored by another user")
		}
		if bad := q.edit(g, m, form); bad.status != 0 {
			return bad
		}
		return q.message(g, m)
	})
}

// edit changes a message by a form and dispatches the change; the guild's lock is held.
func (q *query) edit(g *guildState, m *message, form map[string]json.RawMessage) answer {
	changed := *m
	setText(&changed.content, form["content"])
	if raw, ok := form["embeds"]; ok {
		changed.embeds = enrich(raw)
	}
	if raw, ok := form["components"]; ok {
		changed.components = numbered(raw)
	}
	if more := q.attachments(m.channel); more != nil {
		changed.attachments = more
	}
	if changed.hollow() {
		q.s.breach(RuleEmptyMessage, -1, q.rt.name)
		return problem(400, 50006, "Cannot send an empty message")
	}
	changed.edited, changed.mentions, changed.mentionRoles = time.Now(), nil, nil
	changed.flags &^= flagLoading
	changed.findMentions()
	*m = changed
	if m.flags&flagEphemeral == 0 {
		q.s.emitMessage(g, "MESSAGE_UPDATE", m)
	}
	return answer{}
}

func deleteMessage(q *query) answer {
	return q.withMessage(func(g *guildState, m *message) answer {
		g.room(m.channel).remove(m.id)
		q.s.emitDeleted(g, m.channel, m.id)
		return empty()
	})
}

func bulkDelete(q *query) answer {
	form, bad := q.form(shape{"messages": {kind: isList, required: true, max: 100}})
	if form == nil {
		return bad
	}
	var raw []json.RawMessage
	if json.Unmarshal(form["messages"], &raw) != nil || len(raw) < 2 {
		e := formErrors{}
		e.at("messages").add("BASE_TYPE_BAD_LENGTH", "Must be between 2 and 100 in length.")
		return q.malformed(e)
	}
	return q.inChannel(func(g *guildState, channel uint64) answer {
		var ids []uint64
		for _, r := range raw {
			if m := g.room(channel).remove(snowflake(r)); m != nil {
				ids = append(ids, m.id)
			}
		}
		q.s.emit(g, "MESSAGE_DELETE_BULK", func(o *jsonOut) {
			o.open('{')
			o.ids("ids", ids)
			o.id("channel_id", channel)
			o.guildID(g)
			o.shut('}')
		})
		return empty()
	})
}

// emojiOf gives the emoji of the path, "👍" or "name:id"; "" when it is none.
func (q *query) emojiOf() string {
	return strings.TrimPrefix(q.r.PathValue("emoji"), "a:")
}

func putReaction(q *query) answer {
	return q.withMessage(func(g *guildState, m *message) answer {
		q.s.reactLocked(g, m, q.s.world.bot, q.emojiOf())
		return empty()
	})
}

func deleteReaction(q *query) answer {
	return q.withMessage(func(g *guildState, m *message) answer {
		if !q.s.unreactLocked(g, m, q.user(), q.emojiOf()) {
			return unknown(10014, "Emoji")
		}
		return empty()
	})
}
