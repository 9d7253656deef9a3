package simulator

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"
)

// jsonOut writes JSON by appending. Keys set their own commas.
type jsonOut struct {
	b    []byte
	rest bool // for an answer of REST, which tells more of a user than dispatches do
}

func (o *jsonOut) comma() {
	if n := len(o.b); n > 0 {
		switch o.b[n-1] {
		case '{', '[', ':', ',':
		default:
			o.b = append(o.b, ',')
		}
	}
}

// open begins an object or a list, as a value or, within a list, as its next element.
func (o *jsonOut) open(c byte) {
	o.comma()
	o.b = append(o.b, c)
}

func (o *jsonOut) shut(c byte) { o.b = append(o.b, c) }

func (o *jsonOut) key(k string) {
	o.comma()
	o.b = append(o.b, '"')
	o.b = append(o.b, k...)
	o.b = append(o.b, '"', ':')
}

// raw appends members that are already JSON, as `"a":1,"b":null`.
func (o *jsonOut) raw(members string) {
	o.comma()
	o.b = append(o.b, members...)
}

func (o *jsonOut) json(k string, v []byte) {
	o.key(k)
	o.b = append(o.b, v...)
}

// orJSON writes v, or the given JSON when v is empty.
func (o *jsonOut) orJSON(k string, v []byte, empty string) {
	o.key(k)
	if len(v) == 0 {
		o.b = append(o.b, empty...)
		return
	}
	o.b = append(o.b, v...)
}

func (o *jsonOut) str(k, v string) {
	o.key(k)
	o.b = appendString(o.b, v)
}

// orNull writes a string, null when it is empty.
func (o *jsonOut) orNull(k, v string) {
	if v == "" {
		o.key(k)
		o.b = append(o.b, "null"...)
		return
	}
	o.str(k, v)
}

func (o *jsonOut) num(k string, v int64) {
	o.key(k)
	o.b = strconv.AppendInt(o.b, v, 10)
}

func (o *jsonOut) yes(k string, v bool) {
	o.key(k)
	o.b = strconv.AppendBool(o.b, v)
}

// id writes a snowflake, which Discord sends as a string; zero is null.
func (o *jsonOut) id(k string, v uint64) {
	o.key(k)
	if v == 0 {
		o.b = append(o.b, "null"...)
		return
	}
	o.b = appendID(o.b, v)
}

func (o *jsonOut) time(k string, t time.Time) {
	o.key(k)
	o.b = appendTime(o.b, t)
}

func (o *jsonOut) ids(k string, ids []uint64) {
	o.key(k)
	o.b = append(o.b, '[')
	for _, id := range ids {
		o.comma()
		o.b = appendID(o.b, id)
	}
	o.b = append(o.b, ']')
}

func (o *jsonOut) strs(k string, list []string) {
	o.key(k)
	o.b = append(o.b, '[')
	for _, s := range list {
		o.comma()
		o.b = appendString(o.b, s)
	}
	o.b = append(o.b, ']')
}

func appendID(b []byte, id uint64) []byte {
	b = append(b, '"')
	b = strconv.AppendUint(b, id, 10)
	return append(b, '"')
}

// appendTime writes ISO 8601 with microseconds and offset, null for the zero time.
func appendTime(b []byte, t time.Time) []byte {
	if t.IsZero() {
		return append(b, "null"...)
	}
	b = append(b, '"')
	b = t.UTC().AppendFormat(b, "2006-01-02T15:04:05.000000-07:00")
	return append(b, '"')
}

const hexDigits = "0123456789abcdef"

// appendString quotes for JSON. Invalid UTF-8 becomes the replacement character.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && size == 1 {
				b = append(b, s[start:i]...)
				b = append(b, `\ufffd`...)
				start = i + size
			}
			i += size
			continue
		}
		if c >= ' ' && c != '"' && c != '\\' {
			i++
			continue
		}
		b = append(b, s[start:i]...)
		b = appendEscape(b, c)
		i++
		start = i
	}
	b = append(b, s[start:]...)
	return append(b, '"')
}

func appendEscape(b []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(b, '\\', c)
	case '\n':
		return append(b, '\\', 'n')
	case '\r':
		return append(b, '\\', 'r')
	case '\t':
		return append(b, '\\', 't')
	}
	return append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
}

// object decodes a JSON object's top level; ok is false for anything else.
func object(data []byte) (map[string]json.RawMessage, bool) {
	var m map[string]json.RawMessage
	if err := json.Unmarshal(data, &m); err != nil || m == nil {
		return nil, false
	}
	return m, true
}

// snowflake reads an id from a JSON string or number; zero when it is none.
func snowflake(raw json.RawMessage) uint64 {
	s := string(raw)
	if len(s) > 2 && s[0] == '"' {
		s = s[1 : len(s)-1]
	}
	id, _ := parseID(s)
	return id
}

func textOf(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return s
}

func sortedKeys(m map[string]string) []string {
	return slices.Sorted(maps.Keys(m))
}
