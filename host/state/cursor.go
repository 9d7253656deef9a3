package state

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

const cursorFolder = "cursors"

// ErrWindow says that an acknowledgement lies too far above the low-water mark.
// The caller avoids it by handing out no event more than [CursorWindow] above it.
var ErrWindow = errors.New("acknowledged too far ahead of the oldest open event")

// Cursor is what one plugin has acknowledged of the journal: all up to the
// low-water mark, and single events within [CursorWindow] above it. It is a small
// mapped file, so that what was acknowledged is so even after a kill -9.
//
// Its methods may be called from several goroutines at once. The file is created
// by the first Ack, AckRange, SkipTo or SetSent. After Close all answers are those
// of an empty cursor.
type Cursor struct {
	state  *State
	path   string
	plugin string

	mu      sync.Mutex
	mark    *mark // nil without a file
	closed  bool
	fault   error // of the last attempt to create it
	triedAt time.Time
}

// OpenCursor opens the cursor of the plugin with this name, a new one if there is
// none. The caller closes it, and opens a plugin's cursor once at a time. A
// damaged one is set aside, said in one line, and the plugin is as new.
func (s *State) OpenCursor(plugin string) (*Cursor, error) {
	path, err := s.cursorPath(plugin)
	if err != nil {
		return nil, err
	}
	if _, err := s.folder(cursorFolder); err != nil {
		return nil, err
	}
	c := &Cursor{state: s, path: path, plugin: plugin}
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		return c, nil
	}
	if c.mark, err = c.open(); err != nil {
		return nil, err
	}
	return c, nil
}

// RemoveCursor forgets what a plugin has acknowledged. A cursor that is not there
// is no error. The plugin's [Cursor] must be closed.
func (s *State) RemoveCursor(plugin string) error {
	path, err := s.cursorPath(plugin)
	if err != nil {
		return err
	}
	if err := os.RemoveAll(path); err != nil { // version 1 was a folder
		return fmt.Errorf("remove cursor of plugin %s: %w: remove %s", plugin, reason(err), path)
	}
	return nil
}

// Cursors are the names of all plugins that have a cursor, sorted.
func (s *State) Cursors() ([]string, error) {
	entries, err := os.ReadDir(s.path(cursorFolder))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read cursors: %w: make %s readable for this user", reason(err), s.path(cursorFolder))
	}
	var names []string
	for _, e := range entries {
		if strings.Contains(e.Name(), damagedMark) || strings.Contains(e.Name(), temporaryMark) {
			continue
		}
		if name, err := url.PathUnescape(e.Name()); err == nil {
			names = append(names, name)
		}
	}
	return names, nil
}

// cursorPath is the file of a plugin's cursor. Names are a manifest's, thus
// foreign: escaped, they are one path element, and without the marks of files
// that are damaged or being written.
func (s *State) cursorPath(plugin string) (string, error) {
	name := strings.ReplaceAll(url.PathEscape(plugin), ".", "%2E")
	if plugin == "" || strings.HasPrefix(plugin, ".") || len(name) > 200 {
		return "", fmt.Errorf("cursor of plugin %q: a name has 1 to 200 characters and no leading dot: rename the plugin", plugin)
	}
	return filepath.Join(s.path(cursorFolder), name), nil
}

// need creates the file if there is none. A disk that takes nothing is not tried
// again with each event. The caller holds mu.
func (c *Cursor) need() error {
	switch {
	case c.mark != nil:
		return nil
	case c.closed:
		return fmt.Errorf("cursor of plugin %s is closed", c.plugin)
	case c.fault != nil && time.Since(c.triedAt) < rescuePause:
		return c.fault
	}
	c.triedAt = time.Now()
	c.mark, c.fault = c.open()
	return c.fault
}

// open maps the file, a new one if there is none or what is there is damaged.
func (c *Cursor) open() (*mark, error) {
	m, err := openMark(c.path)
	if errors.Is(err, errDamaged) {
		if err = c.state.setMarkAside(c.path, err); err == nil {
			m, err = openMark(c.path)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("open cursor of plugin %s: %w: make room on the disk and the state folder writable", c.plugin, reason(err))
	}
	return m, nil
}

func (s *State) setMarkAside(path string, cause error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	name, err := filepath.Rel(s.dir, path)
	if err != nil {
		return fmt.Errorf("set damaged %s aside: %w", path, err)
	}
	return s.setAside(name, cause)
}

// Close gives the mapped file free. Nothing needs to be saved.
func (c *Cursor) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	if c.mark == nil {
		return nil
	}
	err := c.mark.words.close()
	c.mark = nil
	return err
}
