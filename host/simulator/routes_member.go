package simulator

import (
	"encoding/json"
	"slices"
	"time"
)

// memberRoutes are members and bans of a guild.
func memberRoutes() []route {
	const members = pathGuild + "/members"
	return []route{
		{name: "GET " + members, handle: getMembers, limit: readLimit()},
		{name: "GET " + members + "/search", handle: searchMembers, limit: readLimit()},
		{name: "GET " + members + "/{user}", handle: getMember, limit: perFive()},
		{name: "PATCH " + members + "/{user}", handle: patchMember, limit: readLimit()},
		{name: "DELETE " + members + "/{user}", handle: kick, limit: perFive()},
		{name: "PUT " + members + "/{user}/roles/{role}", handle: addRole, limit: readLimit(), group: "member roles"},
		{name: "DELETE " + members + "/{user}/roles/{role}", handle: takeRole, limit: readLimit(), group: "member roles"},
		{name: "GET " + pathGuild + "/bans", handle: getBans, limit: readLimit()},
		{name: "GET " + pathGuild + "/bans/{user}", handle: getBan, limit: readLimit()},
		{name: "PUT " + pathGuild + "/bans/{user}", handle: putBan, limit: perFive()},
		{name: "DELETE " + pathGuild + "/bans/{user}", handle: deleteBan, limit: perFive()},
	}
}

// user gives the user of the path; "@me" is the bot.
func (q *query) user() uint64 {
	if q.r.PathValue("user") == "@me" {
		return q.s.world.bot
	}
	return q.id("user")
}

// restMember writes a member as REST answers with it.
func (o *jsonOut) restMember(s *Server, m *member) {
	o.open('{')
	o.key("user")
	o.open('{')
	o.user(s, m.user)
	o.shut('}')
	o.member(m)
	o.raw(`"collectibles":null,"display_name_styles":null,"unusual_dm_activity_until":null`)
	o.shut('}')
}

func (q *query) members(list []*member) answer {
	return q.done(func(o *jsonOut) {
		o.open('[')
		for _, m := range list {
			o.restMember(q.s, m)
		}
		o.shut(']')
	})
}

func getMembers(q *query) answer {
	return q.inGuild(func(g *guildState) answer {
		return q.members(g.members(q.after(), q.limit(1, 1000)))
	})
}

func searchMembers(q *query) answer {
	return q.inGuild(func(g *guildState) answer {
		return q.members(g.search(q.r.URL.Query().Get("query"), q.limit(1, 1000)))
	})
}

// withMember runs look with the member of the path.
func (q *query) withMember(look func(g *guildState, m *member) answer) answer {
	return q.inGuild(func(g *guildState) answer {
		if m := g.member(q.user()); m != nil {
			return look(g, m)
		}
		return unknown(10007, "Member")
	})
}

// getMember answers by id only: "@me" is a path of PATCH alone.
func getMember(q *query) answer {
	if q.id("user") == 0 {
		e := formErrors{}
		e.at("user_id").add("NUMBER_TYPE_COERCE", "Value is not snowflake.")
		return q.malformed(e)
	}
	return q.withMember(func(_ *guildState, m *member) answer {
		return q.done(func(o *jsonOut) { o.restMember(q.s, m) })
	})
}

func patchMember(q *query) answer {
	m, bad := q.form(shape{
		"nick": {kind: isString, max: 32}, "roles": {kind: isList}, "mute": {kind: isBool}, "deaf": {kind: isBool},
		"communication_disabled_until": {kind: isString},
	})
	if m == nil {
		return bad
	}
	return q.withMember(func(g *guildState, old *member) answer {
		now := *old
		setText(&now.nick, m["nick"])
		setBool(&now.mute, m["mute"])
		setBool(&now.deaf, m["deaf"])
		if raw, ok := m["roles"]; ok {
			now.roles = nil
			var list []json.RawMessage
			_ = json.Unmarshal(raw, &list) // the form was checked; null empties the list
			for _, id := range list {
				now.roles = append(now.roles, snowflake(id))
			}
		}
		if raw, ok := m["communication_disabled_until"]; ok {
			now.timeout, _ = time.Parse(time.RFC3339, textOf(raw)) // null ends a timeout
		}
		q.s.memberLocked(g, &now)
		return q.done(func(o *jsonOut) { o.restMember(q.s, &now) })
	})
}

func kick(q *query) answer {
	return q.withMember(func(g *guildState, m *member) answer {
		q.s.leaveLocked(g, m.user)
		return empty()
	})
}

func addRole(q *query) answer {
	return q.changeRoles(func(roles []uint64, id uint64) []uint64 {
		if slices.Contains(roles, id) {
			return roles
		}
		return append(slices.Clone(roles), id)
	})
}

func takeRole(q *query) answer {
	return q.changeRoles(func(roles []uint64, id uint64) []uint64 {
		return slices.DeleteFunc(slices.Clone(roles), func(r uint64) bool { return r == id })
	})
}

func (q *query) changeRoles(change func(roles []uint64, id uint64) []uint64) answer {
	return q.withMember(func(g *guildState, m *member) answer {
		id := q.id("role")
		if g.view().role(id) == nil {
			return unknown(10011, "Role")
		}
		now := *m
		now.roles = change(m.roles, id)
		q.s.memberLocked(g, &now)
		return empty()
	})
}

func (o *jsonOut) ban(s *Server, user uint64, reason string) {
	o.open('{')
	o.orNull("reason", reason)
	o.key("user")
	o.open('{')
	o.user(s, user)
	o.shut('}')
	o.shut('}')
}

func getBans(q *query) answer {
	return q.inGuild(func(g *guildState) answer {
		users := make([]uint64, 0, len(g.bans))
		for user := range g.bans {
			users = append(users, user)
		}
		slices.Sort(users)
		return q.done(func(o *jsonOut) {
			o.open('[')
			for _, user := range users[:min(len(users), q.limit(1000, 1000))] {
				o.ban(q.s, user, g.bans[user])
			}
			o.shut(']')
		})
	})
}

func getBan(q *query) answer {
	return q.inGuild(func(g *guildState) answer {
		reason, ok := g.bans[q.user()]
		if !ok {
			return unknown(10026, "Ban")
		}
		return q.done(func(o *jsonOut) { o.ban(q.s, q.user(), reason) })
	})
}

func putBan(q *query) answer {
	m, bad := q.form(shape{"delete_message_seconds": {kind: isInt, max: 604800}, "delete_message_days": {kind: isInt, max: 7}})
	if m == nil {
		return bad
	}
	return q.inGuild(func(g *guildState) answer {
		user := q.user()
		if user == 0 {
			return unknown(10013, "User")
		}
		q.s.banLocked(g, user, q.r.Header.Get("X-Audit-Log-Reason"))
		return empty()
	})
}

func deleteBan(q *query) answer {
	return q.inGuild(func(g *guildState) answer {
		if !q.s.unbanLocked(g, q.user()) {
			return unknown(10026, "Ban")
		}
		return empty()
	})
}
