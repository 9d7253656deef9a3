package gateway

import (
	"bufio"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"
)

const (
	// maxPayload bounds a payload, inflated or not: the largest guilds have several MB.
	maxPayload = 32 << 20
	// keepBuffer is the largest buffer a session keeps after a payload that needed it: READY
	// and large guilds come once, and there are many sessions.
	keepBuffer = 64 << 10
	// startBuffer is what a message is read into first.
	startBuffer = 8 << 10
	// zlibChunk is how much of a message the zlib reader is handed at once.
	zlibChunk = 16 << 10
	// zlibSuffix ends the last message of a payload in zlib-stream: an empty stored block.
	zlibSuffix = "\x00\x00\xff\xff"
)

var errTooLarge = errors.New("payload larger than 32 MiB")

// payloadFunc takes a payload. Its bytes are valid until it returns, or the
// receiver's to keep if own is set.
type payloadFunc func(b []byte, own bool) error

// feed stands on both sides of a decoder and so finds where payloads end.
// Neither zlib-stream nor zstd-stream marks that in what they decode. But the
// decoder asks for input only when it has given out all that it could decode,
// so when it asks and the message is used up, what it has written since is
// exactly one payload. It is used by one goroutine.
type feed struct {
	next    func() ([]byte, error) // the next websocket message; valid until it is called again
	payload payloadFunc
	ends    func(message []byte) bool // whether a payload ends with this message

	message []byte // what is left of it
	last    bool   // the message ends a payload
	out     []byte // what was decoded since the last payload
	err     error  // why next or payload ended it, whatever the decoder makes of that
}

// Read hands the decoder at most the rest of one message.
func (f *feed) Read(p []byte) (int, error) {
	for len(f.message) == 0 {
		if err := f.turn(); err != nil {
			f.err = err
			return 0, err
		}
	}
	n := copy(p, f.message)
	f.message = f.message[n:]
	return n, nil
}

// turn gives a complete payload away and takes the next message.
func (f *feed) turn() error {
	if f.last && len(f.out) > 0 {
		// A copy of each large GUILD_CREATE would cost more than to read it from the socket.
		if err := f.payload(f.out, true); err != nil {
			return err
		}
		f.out = nil
	}
	message, err := f.next()
	if err != nil {
		return err
	}
	f.message, f.last = message, f.ends(message)
	return nil
}

// Write takes what the decoder has decoded.
func (f *feed) Write(p []byte) (int, error) {
	if len(f.out)+len(p) > maxPayload {
		f.err = errTooLarge
		return 0, errTooLarge
	}
	if len(f.out) > 0 {
		f.out = append(f.out, p...)
		return len(p), nil
	}
	whole := make([]byte, len(p)) // of that size, and nothing of it is cleared
	copy(whole, p)
	f.out = whole
	return len(p), nil
}

// failure prefers the reason that the feed knows over what the decoder made of it.
func (f *feed) failure(what string, err error) error {
	if f.err != nil {
		return f.err
	}
	if err == nil {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("inflate %s: %w", what, err)
}

// inflate calls payload for every payload in the messages that next gives,
// until next, payload or the decoder fails; it never returns nil.
func inflate(compress string, next func() ([]byte, error), payload payloadFunc) error {
	f := &feed{next: next, payload: payload}
	switch compress {
	case CompressZstd:
		return f.zstd()
	case CompressZlib:
		return f.zlib()
	default:
		return f.plain()
	}
}

func (f *feed) plain() error {
	for {
		message, err := f.next()
		if err != nil {
			return err
		}
		if len(message) > maxPayload {
			return errTooLarge
		}
		if err := f.payload(message, false); err != nil {
			return err
		}
	}
}

// zstd needs concurrency 1: the decoder's other mode reads ahead. WriteTo
// writes each block before it asks for the next.
func (f *feed) zstd() error {
	f.ends = func([]byte) bool { return true }
	// A checksum would be at the end of a stream that has none.
	d, err := zstd.NewReader(f, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(false), zstd.IgnoreChecksum(true),
		zstd.WithDecoderMaxMemory(maxPayload), zstd.WithDecoderMaxWindow(maxPayload))
	if err != nil {
		return fmt.Errorf("inflate %s: %w", CompressZstd, err)
	}
	defer d.Close()
	_, err = d.WriteTo(f)
	return f.failure(CompressZstd, err)
}

// zlib payloads may span messages; the last one ends with an empty stored
// block, at which the decoder gives out everything before it.
func (f *feed) zlib() error {
	f.ends = endsBlock
	z, err := zlib.NewReader(bufio.NewReaderSize(f, zlibChunk))
	if err != nil {
		return f.failure(CompressZlib, err)
	}
	// The decoder hands out slices of its own window; hiding WriterTo and
	// ReaderFrom from Copy keeps the order read, write, read.
	_, err = io.CopyBuffer(struct{ io.Writer }{f}, struct{ io.Reader }{z}, make([]byte, zlibChunk))
	return f.failure(CompressZlib, errors.Join(err, z.Close()))
}

func endsBlock(m []byte) bool {
	return len(m) >= len(zlibSuffix) && string(m[len(m)-len(zlibSuffix):]) == zlibSuffix
}

// reuse empties a buffer, or lets go of one that a rare large payload has grown.
func reuse(b []byte) []byte {
	if cap(b) > keepBuffer {
		return nil
	}
	return b[:0]
}
