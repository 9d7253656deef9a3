package state

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

const (
	socketFolder = "run"
	// socketFolderLimit leaves 40 bytes for a socket's own name within the 104
	// bytes that macOS allows for its whole path (Linux: 108).
	socketFolderLimit = 104 - 40
)

// SocketDir returns a private, empty folder for unix sockets, short enough for a
// socket name of 39 bytes inside it: run/ in the state folder, or, when that
// path is too long, a folder of this user's in the temporary folder that belongs
// to this state folder alone. Close removes it; what a killed host left in it is
// removed by the next Open. Further calls return the same folder.
func (s *State) SocketDir() (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return "", errClosed
	}
	if s.sockets != "" {
		return s.sockets, nil
	}
	dir := s.socketPath()
	if len(dir) > socketFolderLimit {
		return "", fmt.Errorf("socket folder %s: its path is longer than %d bytes: give a shorter --state or TMPDIR", dir, socketFolderLimit)
	}
	if err := privateFolder(dir); err != nil {
		return "", fmt.Errorf("create socket folder %s: %w: remove it, or give a shorter --state", dir, err)
	}
	if err := ownFolder(dir); err != nil {
		return "", err
	}
	s.sockets = dir
	return dir, nil
}

// socketPath derives the folder from the state folder's path alone, so that the
// next host finds what a killed one left.
func (s *State) socketPath() string {
	if dir := s.path(socketFolder); len(dir) <= socketFolderLimit {
		return dir
	}
	sum := sha256.Sum256([]byte(s.dir))
	return filepath.Join(os.TempDir(), "holdfast-"+strconv.Itoa(os.Getuid())+"-"+hex.EncodeToString(sum[:6]))
}

func (s *State) sweepSockets() error {
	dir := s.socketPath()
	if _, err := os.Lstat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err := ownFolder(dir); err != nil {
		return err
	}
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("remove left-over sockets %s: %w: remove the folder", dir, reason(err))
	}
	return nil
}

// ownFolder refuses a folder that somebody else put there before us: the
// temporary folder is everybody's.
func ownFolder(dir string) error {
	info, err := os.Lstat(dir)
	if err != nil {
		return fmt.Errorf("open socket folder %s: %w", dir, reason(err))
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return errors.New("socket folder: this system does not tell a folder's owner")
	}
	if !info.IsDir() || int(stat.Uid) != os.Getuid() {
		return fmt.Errorf("socket folder %s belongs to another user: give a shorter --state or another TMPDIR", dir)
	}
	return nil
}
