package gateway

import "math/bits"

// blockSize is how many bytes are looked at together: a bit of a word for each.
const blockSize = 64

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

// skipBlocks goes on by blocks from a place outside of strings, up to one with a
// backslash or to what is less than a block, and to the end of the string in which
// that would be.
func (n *nesting) skipBlocks(b []byte, i int) (end int, done, ok bool) {
	var open uint64 // all bits when the block begins in a string
	for ; i+blockSize <= len(b); i += blockSize {
		quote, bracket, plain := block((*[blockSize]byte)(b[i:]))
		if !plain {
			break
		}
		text := within(quote) ^ open
		for bracket &^= text; bracket != 0; bracket &= bracket - 1 {
			at := i + bits.TrailingZeros64(bracket)
			if done, ok = n.step(b[at]); done || !ok {
				return at + 1, done, ok
			}
		}
		open = -(text >> (blockSize - 1))
	}
	if open == 0 {
		return i, false, true
	}
	end, _ = stringEnd(b, i)
	return end + 1, false, end >= 0
}
