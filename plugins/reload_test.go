package plugins

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-bot/holdfast/sdk/wire"
)

func reloadOf(f *folder, s *Set) []Step {
	f.t.Helper()
	steps, err := s.Reload(f.t.Context(), ReloadOptions{
		Drain:   time.Minute,
		Check:   func([]*wire.Manifest, *wire.Manifest) error { return nil },
		Changed: func() {},
	})
	if err != nil {
		f.t.Fatal(err)
	}
	return steps
}

// rebuild puts another build of the plugin into the folder, which does what
// mode says whatever its environment says.
func (f *folder) rebuild(name, mode string) {
	f.t.Helper()
	self, err := os.Executable()
	if err != nil {
		f.t.Fatal(err)
	}
	raw, err := os.ReadFile(self)
	if err != nil {
		f.t.Fatal(err)
	}
	temp := filepath.Join(f.dir, ".new")
	if err := os.WriteFile(temp, append(raw, buildMark()+mode...), 0o700); err != nil {
		f.t.Fatal(err)
	}
	if err := os.Rename(temp, filepath.Join(f.dir, name)); err != nil {
		f.t.Fatal(err)
	}
}

// atBarrier delivers ten events, every second of them a MESSAGE_DELETE, which
// wait behind the barrier until the reload is over.
func atBarrier(t *testing.T, p *Plugin) {
	t.Helper()
	until(t, "running", func() bool { return p.status().PID != 0 })
	p.queue.pause()
	for n := range uint64(10) {
		e := numbered(n)
		if n%2 == 0 {
			e.Name = "MESSAGE_DELETE"
		}
		p.Deliver(e)
	}
}

