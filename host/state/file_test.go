package state

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
)

func TestOwnedCommandsOutliveTheHost(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	s := open(t, dir)
	if keys, err := s.OwnedCommands(); err != nil || len(keys) != 0 {
		t.Fatalf("a new folder owns %v, %v", keys, err)
	}
	given := []string{"0/1/ping", "0/1/echo", "0/1/ping"}
	if err := s.SetOwnedCommands(given); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(given, []string{"0/1/ping", "0/1/echo", "0/1/ping"}) {
		t.Errorf("the caller's slice was changed: %v", given)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	keys, err := open(t, dir).OwnedCommands()
	if want := []string{"0/1/echo", "0/1/ping"}; err != nil || !slices.Equal(keys, want) {
		t.Errorf("got %v, %v, want %v", keys, err, want)
	}
}

func TestADamagedFileIsSetAside(t *testing.T) {
	for name, contents := range map[string]string{
		"empty":      "",
		"zeroes":     strings.Repeat("\x00", 64),
		"cut":        `{"version":1,"content":["0/1/pi`,
		"no version": `{"content":["x"]}`,
		"other type": `{"version":1,"content":{"a":1}}`,
		"an array":   `[1,2]`,
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "state")
			var log bytes.Buffer
			s, err := Open(dir, hclog.New(&hclog.LoggerOptions{Output: &log}))
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			path := filepath.Join(dir, commandsFile)
			if err := os.WriteFile(path, []byte(contents), 0o600); err != nil {
				t.Fatal(err)
			}
			if keys, err := s.OwnedCommands(); err != nil || len(keys) != 0 {
				t.Fatalf("got %v, %v, want nothing and no error", keys, err)
			}
			aside, _ := filepath.Glob(path + damagedMark + "*")
			if len(aside) != 1 {
				t.Fatalf("set aside: %v", aside)
			}
			if kept, err := os.ReadFile(aside[0]); err != nil || string(kept) != contents {
				t.Errorf("kept %q, %v", kept, err)
			}
			if n := strings.Count(log.String(), "\n"); n != 1 || !strings.Contains(log.String(), aside[0]) {
				t.Errorf("log has %d lines: %s", n, log.String())
			}
			if err := s.SetOwnedCommands([]string{"a"}); err != nil {
				t.Fatal(err)
			}
			if keys, err := s.OwnedCommands(); err != nil || !slices.Equal(keys, []string{"a"}) {
				t.Errorf("after writing anew: %v, %v", keys, err)
			}
		})
	}
}

// TestWhatIsNoFileIsSetAside: a pipe would be waited for, a huge file read.
func TestWhatIsNoFileIsSetAside(t *testing.T) {
	for name, put := range map[string]func(path string) error{
		"pipe":   func(path string) error { return syscall.Mkfifo(path, uint32(fileMode)) },
		"folder": func(path string) error { return os.MkdirAll(filepath.Join(path, "full"), folderMode) },
		"huge": func(path string) error {
			return errors.Join(os.WriteFile(path, nil, fileMode), os.Truncate(path, 1<<40)) // a hole
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, filepath.Join(t.TempDir(), "state"))
			path := filepath.Join(s.Path(), commandsFile)
			if err := put(path); err != nil {
				t.Fatal(err)
			}
			if keys, err := s.OwnedCommands(); err != nil || len(keys) != 0 {
				t.Fatalf("got %v, %v, want nothing and no error", keys, err)
			}
			if aside, _ := filepath.Glob(path + damagedMark + "*"); len(aside) != 1 {
				t.Errorf("set aside: %v", aside)
			}
			if err := s.SetOwnedCommands([]string{"a"}); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestANewerFileIsNotTouched(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "state"))
	path := filepath.Join(s.Path(), commandsFile)
	if err := os.WriteFile(path, []byte(`{"version":2,"content":[]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.OwnedCommands(); err == nil || !strings.Contains(err.Error(), "newer holdfast") {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Errorf("the file is gone: %v", err)
	}
}

func TestLeftoversAreSwept(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	open(t, dir).Close()
	for _, name := range []string{commandsFile + temporaryMark + "123", runtimeFile, "keep.damaged-x", "keep"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	open(t, dir)
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if want := []string{"keep", "keep.damaged-x", lockFile}; !slices.Equal(names, want) {
		t.Errorf("got %v, want %v", names, want)
	}
}

func TestAFailedWriteLeavesTheOldFile(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "state"))
	if err := s.SetOwnedCommands([]string{"old"}); err != nil {
		t.Fatal(err)
	}
	// A folder in the way of the rename makes every replacement fail.
	path := filepath.Join(s.Path(), "victim")
	makeDir(t, filepath.Join(path, "full"), 0o700)
	if err := writeAtomic(path, []byte("x")); err == nil {
		t.Fatal("a folder was replaced by a file")
	}
	left, _ := filepath.Glob(filepath.Join(s.Path(), "*"+temporaryMark+"*"))
	if len(left) != 0 {
		t.Errorf("temporary files left: %v", left)
	}
}

func TestRuntime(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	if _, err := ReadRuntime(dir); !errors.Is(err, ErrNotRunning) {
		t.Fatalf("without a folder: %v", err)
	}
	s := open(t, dir)
	if _, err := ReadRuntime(dir); !errors.Is(err, ErrNotRunning) {
		t.Fatalf("before the announcement: %v", err)
	}
	want := Runtime{PID: 42, Socket: "/run/x/control", Started: time.Unix(1700000000, 0).UTC()}
	if err := s.SetRuntime(want); err != nil {
		t.Fatal(err)
	}
	if got, err := ReadRuntime(dir); err != nil || got != want {
		t.Errorf("got %v, %v", got, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadRuntime(dir); !errors.Is(err, ErrNotRunning) {
		t.Errorf("after Close: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, runtimeFile), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadRuntime(dir); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("damaged: %v", err)
	}
}
