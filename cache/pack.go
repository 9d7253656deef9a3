package cache

import (
	"bytes"
	"encoding/json"
	"fmt"
	"runtime"

	"github.com/klauspost/compress/zstd"
)

// A part is held packed, by itself: an event that touches one unpacks no other.
// How was decided by BenchmarkForms. A guild of 25 KB, in bytes held and in
// microseconds to read it whole and to edit one of its channels:
//
//	raw   26,400    0    32
//	s2     9,600    7    45
//	zstd   6,600   26    75
//	this   5,800   27    75, and half of zstd's bytes for a guild of 2 KB
//
// A read of what has changed and an edit are rare beside the guilds that would
// not fit: each of those costs up to four requests to Discord. So what is raw for a
// while after a change, as in a burst of them, is within a bound of its own (raw.go).
const (
	// packFrom is the size from which packing saves anything.
	packFrom = 64
	// dictionaryTo is the size up to which the dictionary is worth its time:
	// larger parts repeat their own members often enough.
	dictionaryTo = 12 << 10
	// packTo bounds what is packed, and what unpacking may make: a payload of
	// Discord's has no more.
	packTo = 32 << 20
	// packWindow bounds an encoder's memory.
	packWindow = 256 << 10
	// maxIdlePackers bounds those that are kept when nobody uses them: each has 1 to 3 MB.
	maxIdlePackers = 8
	// idleBuffer is the largest buffer that is kept with a packer.
	idleBuffer = 256 << 10
)

// packing packs and unpacks parts, for any goroutine. It starts none.
type packing struct {
	idle chan *packer // never waited for
}

// packer is used by one goroutine at a time.
type packer struct {
	large, small *zstd.Encoder // small has the dictionary
	decoder      *zstd.Decoder
	buffer       []byte
}

// idlePackers is how many are kept for so many goroutines at once: making one
// costs many times what it then does.
func idlePackers(procs int) int { return min(max(procs, 2), maxIdlePackers) }

func newPacking() (*packing, error) {
	k := &packing{idle: make(chan *packer, idlePackers(runtime.GOMAXPROCS(0)))}
	p, err := newPacker()
	if err != nil {
		return nil, fmt.Errorf("make the guild cache's packers: %w", err)
	}
	k.put(p)
	return k, nil
}

func newPacker() (*packer, error) {
	options := []zstd.EOption{
		zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(packWindow),
		zstd.WithLowerEncoderMem(true), zstd.WithSingleSegment(true), zstd.WithEncoderCRC(false), // it never leaves memory
	}
	large, err := zstd.NewWriter(nil, options...)
	if err != nil {
		return nil, err
	}
	small, err := zstd.NewWriter(nil, append(options, zstd.WithEncoderDictRaw(1, []byte(dictionary)))...)
	if err != nil {
		return nil, err
	}
	decoder, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxMemory(packTo), zstd.WithDecoderDictRaw(1, []byte(dictionary)))
	if err != nil {
		return nil, err
	}
	return &packer{large: large, small: small, decoder: decoder}, nil
}

// get returns a packer; nil: none can be made, which newPacking has ruled out.
func (k *packing) get() *packer {
	select {
	case p := <-k.idle:
		return p
	default:
	}
	p, err := newPacker()
	if err != nil {
		return nil
	}
	return p
}

func (k *packing) put(p *packer) {
	select {
	case k.idle <- p:
	default: // it has no goroutine; nothing needs to be closed
	}
}

// pack returns a part as it is to be held: packed if that makes it smaller.
func (k *packing) pack(raw json.RawMessage) piece {
	if len(raw) < packFrom || len(raw) > packTo {
		return piece(bytes.Clone(raw)) // without the room that edits leave
	}
	p := k.get()
	if p == nil {
		return piece(bytes.Clone(raw))
	}
	defer k.put(p)
	encoder := p.small
	if len(raw) > dictionaryTo {
		encoder = p.large
	}
	packed := encoder.EncodeAll(raw, p.buffer[:0])
	if p.buffer = packed; cap(packed) > idleBuffer {
		p.buffer = nil
	}
	if len(packed) >= len(raw) {
		return piece(bytes.Clone(raw))
	}
	return piece(bytes.Clone(packed))
}

// unpack returns the part that was packed; nil for what no packer has made.
func (k *packing) unpack(b piece) json.RawMessage {
	if !b.packed() {
		return json.RawMessage(b)
	}
	p := k.get()
	if p == nil {
		return nil
	}
	defer k.put(p)
	raw, err := p.decoder.DecodeAll(b, nil)
	if err != nil || len(raw) == 0 {
		return nil
	}
	return raw
}

// packed reports whether a piece is packed: zstd's magic number begins with what
// begins no JSON.
func (b piece) packed() bool { return len(b) > 0 && b[0] == 0x28 }
