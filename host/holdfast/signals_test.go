package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// The first signal ends the context, the second one the process: tested in a
// process of its own.
func TestASecondSignalEndsAtOnce(t *testing.T) {
	if os.Getenv("HOLDFAST_TEST_SIGNALS") == "1" {
		ctx, _ := untilSignal(func() { os.Exit(42) })
		fmt.Println("ready")
		<-ctx.Done()
		fmt.Println("stopping")
		select {} // a stop that takes too long for the operator
	}
	for name, ask := range map[string]os.Signal{"interrupt": syscall.SIGINT, "terminate": syscall.SIGTERM} {
		t.Run(name, func(t *testing.T) {
			cmd := exec.Command(os.Args[0], "-test.run=^TestASecondSignalEndsAtOnce$")
			cmd.Env = append(os.Environ(), "HOLDFAST_TEST_SIGNALS=1")
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			for _, want := range []string{"ready", "stopping"} {
				var got string
				if _, err := fmt.Fscanln(out, &got); err != nil || got != want {
					_ = cmd.Process.Kill()
					t.Fatalf("got %q, %v, want %q", got, err, want)
				}
				if want == "stopping" {
					time.Sleep(2 * echoTime) // the operator's patience ends here, in real time
				}
				if err := cmd.Process.Signal(ask); err != nil {
					t.Fatal(err)
				}
			}
			exit, ok := errors.AsType[*exec.ExitError](cmd.Wait())
			if !ok || exit.ExitCode() != 42 {
				t.Errorf("the process did not end by the second signal: %v", exit)
			}
		})
	}
}

func TestAnEchoOfTheFirstSignalIsIgnored(t *testing.T) {
	for name, test := range map[string]struct {
		after []time.Duration // of further signals, each after the one before
		again bool
	}{
		"at once":           {[]time.Duration{0, 0}, false},
		"just within":       {[]time.Duration{echoTime - 1}, false},
		"just after":        {[]time.Duration{echoTime}, true},
		"echo, then asked":  {[]time.Duration{0, time.Second}, true},
		"echoes add up not": {[]time.Duration{echoTime / 2, echoTime / 2}, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				signals, over, ended := make(chan os.Signal), make(chan struct{}), make(chan struct{})
				first, again := 0, 0
				go func() {
					defer close(ended)
					obey(signals, over, func() { first++ }, func() { again++ })
				}()
				signals <- syscall.SIGINT
				for _, pause := range test.after {
					time.Sleep(pause)
					signals <- syscall.SIGINT
				}
				close(over)
				<-ended
				if first != 1 || (again == 1) != test.again || again > 1 {
					t.Errorf("stopped %d times, asked again %d times, want again: %v", first, again, test.again)
				}
			})
		})
	}
}

func TestWithoutASignalNothingEnds(t *testing.T) {
	ctx, stop := untilSignal(func() { t.Error("nobody asked") })
	if ctx.Err() != nil {
		t.Error("the context ended by itself")
	}
	stop()
	if ctx.Err() == nil {
		t.Error("the context outlives stop")
	}
}
