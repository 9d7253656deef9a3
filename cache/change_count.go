package cache

import (
	"bytes"
	"encoding/json"
)

// countedList is a list of GUILD_CREATE of which only is kept how many there
// are: objects with nothing but their id.
type countedList struct{ name, id string }

// counted are those lists. The guild object has one only if all of it is known:
// GUILD_CREATE and SOUNDBOARD_SOUNDS tell it, other events keep it true. Discord
// sends them with the intents GUILD_SCHEDULED_EVENTS, GUILDS and
// GUILD_EXPRESSIONS; without the intent a list is as old as the GUILD_CREATE.
func counted() []countedList {
	return []countedList{{"guild_scheduled_events", "id"}, {"stage_instances", "id"}, {"soundboard_sounds", "sound_id"}}
}

// count takes the lists of GUILD_CREATE. What it does not tell is not known.
func (w *world) count(d []byte) {
	told := []byte{'{'}
	var untold []string
	for _, c := range counted() {
		if l := field(d, c.name); isList(l) {
			told = appendMember(told, c.name, c.ids(l))
		} else {
			untold = append(untold, c.name)
		}
	}
	w.Guild = merge(strip(w.Guild, untold...), append(told, '}'))
}

// ids is a list with nothing but the ids, each once.
func (c countedList) ids(list []byte) json.RawMessage {
	var all [][]byte
	seen := make(map[uint64]bool)
	elements(list, func(e []byte) bool {
		if id := snowflake(field(e, c.id)); id != 0 && !seen[id] {
			seen[id] = true
			all = append(all, c.object(id))
		}
		return true
	})
	return listOf(all)
}

func (c countedList) object(id uint64) []byte {
	return append(appendMember([]byte{'{'}, c.id, quoted(id)), '}')
}

// counts applies the events of what is counted.
func (w *world) counts(e event) {
	scheduled, stages, sounds := counted()[0], counted()[1], counted()[2]
	switch e.name {
	case "GUILD_SCHEDULED_EVENT_CREATE", "GUILD_SCHEDULED_EVENT_UPDATE":
		w.counts1(scheduled, e.data, !over(field(e.data, "status")))
	case "GUILD_SCHEDULED_EVENT_DELETE":
		w.counts1(scheduled, e.data, false)
	case "STAGE_INSTANCE_CREATE", "STAGE_INSTANCE_UPDATE":
		w.counts1(stages, e.data, true)
	case "STAGE_INSTANCE_DELETE":
		w.counts1(stages, e.data, false)
	case "GUILD_SOUNDBOARD_SOUND_CREATE", "GUILD_SOUNDBOARD_SOUND_UPDATE":
		w.counts1(sounds, e.data, true)
	case "GUILD_SOUNDBOARD_SOUND_DELETE":
		w.counts1(sounds, e.data, false)
	case "GUILD_SOUNDBOARD_SOUNDS_UPDATE": // those that have changed, perhaps not all
		elements(field(e.data, "soundboard_sounds"), func(s []byte) bool {
			w.counts1(sounds, s, true)
			return true
		})
	case "SOUNDBOARD_SOUNDS": // the answer to opcode 31: all
		if l := field(e.data, sounds.name); w.Guild != nil && isList(l) && w.keep.guild.has(sounds.name) {
			w.Guild = with(w.Guild, sounds.name, sounds.ids(l))
		}
	}
}

// over reports whether a scheduled event has ended: completed (3) or canceled (4).
func over(status []byte) bool {
	return bytes.Equal(status, []byte{'3'}) || bytes.Equal(status, []byte{'4'})
}

// counts1 has an object in a list or not, if that list is known.
func (w *world) counts1(c countedList, object []byte, in bool) {
	id := snowflake(field(object, c.id))
	list := field(w.Guild, c.name)
	if id == 0 || !isList(list) {
		return
	}
	rest := without(list, has(c.id, id)) // nil: it is not there
	switch {
	case in && rest == nil:
		var all [][]byte
		elements(list, func(e []byte) bool {
			all = append(all, e)
			return true
		})
		rest = listOf(append(all, c.object(id)))
	case in || rest == nil:
		return
	}
	w.Guild = with(w.Guild, c.name, rest)
}
