package state

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const (
	// temporaryMark stands in the names of files that are being written.
	temporaryMark = ".new-"
	// damagedMark stands before the time in the name of a file set aside.
	damagedMark = ".damaged-"
)

// errClosed is what a method of a closed State answers.
var errClosed = errors.New("state folder is closed")

// document is the form of every file: a version, so that a later holdfast can
// tell what it reads, and the contents.
type document[T any] struct {
	Version int `json:"version"`
	Content T   `json:"content"`
}

const (
	documentVersion = 1
	// documentMost is several times what the sessions of all shards take.
	documentMost = 128 << 20
)

// load reads the file name into content. An absent file, and one that had to be
// set aside, leave content as it is and are no error. The caller holds s.mu.
func load[T any](s *State, name string, content *T) error {
	_, err := loadOrAside(s, name, content)
	return err
}

// loadOrAside is load, and says whether the file had to be set aside.
func loadOrAside[T any](s *State, name string, content *T) (aside bool, err error) {
	if s.closed {
		return false, errClosed
	}
	path := s.path(name)
	raw, err := readWhole(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case errors.Is(err, errDamaged):
		return true, s.setAside(name, err)
	case err != nil:
		return false, fmt.Errorf("read %s: %w: make it readable for this user, or remove it", path, reason(err))
	}
	var doc document[T]
	err = json.Unmarshal(raw, &doc)
	if err == nil && doc.Version > documentVersion {
		return false, fmt.Errorf("read %s: it was written by a newer holdfast: run that one, or give another --state", path)
	}
	if err == nil && doc.Version < 1 {
		err = errors.New("no version in it")
	}
	if err != nil {
		return true, s.setAside(name, err)
	}
	*content = doc.Content
	return false, nil
}

// readWhole reads a file that is ours. What cannot be is errDamaged, and is not
// read: a pipe would keep the host waiting for a writer, a huge file would fill
// its memory.
func readWhole(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%w: it is no regular file", errDamaged)
	}
	if info.Size() > documentMost {
		return nil, fmt.Errorf("%w: it has %d bytes, more than %d", errDamaged, info.Size(), documentMost)
	}
	return io.ReadAll(f)
}

// store replaces the file name by content. The caller holds s.mu.
func store[T any](s *State, name string, content T) error {
	if s.closed {
		return errClosed
	}
	raw, err := json.MarshalIndent(document[T]{documentVersion, content}, "", "  ")
	if err != nil {
		return fmt.Errorf("encode %s: %w", name, err)
	}
	if err := writeAtomic(s.path(name), append(raw, '\n')); err != nil {
		return fmt.Errorf("write %s: %w: make room on the disk and the state folder writable", s.path(name), reason(err))
	}
	return nil
}

// setAside renames a damaged file, so that it is kept for whoever wants to look
// and the host goes on without it. The caller holds s.mu.
func (s *State) setAside(name string, cause error) error {
	path := s.path(name)
	aside := path + damagedMark + time.Now().UTC().Format("20060102T150405.000000000Z")
	if err := os.Rename(path, aside); err != nil {
		return fmt.Errorf("set damaged %s aside: %w: remove it", path, reason(err))
	}
	s.log.Warn("state file was damaged and set aside, going on without it", "file", path, "kept", aside, "error", cause)
	return nil
}

// writeAtomic writes a private file that is either the old or the new one,
// whenever the process or the machine stops: the contents are on disk before the
// rename, and the rename is on disk before it returns.
func writeAtomic(path string, raw []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+temporaryMark) // 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = f.Close() // a second close is harmless
			_ = os.Remove(f.Name())
		}
	}()
	if _, err = f.Write(raw); err != nil {
		return err
	}
	if err = f.Sync(); err != nil {
		return err
	}
	if err = f.Close(); err != nil {
		return err
	}
	if err = os.Rename(f.Name(), path); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(path))
}

func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// sweep removes what a killed host left: half-written files, its runtime file
// and its sockets. Only the holder of the lock may call it.
func (s *State) sweep() error {
	leftOver := []string{s.path(runtimeFile)}
	for _, dir := range []string{s.dir, s.path(cursorFolder)} {
		entries, err := os.ReadDir(dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("read state folder %s: %w: make it readable for this user", dir, reason(err))
		}
		for _, e := range entries {
			if e.Type().IsRegular() && strings.Contains(e.Name(), temporaryMark) {
				leftOver = append(leftOver, filepath.Join(dir, e.Name()))
			}
		}
	}
	for _, path := range leftOver {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove left-over %s: %w: remove it", path, reason(err))
		}
	}
	return s.sweepSockets()
}
