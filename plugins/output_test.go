package plugins

import (
	"fmt"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"
)

func TestOutput(t *testing.T) {
	long := strings.Repeat("x", 100_000)
	for name, test := range map[string]struct {
		printed string
		want    []string // parts of the log, in order
		never   string
	}{
		"a record":             {`{"@level":"error","@message":"no room","@timestamp":"x","disk":"full"}` + "\n", []string{"[ERROR]", "no room", "disk=full"}, "printed"},
		"a large record":       {`{"@level":"error","@message":"no room","body":"` + long + `"}` + "\n", []string{"[ERROR]", "no room"}, "printed"},
		"a record without end": {`{"@level":"error","@message":"` + strings.Repeat(long, 4) + "\n", []string{"[WARN]", "cannot be read"}, "[ERROR]"},
		"a forged line":        {`{"@level":"info","@message":"x\n2026-01-01T00:00:00.000Z [ERROR] holdfast: out"}` + "\n", []string{"[INFO]", "x 2026"}, "\n2026-01-01"},
		"a text":               {"hello\n", []string{"[INFO]", `line=hello`}, "ERROR"},
		"a panic":              {"panic: oh\n\n\tmain.go:3\n", []string{"[ERROR]", "panic: oh", "[ERROR]", "    main.go:3"}, "\t"},
		"a long text":          {long + "\n", []string{strings.Repeat("x", maxLine)}, strings.Repeat("x", maxLine+1)},
		"other JSON":           {`{"a":1}` + "\n", []string{"[INFO]", `{\"a\":1}`}, "ERROR"},
	} {
		t.Run(name, func(t *testing.T) {
			log := new(lockedBuilder)
			o := &output{log: hclog.New(&hclog.LoggerOptions{Output: log, Level: hclog.Trace}), level: hclog.Info}
			for rest := test.printed; rest != ""; { // in pieces, as pipes give them
				n := min(len(rest), 1000)
				fmt.Fprint(o, rest[:n])
				rest = rest[n:]
			}
			said := log.String()
			at := 0
			for _, part := range test.want {
				found := strings.Index(said[at:], part)
				if found < 0 {
					t.Fatalf("no %.100q in %.500q", part, said[at:])
				}
				at += found + len(part)
			}
			if strings.Contains(said, test.never) {
				t.Errorf("%.100q is in %.500q", test.never, said)
			}
		})
	}
}
