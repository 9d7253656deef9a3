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
type fingerprints [2]maphash.Seed

func newFingerprints() fingerprints { return fingerprints{maphash.MakeSeed(), maphash.MakeSeed()} }

// of is the event's fingerprint. What is made once with an id of its own is known
// by that id, whatever else the two sessions say of it: their intents may differ.
// All else is known by its content, in any order of keys; so two events of the
// same content look alike, and are counted.
func (f fingerprints) of(e *Event) fingerprint {
	var out fingerprint
	for n, seed := range f {
		h := maphash.String(seed, e.Name)
		if e.ID != 0 {
			h = mix(h, e.ID)
		}
		if e.ID == 0 || !madeOnce(e.Name) {
			h = mix(h, contentHash(seed, e.Data))
		}
		out[n] = h
	}
	return out
}

// madeOnce names the events that come once in the life of the id at the top
// level of their data. A guild's creation is none: it comes again after each
// outage.
func madeOnce(name string) bool {
	if strings.HasPrefix(name, "GUILD_") && !strings.HasPrefix(name, "GUILD_SCHEDULED_EVENT_") && name != "GUILD_AUDIT_LOG_ENTRY_CREATE" {
		return false
	}
	return strings.HasSuffix(name, "_CREATE") || strings.HasSuffix(name, "_DELETE")
}

// contentHash hashes a JSON value so that the order of keys makes no difference.
// What is no JSON is hashed as it is.
func contentHash(seed maphash.Seed, data []byte) uint64 {
	h, end, ok := hashValue(seed, data, skipSpace(data, 0), 0)
	if !ok || skipSpace(data, end) != len(data) {
		return maphash.Bytes(seed, data)
	}
	return h
}

// hashDepth is how deep values are read; deeper ones are hashed as they stand.
const hashDepth = 64

func hashValue(seed maphash.Seed, b []byte, i, depth int) (h uint64, end int, ok bool) {
	if i >= len(b) {
		return 0, 0, false
	}
	if depth < hashDepth && b[i] == '{' {
		return hashObject(seed, b, i+1, depth+1)
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
func hashObject(seed maphash.Seed, b []byte, i, depth int) (h uint64, end int, ok bool) {
	h = mix(1, uint64(depth))
	for first := true; ; first = false {
		key, at, more, ok := nextKey(b, i, first)
		if !ok || !more {
			return h, at, ok
		}
		field, end, ok := hashValue(seed, b, at, depth)
		if !ok {
			return 0, 0, false
		}
		h += mix(maphash.Bytes(seed, key), field)
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
		element, end, ok := hashValue(seed, b, i, depth)
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
