package cache

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
)

// told is an event with what it says of its object, for the judgement that
// nothing is older.
type told struct {
	name  string
	guild uint64
	data  []byte
	kind  string // guild, member, roles, channels, threads
	id    string
	v     int
	gone  bool
}

var changeKinds = []string{
	"guild", "guild", "create", "emojis", "stickers", "member", "other", "role+", "role~", "role-",
	"channel+", "channel~", "channel~", "channel-", "thread+", "thread~", "thread-", "archive", "threadmember", "sync",
	"join", "join", "leave", "member~", "voice", "voice", "presence", "presence", "chunk", "counted+", "counted~", "counted-", "sounds",
}

func pick(rnd *rand.Rand, m map[string]object) object {
	if len(m) == 0 {
		return nil
	}
	keys := slices.Sorted(maps.Keys(m))
	return m[keys[rnd.IntN(len(keys))]]
}

// change changes the guild and returns the event that tells of it. Objects are
// replaced, never edited: REST may be reading them.
func (g *fakeGuild) change(rnd *rand.Rand, kind string) told {
	g.v++
	gid := fmt.Sprint(g.id)
	t := told{guild: g.id, v: g.v}
	fresh := func() string { g.next++; return fmt.Sprint(g.next) }
	say := func(name, kind, id string, data object) told {
		t.name, t.kind, t.id, t.data = name, kind, id, toJSON(data)
		return t
	}
	set := func(m map[string]object, o object, more object) object {
		o = maps.Clone(o)
		maps.Copy(o, more)
		o["v"] = g.v
		m[o["id"].(string)] = o
		return o
	}
	switch kind {
	case "create":
		return say("GUILD_CREATE", "guild", "", g.create())
	case "emojis", "stickers":
		g.props[kind] = []any{object{"id": fresh(), "v": g.v}}
		name := map[string]string{"emojis": "GUILD_EMOJIS_UPDATE", "stickers": "GUILD_STICKERS_UPDATE"}[kind]
		t.v = 0
		return say(name, "guild", "", object{"guild_id": gid, kind: g.props[kind]})
	case "member":
		g.member = maps.Clone(g.member)
		g.member["nick"], g.member["v"] = fmt.Sprint("nick ", g.v), g.v
		if r := pick(rnd, g.roles); r != nil {
			g.member["roles"] = []any{r["id"]}
		}
		o := maps.Clone(g.member)
		o["guild_id"] = gid
		return say("GUILD_MEMBER_UPDATE", "member", "", o)
	case "other":
		t.v = 0
		return say("GUILD_MEMBER_UPDATE", "guild", "", object{"guild_id": gid, "user": object{"id": "77", "bio": botID}, "nick": "not me"})
	case "role+":
		r := set(g.roles, object{"id": fresh(), "name": "role", "permissions": "8", "hoist": true}, nil)
		return say("GUILD_ROLE_CREATE", "roles", r["id"].(string), object{"guild_id": gid, "role": r})
	case "role~":
		if o := pick(rnd, g.roles); o != nil {
			r := set(g.roles, o, object{"name": fmt.Sprint("role ", g.v)})
			return say("GUILD_ROLE_UPDATE", "roles", r["id"].(string), object{"guild_id": gid, "role": r})
		}
	case "role-":
		if o := pick(rnd, g.roles); o != nil {
			id := o["id"].(string)
			delete(g.roles, id)
			if r := g.member["roles"].([]any); len(r) > 0 && r[0] == id {
				g.member = maps.Clone(g.member)
				g.member["roles"] = []any{}
			}
			for _, p := range g.people {
				if r := p.member["roles"].([]any); len(r) > 0 && r[0] == id {
					p.member = maps.Clone(p.member)
					p.member["roles"] = []any{}
				}
			}
			t.gone = true
			return say("GUILD_ROLE_DELETE", "roles", id, object{"guild_id": gid, "role_id": id})
		}
	default:
		if out, ok := g.changeRoom(rnd, kind, &t, say, set, fresh); ok {
			return out
		}
		if out, ok := g.changePerson(rnd, kind, &t, say, fresh); ok {
			return out
		}
		if out, ok := g.changeCounted(rnd, kind, &t, say, fresh); ok {
			return out
		}
	}
	g.props["name"], g.props["v"] = fmt.Sprint("guild ", g.v), g.v
	return say("GUILD_UPDATE", "guild", "", g.body(true))
}

func (g *fakeGuild) changeRoom(
	rnd *rand.Rand, kind string, t *told, say func(name, kind, id string, data object) told,
	set func(map[string]object, object, object) object, fresh func() string,
) (told, bool) {
	gid := fmt.Sprint(g.id)
	c, th := pick(rnd, g.channels), pick(rnd, g.threads)
	switch kind {
	case "channel+":
		c = set(g.channels, object{"id": fresh(), "guild_id": gid, "type": 0, "name": "room ]}\""}, nil)
		return say("CHANNEL_CREATE", "channels", c["id"].(string), c), true
	case "channel~":
		if c != nil {
			c = set(g.channels, c, object{"topic": fmt.Sprintf("%*d", rnd.IntN(40), g.v)})
			return say("CHANNEL_UPDATE", "channels", c["id"].(string), c), true
		}
	case "channel-":
		if c != nil {
			delete(g.channels, c["id"].(string))
			for id, o := range g.threads {
				if o["parent_id"] == c["id"] {
					delete(g.threads, id)
				}
			}
			t.gone = true
			return say("CHANNEL_DELETE", "channels", c["id"].(string), c), true
		}
	case "thread+":
		if c != nil {
			th = set(g.threads, object{
				"id": fresh(), "guild_id": gid, "parent_id": c["id"], "name": "thread", "type": 11,
				"thread_metadata": object{"archived": false},
			}, nil)
			o := maps.Clone(th)
			o["newly_created"] = true
			return say("THREAD_CREATE", "threads", th["id"].(string), o), true
		}
	case "thread~", "archive":
		if th != nil {
			th = set(g.threads, th, object{"name": fmt.Sprint("thread ", g.v), "thread_metadata": object{"archived": kind == "archive"}})
			if kind == "archive" {
				delete(g.threads, th["id"].(string))
				t.gone = true
			}
			o := maps.Clone(th)
			delete(o, "member") // an update does not carry it
			return say("THREAD_UPDATE", "threads", th["id"].(string), o), true
		}
	case "thread-":
		if th != nil {
			delete(g.threads, th["id"].(string))
			t.gone = true
			return say("THREAD_DELETE", "threads", th["id"].(string), object{"id": th["id"], "guild_id": gid, "type": 11}), true
		}
	case "threadmember":
		if th != nil {
			m := object{"id": th["id"], "user_id": botID, "flags": g.v}
			th = maps.Clone(th)
			th["member"] = m
			g.threads[th["id"].(string)] = th
			o := maps.Clone(m)
			o["guild_id"] = gid
			t.v = 0
			return say("THREAD_MEMBER_UPDATE", "threads", th["id"].(string), o), true
		}
	case "sync":
		t.v = 0
		return say("THREAD_LIST_SYNC", "guild", "", object{"guild_id": gid, "threads": sorted(g.threads), "members": []any{}}), true
	}
	return told{}, false
}
