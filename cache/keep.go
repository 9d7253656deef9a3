package cache

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Keep names the fields of Discord's objects that are kept, by kind of object;
// a kind without a list is kept whole. What the cache and permissions stand on
// (ids, roles, overwrites, …) is always kept, whatever a list says. All that is
// held obeys the lists: what REST answers, and what events say.
//
// The kinds are guild, channel, thread, role, emoji, sticker, member,
// voice_state and presence. A guild without emojis or stickers in its list has
// none; one without guild_scheduled_events, stage_instances or soundboard_sounds
// does not know how many there are. A member without user in its list keeps
// only the user's id.
type Keep map[string][]string

// Check tells every kind and field that there is not, with what there is.
func (k Keep) Check() error {
	var faults []error
	for _, kind := range slices.Sorted(maps.Keys(k)) {
		all, known := KeepFields(kind)
		if !known {
			faults = append(faults, fmt.Errorf("%q is no kind of object: the kinds are %s", kind, strings.Join(KeepKinds(), ", ")))
			continue
		}
		if len(k[kind]) == 0 {
			faults = append(faults, fmt.Errorf("%s has an empty list: name the fields to keep, or leave %s out to keep all", kind, kind))
		}
		for _, name := range k[kind] {
			if !slices.Contains(all, name) {
				faults = append(faults, fmt.Errorf("%s has no field %q: its fields are %s", kind, name, strings.Join(all, ", ")))
			}
		}
	}
	return errors.Join(faults...)
}

// fields are those of one kind that are kept; nil: all.
type fields map[string]bool

// keeps are the keep-lists as edits apply them. The zero value keeps all.
type keeps struct {
	guild, channel, thread, role, emoji, sticker, member, voiceState, presence fields
}

func newKeeps(k Keep) (keeps, error) {
	if err := k.Check(); err != nil {
		return keeps{}, err
	}
	of := func(kind string) fields {
		if len(k[kind]) == 0 {
			return nil
		}
		f := make(fields)
		for _, name := range slices.Concat(k[kind], alwaysKept(kind)) {
			f[name] = true
		}
		return f
	}
	return keeps{
		guild: of("guild"), channel: of("channel"), thread: of("thread"), role: of("role"), emoji: of("emoji"), sticker: of("sticker"),
		member: of("member"), voiceState: of("voice_state"), presence: of("presence"),
	}, nil
}

// has reports whether a field is kept.
func (f fields) has(name string) bool { return f == nil || f[name] }

// of is an object with the fields that are kept.
func (f fields) of(object []byte) json.RawMessage {
	if f == nil || !isObject(object) {
		return object
	}
	out := append(room(len(object)), '{')
	members(object, func(key, value []byte) bool {
		if f[string(key)] {
			out = appendMember(out, string(key), value)
		}
		return true
	})
	return append(out, '}')
}

// all is a list with each of its objects as of has it.
func (f fields) all(list []byte) json.RawMessage {
	if f == nil || !isList(list) {
		return list
	}
	var kept [][]byte
	elements(list, func(e []byte) bool {
		kept = append(kept, f.of(e))
		return true
	})
	return listOf(kept)
}

// ofGuild is a guild, or what an event says of one, with the roles, emojis and
// stickers in it.
func (k *keeps) ofGuild(object []byte) json.RawMessage {
	object = k.guild.of(object)
	for _, in := range [...]struct {
		name string
		keep fields
	}{{"roles", k.role}, {"emojis", k.emoji}, {"stickers", k.sticker}} {
		if list := field(object, in.name); in.keep != nil && list != nil {
			object = with(object, in.name, in.keep.all(list))
		}
	}
	return object
}

// ofMember is a member; its user has an id at least.
func (k *keeps) ofMember(object []byte) json.RawMessage { return ofUser(k.member, object) }

// ofPresence is a presence, likewise.
func (k *keeps) ofPresence(object []byte) json.RawMessage { return ofUser(k.presence, object) }

// ofUser keeps of an object without a whole user the user's id.
func ofUser(f fields, object []byte) json.RawMessage {
	out := f.of(object)
	if f.has("user") {
		return out
	}
	if id := idOf(field(object, "user")); id != 0 {
		return with(out, "user", append(appendMember([]byte{'{'}, "id", quoted(id)), '}'))
	}
	return out
}
