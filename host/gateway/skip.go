package gateway

import (
	"encoding/binary"
	"math/bits"
)

// maxDepth is how deep values may nest, as in encoding/json.
const maxDepth = 10_000

// Every byte of a word, for looking at eight bytes at once.
const (
	ones   = 0x0101010101010101
	highs  = 0x8080808080808080
	quotes = ones * '"'
	slants = ones * '\\'
)

func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\r' || b[i] == '\t') {
		i++
	}
	return i
}

// stringEnd returns where the closing quote is of the string whose content
// begins at i, or -1, and whether a backslash came before it.
func stringEnd(b []byte, i int) (end int, escaped bool) {
	for {
		var c byte
		if i, c = nextMark(b, i); i < 0 || c == '"' {
			return i, escaped
		}
		escaped = true
		i += 2
	}
}

// nextMark returns where the next quote or backslash is and which, or -1.
func nextMark(b []byte, i int) (int, byte) {
	for i+8 <= len(b) {
		w := binary.LittleEndian.Uint64(b[i:])
		q, s := w^quotes, w^slants
		// The lowest set bit marks the first zero byte exactly; bits above it may lie.
		if hit := ((q - ones) & ^q & highs) | ((s - ones) & ^s & highs); hit != 0 {
			n := bits.TrailingZeros64(hit)
			return i + n>>3, byte(w >> (n &^ 7))
		}
		i += 8
	}
	for ; i < len(b); i++ {
		if b[i] == '"' || b[i] == '\\' {
			return i, b[i]
		}
	}
	return -1, 0
}

// skipValue returns the place behind the value that begins at i.
func skipValue(b []byte, i int) (int, bool) {
	if i >= len(b) {
		return 0, false
	}
	switch b[i] {
	case '"':
		end, _ := stringEnd(b, i+1)
		return end + 1, end >= 0
	case '{', '[':
		return skipNested(b, i)
	case 't':
		return skipWord(b, i, "true")
	case 'f':
		return skipWord(b, i, "false")
	case 'n':
		return skipWord(b, i, "null")
	default:
		return skipNumber(b, i)
	}
}

func skipWord(b []byte, i int, word string) (int, bool) {
	end := i + len(word)
	return end, end <= len(b) && string(b[i:end]) == word
}

func skipNull(b []byte, i int) (int, bool) {
	if i >= len(b) || b[i] != 'n' {
		return 0, false
	}
	return skipWord(b, i, "null")
}

// skipNested returns the place behind the object or array that begins at i.
// It remembers which bracket closes which for the innermost 64 levels; deeper
// than that it only counts.
func skipNested(b []byte, i int) (end int, ok bool) {
	var n nesting
	for {
		var done bool
		if i, done, ok = n.skipBlocks(b, i); done || !ok {
			return i, ok
		}
		// A backslash is near, or the end.
		if i, done, ok = n.skipBytes(b, i, min(len(b), i+blockSize)); done || !ok {
			return i, ok
		}
	}
}

// skipBytes goes on from a place outside of strings, to limit or to the end of the
// string in which that would be.
func (n *nesting) skipBytes(b []byte, i, limit int) (end int, done, ok bool) {
	if i >= limit {
		return i, false, false
	}
	for i < limit {
		c := b[i]
		i++
		switch {
		case c == '"':
			end, _ := stringEnd(b, i)
			if end < 0 {
				return 0, false, false
			}
			i = end + 1
		case c >= '[': // else digits, commas, colons, space
			if done, ok := n.step(c); done || !ok {
				return i, done, ok
			}
		}
	}
	return i, false, true
}

// nesting is how deep a place is, and in what.
type nesting struct {
	depth int
	kinds uint64
	deep  bool
}

// step takes a byte outside of strings: done when it closes what was opened first.
func (n *nesting) step(c byte) (done, ok bool) {
	switch c {
	case '{', '[':
		n.depth++
		n.deep = n.deep || n.depth > 64
		n.kinds = n.kinds<<1 | uint64(c>>5&1)
		return false, n.depth <= maxDepth
	case '}', ']':
		if !n.deep && n.kinds&1 != uint64(c>>5&1) {
			return false, false
		}
		n.kinds >>= 1
		n.depth--
		return n.depth == 0, true
	}
	return false, true
}

// skipNumber returns the place behind the number that begins at i.
func skipNumber(b []byte, i int) (int, bool) {
	if i < len(b) && b[i] == '-' {
		i++
	}
	start := i
	if i = skipDigits(b, i); i == start || b[start] == '0' && i > start+1 {
		return 0, false
	}
	if i < len(b) && b[i] == '.' {
		start = i + 1
		if i = skipDigits(b, start); i == start {
			return 0, false
		}
	}
	if i < len(b) && (b[i] == 'e' || b[i] == 'E') {
		i++
		if i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		start = i
		if i = skipDigits(b, start); i == start {
			return 0, false
		}
	}
	return i, true
}

func skipDigits(b []byte, i int) int {
	for i < len(b) && b[i]-'0' <= 9 {
		i++
	}
	return i
}

// scanUint reads a whole number that is not negative.
func scanUint(b []byte, i int) (n uint64, end int, ok bool) {
	end = skipDigits(b, i)
	if end == i || b[i] == '0' && end > i+1 {
		return 0, 0, false
	}
	if n = snowflake(b[i:end]); n == 0 && b[i] != '0' {
		return 0, 0, false
	}
	return n, end, true
}
