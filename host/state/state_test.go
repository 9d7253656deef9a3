package state

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// holdVariable makes the test binary a second host: it opens the folder that the
// variable names, says so, and holds it until its stdin ends.
const holdVariable = "STATE_TEST_HOLD"

func TestMain(m *testing.M) {
	dir := os.Getenv(holdVariable)
	if dir == "" {
		os.Exit(m.Run())
	}
	s, err := Open(dir, nil)
	if err != nil {
		fmt.Println("refused:", err)
		os.Exit(1)
	}
	if _, err := s.SocketDir(); err != nil {
		fmt.Println("refused:", err)
		os.Exit(1)
	}
	fmt.Println("held")
	_, _ = os.Stdin.Read(make([]byte, 1))
	os.Exit(0) // without Close, as a crash would
}

// holder starts another process that holds dir, and returns its end.
func startHolder(t *testing.T, dir string) (pid int, kill func()) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), holdVariable+"="+dir)
	if _, err := cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var once bool
	kill = func() {
		if !once {
			once = true
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
	}
	t.Cleanup(kill)
	line := make([]byte, 5)
	if _, err := out.Read(line); err != nil || string(line) != "held\n" {
		t.Fatalf("second process did not take the folder: %q %v", line, err)
	}
	return cmd.Process.Pid, kill
}

func open(t *testing.T, dir string) *State {
	t.Helper()
	s, err := Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestASecondProcessIsToldWhoHoldsTheFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	pid, kill := startHolder(t, dir)

	_, err := Open(dir, nil)
	var inUse *InUseError
	if !errors.As(err, &inUse) || inUse.PID != pid {
		t.Fatalf("got %v, want the folder in use by %d", err, pid)
	}
	want := "state folder " + dir + " is in use by holdfast with pid " + strconv.Itoa(pid) + ": stop it, or give another --state"
	if err.Error() != want {
		t.Errorf("got  %s\nwant %s", err, want)
	}

	kill() // -9: the kernel gives the folder free, and the sockets go with the next Open
	sockets := filepath.Join(dir, socketFolder)
	s := open(t, dir)
	if s.socketPath() == sockets {
		if _, err := os.Stat(sockets); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("sockets of the killed host are still there: %v", err)
		}
	}
}

func TestOneProcessCannotOpenTheFolderTwice(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	s := open(t, dir)
	if _, err := Open(dir, nil); err == nil || !strings.Contains(err.Error(), strconv.Itoa(os.Getpid())) {
		t.Fatalf("got %v, want it refused with our own pid", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
	open(t, dir)
	if err := s.SetOwnedCommands(nil); !errors.Is(err, errClosed) {
		t.Errorf("a closed State wrote: %v", err)
	}
	if _, err := s.SocketDir(); !errors.Is(err, errClosed) {
		t.Errorf("a closed State made a socket folder: %v", err)
	}
}

func TestAChildDoesNotInheritTheLock(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	s := open(t, dir)
	child := exec.Command("sleep", "60")
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = child.Process.Kill(); _ = child.Wait() }()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, dir)
}

func TestOpenTellsTheRemedy(t *testing.T) {
	root := t.TempDir()
	file := filepath.Join(root, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	foreign := filepath.Join(root, "foreign")
	makeDir(t, foreign, 0o755)
	if err := os.WriteFile(filepath.Join(foreign, "mine.txt"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct{ dir, want string }{
		"missing parent":  {filepath.Join(root, "no", "such"), "its parent " + filepath.Join(root, "no") + " is missing: create it"},
		"not a folder":    {file, "is not a folder: remove it"},
		"below a file":    {filepath.Join(file, "state"), "not a directory"},
		"someone's files": {foreign, "chmod 700"},
		"no name":         {"", "give one with --state"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Open(test.dir, nil)
			if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v, want one line with %q", err, test.want)
			}
		})
	}
	if mode(t, foreign) != 0o755 {
		t.Errorf("somebody's folder changed its mode to %v", mode(t, foreign))
	}
}

func TestUnwritableFolders(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root may write everywhere")
	}
	root := t.TempDir()
	parent := filepath.Join(root, "parent")
	makeDir(t, parent, 0o500)
	if _, err := Open(filepath.Join(parent, "state"), nil); err == nil || !strings.Contains(err.Error(), "make its parent writable") {
		t.Errorf("unwritable parent: %v", err)
	}
	state := filepath.Join(root, "state")
	makeDir(t, state, 0o500)
	if _, err := Open(state, nil); err == nil || !strings.Contains(err.Error(), "make the folder writable") {
		t.Errorf("unwritable folder: %v", err)
	}
}

func TestEverythingIsPrivate(t *testing.T) {
	// A careless umask must not matter.
	defer syscall.Umask(syscall.Umask(0))
	dir := filepath.Join(t.TempDir(), "state")
	s := open(t, dir)
	sub, err := s.Dir("plugins")
	if err != nil {
		t.Fatal(err)
	}
	sockets, err := s.SocketDir()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.SetOwnedCommands([]string{"x"}); err != nil {
		t.Fatal(err)
	}
	if err := s.SetRuntime(Runtime{PID: 1, Socket: "/s"}); err != nil {
		t.Fatal(err)
	}
	for _, folder := range []string{dir, sub, sockets} {
		if mode(t, folder) != 0o700 {
			t.Errorf("%s has mode %v", folder, mode(t, folder))
		}
	}
	for _, name := range []string{lockFile, runtimeFile, commandsFile} {
		if got := mode(t, filepath.Join(dir, name)); got != 0o600 {
			t.Errorf("%s has mode %v", name, got)
		}
	}
}

func TestALaxFolderOfOursIsClosed(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	makeDir(t, dir, 0o755) // empty
	open(t, dir).Close()
	if mode(t, dir) != 0o700 {
		t.Errorf("an empty folder was left open: %v", mode(t, dir))
	}
	if err := os.Chmod(dir, 0o777); err != nil { // now with our lock file in it
		t.Fatal(err)
	}
	open(t, dir)
	if mode(t, dir) != 0o700 {
		t.Errorf("our own folder was left open: %v", mode(t, dir))
	}
}

func TestDir(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "state"))
	first, err := s.Dir("plugins")
	if err != nil {
		t.Fatal(err)
	}
	if again, err := s.Dir("plugins"); err != nil || again != first {
		t.Errorf("second call: %s %v", again, err)
	}
	for _, name := range []string{"", ".", "..", "a/b", "../x", ".hidden", "lock", "runtime.json", "commands.json", "run", "a\x00b"} {
		if path, err := s.Dir(name); err == nil {
			t.Errorf("name %q was accepted: %s", name, path)
		}
	}
	if err := os.WriteFile(filepath.Join(s.Path(), "journal"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Dir("journal"); err == nil {
		t.Error("a file was taken for a folder")
	}
}

func makeDir(t *testing.T, path string, mode os.FileMode) {
	t.Helper()
	if err := os.MkdirAll(path, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

func mode(t *testing.T, path string) os.FileMode {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Mode().Perm()
}
