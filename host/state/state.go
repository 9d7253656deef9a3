package state

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"

	"github.com/hashicorp/go-hclog"
)

const (
	folderMode fs.FileMode = 0o700
	fileMode   fs.FileMode = 0o600
	// openToOthers are the permission bits a private file or folder must not have.
	openToOthers fs.FileMode = 0o077
)

// State is an open, locked state folder. Its methods may be called from several
// goroutines at once until Close.
type State struct {
	dir  string // absolute
	lock *os.File
	log  hclog.Logger

	mu      sync.Mutex
	closed  bool
	sockets string // what SocketDir made, "" until then
}

// Open creates the state folder dir if it is missing (its parent must exist),
// makes it private, and locks it until Close or the end of the process.
// A nil log is silent.
//
// Every error says what to do about it. If another host holds the folder, the
// error is an [InUseError].
func Open(dir string, log hclog.Logger) (*State, error) {
	if log == nil {
		log = hclog.NewNullLogger()
	}
	if dir == "" {
		return nil, errors.New("state folder is not named: give one with --state")
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("find state folder %s: %w", dir, err)
	}
	if err := makeFolder(abs); err != nil {
		return nil, err
	}
	lock, err := lockFolder(abs)
	if err != nil {
		return nil, err
	}
	s := &State{dir: abs, lock: lock, log: log}
	if err := s.sweep(); err != nil {
		_ = lock.Close()
		return nil, err
	}
	return s, nil
}

// Close removes what belongs to the running host only (runtime file, sockets)
// and gives the folder free. A second Close does nothing.
func (s *State) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	var faults []error
	if err := os.Remove(s.path(runtimeFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		faults = append(faults, fmt.Errorf("remove runtime file: %w", err))
	}
	if s.sockets != "" {
		if err := os.RemoveAll(s.sockets); err != nil {
			faults = append(faults, fmt.Errorf("remove socket folder: %w", err))
		}
	}
	// The lock file stays: removing it would let a third host lock a new file
	// while a second one waits on the old.
	if err := s.lock.Truncate(0); err != nil {
		faults = append(faults, fmt.Errorf("clear lock file: %w", err))
	}
	if err := s.lock.Close(); err != nil {
		faults = append(faults, fmt.Errorf("unlock state folder: %w", err))
	}
	return errors.Join(faults...)
}

// Path is the absolute path of the state folder.
func (s *State) Path() string { return s.dir }

// Dir returns the private folder name inside the state folder and creates it if
// it is missing. Its contents belong to the caller and outlive Close. A name is
// one path element without a leading dot; the names of this package's own
// entries are refused.
func (s *State) Dir(name string) (string, error) {
	if name == "" || strings.HasPrefix(name, ".") || strings.ContainsAny(name, "/\\\x00") {
		return "", fmt.Errorf("state folder %q: a name is one path element without a leading dot", name)
	}
	switch name {
	case lockFile, runtimeFile, botFile, commandsFile, identifyFile, sessionsFile, sequencesFile, activeFile, interactionsFile, guildsFolder, ledgerFile, proxyKeyFile, journalFolder, cursorFolder, socketFolder:
		return "", fmt.Errorf("state folder %q: the name is taken by the state folder itself", name)
	}
	return s.folder(name)
}

// folder is Dir for the package's own folders.
func (s *State) folder(name string) (string, error) {
	path := s.path(name)
	if err := privateFolder(path); err != nil {
		return "", fmt.Errorf("create state folder %s: %w", path, err)
	}
	return path, nil
}

func (s *State) path(name string) string { return filepath.Join(s.dir, name) }

// makeFolder sees to it that dir exists and is private. A folder that is open to
// others is closed to them only if it is empty or has been ours before: nobody's
// home folder changes its mode because of a mistyped setting.
func makeFolder(dir string) error {
	err := os.Mkdir(dir, folderMode)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrExist):
		return adoptFolder(dir)
	case errors.Is(err, fs.ErrNotExist):
		parent := filepath.Dir(dir)
		if _, err := os.Stat(parent); err == nil { // a kernel's folder, such as /proc
			return fmt.Errorf("create state folder %s: %s takes no folders: give another --state", dir, parent)
		}
		return fmt.Errorf("create state folder %s: its parent %s is missing: create it (mkdir -p %s), or give another --state", dir, parent, parent)
	default:
		return fmt.Errorf("create state folder %s: %w: make its parent writable, or give another --state", dir, reason(err))
	}
}

func adoptFolder(dir string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("open state folder %s: %w: give another --state", dir, reason(err))
	}
	if !info.IsDir() {
		return fmt.Errorf("state folder %s is not a folder: remove it, or give another --state", dir)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("read state folder %s: %w: make it readable for this user, or give another --state", dir, reason(err))
	}
	if info.Mode().Perm()&openToOthers == 0 {
		return nil
	}
	if len(entries) > 0 && !holds(entries, lockFile) {
		return fmt.Errorf("state folder %s is open to others and holds files that are not holdfast's: give a --state of its own, or chmod 700 %s", dir, dir)
	}
	if err := os.Chmod(dir, folderMode); err != nil {
		return fmt.Errorf("make state folder %s private: %w: give another --state", dir, reason(err))
	}
	return nil
}

func holds(entries []fs.DirEntry, name string) bool {
	for _, e := range entries {
		if e.Name() == name {
			return true
		}
	}
	return false
}

// privateFolder creates path with no rights for others, or takes them away.
func privateFolder(path string) error {
	if err := os.Mkdir(path, folderMode); err != nil && !errors.Is(err, fs.ErrExist) {
		return reason(err)
	}
	info, err := os.Lstat(path)
	if err != nil {
		return reason(err)
	}
	if !info.IsDir() {
		return syscall.ENOTDIR
	}
	if info.Mode().Perm() == folderMode {
		return nil
	}
	return os.Chmod(path, folderMode)
}

// reason strips the operation and path that os wraps round an error: our
// sentence names both already.
func reason(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	if e, ok := errors.AsType[*os.LinkError](err); ok {
		return e.Err
	}
	return err
}
