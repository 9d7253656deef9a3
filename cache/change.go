package cache

import (
	"bytes"
	"encoding/json"
)

// event is one that may change a guild. Data is shared and never changed.
type event struct {
	name string
	data []byte
}

// touches are the parts that events of this name are laid over, and whether
// they may change what is kept of a guild at all.
func touches(name string) (over Parts, changes bool) {
	switch name {
	case "GUILD_CREATE":
		return AllParts, true // replaced, but what it does not change makes no new version
	case "GUILD_ROLE_DELETE":
		return PartsOf(PartGuild, PartMember), true
	case "GUILD_UPDATE", "GUILD_ROLE_CREATE", "GUILD_ROLE_UPDATE", "GUILD_EMOJIS_UPDATE", "GUILD_STICKERS_UPDATE",
		"GUILD_SCHEDULED_EVENT_CREATE", "GUILD_SCHEDULED_EVENT_UPDATE", "GUILD_SCHEDULED_EVENT_DELETE",
		"STAGE_INSTANCE_CREATE", "STAGE_INSTANCE_UPDATE", "STAGE_INSTANCE_DELETE",
		"GUILD_SOUNDBOARD_SOUND_CREATE", "GUILD_SOUNDBOARD_SOUND_UPDATE", "GUILD_SOUNDBOARD_SOUND_DELETE",
		"GUILD_SOUNDBOARD_SOUNDS_UPDATE", "SOUNDBOARD_SOUNDS":
		return PartsOf(PartGuild), true
	case "CHANNEL_CREATE", "CHANNEL_UPDATE", "VOICE_CHANNEL_STATUS_UPDATE", "VOICE_CHANNEL_START_TIME_UPDATE":
		return PartsOf(PartChannels), true
	case "CHANNEL_DELETE":
		return PartsOf(PartChannels, PartThreads), true
	case "THREAD_CREATE", "THREAD_UPDATE", "THREAD_DELETE", "THREAD_LIST_SYNC",
		"THREAD_MEMBER_UPDATE", "THREAD_MEMBERS_UPDATE":
		return PartsOf(PartThreads), true
	case "GUILD_MEMBER_UPDATE":
		return PartsOf(PartMember), true
	case "GUILD_DELETE", "GUILD_MEMBER_REMOVE":
		return 0, true
	}
	return 0, false
}

// ofOneMember are the names whose events matter only when they tell of the bot.
func ofOneMember(name string) bool {
	return name == "GUILD_MEMBER_UPDATE" || name == "GUILD_MEMBER_REMOVE"
}

// world is a guild as it is being changed; a zero one is not loaded. A part that
// is nil is not there, or the event cannot touch it: every edit leaves it alone,
// only GUILD_CREATE gives all parts.
type world struct {
	bodies

	guild, self uint64
	keep        keeps
	down        bool // Discord says that it is unavailable
	removed     bool // the bot is out
}

func (w *world) loaded() bool {
	return w.Guild != nil || w.Channels != nil || w.Threads != nil || w.Member != nil
}

// apply changes the guild as an event says, and reports whether it did. An event
// that says nothing sensible changes nothing.
func (w *world) apply(e event) bool {
	if !json.Valid(e.data) {
		return false
	}
	before, down, gone := w.bodies, w.down, w.removed
	switch e.name {
	case "GUILD_CREATE":
		w.created(e.data)
	case "GUILD_DELETE":
		if idOf(e.data) == w.guild {
			w.down = isTrue(field(e.data, "unavailable"))
			w.removed = !w.down
		}
	case "GUILD_MEMBER_REMOVE":
		w.removed = w.removed || w.own(e.data)
	default:
		w.edit(e)
	}
	return gone != w.removed || w.down != down || !same(&before, &w.bodies)
}

