package plugins

import (
	"os"
	"path/filepath"
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

// TestRemovedPluginHoldsUpNobody: who delivers to a plugin that was removed
// meanwhile, and whose queue is full, does not wait for ever.
func TestRemovedPluginHoldsUpNobody(t *testing.T) {
	f := newFolder(t)
	f.add("echo", "", "FILE="+filepath.Join(t.TempDir(), "seen"))
	s := f.load()
	s.Run()
	p := only(t, s)
	until(t, "running", func() bool { return p.status().PID != 0 })
	p.queue.mu.Lock()
	p.queue.limits.queued = 1000
	p.queue.mu.Unlock()
	p.queue.pause()
	deliver(t, p, 0, 1)
	waiting := make(chan error, 1)
	go func() { waiting <- p.Deliver(t.Context(), numbered(1)) }()
	go func() { waiting <- p.Deliver(t.Context(), numbered(2)) }()
	if err := os.Remove(filepath.Join(f.dir, "echo")); err != nil {
		t.Fatal(err)
	}
	steps := reloadOf(f, s)
	if len(steps) != 1 || steps[0].Action != Remove || steps[0].Result != Done {
		t.Fatalf("steps %+v", steps)
	}
	for range 2 {
		if err := <-waiting; err != nil {
			t.Error(err)
		}
	}
	if len(s.Plugins()) != 0 {
		t.Errorf("plugins %v", s.Plugins())
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
