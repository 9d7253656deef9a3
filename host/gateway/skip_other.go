//go:build !amd64

package gateway

// block finds quotes and what may be brackets in 64 bytes: bit n of a result stands
// for byte n. plain is false when a backslash is among them.
func block(b *[blockSize]byte) (quote, bracket uint64, plain bool) { return blockByWords(b) }
