package plugins

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

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
			logger := hclog.New(&hclog.LoggerOptions{Output: log, Level: hclog.Trace})
			o := &output{log: logger, level: hclog.Info, allows: newOutputLimit(time.Now, logger)}
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

func TestLastWords(t *testing.T) {
	long := strings.Repeat("x", 1000)
	for name, test := range map[string]struct{ printed, want string }{
		"nothing":     {"", ""},
		"one":         {"no config\n", "no config"},
		"unfinished":  {"one\ntwo", "one / two"},
		"the last":    {"one\ntwo\nthree\nfour\n", "two / three / four"},
		"long":        {long + "\n", long[:300] + "…"},
		"records":     {`one` + "\n" + `{"@level":"error","@message":"x"}` + "\n", "one"},
		"a panic":     {"one\npanic: no room\n\ngoroutine 1 [running]:\nmain.main()\n\tmain.go:3\nexit status 2\n", "panic: no room"},
		"two at once": {"panic: one\n\tpanic: two\n\ngoroutine 1 [running]:\n", "panic: one /     panic: two"},
	} {
		t.Run(name, func(t *testing.T) {
			log := hclog.NewNullLogger()
			o := &output{log: log, level: hclog.Info, allows: newOutputLimit(time.Now, log)}
			fmt.Fprint(o, test.printed)
			if got := o.lastWords(); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

// TestAPluginThatPrintsWithoutEnd: its lines are bounded, what is left out is told,
// and its panic is not left out.
func TestAPluginThatPrintsWithoutEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := new(lockedBuilder)
		logger := hclog.New(&hclog.LoggerOptions{Output: log, Level: hclog.Trace})
		limit := newOutputLimit(time.Now, logger)
		out, err := &output{log: logger, level: hclog.Info, allows: limit}, &output{log: logger, level: hclog.Info, allows: limit}
		const seconds, each = 30, 1000
		for n := range seconds {
			if n > 0 {
				time.Sleep(time.Second)
			}
			for range each / 2 {
				fmt.Fprintln(out, "again")
				fmt.Fprintln(err, `{"@level":"info","@message":"again"}`)
			}
		}
		fmt.Fprint(err, "panic: enough\n\ngoroutine 1 [running]:\n")
		time.Sleep(time.Minute)
		said := log.String()
		logged := uint64(strings.Count(said, "again"))
		if most := uint64(maxOutputBurst + seconds*maxOutputRate); logged > most || logged < most-maxOutputRate {
			t.Errorf("%d lines logged, want %d", logged, most)
		}
		if dropped := limit.lines(); dropped+logged != seconds*each {
			t.Errorf("%d lines logged and %d left out of %d", logged, dropped, seconds*each)
		}
		for want, times := range map[string]int{
			"prints too much": 1, "lines of the plugin were left out": 3, "panic: enough": 1, "goroutine 1": 1,
			fmt.Sprintf("over_all=%d", limit.lines()): 1,
		} {
			if got := strings.Count(said, want); got != times {
				t.Errorf("%q %d times, want %d", want, got, times)
			}
		}
		if n := len(said); n > 2_000_000 {
			t.Errorf("%d bytes logged", n)
		}
	})
}

// TestALongLineCostsMore: the bound is one of bytes, too.
func TestALongLineCostsMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := new(lockedBuilder)
		logger := hclog.New(&hclog.LoggerOptions{Output: log})
		o := &output{log: logger, level: hclog.Info, allows: newOutputLimit(time.Now, logger)}
		for range 1000 {
			fmt.Fprintln(o, strings.Repeat("x", maxLine))
		}
		if most := maxOutputBurst*outputUnit + 1<<18; len(log.String()) > most {
			t.Errorf("%d bytes logged, want at most %d", len(log.String()), most)
		}
		time.Sleep(time.Minute) // the timer ends
	})
}

// TestQuotesThatAPluginPrintsAreEscapedOnce: in the log they stand in quotes, with
// the reason that they are part of.
func TestQuotesThatAPluginPrintsAreEscapedOnce(t *testing.T) {
	for words, want := range map[string]string{
		`panic: the name "Poll it": too long`: "detail=\"no handshake, it printed `panic: the name \\\"Poll it\\\": too long`\"\n",
		"panic: no config":                    "detail=\"no handshake, it printed \\\"panic: no config\\\"\"\n",
	} {
		var out bytes.Buffer
		hclog.New(&hclog.LoggerOptions{Output: &out}).Warn("reload", "detail", "no handshake"+said(words))
		if !strings.HasSuffix(out.String(), want) {
			t.Errorf("told %s, want %s", out.String(), want)
		}
	}
}
