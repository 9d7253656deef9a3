package gateway

// block finds quotes and what may be brackets in 64 bytes: bit n of a result stands
// for byte n. plain is false when a backslash is among them. It is blockByWords with
// SSE2, which every amd64 has, and takes a third of its time.
//
//go:noescape
func block(b *[blockSize]byte) (quote, bracket uint64, plain bool)
