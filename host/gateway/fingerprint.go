package gateway

import (
	"hash/maphash"
	"strings"
)

// fingerprint recognises an event in another session, where it has another
// sequence number: Discord gives dispatches no id of their own.
type fingerprint [2]uint64

// fingerprints makes them with seeds of their own, so that nobody can write
// messages that look alike to it.
type fingerprints struct {
	seeds [2]maphash.Seed
	skip  func(name, key string) bool // what the two say in different ways
}

// intentMessageContent is one of Discord's intents ("Gateway", List of Intents).
const intentMessageContent = 1 << 15

// newFingerprints is told the intents that only one of the sessions has.
func newFingerprints(differ uint64) fingerprints {
	f := fingerprints{seeds: [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}, skip: nothing}
	if differ&intentMessageContent != 0 {
		f.skip = guarded
	}
	return f
}

func nothing(string, string) bool { return false }

// of is the event's fingerprint. What is made once with an id of its own is known
// by that id, whatever else the two sessions say of it: their intents may differ.
// So is a guild's creation, which comes again after each outage.
// All else is known by its content, in any order of keys; so two events of the
// same content look alike, and are counted.
func (f fingerprints) of(e *Event) (out fingerprint) {
	for n, seed := range f.seeds {
		h := maphash.String(seed, e.Name)
		if e.ID != 0 {
			h = mix(h, e.ID)
		}
		if !knownByID(e) {
			h = mix(h, contentHash(seed, e.Data, func(key string) bool { return f.skip(e.Name, key) }))
		}
		out[n] = h
	}
	return out
}

// knownByID says whether the id at the top level of the data tells which event it
// is. It does for what is made once, and for GUILD_CREATE, whose members, voice
// states and presences depend on the intents.
func knownByID(e *Event) bool { return e.Name == nameGuildCreate || madeOnce(e) }

// madeOnce says whether the event comes once in the life of the id at the top level
// of its data, so that no other looks like it. A guild's creation comes again after
// each outage, and a thread's when the bot is added to it.
func madeOnce(e *Event) bool {
	switch {
	case e.ID == 0 || e.Name == "THREAD_CREATE":
		return false
	case strings.HasPrefix(e.Name, "GUILD_") && !strings.HasPrefix(e.Name, "GUILD_SCHEDULED_EVENT_") && e.Name != "GUILD_AUDIT_LOG_ENTRY_CREATE":
		return false
	}
	return strings.HasSuffix(e.Name, "_CREATE") || strings.HasSuffix(e.Name, "_DELETE")
}

// guarded says whether a key at the top level of an event's data is only there, or
// only filled, with the intent MESSAGE_CONTENT.
func guarded(name, key string) bool {
	if name != "MESSAGE_UPDATE" {
		return false
	}
	switch key {
	case "content", "embeds", "attachments", "components", "poll", "referenced_message", "message_snapshots":
		return true
	}
	return false
}

// contentHash hashes a JSON value so that the order of keys makes no difference,
// and those at the top level that skip names make none either. What is no JSON is
// hashed as it is.
func contentHash(seed maphash.Seed, data []byte, skip func(key string) bool) uint64 {
	h, end, ok := hashValue(seed, data, skipSpace(data, 0), 0, skip)
	if !ok || skipSpace(data, end) != len(data) {
		return maphash.Bytes(seed, data)
	}
	return h
}

// hashDepth is how deep values are read; deeper ones are hashed as they stand.
const hashDepth = 64

func hashValue(seed maphash.Seed, b []byte, i, depth int, skip func(key string) bool) (h uint64, end int, ok bool) {
	if i >= len(b) {
		return 0, 0, false
	}
	if depth < hashDepth && b[i] == '{' {
		return hashObject(seed, b, i+1, depth+1, skip)
	}
	if depth < hashDepth && b[i] == '[' {
		return hashList(seed, b, i+1, depth+1)
	}
	if end, ok = skipValue(b, i); !ok {
		return 0, 0, false
	}
	return maphash.Bytes(seed, b[i:end]), end, true
}

// hashObject adds what its fields are, so that they may come in any order.
func hashObject(seed maphash.Seed, b []byte, i, depth int, skip func(key string) bool) (h uint64, end int, ok bool) {
	h = mix(1, uint64(depth))
	for first := true; ; first = false {
		key, at, more, ok := nextKey(b, i, first)
		if !ok || !more {
			return h, at, ok
		}
		field, end, ok := hashValue(seed, b, at, depth, nil)
		if !ok {
			return 0, 0, false
		}
		if skip == nil || !skip(string(key)) {
			h += mix(maphash.Bytes(seed, key), field)
		}
		i = end
	}
}

func hashList(seed maphash.Seed, b []byte, i, depth int) (h uint64, end int, ok bool) {
	h = mix(2, uint64(depth))
	for first := true; ; first = false {
		i = skipSpace(b, i)
		if i < len(b) && b[i] == ']' {
			return h, i + 1, true
		}
		if !first {
			if i >= len(b) || b[i] != ',' {
				return 0, 0, false
			}
			i = skipSpace(b, i+1)
		}
		element, end, ok := hashValue(seed, b, i, depth, nil)
		if !ok {
			return 0, 0, false
		}
		h, i = mix(h, element), end
	}
}

// mix makes one number of two; their order counts.
func mix(a, b uint64) uint64 {
	h := a*0x9e3779b97f4a7c15 ^ (b + 0x7f4a7c15f39cc060)
	h ^= h >> 32
	h *= 0xd6e8feb86659fd93
	h ^= h >> 32
	h *= 0xd6e8feb86659fd93
	return h ^ h>>32
}
