package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/holdfast-bot/holdfast/host/control"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"holdfast": main})
}

// TestStories runs testdata/*.txt with the real command in processes of its own.
func TestStories(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":  exits,
			"answer": answer,
		},
		Setup: func(env *testscript.Env) error {
			// What the developer has set is not part of the story.
			for _, name := range []string{"DISCORD_TOKEN", "HOLDFAST_FULL"} {
				env.Setenv(name, "")
			}
			return nil
		},
	})
}

// exits runs a program and demands its exit code: exits 2 holdfast run.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM [ARG…]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		exit, ok := errors.AsType[*exec.ExitError](err)
		if !ok {
			ts.Fatalf("run %v: %v", args[1:], err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("%v exited with %d, want %d", args[1:], got, want)
	}
}

// answer plays a running host: answer STATE-DIR STATUS.json.
func answer(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: answer STATE-DIR STATUS.json")
	}
	dir := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(dir, 0o700))
	socket := filepath.Join(dir, "c")
	runtime := fmt.Sprintf(`{"version":1,"content":{"pid":1,"socket":%q}}`, socket)
	ts.Check(os.WriteFile(filepath.Join(dir, "runtime.json"), []byte(runtime), 0o600))
	var status told
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[1])), &status))
	server, err := control.Listen(socket, status, nil)
	ts.Check(err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- server.Serve(ctx) }()
	ts.Defer(func() {
		cancel()
		ts.Check(<-done)
	})
}

type told control.Status

func (s told) Status() control.Status { return control.Status(s) }

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

// The first signal ends the context; the second one ends the process as if
// nobody had asked for signals: tested in a process of its own.
func TestASecondSignalEndsAtOnce(t *testing.T) {
	if os.Getenv("HOLDFAST_TEST_SIGNALS") == "1" {
		ctx, _ := untilSignal()
		fmt.Println("ready")
		<-ctx.Done()
		fmt.Println("stopping")
		time.Sleep(time.Minute) // a stop that takes too long for the operator
		os.Exit(0)
	}
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
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			t.Fatal(err)
		}
	}
	exit, ok := errors.AsType[*exec.ExitError](cmd.Wait())
	if !ok || exit.ExitCode() != -1 {
		t.Errorf("the process was not ended by the signal: %v", exit)
	}
}
