package main

import (
	"bufio"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/holdfast-bot/holdfast/host/simulator"
)

// TestSimulate runs a bot on holdfast simulate as its first lines say, and talks to it.
func TestSimulate(t *testing.T) {
	temp, err := os.MkdirTemp("/tmp", "hf") // sockets need a short path
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(temp) })
	if err := os.Mkdir(filepath.Join(temp, "bot"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := build(t.Context(), filepath.Join(temp, "bot"), "", helloExample); err != nil {
		t.Fatal(err)
	}
	sim := exec.CommandContext(t.Context(), "holdfast", "simulate", "--rate", "50")
	in, err := sim.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := sim.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	sim.Stderr = os.Stderr
	if err := sim.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	until := func(pattern string) string {
		t.Helper()
		for lines.Scan() {
			if regexp.MustCompile(pattern).MatchString(lines.Text()) {
				return lines.Text()
			}
		}
		t.Fatalf("it ended before it said %q", pattern)
		return ""
	}
	say := func(line string) {
		t.Helper()
		if _, err := io.WriteString(in, line+"\n"); err != nil {
			t.Fatal(err)
		}
	}
	command := until(`^  DISCORD_TOKEN=`)
	until(`^what you type here`)
	say("hello?")
	until(`no bot is connected: nobody hears it$`)
	host := exec.CommandContext(t.Context(), "sh", "-c", "exec env "+strings.TrimSpace(command)+" --log-level info")
	host.Dir = temp
	said, err := host.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := host.Start(); err != nil {
		t.Fatal(err)
	}
	log := bufio.NewScanner(said)
	for ready := false; !ready; ready = strings.Contains(log.Text(), "session ready") {
		if !log.Scan() {
			t.Fatal("the host ended before its session was ready")
		}
	}
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		_, _ = io.Copy(io.Discard, said)
	}()
	say("/ping")
	until(`/ping is answered after [0-9]+m?s: "pong"$`)
	say("!guild")
	until(`the bot says in channel [0-9]+: "`)
	for _, cmd := range []*exec.Cmd{host, sim} {
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if cmd == host {
			<-drained
		} else {
			_, _ = io.Copy(io.Discard, out)
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("%s: %v", cmd.Args, err)
		}
	}
}

func TestCommandOf(t *testing.T) {
	for line, want := range map[string]struct {
		name    string
		options []simulator.Option
	}{
		"ping":                            {"ping", nil},
		"config set name=t n=-3 yes=true": {"config set", []simulator.Option{{Name: "name", Value: "t"}, {Name: "n", Value: -3}, {Name: "yes", Value: true}}},
		"say text= ":                      {"say", []simulator.Option{{Name: "text", Value: ""}}},
		"":                                {"", nil},
	} {
		if name, options := commandOf(line); name != want.name || !reflect.DeepEqual(options, want.options) {
			t.Errorf("%q: %q, %+v", line, name, options)
		}
	}
}

// TestSimulateWithoutRoomToListen is told with the remedy.
func TestSimulateWithoutRoomToListen(t *testing.T) {
	err := (&simulateCmd{Listen: "256.0.0.1:1", Guilds: 1, Shards: 1}).Run(context.Background(), surroundings{stdout: io.Discard, stderr: io.Discard})
	if err == nil || !strings.HasSuffix(err.Error(), ": give another --listen, or fewer guilds") {
		t.Errorf("said %v", err)
	}
}
