package plugins

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func TestHandshakeLine(t *testing.T) {
	long := strings.Repeat("x", 1<<20)
	for name, test := range map[string]struct {
		stream, first, rest string
		fails               bool
	}{
		"nothing":            {"", "", "", false},
		"handshake":          {"1|1|unix|/x|grpc\n", "1|1|unix|/x|grpc\n", "", false},
		"more":               {"one\ntwo\nthree", "one\n", "two\nthree", false},
		"a long line later":  {"one\n" + long, "one\n", long, false},
		"a long line first":  {long, "", "", true},
		"no end of the line": {"one", "one", "", false},
	} {
		for how, wrap := range map[string]func(io.Reader) io.Reader{
			"whole": func(r io.Reader) io.Reader { return r },
			"bytes": iotest.OneByteReader,
		} {
			var rest bytes.Buffer
			first, err := io.ReadAll(&handshakeLine{from: io.NopCloser(wrap(strings.NewReader(test.stream))), rest: &rest})
			if test.fails {
				if err == nil || errors.Is(err, io.EOF) {
					t.Errorf("%s, %s: no error", name, how)
				}
				continue
			}
			if err != nil || string(first) != test.first || rest.String() != test.rest {
				t.Errorf("%s, %s: first %.40q, rest %.40q, %v", name, how, first, rest.String(), err)
			}
		}
	}
}
