package gateway

import "encoding/binary"

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

// blockByWords is block for every processor. A loop would take a fifth longer.
func blockByWords(b *[blockSize]byte) (quote, bracket uint64, plain bool) {
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
