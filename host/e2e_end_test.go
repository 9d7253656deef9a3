package host_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/holdfast-bot/holdfast/host/control"
	"github.com/holdfast-bot/holdfast/host/simulator"
)

// alive says whether a process exists and is no zombie.
func alive(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return false
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return !errors.Is(err, os.ErrNotExist)
	}
	_, after, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(after, "Z")
}

// pids of the host's plugins.
func (r *running) pids() []int {
	s, _ := r.status()
	var out []int
	for _, p := range s.Plugins {
		if p.PID != 0 {
			out = append(out, p.PID)
		}
	}
	return out
}

// children of a process, by /proc.
func children(t *testing.T, pid int) []int {
	t.Helper()
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil {
		t.Fatal(err)
	}
	var out []int
	for _, path := range threads {
		raw, err := os.ReadFile(path)
		if err != nil {
			continue // the thread has ended
		}
		for field := range strings.FieldsSeq(string(raw)) {
			var child int
			if _, err := fmt.Sscan(field, &child); err == nil {
				out = append(out, child)
			}
		}
	}
	return out
}

// TestHostKilledLeavesNoPlugin: kill -9 of the host under load.
func TestHostKilledLeavesNoPlugin(t *testing.T) {
	sim := discord(t, simulator.Config{})
	o, files := recorders(t, 2, nil)
	h := start(t, sim, o)
	var sending sync.WaitGroup
	sending.Go(func() { sequence(t, sim, 2000, 4000) })
	h.await("messages flow", func(control.Status) bool { return lines(files[0]) > 200 })
	left := append(children(t, h.cmd.Process.Pid), h.pids()...)
	if len(h.pids()) != 2 || len(left) < 5 { // two plugins twice, and the guardian
		t.Fatalf("processes %v", left)
	}
	if err := h.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-h.exited
	for _, pid := range left {
		eventually(t, fmt.Sprintf("process %d of the host is gone", pid), func() bool { return !alive(pid) })
	}
	sending.Wait()

	// What a killed host left on disk does not hinder the next one.
	o.again = h
	second := start(t, sim, o)
	second.stop()
}

// TestStopLeavesNothing: SIGTERM, then no process, no socket, no temporary file.
func TestStopLeavesNothing(t *testing.T) {
	temp := t.TempDir()
	sim := discord(t, simulator.Config{})
	o, files := recorders(t, 2, nil)
	o.prepare = func(cmd *exec.Cmd, _ *running) { cmd.Env = append(cmd.Env, "TMPDIR="+temp) }
	h := start(t, sim, o)
	sequence(t, sim, 500, 0)
	h.handled(files, 500)
	left := append(children(t, h.cmd.Process.Pid), h.pids()...)
	h.stop()
	for _, pid := range left {
		if alive(pid) {
			t.Errorf("process %d is left", pid)
		}
	}
	var found []string
	for _, dir := range []string{temp, h.state} {
		err := filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
			if err != nil {
				return err
			}
			if info.Mode()&os.ModeSocket != 0 {
				t.Errorf("socket left: %s", path)
			}
			if dir == temp && path != temp {
				t.Errorf("temporary file left: %s", path)
			}
			if rel, _ := filepath.Rel(h.state, path); dir == h.state && info.Mode().IsRegular() && filepath.Dir(rel) != "staged" {
				found = append(found, rel)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range found {
		kept := []string{"lock", "bot.json", "commands.json", "guilds/0", "identify.json", "interactions", "ledger", "sessions.json", "sessions.seq", "cursors/recorder-0", "cursors/recorder-1",
			"declared/recorder-0.manifest", "declared/recorder-1.manifest"}
		if !slices.Contains(kept, name) && filepath.Dir(name) != "journal" {
			t.Errorf("left in the state folder: %s", name)
		}
	}
}

// TestHangupDoesNotEndTheBot: SIGHUP comes from closed terminals, and from
// operators who know it as reload.
func TestHangupDoesNotEndTheBot(t *testing.T) {
	sim := discord(t, simulator.Config{})
	h := start(t, sim, options{})
	if err := h.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the host says what it does about it", func() bool { return strings.Contains(h.log.String(), "nothing reloaded") })
	h.stop()
}

// TestTooManyShards: a number that cannot be is refused before it takes memory.
func TestTooManyShards(t *testing.T) {
	sim := discord(t, simulator.Config{})
	h := launch(t, sim, options{args: []string{"--shards", "70000"}})
	<-h.exited
	if code, said := h.cmd.ProcessState.ExitCode(), h.log.String(); code == 0 || !strings.Contains(said, "70000 shards are too many") || strings.Contains(said, "goroutine ") {
		t.Errorf("exit code %d, said %q", code, tail(said, 5))
	}
}