func (w *world) edit(e event) {
	switch e.name {
	case "GUILD_UPDATE":
		if w.Guild != nil && isObject(e.data) {
			w.Guild = merge(w.Guild, w.keep.ofGuild(e.data), beside()...)
		}
	case "GUILD_EMOJIS_UPDATE":
		w.list("emojis", e.data, w.keep.emoji)
	case "GUILD_STICKERS_UPDATE":
		w.list("stickers", e.data, w.keep.sticker)
	case "GUILD_ROLE_CREATE", "GUILD_ROLE_UPDATE":
		if role := field(e.data, "role"); w.Guild != nil && idOf(role) != 0 {
			w.Guild = with(w.Guild, "roles", upsert(field(w.Guild, "roles"), idOf(role), w.keep.role.of(role)))
		}
	case "GUILD_ROLE_DELETE":
		w.roleDeleted(snowflake(field(e.data, "role_id")))
	case "GUILD_MEMBER_UPDATE":
		if w.Member != nil && w.own(e.data) {
			w.Member = w.keep.ofMember(merge(w.Member, e.data, "guild_id"))
		}
	case "CHANNEL_CREATE", "CHANNEL_UPDATE", "CHANNEL_DELETE", "VOICE_CHANNEL_STATUS_UPDATE", "VOICE_CHANNEL_START_TIME_UPDATE":
		w.channel(e)
	default:
		w.counts(e)
		if w.Threads != nil {
			w.thread(e)
		}
	}
}

// beside are members of GUILD_CREATE that are parts of their own, are counted, or
// are not kept.
func beside() []string {
	return []string{
		"channels", "threads", "members", "presences", "voice_states", "stage_instances", "guild_scheduled_events",
		"soundboard_sounds", "embedded_activities", "activity_instances", "unavailable",
	}
}

// created replaces all that GUILD_CREATE tells. What only REST tells of a guild
// stays; what the event does not carry is empty.
func (w *world) created(d []byte) {
	if idOf(d) != w.guild {
		return
	}
	if isTrue(field(d, "unavailable")) {
		w.down = true
		return
	}
	w.down, w.removed = false, false
	w.Guild = merge(w.Guild, d, beside()...)
	w.count(d)
	w.Guild = w.keep.ofGuild(w.Guild)
	w.Channels = w.adopt(field(d, "channels"), w.keep.channel)
	w.Threads = w.adopt(field(d, "threads"), w.keep.thread)
	elements(field(d, "members"), func(m []byte) bool {
		if w.own(m) {
			w.Member = w.keep.ofMember(strip(m, "guild_id"))
			return false
		}
		return true
	})
	if w.Member == nil {
		w.Member = json.RawMessage("null")
	}
}

// adopt gives the channels of GUILD_CREATE the guild_id that they have
// everywhere else.
func (w *world) adopt(list []byte, keep fields) json.RawMessage {
	var all [][]byte
	id := quoted(w.guild)
	elements(list, func(e []byte) bool {
		if idOf(e) == 0 {
			return true
		}
		if field(e, "guild_id") == nil {
			e = with(e, "guild_id", id)
		}
		all = append(all, keep.of(e))
		return true
	})
	return listOf(all)
}

// list replaces a list of the guild by that of an event.
func (w *world) list(name string, data []byte, keep fields) {
	if l := field(data, name); w.Guild != nil && isList(l) && w.keep.guild.has(name) {
		w.Guild = with(w.Guild, name, keep.all(l))
	}
}

func (w *world) roleDeleted(id uint64) {
	if id == 0 {
		return
	}
	if rest := without(field(w.Guild, "roles"), has("id", id)); rest != nil {
		w.Guild = with(w.Guild, "roles", rest)
	}
	if rest := without(field(w.Member, "roles"), func(e []byte) bool { return snowflake(e) == id }); rest != nil {
		w.Member = with(w.Member, "roles", rest)
	}
}

// own reports whether an object's user is the bot.
func (w *world) own(object []byte) bool {
	return w.self != 0 && idOf(field(object, "user")) == w.self
}

func has(name string, id uint64) func([]byte) bool {
	return func(e []byte) bool { return snowflake(field(e, name)) == id }
}

func or(changed, before json.RawMessage) json.RawMessage {
	if changed == nil {
		return before
	}
	return changed
}

func same(a, b *bodies) bool {
	return bytes.Equal(a.Guild, b.Guild) && bytes.Equal(a.Channels, b.Channels) &&
		bytes.Equal(a.Threads, b.Threads) && bytes.Equal(a.Member, b.Member)
}
