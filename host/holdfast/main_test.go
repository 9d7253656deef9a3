package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"
)

func TestLines(t *testing.T) {
	one, two := errors.New("one"), errors.New("two")
	for name, test := range map[string]struct {
		err  error
		want string
	}{
		"single":       {one, `["one"]`},
		"joined":       {errors.Join(one, two), `["one" "two"]`},
		"nested":       {usageError{errors.Join(one, errors.Join(two, one))}, `["one" "two" "one"]`},
		"a sentence":   {fmt.Errorf("%w because of %w", one, two), `["one because of two"]`},
		"wrapped join": {fmt.Errorf("stop: %w", errors.Join(one, two)), `["stop: one; two"]`},
	} {
		t.Run(name, func(t *testing.T) {
			if got := fmt.Sprintf("%q", lines(test.err)); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

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
