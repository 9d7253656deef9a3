package plugins

import (
	"bytes"
	"errors"
	"io"
	"regexp"
)

// maxHandshake bounds the line with the handshake, in bytes.
const maxHandshake = 4 << 10

// handshake is how go-plugin's line begins: the versions of its own protocol and
// of ours, and where the plugin listens.
var handshake = regexp.MustCompile(`\d\|\d+\|(unix|tcp)\|`)

// handshakeLine reads only the line with the handshake from a stream, and writes
// all else to rest until the end. What a program prints before it calls Run would
// else be taken for the handshake; and go-plugin's own reader of standard output
// stops at a long line, and whoever prints there then waits for ever.
type handshakeLine struct {
	from io.ReadCloser
	rest io.Writer
	held []byte // the beginning of a line
	line []byte // of the handshake, not yet read
	done bool   // it has been found
}

// Read implements io.Reader.
func (f *handshakeLine) Read(p []byte) (int, error) {
	for !f.done {
		if err := f.look(); err != nil {
			return 0, err
		}
	}
	if len(f.line) > 0 {
		n := copy(p, f.line)
		f.line = f.line[n:]
		return n, nil
	}
	if _, err := io.Copy(f.rest, f.from); err != nil {
		return 0, err
	}
	return 0, io.EOF
}

// look reads once, and takes the handshake out of it if it is there.
func (f *handshakeLine) look() error {
	var piece [maxHandshake]byte
	n, failed := f.from.Read(piece[:])
	f.held = append(f.held, piece[:n]...)
	var out []byte
	for !f.done {
		end := bytes.IndexByte(f.held, '\n') + 1
		if end == 0 {
			break
		}
		line := f.held[:end]
		f.held = f.held[end:]
		if at := handshake.FindIndex(line); at != nil {
			f.done, f.line = true, bytes.Clone(line[at[0]:])
			if line = line[:at[0]]; len(line) > 0 { // printed without an end of its line
				line = append(bytes.Clone(line), '\n')
			}
		}
		out = append(out, line...)
	}
	if f.done || failed != nil || len(f.held) > maxHandshake {
		out, f.held = append(out, f.held...), nil
	}
	if _, err := f.rest.Write(out); err != nil {
		return err
	}
	if f.done && errors.Is(failed, io.EOF) {
		return nil // the next read says it again
	}
	return failed
}

// Close implements io.Closer.
func (f *handshakeLine) Close() error { return f.from.Close() }