// TestRollbackLosesNothing: a new build that asks for less does not start; what
// waited for the old one, of kinds that only it asks for, is still there.
func TestRollbackLosesNothing(t *testing.T) {
	f := newFolder(t)
	file := filepath.Join(t.TempDir(), "seen")
	f.add("echo", "both", "FILE="+file)
	s := f.load()
	s.Run()
	p := only(t, s)
	atBarrier(t, p)
	f.rebuild("echo", "refuse")
	steps := reloadOf(f, s)
	if steps[0].Result != NotDone || !strings.Contains(steps[0].Detail, "database is locked; the old build runs again") {
		t.Fatalf("step %+v", steps[0])
	}
	if err := s.Drain(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	if got := len(readLines(t, file)); got != 10 {
		t.Errorf("%d events handled after the rollback, want 10", got)
	}
	if n := len(p.Manifest().GetEvents()); n != 2 {
		t.Errorf("the manifest names %d events, want those of the old build", n)
	}
}

// TestNewBuildWithFewerEvents: what it does not ask for counts as handled.
func TestNewBuildWithFewerEvents(t *testing.T) {
	f := newFolder(t)
	file := filepath.Join(t.TempDir(), "seen")
	f.add("echo", "both", "FILE="+file)
	s := f.load()
	s.Run()
	p := only(t, s)
	atBarrier(t, p)
	f.rebuild("echo", "one")
	if steps := reloadOf(f, s); steps[0].Result != Done {
		t.Fatalf("step %+v", steps[0])
	}
	if err := s.Drain(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	if got := len(readLines(t, file)); got != 5 {
		t.Errorf("%d events handled, want 5", got)
	}
}

// TestReloadOfAbsentPluginHasARollback: between two crashes, too, a build that
// does not start does not stay.
func TestReloadOfAbsentPluginHasARollback(t *testing.T) {
	f := newFolder(t)
	f.add("refuse", "refuse")
	s := f.load()
	s.Run()
	p := only(t, s)
	until(t, "waiting", func() bool { return p.status().State == Waiting })
	before := p.current().Hash
	f.rebuild("refuse", "fork") // FILE is not set: its Start fails, too
	if steps := reloadOf(f, s); steps[0].Result != NotDone {
		t.Fatalf("step %+v", steps[0])
	}
	if p.current().Hash != before {
		t.Error("the build that did not start has stayed")
	}
}

// TestReloadAfterTheEnd starts nothing, and ends.
func TestReloadAfterTheEnd(t *testing.T) {
	f := newFolder(t)
	f.add("echo", "")
	s := f.load()
	s.Run()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	f.rebuild("echo", "one")
	if steps := reloadOf(f, s); steps[0].Result == Done {
		t.Errorf("reloaded after the end: %+v", steps)
	}
}

// TestStagedCopiesFollowTheFolder: a reload leaves no copy of what it replaced.
func TestStagedCopiesFollowTheFolder(t *testing.T) {
	f := newFolder(t)
	f.add("echo", "")
	s := f.load()
	s.Run()
	first := only(t, s).current()
	raw, err := os.ReadFile(first.Staged)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(f.dir, "echo")
	if err := os.Remove(path); err != nil { // it is a link to this test
		t.Fatal(err)
	}
	if err := os.WriteFile(path, append(raw, "another build"...), 0o700); err != nil {
		t.Fatal(err)
	}
	steps := reloadOf(f, s)
	if len(steps) != 1 || steps[0].Action != Replace || steps[0].Result != Done || steps[0].Generation != 2 {
		t.Fatalf("steps %+v", steps)
	}
	entries, err := os.ReadDir(f.config.Staging)
	if err != nil {
		t.Fatal(err)
	}
	now := only(t, s).current()
	if len(entries) != 1 || entries[0].Name() != now.Hash || now.Hash == first.Hash {
		t.Errorf("staged %v, running %s", entries, now.Hash)
	}
	if steps := reloadOf(f, s); steps[0].Action != Keep {
		t.Errorf("reloaded again: %+v", steps)
	}
}

// TestRenamedFileIsTheSamePlugin: mv of a plugin's file is no end of the plugin,
// built anew or not.
func TestRenamedFileIsTheSamePlugin(t *testing.T) {
	f := newFolder(t)
	f.add("echo", "memory")
	j := newMemoryJournal()
	f.config.Journal, f.config.Cursors = j, j
	f.config.Env["again"] = f.config.Env["echo"]
	s := f.load()
	s.Run()
	p := only(t, s)
	until(t, "running", func() bool { return p.status().PID != 0 })
	for n := range uint64(10) {
		p.Deliver(j.add(*numbered(n)))
	}
	until(t, "handled", func() bool { return p.status().Acked == 10 })
	if err := os.Rename(filepath.Join(f.dir, "echo"), filepath.Join(f.dir, "again")); err != nil {
		t.Fatal(err)
	}
	steps := reloadOf(f, s)
	if len(steps) != 1 || steps[0].Action != Replace || steps[0].Result != Done || steps[0].Generation != 2 || steps[0].Plugin != "again" {
		t.Fatalf("steps %+v", steps)
	}
	if only(t, s) != p || filepath.Base(p.current().Path) != "again" || p.Name() != "echo" {
		t.Errorf("runs %s from %s", p.Name(), p.current().Path)
	}
	if low, _, _ := j.cursors["echo"].Position(); low != 10 {
		t.Errorf("its place in the journal is %d", low)
	}
	if steps := reloadOf(f, s); len(steps) != 1 || steps[0].Action != Keep {
		t.Errorf("reloaded again: %+v", steps)
	}
}

// TestAddedPluginThatDoesNotStart: a reload does not call done what has not
// begun.
func TestAddedPluginThatDoesNotStart(t *testing.T) {
	f := newFolder(t)
	s := f.load()
	s.Run()
	f.add("echo", "refuse")
	steps := reloadOf(f, s)
	if len(steps) != 1 || steps[0].Result != NotDone || !strings.Contains(steps[0].Detail, "database is locked") {
		t.Fatalf("steps %+v", steps)
	}
}

// TestStagedCopyIsUsedAgain: what is there already needs no room on the disk, and
// what a power loss has cut is copied anew.
func TestStagedCopyIsUsedAgain(t *testing.T) {
	folder, staging := t.TempDir(), t.TempDir()
	path := filepath.Join(folder, "plugin")
	if err := os.WriteFile(path, []byte("a program"), 0o700); err != nil {
		t.Fatal(err)
	}
	c := candidate{name: "plugin", path: path}
	first, err := stage(c, staging)
	if err != nil {
		t.Fatal(err)
	}
	before, err := os.Stat(first.Staged)
	if err != nil {
		t.Fatal(err)
	}
	again, err := stage(c, staging)
	if err != nil || again != first {
		t.Fatalf("%+v, %v", again, err)
	}
	if after, err := os.Stat(again.Staged); err != nil || !os.SameFile(before, after) {
		t.Errorf("copied once more: %v", err)
	}
	if err := os.Truncate(first.Staged, 3); err != nil {
		t.Fatal(err)
	}
	if _, err := stage(c, staging); err != nil {
		t.Fatal(err)
	}
	if raw, err := os.ReadFile(first.Staged); err != nil || string(raw) != "a program" {
		t.Errorf("runs %q, %v", raw, err)
	}
}
