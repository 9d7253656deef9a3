package simulator

import (
	"encoding/json"
	"strconv"
)

// guildRoutes are guilds, their channels, roles, emojis, threads and bans.
func guildRoutes() []route {
	return []route{
		{name: "GET " + pathGuild, handle: getGuild, limit: readLimit()},
		{name: "PATCH " + pathGuild, handle: patchGuild, limit: perFive()},
		{name: "GET " + pathGuild + "/channels", handle: getChannels, limit: readLimit()},
		{name: "POST " + pathGuild + "/channels", handle: postChannel, limit: perFive()},
		{name: "GET " + pathGuild + "/threads/active", handle: getThreads, limit: readLimit()},
		{name: "GET " + pathGuild + "/roles", handle: getRoles, limit: readLimit()},
		{name: "POST " + pathGuild + "/roles", handle: postRole, limit: perFive()},
		{name: "GET " + pathGuild + "/roles/{role}", handle: getRole, limit: readLimit()},
		{name: "PATCH " + pathGuild + "/roles/{role}", handle: patchRole, limit: perFive()},
		{name: "DELETE " + pathGuild + "/roles/{role}", handle: deleteRole, limit: perFive()},
		{name: "GET " + pathGuild + "/emojis", handle: getEmojis, limit: readLimit()},
	}
}

func getGuild(q *query) answer {
	return q.inGuild(func(g *guildState) answer {
		counts := q.r.URL.Query().Get("with_counts") == "true"
		return q.done(func(o *jsonOut) { o.restGuild(g, counts) })
	})
}

func patchGuild(q *query) answer {
	m, bad := q.form(shape{
		"name": {kind: isString, min: 2, max: 100}, "description": {kind: isString, max: 300},
		"verification_level": {kind: isInt, max: 4}, "system_channel_id": {kind: isID},
	})
	if m == nil {
		return bad
	}
	return q.inGuild(func(g *guildState) answer {
		c := g.keep()
		setText(&c.name, m["name"])
		setText(&c.description, m["description"])
		setNumber(&c.verify, m["verification_level"])
		if raw, ok := m["system_channel_id"]; ok {
			c.systemRoom = snowflake(raw)
		}
		q.s.emitGuild(g)
		return q.done(func(o *jsonOut) { o.restGuild(g, false) })
	})
}

// setText changes what a form names; null empties it.
func setText(to *string, raw json.RawMessage) {
	if len(raw) > 0 {
		*to = textOf(raw)
	}
}

func setNumber(to *int, raw json.RawMessage) {
	if n, err := strconv.Atoi(string(raw)); err == nil {
		*to = n
	}
}

func setBool(to *bool, raw json.RawMessage) {
	if len(raw) > 0 {
		*to = string(raw) == "true"
	}
}

func getChannels(q *query) answer {
	return q.inGuild(func(g *guildState) answer { return q.done(func(o *jsonOut) { o.restChannels(g) }) })
}

func channelShape(nameRequired bool) shape {
	return shape{
		"name": {kind: isString, required: nameRequired, min: 1, max: 100}, "type": {kind: isInt, max: 16},
		"topic": {kind: isString, max: 4096}, "parent_id": {kind: isID}, "position": {kind: isInt},
		"rate_limit_per_user": {kind: isInt, max: 21600}, "nsfw": {kind: isBool}, "archived": {kind: isBool},
		"permission_overwrites": {kind: isList, max: 100, each: shape{"id": {kind: isID, required: true}}},
	}
}

func postChannel(q *query) answer {
	m, bad := q.form(channelShape(true))
	if m == nil {
		return bad
	}
	return q.inGuild(func(g *guildState) answer {
		ch := channel{}
		setNumber(&ch.kind, m["type"])
		ch.change(m)
		ch.id = q.s.channelLocked(g, ch)
		a := q.channel(g, ch.id)
		a.status = 201
		return a
	})
}

