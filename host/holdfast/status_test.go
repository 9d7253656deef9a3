package main

import (
	"strings"
	"testing"
	"time"

	"github.com/holdfast-bot/holdfast/host/control"
)

func TestAge(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Hour:                     "0s",
		0:                              "0s",
		59*time.Second + 999:           "59s",
		time.Minute:                    "1m",
		time.Hour - 1:                  "59m",
		time.Hour:                      "1h",
		24*time.Hour - 1:               "23h",
		49 * time.Hour:                 "2d",
		1000*24*time.Hour + time.Hour:  "1000d",
		3*time.Minute + 59*time.Second: "3m",
	} {
		if got := age(d); got != want {
			t.Errorf("%v: got %s, want %s", d, got, want)
		}
	}
}

// A host may not tell its phase or when an error was: then nothing is made up.
func TestWhatAHostDoesNotSayIsLeftOut(t *testing.T) {
	var out strings.Builder
	if err := printStatus(&out, control.Status{
		Version: "v1", PID: 7, Started: time.Unix(1700000000, 0),
		Plugins: []control.Plugin{{Name: "hello", State: "running", LastError: "exit status 2"}},
	}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"holdfast  v1, pid 7, up 0s\n", "\n\nhello: last error: exit status 2\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
}

// What a host or its system does not tell of the process is left out, too.
func TestProcess(t *testing.T) {
	for want, p := range map[string]control.Process{
		"":                        {},
		"process\t7 goroutines\n": {Goroutines: 7},
		"process\t7 goroutines, 9 open files, 1.5 MiB of memory\n": {Goroutines: 7, OpenFiles: 9, MemoryBytes: 3 << 19},
	} {
		var out strings.Builder
		printProcess(&out, p)
		if out.String() != want {
			t.Errorf("%+v: got %q, want %q", p, out.String(), want)
		}
	}
}

func TestSize(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1 << 10: "1.0 KiB", 3 << 19: "1.5 MiB", 256 << 20: "256.0 MiB", 5 << 29: "2.5 GiB"} {
		if got := size(n); got != want {
			t.Errorf("%d: got %s, want %s", n, got, want)
		}
	}
}

// The guard is told of only while it lets no loads pass.
func TestGuard(t *testing.T) {
	for state, want := range map[string]string{
		"closed": "0 failed\n", "half-open": "0 failed; one at a time: too many loads failed\n",
		"open": "0 failed; none is loaded for 5m: too many loads failed\n",
	} {
		began := time.Unix(1700000000, 0)
		var out strings.Builder
		printKept(&out, control.Status{
			Started: began, UptimeSeconds: 60,
			Cache: &control.Cache{Guard: state, GuardUntil: began.Add(6*time.Minute + time.Second)},
		})
		if !strings.HasSuffix(out.String(), want) || strings.Contains(out.String(), "no guild") {
			t.Errorf("%s: %q", state, out.String())
		}
	}
}

// A guard that is open for the gate's sake, not for failed loads, has no end that is known.
func TestGuardWhileRequestsAreHeldBack(t *testing.T) {
	var out strings.Builder
	printKept(&out, control.Status{Started: time.Unix(1700000000, 0), Cache: &control.Cache{Guard: "open"}})
	if want := "0 failed; none is loaded while requests are held back\n"; !strings.HasSuffix(out.String(), want) {
		t.Errorf("%q", out.String())
	}
}

// Whom the gate holds back is named, with what to do about it.
func TestRequests(t *testing.T) {
	began := time.Unix(1700000000, 0)
	s := control.Status{Started: began, UptimeSeconds: 60, REST: control.REST{
		Requests: 9, Invalid: 5003, InvalidLimit: 10000, Standing: "writes stopped", Banned: true, PausedUntil: began.Add(6*time.Minute + time.Second),
		Callers: []control.Caller{
			{Name: "greeter", Invalid: 1, Standing: "good", Route: "GET /users/@me"}, {Name: "quiet", Standing: "good"},
			{Name: "wild", Invalid: 5002, Standing: "stopped", Stopped: 7, Route: "POST /channels/{}/messages"},
		},
	}}
	var out strings.Builder
	if err := printStatus(&out, s); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"\ninvalid   5003 of 10000 in 10 minutes: wild 5002 (last POST /channels/{}/messages), greeter 1 (last GET /users/@me)\n",
		"\nrequests: Cloudflare has banned this address for 5m more: do not restart the host\n",
		"\nrequests: only interactions and reads are sent: Discord refused 5003 in 10 minutes and bans at 10000\n",
		"\nwild: nothing is sent: Discord refused 5002 of its requests in 10 minutes (last POST /channels/{}/messages); 7 were not sent: mend it, or take it out and reload\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
	if strings.Contains(out.String(), "quiet") {
		t.Errorf("who has done nothing wrong is named:\n%s", out.String())
	}
}

// A sync of commands that failed is told, with what happens next.
func TestCommandSync(t *testing.T) {
	for want, c := range map[string]*control.CommandSync{
		"": nil,
		"commands\tnot registered (attempt 13; the next reload tries again): no way\n": {Error: "no\nway", Attempts: 13},
		"commands\tnot registered (attempt 2; tried again in 0s): x\n":                 {Error: "x", Attempts: 2, Next: new(time.Unix(1700000000, 0))},
	} {
		var out strings.Builder
		if printCommandSync(&out, c); out.String() != want {
			t.Errorf("got %q, want %q", out.String(), want)
		}
	}
}
