package state

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
)

const cursorFolder = "cursors"

// ErrWindow says that an acknowledgement lies too far above the low-water mark.
// The caller avoids it by handing out no event more than [CursorWindow] above it.
var ErrWindow = errors.New("acknowledged too far ahead of the oldest open event")

// Cursor is what one plugin has acknowledged of each shard's journal: all up to
// the low-water mark, and single events within [CursorWindow] above it. Each
// shard's marks are a small mapped file, so that what was acknowledged is so even
// after a kill -9.
//
// Its methods may be called from several goroutines at once. Shards are created
// by the first Ack, AckRange, SkipTo or SetSent for them. After Close all
// answers are those of an empty cursor.
type Cursor struct {
	state  *State
	dir    string
	plugin string

	shards atomic.Pointer[map[uint32]*mark] // replaced, never changed, under mu
	mu     sync.Mutex
	closed bool
}

// OpenCursor opens the cursor of the plugin with this name, a new one if there is
// none. The caller closes it, and opens a plugin's cursor once at a time. A
// damaged mark is set aside, said in one line, and its shard is as new.
func (s *State) OpenCursor(plugin string) (*Cursor, error) {
	dir, err := s.cursorDir(plugin)
	if err != nil {
		return nil, err
	}
	if _, err := s.folder(cursorFolder); err != nil {
		return nil, err
	}
	if err := privateFolder(dir); err != nil {
		return nil, fmt.Errorf("create cursor folder %s: %w: make the state folder writable", dir, err)
	}
	c := &Cursor{state: s, dir: dir, plugin: plugin}
	c.shards.Store(&map[uint32]*mark{})
	shards, err := markFiles(dir)
	if err != nil {
		return nil, fmt.Errorf("read cursor of plugin %s: %w", plugin, err)
	}
	for _, shard := range shards {
		if _, err := c.create(shard); err != nil {
			return nil, errors.Join(err, c.Close())
		}
	}
	return c, nil
}

// RemoveCursor forgets what a plugin has acknowledged. A cursor that is not there
// is no error. The plugin's [Cursor] must be closed.
func (s *State) RemoveCursor(plugin string) error {
	dir, err := s.cursorDir(plugin)
	if err != nil {
		return err
	}
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("remove cursor of plugin %s: %w: remove %s", plugin, reason(err), dir)
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
		if name, err := url.PathUnescape(e.Name()); err == nil && e.IsDir() {
			names = append(names, name)
		}
	}
	return names, nil
}

// cursorDir is the folder of a plugin's marks. Names are a manifest's, thus
// foreign: escaped, they are one path element.
func (s *State) cursorDir(plugin string) (string, error) {
	name := url.PathEscape(plugin)
	if plugin == "" || strings.HasPrefix(name, ".") || len(name) > 200 {
		return "", fmt.Errorf("cursor of plugin %q: a name has 1 to 200 characters and no leading dot: rename the plugin", plugin)
	}
	return filepath.Join(s.path(cursorFolder), name), nil
}

// markFiles are the shards that have a mark in dir.
func markFiles(dir string) ([]uint32, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, reason(err)
	}
	var shards []uint32
	for _, e := range entries {
		if strings.Contains(e.Name(), temporaryMark) {
			_ = os.Remove(filepath.Join(dir, e.Name())) // left by a kill; harmless if it stays
			continue
		}
		shard, err := strconv.ParseUint(e.Name(), 10, 32)
		if err == nil && e.Type().IsRegular() {
			shards = append(shards, uint32(shard))
		}
	}
	return shards, nil
}

// at is the mark of a shard, nil if there is none.
func (c *Cursor) at(shard uint32) *mark { return (*c.shards.Load())[shard] }

func (c *Cursor) need(shard uint32) (*mark, error) {
	if m := c.at(shard); m != nil {
		return m, nil
	}
	return c.create(shard)
}

func (c *Cursor) create(shard uint32) (*mark, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, fmt.Errorf("cursor of plugin %s is closed", c.plugin)
	}
	if m := c.at(shard); m != nil {
		return m, nil
	}
	name := strconv.FormatUint(uint64(shard), 10)
	path := filepath.Join(c.dir, name)
	m, err := openMark(path, shard)
	if errors.Is(err, errDamaged) {
		if err = c.state.setMarkAside(path, err); err == nil {
			m, err = openMark(path, shard)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("open cursor of plugin %s for shard %d: %w: make room on the disk and the state folder writable", c.plugin, shard, reason(err))
	}
	next := maps.Clone(*c.shards.Load())
	next[shard] = m
	c.shards.Store(&next)
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

// Close gives the mapped files free. Nothing needs to be saved.
func (c *Cursor) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	var faults []error
	for _, m := range *c.shards.Load() {
		faults = append(faults, m.close())
	}
	c.shards.Store(&map[uint32]*mark{})
	return errors.Join(faults...)
}