// change applies a form to a channel.
func (ch *channel) change(m map[string]json.RawMessage) {
	setText(&ch.name, m["name"])
	setText(&ch.topic, m["topic"])
	setNumber(&ch.position, m["position"])
	setNumber(&ch.rate, m["rate_limit_per_user"])
	setBool(&ch.nsfw, m["nsfw"])
	setBool(&ch.archived, m["archived"])
	if raw, ok := m["parent_id"]; ok {
		ch.parent = snowflake(raw)
	}
	var list []struct {
		ID    json.RawMessage `json:"id"`
		Allow json.RawMessage `json:"allow"`
		Deny  json.RawMessage `json:"deny"`
		Type  int             `json:"type"`
	}
	if json.Unmarshal(m["permission_overwrites"], &list) == nil && m["permission_overwrites"] != nil {
		ch.overwrites = ch.overwrites[:0:0]
		for _, w := range list {
			ch.overwrites = append(ch.overwrites, overwrite{snowflake(w.ID), w.Type == 1, snowflake(w.Allow), snowflake(w.Deny)})
		}
	}
}

// channel answers with a channel; the guild's lock is held.
func (q *query) channel(g *guildState, id uint64) answer {
	ch := g.view().find(id)
	return q.done(func(o *jsonOut) {
		o.open('{')
		if ch.kind == kindDM {
			o.direct(q.s, ch, g.lastMessage(id))
		} else {
			o.channel(ch, g.lastMessage(id), false)
		}
		o.shut('}')
	})
}

func getThreads(q *query) answer {
	return q.inGuild(func(g *guildState) answer { return q.done(func(o *jsonOut) { o.activeThreads(q.s, g) }) })
}

func getRoles(q *query) answer {
	return q.inGuild(func(g *guildState) answer {
		c := g.view()
		return q.done(func(o *jsonOut) {
			o.open('[')
			for i := range c.roles {
				o.open('{')
				o.role(&c.roles[i], false)
				o.shut('}')
			}
			o.shut(']')
		})
	})
}

func getRole(q *query) answer {
	return q.inGuild(func(g *guildState) answer {
		if r := g.view().role(q.id("role")); r != nil {
			return q.role(r)
		}
		return unknown(10011, "Role")
	})
}

func (q *query) role(r *role) answer {
	return q.done(func(o *jsonOut) {
		o.open('{')
		o.role(r, false)
		o.shut('}')
	})
}

func roleShape() shape {
	return shape{
		"name": {kind: isString, max: 100}, "permissions": {kind: isInt}, "color": {kind: isInt, max: 0xffffff},
		"hoist": {kind: isBool}, "mentionable": {kind: isBool},
	}
}

func (r *role) change(m map[string]json.RawMessage) {
	setText(&r.name, m["name"])
	setNumber(&r.color, m["color"])
	setBool(&r.hoist, m["hoist"])
	setBool(&r.mention, m["mentionable"])
	if raw, ok := m["permissions"]; ok {
		r.permissions = snowflake(raw)
	}
}

func postRole(q *query) answer {
	m, bad := q.form(roleShape())
	if m == nil {
		return bad
	}
	return q.inGuild(func(g *guildState) answer {
		r := role{name: "new role", permissions: everyonePermissions}
		r.change(m)
		return q.role(q.s.roleLocked(g, r))
	})
}

func patchRole(q *query) answer {
	m, bad := q.form(roleShape())
	if m == nil {
		return bad
	}
	return q.inGuild(func(g *guildState) answer {
		r := g.keep().role(q.id("role"))
		if r == nil {
			return unknown(10011, "Role")
		}
		r.change(m)
		q.s.emitRole(g, "GUILD_ROLE_UPDATE", r)
		return q.role(r)
	})
}

func deleteRole(q *query) answer {
	return q.inGuild(func(g *guildState) answer {
		if !q.s.deleteRoleLocked(g, q.id("role")) {
			return unknown(10011, "Role")
		}
		return empty()
	})
}

func getEmojis(q *query) answer {
	return q.inGuild(func(g *guildState) answer {
		return q.done(func(o *jsonOut) {
			o.emojis(g.view().emojis)
			o.b = o.b[len(`"emojis":`):]
		})
	})
}
