package state

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// longName makes the state folder's own path too long for sockets.
var longName = strings.Repeat("x", socketFolderLimit)

func TestSocketDirIsShortEmptyAndGoneAfterClose(t *testing.T) {
	for name, base := range map[string]string{"short": "s", "long": longName} {
		t.Run(name, func(t *testing.T) {
			tmp := shortTemp(t)
			t.Setenv("TMPDIR", tmp)
			s := open(t, filepath.Join(shortTemp(t), base))
			dir, err := s.SocketDir()
			if err != nil {
				t.Fatal(err)
			}
			if again, err := s.SocketDir(); err != nil || again != dir {
				t.Errorf("second call: %s, %v", again, err)
			}
			if inside := strings.HasPrefix(dir, s.Path()); inside != (name == "short") {
				t.Errorf("the folder is %s", dir)
			}
			// The longest promised name can really be bound.
			listen, err := net.Listen("unix", filepath.Join(dir, strings.Repeat("n", 39)))
			if err != nil {
				t.Fatal(err)
			}
			defer listen.Close()
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("%s is still there: %v", dir, err)
			}
		})
	}
}

func TestOpenRemovesAKilledHostsSockets(t *testing.T) {
	tmp := shortTemp(t)
	t.Setenv("TMPDIR", tmp)
	dir := filepath.Join(shortTemp(t), longName)
	_, kill := startHolder(t, dir)
	if left := entries(t, tmp); len(left) != 1 {
		t.Fatalf("the holder made %v", left)
	}
	kill()
	open(t, dir)
	if left := entries(t, tmp); len(left) != 0 {
		t.Errorf("still there: %v", left)
	}
}

func TestSocketDirOfSomebodyElseIsRefused(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can give a folder away")
	}
	t.Setenv("TMPDIR", shortTemp(t))
	s := open(t, filepath.Join(shortTemp(t), longName))
	trap := s.socketPath()
	makeDir(t, trap, 0o777)
	if err := os.Chown(trap, 65534, 65534); err != nil {
		t.Fatal(err)
	}
	if dir, err := s.SocketDir(); err == nil || !strings.Contains(err.Error(), "another user") {
		t.Errorf("got %s, %v", dir, err)
	}
}

func TestASymlinkIsNotFollowedToSockets(t *testing.T) {
	t.Setenv("TMPDIR", shortTemp(t))
	precious := shortTemp(t)
	if err := os.WriteFile(filepath.Join(precious, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(shortTemp(t), longName)
	s := open(t, dir)
	if err := os.Symlink(precious, s.socketPath()); err != nil {
		t.Fatal(err)
	}
	if got, err := s.SocketDir(); err == nil {
		t.Errorf("followed to %s", got)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, nil); err == nil {
		t.Error("Open swept a symlink")
	}
	if len(entries(t, precious)) != 1 {
		t.Error("what the link points to was emptied")
	}
}

// shortTemp is t.TempDir without the test's long name in its path.
func shortTemp(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "hf")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func entries(t *testing.T, dir string) []os.DirEntry {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	return list
}
