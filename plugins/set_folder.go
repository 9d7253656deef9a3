package plugins

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// apart refuses a plugins folder that the host would clean up as its own, and
// one whose plugins would be the host's copies.
func apart(dir, staging string) error {
	for _, pair := range [][2]string{{dir, staging}, {staging, dir}} {
		for parent := pair[1]; ; parent = filepath.Dir(parent) {
			if sameFolder(pair[0], parent) {
				return fmt.Errorf("plugins folder %s and the host's own folder %s lie in one another: give another --plugins or --state", dir, staging)
			}
			if parent == filepath.Dir(parent) {
				break
			}
		}
	}
	return nil
}

func sameFolder(a, b string) bool {
	infoA, errA := os.Stat(a)
	infoB, errB := os.Stat(b)
	return errA == nil && errB == nil && os.SameFile(infoA, infoB)
}

// staged is a file of the folder, or why it could not be copied.
type staged struct {
	file File
	err  error
}

// stageAll scans the folder and copies what is in it, once it is quiet. A file
// that cannot be read is its own fault; the error is about the folders.
func (s *Set) stageAll(ctx context.Context) ([]staged, error) {
	found, skipped, err := scan(s.config.Dir)
	if err != nil {
		return nil, err
	}
	if len(skipped) > 0 {
		s.config.Log.Warn("files left alone: they are not executable (chmod +x makes a plugin of one)",
			"count", len(skipped), "files", strings.Join(skipped[:min(len(skipped), namedFiles)], ", "))
	}
	s.setSkipped(skipped)
	files := s.notExecutable(skipped)
	for _, c := range found {
		if wait := quiet - s.now().Sub(c.changed); wait > 0 && wait <= quiet {
			select {
			case <-time.After(wait):
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
		f, err := stage(c, s.config.Staging)
		if errors.Is(err, errStaging) {
			return nil, err
		}
		files = append(files, staged{f, err})
	}
	return files, nil
}

func (s *Set) setSkipped(names []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.skipped = make(map[string]bool)
	for _, name := range names {
		s.skipped[strings.TrimSuffix(name, filepath.Ext(name))] = true
	}
}

// notExecutable are the files of plugins that run, or have run, and could not be started
// any more: a build that lost its bit is no reason to remove the plugin.
func (s *Set) notExecutable(skipped []string) (files []staged) {
	running := s.all()
	for _, base := range skipped {
		f := File{Name: strings.TrimSuffix(base, filepath.Ext(base)), Path: filepath.Join(s.config.Dir, base)}
		if at := slices.IndexFunc(running, func(p *Plugin) bool { return p.current().Path == f.Path }); at >= 0 {
			f = running[at].current()
		} else if s.recall(f.Name) == nil {
			continue
		}
		files = append(files, staged{f, fmt.Errorf("start plugin %s: %s is not executable: chmod +x it", f.Name, f.Path)})
	}
	return files
}

// sweepStaged removes copies that no plugin runs.
func (s *Set) sweepStaged() {
	keep := make(map[string]bool)
	for _, p := range s.all() {
		keep[p.current().Hash] = true
	}
	if err := sweep(s.config.Staging, keep); err != nil {
		s.config.Log.Warn("old copies of plugins not removed", "error", err)
	}
}

// namedFiles is how many files that are left alone are named in one line.
const namedFiles = 5

// strangers tells which settings are for no plugin of the folder, each once: a name
// that was mistyped must not look like a setting that does nothing.
func (s *Set) strangers() {
	all := s.all()
	for _, name := range slices.Sorted(maps.Keys(s.config.Env)) {
		if slices.ContainsFunc(all, func(p *Plugin) bool { return p.current().Name == name }) {
			delete(s.strange, name)
			continue
		}
		if s.strange[name] {
			continue
		}
		s.strange[name] = true
		about := []any{"plugin", name, "folder", s.config.Dir}
		if at := slices.IndexFunc(all, func(p *Plugin) bool { return p.Name() == name }); at >= 0 {
			about = append(about, "its_file", all[at].current().Name)
		}
		s.config.Log.Warn("settings for a plugin that is not in the folder: they go by the file's name, without its extension", about...)
	}
}

// forgetStrangers removes the cursors and the saved states of plugins whose files
// are gone. One that does not start has not told its name, and an empty folder may
// only be one that is not mounted: then none is removed. A file that lost its bit
// is still there. The caller holds s.mu.
func (s *Set) forgetStrangers() {
	s.sweepSaved(func(file string) bool { return halfWritten(file, savedEnding) })
	s.sweepKnown(func(file string) bool { return halfWritten(file, knownEnding) })
	told := 0
	for _, in := range s.pending {
		if in != nil {
			told++
		}
	}
	if told == 0 || told < len(s.plugins) {
		return
	}
	stranger := func(name string) bool {
		return !s.skipped[name] && !slices.ContainsFunc(s.plugins, func(p *Plugin) bool { return p.Name() == name })
	}
	s.sweepKnown(func(path string) bool {
		file, known := strings.CutSuffix(path, knownEnding)
		return known && !s.skipped[file] && !slices.ContainsFunc(s.plugins, func(p *Plugin) bool { return p.current().Name == file })
	})
	s.sweepSaved(func(file string) bool {
		name, saved := strings.CutSuffix(file, savedEnding)
		return saved && stranger(name)
	})
	if s.config.Cursors == nil {
		return
	}
	names, err := s.config.Cursors.Cursors()
	if err != nil {
		s.config.Log.Warn("places of plugins that are gone not removed", "error", err)
		return
	}
	for _, name := range names {
		if stranger(name) {
			s.forgetCursor(name)
		}
	}
}

func (s *Set) forgetCursor(name string) {
	if s.config.Cursors == nil {
		return
	}
	if err := s.config.Cursors.Forget(name); err != nil {
		s.config.Log.Warn("place of a plugin that is gone not removed", "plugin", name, "error", err)
	}
}
