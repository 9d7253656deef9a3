package gateway

import (
	"encoding/binary"
	"math/bits"
)

// blockSize is how many bytes are looked at together: a bit of a word for each.
const blockSize = 64

const (
	sevens = ones * 0x7f
	// The four brackets are equal but for these bits. Outside of strings JSON has
	// nothing else that is like them without the bits.
	bracketBits = ones * 0x26
	brackets    = ones * 0x59
)

// zeros has a bit for each byte of a word that is zero, in their order.
func zeros(w uint64) uint64 {
	const gather = 0x0002040810204081 // the highest bits of all bytes, into the highest byte
	return ^(w&sevens + sevens | w | sevens) * gather >> 56
}

// block finds quotes and what may be brackets in 64 bytes; plain is false when a
// backslash is among them. A loop would take a fifth longer.
func block(b *[blockSize]byte) (quote, bracket uint64, plain bool) {
	var slant uint64
	w := binary.LittleEndian.Uint64(b[0:])
	quote |= zeros(w^quotes) << 0
	bracket |= zeros(w&^bracketBits^brackets) << 0
	slant |= ((w ^ slants) - ones) &^ (w ^ slants)
	w = binary.LittleEndian.Uint64(b[8:])
	quote |= zeros(w^quotes) << 8
	bracket |= zeros(w&^bracketBits^brackets) << 8
	slant |= ((w ^ slants) - ones) &^ (w ^ slants)
	w = binary.LittleEndian.Uint64(b[16:])
	quote |= zeros(w^quotes) << 16
	bracket |= zeros(w&^bracketBits^brackets) << 16
	slant |= ((w ^ slants) - ones) &^ (w ^ slants)
	w = binary.LittleEndian.Uint64(b[24:])
	quote |= zeros(w^quotes) << 24
	bracket |= zeros(w&^bracketBits^brackets) << 24
	slant |= ((w ^ slants) - ones) &^ (w ^ slants)
	w = binary.LittleEndian.Uint64(b[32:])
	quote |= zeros(w^quotes) << 32
	bracket |= zeros(w&^bracketBits^brackets) << 32
	slant |= ((w ^ slants) - ones) &^ (w ^ slants)
	w = binary.LittleEndian.Uint64(b[40:])
	quote |= zeros(w^quotes) << 40
	bracket |= zeros(w&^bracketBits^brackets) << 40
	slant |= ((w ^ slants) - ones) &^ (w ^ slants)
	w = binary.LittleEndian.Uint64(b[48:])
	quote |= zeros(w^quotes) << 48
	bracket |= zeros(w&^bracketBits^brackets) << 48
	slant |= ((w ^ slants) - ones) &^ (w ^ slants)
	w = binary.LittleEndian.Uint64(b[56:])
	quote |= zeros(w^quotes) << 56
	bracket |= zeros(w&^bracketBits^brackets) << 56
	slant |= ((w ^ slants) - ones) &^ (w ^ slants)
	return quote, bracket, slant&highs == 0
}

// within has a bit for each byte that is in a string: from its opening quote up to
// the one before its closing quote.
func within(quote uint64) uint64 {
	quote ^= quote << 1
	quote ^= quote << 2
	quote ^= quote << 4
	quote ^= quote << 8
	quote ^= quote << 16
	return quote ^ quote<<32
}

// skipBlock goes on by 64 bytes from a place outside of strings, and to the end of
// the string in which that would be. Not plain: a backslash is among them, and
// nothing is skipped.
func (n *nesting) skipBlock(b []byte, i int) (end int, plain, done, ok bool) {
	quote, bracket, plain := block((*[blockSize]byte)(b[i:]))
	if !plain {
		return i, false, false, true
	}
	text := within(quote)
	for bracket &^= text; bracket != 0; bracket &= bracket - 1 {
		at := i + bits.TrailingZeros64(bracket)
		if done, ok = n.step(b[at]); done || !ok {
			return at + 1, true, done, ok
		}
	}
	i += blockSize
	if text>>(blockSize-1) == 0 {
		return i, true, false, true
	}
	end, _ = stringEnd(b, i)
	return end + 1, true, false, end >= 0
}
