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
