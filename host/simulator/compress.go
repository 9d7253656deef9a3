package simulator

import (
	"bytes"
	"fmt"

	"github.com/gorilla/websocket"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"
)

// packer turns one payload into one websocket message. The compressing ones have one context per connection:
// each message is a flush of the same stream.
type packer interface {
	pack(payload []byte) (kind int, message []byte, err error)
	close()
}

// newPacker gives the transport compression that the query asked for; nil: there is no such one.
func newPacker(name string) (packer, error) {
	switch name {
	case "":
		return plainPacker{}, nil
	case "zlib-stream":
		p := &deflated{}
		p.w = zlib.NewWriter(&p.out)
		return p, nil
	case "zstd-stream":
		p := &zstandard{}
		w, err := zstd.NewWriter(&p.out, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest),
			zstd.WithWindowSize(256<<10), zstd.WithLowerEncoderMem(true))
		if err != nil {
			return nil, fmt.Errorf("make zstd encoder: %w", err)
		}
		p.w = w
		return p, nil
	}
	return nil, fmt.Errorf("compression %q is none of zlib-stream and zstd-stream", name)
}

type plainPacker struct{}

func (plainPacker) pack(payload []byte) (int, []byte, error) {
	return websocket.TextMessage, payload, nil
}
func (plainPacker) close() {}

// deflated is zlib-stream: a sync flush ends each message with 00 00 ff ff.
type deflated struct {
	out bytes.Buffer
	w   *zlib.Writer
}

func (p *deflated) pack(payload []byte) (int, []byte, error) {
	p.out.Reset()
	if _, err := p.w.Write(payload); err != nil {
		return 0, nil, fmt.Errorf("deflate: %w", err)
	}
	if err := p.w.Flush(); err != nil {
		return 0, nil, fmt.Errorf("flush deflate: %w", err)
	}
	return websocket.BinaryMessage, p.out.Bytes(), nil
}

func (p *deflated) close() {}

// zstandard is zstd-stream: one frame for the whole connection, a block boundary after each message.
type zstandard struct {
	out bytes.Buffer
	w   *zstd.Encoder
}

func (p *zstandard) pack(payload []byte) (int, []byte, error) {
	p.out.Reset()
	if _, err := p.w.Write(payload); err != nil {
		return 0, nil, fmt.Errorf("compress: %w", err)
	}
	if err := p.w.Flush(); err != nil {
		return 0, nil, fmt.Errorf("flush zstd: %w", err)
	}
	return websocket.BinaryMessage, p.out.Bytes(), nil
}

func (p *zstandard) close() {
	_ = p.w.Close() // ends the frame into a buffer that nobody reads any more
}

// perPayload is what "compress": true in IDENTIFY asks for: each payload by itself, without transport compression.
type perPayload struct{ out bytes.Buffer }

func (p *perPayload) pack(payload []byte) (int, []byte, error) {
	p.out.Reset()
	w := zlib.NewWriter(&p.out)
	if _, err := w.Write(payload); err != nil {
		return 0, nil, fmt.Errorf("deflate payload: %w", err)
	}
	if err := w.Close(); err != nil {
		return 0, nil, fmt.Errorf("end payload: %w", err)
	}
	return websocket.BinaryMessage, p.out.Bytes(), nil
}

func (p *perPayload) close() {}
