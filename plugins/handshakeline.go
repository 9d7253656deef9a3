package plugins

import (
	"bytes"
	"errors"
	"io"
)

// maxHandshake bounds the line with the handshake, in bytes.
const maxHandshake = 4 << 10

// handshakeLine reads only the first line of a stream, and writes what follows it
// to rest until the end: go-plugin's own reader of standard output stops at a
// long line, and whoever prints there then waits for ever.
type handshakeLine struct {
	from io.ReadCloser
	rest io.Writer
	read int
	done bool
}

// Read implements io.Reader.
func (f *handshakeLine) Read(p []byte) (int, error) {
	if f.done {
		if _, err := io.Copy(f.rest, f.from); err != nil {
			return 0, err
		}
		return 0, io.EOF
	}
	n, err := f.from.Read(p)
	if end := bytes.IndexByte(p[:n], '\n'); end >= 0 {
		f.done = true
		if _, err := f.rest.Write(p[end+1 : n]); err != nil {
			return 0, err
		}
		return end + 1, nil
	}
	if f.read += n; f.read > maxHandshake {
		return 0, errors.New("no handshake: the first line is too long")
	}
	return n, err
}

// Close implements io.Closer.
func (f *handshakeLine) Close() error { return f.from.Close() }
