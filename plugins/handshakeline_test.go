package plugins

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func TestHandshakeLine(t *testing.T) {
	const shake = "1|1|unix|/x|grpc\n"
	long := strings.Repeat("x", 1<<17)
	for name, test := range map[string]struct {
		stream, first, rest string
	}{
		"nothing":             {"", "", ""},
		"handshake":           {shake, shake, ""},
		"more":                {shake + "two\nthree", shake, "two\nthree"},
		"a long line later":   {shake + long, shake, long},
		"printed before":      {"one\ntwo\n" + shake + "three", shake, "one\ntwo\nthree"},
		"a long line first":   {long + "\n" + shake, shake, long + "\n"},
		"an unfinished line":  {"loading 1" + shake + "two", shake, "loading 1\ntwo"},
		"no handshake":        {"one\ntwo", "", "one\ntwo"},
		"another go-plugin's": {"2|1|unix|/x|grpc\n", "2|1|unix|/x|grpc\n", ""},
		"a look-alike":        {"a|1|unix\n1|2|3\n" + shake, shake, "a|1|unix\n1|2|3\n"},
	} {
		for how, wrap := range map[string]func(io.Reader) io.Reader{
			"whole": func(r io.Reader) io.Reader { return r },
			"bytes": iotest.OneByteReader,
		} {
			var rest bytes.Buffer
			first, err := io.ReadAll(&handshakeLine{from: io.NopCloser(wrap(strings.NewReader(test.stream))), rest: &rest})
			if err != nil || string(first) != test.first || rest.String() != test.rest {
				t.Errorf("%s, %s: first %.40q, rest %.40q, %v", name, how, first, rest.String(), err)
			}
		}
	}
}
