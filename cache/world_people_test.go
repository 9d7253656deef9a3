package cache

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
)

// changePerson is change for other users. Their v is in each of the three
// objects.
func (g *fakeGuild) changePerson(
	rnd *rand.Rand, kind string, t *told, say func(name, kind, id string, data object) told, fresh func() string,
) (told, bool) {
	gid := fmt.Sprint(g.id)
	from := func(o object, more object) object {
		o = maps.Clone(o)
		maps.Copy(o, more)
		return o
	}
	if kind == "join" {
		id := fresh()
		p := &fakePerson{member: object{"user": object{"id": id, "username": "u" + id}, "roles": []any{}, "nick": nil, "v": g.v}}
		if r := pick(rnd, g.roles); r != nil && rnd.IntN(2) == 0 {
			p.member["roles"] = []any{r["id"]}
		}
		g.people[id] = p
		return say("GUILD_MEMBER_ADD", "member of", id, from(p.member, object{"guild_id": gid})), true
	}
	if len(g.people) == 0 {
		return told{}, false
	}
	ids := slices.Sorted(maps.Keys(g.people))
	id := ids[rnd.IntN(len(ids))]
	p := g.people[id]
	switch kind {
	case "leave":
		delete(g.people, id)
		t.gone = true
		return say("GUILD_MEMBER_REMOVE", "member of", id, object{"guild_id": gid, "user": object{"id": id}}), true
	case "member~":
		p.member = from(p.member, object{"nick": fmt.Sprint("nick ", g.v), "v": g.v})
		if r := pick(rnd, g.roles); r != nil {
			p.member["roles"] = []any{r["id"]}
		}
		return say("GUILD_MEMBER_UPDATE", "member of", id, from(p.member, object{"guild_id": gid})), true
	case "voice":
		if p.voice != nil && rnd.IntN(2) == 0 {
			p.voice, t.gone = nil, true
			return say("VOICE_STATE_UPDATE", "voice of", id, object{"guild_id": gid, "channel_id": nil, "user_id": id, "member": p.member}), true
		}
		p.voice = object{"channel_id": fmt.Sprint(1000 + rnd.IntN(3)), "user_id": id, "session_id": "s", "v": g.v}
		return say("VOICE_STATE_UPDATE", "voice of", id, from(p.voice, object{"guild_id": gid, "member": p.member})), true
	case "presence":
		if p.presence != nil && rnd.IntN(2) == 0 {
			p.presence, t.gone = nil, true
			return say("PRESENCE_UPDATE", "presence of", id, object{"guild_id": gid, "user": object{"id": id}, "status": "offline", "activities": []any{}}), true
		}
		p.presence = object{"user": object{"id": id}, "status": "idle", "activities": []any{object{"name": "a game"}}, "v": g.v}
		return say("PRESENCE_UPDATE", "presence of", id, from(p.presence, object{"guild_id": gid})), true
	case "chunk":
		t.v = 0
		members, presences := []object{g.member}, []object{}
		for _, id := range ids[:1+rnd.IntN(len(ids))] {
			members = append(members, g.people[id].member)
			if o := g.people[id].presence; o != nil {
				presences = append(presences, o)
			}
		}
		return say("GUILD_MEMBERS_CHUNK", "guild", "", object{"guild_id": gid, "members": members, "presences": presences, "chunk_index": 0, "chunk_count": 1}), true
	}
	return told{}, false
}

// changeCounted is change for what is only counted.
func (g *fakeGuild) changeCounted(
	rnd *rand.Rand, kind string, t *told, say func(name, kind, id string, data object) told, fresh func() string,
) (told, bool) {
	gid := fmt.Sprint(g.id)
	lists := []struct{ name, id, event string }{
		{"guild_scheduled_events", "id", "GUILD_SCHEDULED_EVENT_"},
		{"stage_instances", "id", "STAGE_INSTANCE_"},
		{"soundboard_sounds", "sound_id", "GUILD_SOUNDBOARD_SOUND_"},
	}
	t.v = 0
	if kind == "sounds" {
		name := []string{"SOUNDBOARD_SOUNDS", "GUILD_SOUNDBOARD_SOUNDS_UPDATE"}[rnd.IntN(2)]
		return say(name, "guild", "", object{"guild_id": gid, "soundboard_sounds": sorted(g.counted["soundboard_sounds"])}), true
	}
	c := lists[rnd.IntN(len(lists))]
	list := g.counted[c.name]
	o := object{c.id: fresh(), "guild_id": gid, "name": "x", "status": 1}
	if old := pick(rnd, list); kind != "counted+" {
		if old == nil {
			return told{}, false
		}
		o = old
	}
	id := o[c.id].(string)
	switch kind {
	case "counted+":
		list[id] = o
		return say(c.event+"CREATE", "guild", "", o), true
	case "counted~":
		if c.event == "GUILD_SCHEDULED_EVENT_" && rnd.IntN(2) == 0 { // it ends
			delete(list, id)
			o = maps.Clone(o)
			o["status"] = 3 + rnd.IntN(2)
		}
		return say(c.event+"UPDATE", "guild", "", o), true
	case "counted-":
		delete(list, id)
		return say(c.event+"DELETE", "guild", "", object{c.id: id, "guild_id": gid}), true
	}
	return told{}, false
}
