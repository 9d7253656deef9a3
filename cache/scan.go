package cache

import (
	"bytes"
	"strconv"
)

// What is scanned here has passed json.Valid, or was cut from what has; on
// anything else the scanners stop early and never read beyond the end. Keys are
// compared as they are written: Discord escapes none.

// skipSpace returns the index of the next byte that is not white.
func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\t' || b[i] == '\r') {
		i++
	}
	return i
}

// skipString returns the index after the string that begins at i.
func skipString(b []byte, i int) int {
	for i++; i < len(b); {
		n := bytes.IndexByte(b[i:], '"')
		if n < 0 {
			break
		}
		escapes := 0
		for escapes < n && b[i+n-1-escapes] == '\\' {
			escapes++
		}
		i += n + 1
		if escapes%2 == 0 {
			return i
		}
	}
	return len(b)
}

// skipValue returns the index after the value that begins at i.
func skipValue(b []byte, i int) int {
	if i >= len(b) {
		return i
	}
	switch b[i] {
	case '"':
		return skipString(b, i)
	case '{', '[':
		return skipNested(b, i)
	}
	for i < len(b) {
		switch b[i] {
		case ',', '}', ']', ' ', '\n', '\t', '\r':
			return i
		}
		i++
	}
	return i
}

func skipNested(b []byte, i int) int {
	for depth := 0; i < len(b); {
		switch b[i] {
		case '"':
			i = skipString(b, i)
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
		i++
	}
	return len(b)
}

// members calls do with each member of an object until do returns false. It
// does nothing for what is no object.
func members(b []byte, do func(key, value []byte) bool) {
	i := skipSpace(b, 0)
	if i >= len(b) || b[i] != '{' {
		return
	}
	for i++; ; i++ {
		i = skipSpace(b, i)
		if i >= len(b) || b[i] != '"' {
			return
		}
		end := skipString(b, i)
		key := b[i+1 : max(end-1, i+1)]
		i = skipSpace(b, end)
		if i >= len(b) || b[i] != ':' {
			return
		}
		i = skipSpace(b, i+1)
		end = skipValue(b, i)
		if !do(key, b[i:end]) {
			return
		}
		i = skipSpace(b, end)
		if i >= len(b) || b[i] != ',' {
			return
		}
	}
}

// elements calls do with each element of a list until do returns false. It does
// nothing for what is no list.
func elements(b []byte, do func(element []byte) bool) {
	i := skipSpace(b, 0)
	if i >= len(b) || b[i] != '[' {
		return
	}
	for i++; ; i++ {
		i = skipSpace(b, i)
		if i >= len(b) || b[i] == ']' {
			return
		}
		end := skipValue(b, i)
		if !do(b[i:end]) {
			return
		}
		i = skipSpace(b, end)
		if i >= len(b) || b[i] != ',' {
			return
		}
	}
}

// field returns the value of an object's member, nil if there is none; of
// several the last, as decoders do.
func field(b []byte, name string) (found []byte) {
	members(b, func(key, value []byte) bool {
		if string(key) == name {
			found = value
		}
		return true
	})
	return found
}

// snowflake returns the id in a string of digits, 0 for anything else.
func snowflake(value []byte) uint64 {
	if len(value) < 3 || value[0] != '"' || value[len(value)-1] != '"' {
		return 0
	}
	id, err := strconv.ParseUint(string(value[1:len(value)-1]), 10, 64)
	if err != nil {
		return 0
	}
	return id
}

// idOf returns an object's id, 0 if it has none.
func idOf(object []byte) uint64 { return snowflake(field(object, "id")) }

func isObject(b []byte) bool { return opens(b, '{') }
func isList(b []byte) bool   { return opens(b, '[') }

func opens(b []byte, with byte) bool {
	i := skipSpace(b, 0)
	return i < len(b) && b[i] == with
}

func isTrue(b []byte) bool { return string(b) == "true" }
