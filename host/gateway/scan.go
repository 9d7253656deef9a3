package gateway

import (
	"encoding/json"
	"errors"
)

var errMalformed = errors.New("malformed payload")

// envelope is what a session reads of a payload. Its slices lie in the scanned buffer.
type envelope struct {
	op   int
	seq  uint64 // s, 0 when null or absent
	name []byte // t without its quotes, nil when null or absent
	data []byte // d, nil when absent

	// From the top level of d, 0 when absent or not a snowflake.
	guild, channel, id uint64
}

// scan reads an envelope without allocating and without looking at more of
// the payload than it must. It checks the envelope and the top level of d completely;
// of what lies deeper it checks strings and brackets only, for whoever decodes
// an event checks the rest. Keys come in any order; of a repeated key the last counts.
func scan(b []byte, e *envelope) error {
	*e = envelope{op: -1}
	i, ok := scanEnvelope(b, e)
	if !ok || skipSpace(b, i) != len(b) || e.op < 0 {
		return errMalformed
	}
	return nil
}

func scanEnvelope(b []byte, e *envelope) (int, bool) {
	i := skipSpace(b, 0)
	if i >= len(b) || b[i] != '{' {
		return 0, false
	}
	i++
	for first := true; ; first = false {
		key, at, more, ok := nextKey(b, i, first)
		if !ok || !more {
			return at, ok
		}
		switch string(key) {
		case "op":
			i, ok = scanOp(b, at, e)
		case "s":
			i, ok = scanSeq(b, at, e)
		case "t":
			i, ok = scanName(b, at, e)
		case "d":
			i, ok = scanData(b, at, e)
		default:
			i, ok = skipValue(b, at)
		}
		if !ok {
			return 0, false
		}
	}
}

// nextKey reads up to the value of an object's next member. i stands behind
// the opening brace or behind the last value. more is false at the closing
// brace, and at then stands behind it.
func nextKey(b []byte, i int, first bool) (key []byte, at int, more, ok bool) {
	i = skipSpace(b, i)
	if i >= len(b) {
		return nil, 0, false, false
	}
	if b[i] == '}' {
		return nil, i + 1, false, true
	}
	if !first {
		if b[i] != ',' {
			return nil, 0, false, false
		}
		i = skipSpace(b, i+1)
	}
	if i >= len(b) || b[i] != '"' {
		return nil, 0, false, false
	}
	end, escaped := stringEnd(b, i+1)
	if end < 0 {
		return nil, 0, false, false
	}
	key = b[i+1 : end]
	if escaped {
		if key, ok = unescape(b[i : end+1]); !ok {
			return nil, 0, false, false
		}
	}
	i = skipSpace(b, end+1)
	if i >= len(b) || b[i] != ':' {
		return nil, 0, false, false
	}
	return key, skipSpace(b, i+1), true, true
}

func scanOp(b []byte, i int, e *envelope) (int, bool) {
	n, end, ok := scanUint(b, i)
	if !ok || n > 1<<16 {
		return 0, false
	}
	e.op = int(n)
	return end, true
}

func scanSeq(b []byte, i int, e *envelope) (int, bool) {
	if end, ok := skipNull(b, i); ok {
		e.seq = 0
		return end, true
	}
	n, end, ok := scanUint(b, i)
	e.seq = n
	return end, ok
}

func scanName(b []byte, i int, e *envelope) (int, bool) {
	if end, ok := skipNull(b, i); ok {
		e.name = nil
		return end, true
	}
	if i >= len(b) || b[i] != '"' {
		return 0, false
	}
	end, escaped := stringEnd(b, i+1)
	if end < 0 {
		return 0, false
	}
	e.name = b[i+1 : end]
	if escaped {
		name, ok := unescape(b[i : end+1])
		if !ok {
			return 0, false
		}
		e.name = name
	}
	return end + 1, true
}

// scanData notes where d lies and, when it is an object, what of its top
// level events are routed by.
func scanData(b []byte, start int, e *envelope) (int, bool) {
	e.guild, e.channel, e.id = 0, 0, 0
	if start >= len(b) || b[start] != '{' {
		end, ok := skipValue(b, start)
		if ok {
			e.data = b[start:end:end]
		}
		return end, ok
	}
	i := start + 1
	for first := true; ; first = false {
		key, at, more, ok := nextKey(b, i, first)
		if !ok {
			return 0, false
		}
		if !more {
			e.data = b[start:at:at]
			return at, true
		}
		if i, ok = skipValue(b, at); !ok {
			return 0, false
		}
		switch string(key) {
		case "guild_id":
			e.guild = snowflake(b[at:i])
		case "channel_id":
			e.channel = snowflake(b[at:i])
		case "id":
			e.id = snowflake(b[at:i])
		}
	}
}

// snowflake reads an id, which Discord sends as a string of digits; a bare
// number is understood too. Anything else is 0.
func snowflake(v []byte) uint64 {
	if len(v) >= 2 && v[0] == '"' {
		v = v[1 : len(v)-1]
	}
	const most, safe = ^uint64(0), 19 // that many digits cannot overflow
	var n uint64
	if len(v) <= safe {
		for _, c := range v {
			d := uint64(c - '0')
			if d > 9 {
				return 0
			}
			n = n*10 + d
		}
		return n
	}
	for _, c := range v {
		d := uint64(c - '0')
		if d > 9 || n > most/10 || n*10 > most-d {
			return 0
		}
		n = n*10 + d
	}
	return n
}

// unescape is the slow way for a key or name with a backslash in it, which
// Discord never sends.
func unescape(quoted []byte) ([]byte, bool) {
	var s string
	if err := json.Unmarshal(quoted, &s); err != nil {
		return nil, false
	}
	return []byte(s), true
}
