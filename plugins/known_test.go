package plugins

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/holdfast-bot/holdfast/sdk/wire"
)

// broken puts a program into the folder that ends at once, in the place of another.
func (f *folder) broken(name string) {
	f.t.Helper()
	path := filepath.Join(f.dir, name)
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		f.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("#!/bin/sh\nexit 1\n"), 0o755); err != nil {
		f.t.Fatal(err)
	}
}

// TestKnownPlugins: what a plugin declared when it last ran stands for it while it does
// not come up, unless it is in the way of one that does; what is removed is forgotten.
func TestKnownPlugins(t *testing.T) {
	f := newFolder(t)
	f.config.Known = t.TempDir()
	ran := func(s *Set) {
		t.Helper()
		until(t, "all run", func() bool {
			return !slices.ContainsFunc(s.Status(), func(p Status) bool { return p.State != Running })
		})
	}
	load := func(check func(*wire.Manifest) error) *Set {
		t.Helper()
		s, err := New(f.config)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Load(t.Context(), check); err != nil {
			t.Fatal(err)
		}
		s.Run()
		return s
	}
	closed := func(s *Set) {
		t.Helper()
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	all := func(*wire.Manifest) error { return nil }
	f.add("echo", "")
	f.add("other", "")
	s := load(all)
	ran(s)
	declared := s.Plugins()[0].Manifest()
	closed(s)
	if got := namesIn(t, f.config.Known); !slices.Equal(got, []string{"echo.manifest", "other.manifest"}) {
		t.Fatalf("known are %v", got)
	}

	f.broken("echo")
	var asked []string
	s = load(func(m *wire.Manifest) error { asked = append(asked, m.GetName()); return nil })
	if !slices.Equal(asked, []string{"other", "echo"}) {
		t.Errorf("checked were %v, and what runs goes first", asked)
	}
	all2 := s.Plugins()
	if len(all2) != 2 || len(all2[0].Manifest().GetEvents()) != len(declared.GetEvents()) {
		t.Errorf("plugins are %v", all2)
	}
	until(t, "it was tried again", func() bool { return s.Status()[0].State == Waiting && s.Status()[1].State == Running })
	closed(s)

	s = load(func(m *wire.Manifest) error {
		if m.GetName() == "echo" {
			return errors.New("its commands are another's")
		}
		return nil
	})
	if got := s.Plugins(); len(got) != 1 || s.Status()[0].State != Failed {
		t.Errorf("%d plugins, %+v", len(got), s.Status())
	}
	closed(s)

	if err := os.WriteFile(filepath.Join(f.config.Known, "echo.manifest"), []byte("\xff"), 0o600); err != nil {
		t.Fatal(err)
	}
	s = load(all)
	if got := s.Plugins(); len(got) != 1 || s.Status()[0].State != Failed {
		t.Errorf("%d plugins, %+v", len(got), s.Status())
	}
	closed(s)

	if err := os.Remove(filepath.Join(f.dir, "echo")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(f.config.Known, ".other.manifest12"), nil, 0o600); err != nil { // of a host that was killed
		t.Fatal(err)
	}
	s = load(all)
	ran(s)
	if got := namesIn(t, f.config.Known); !slices.Equal(got, []string{"other.manifest"}) {
		t.Errorf("known are %v", got)
	}
	closed(s)
	f.nothingLeft()
}

// TestWhatComesUpLateIsAsKnown: a build that comes up only at a later try may run if it
// declares what is known of it; a reload is what takes anything else.
func TestWhatComesUpLateIsAsKnown(t *testing.T) {
	p := &Plugin{manifest: &wire.Manifest{Name: "echo", Version: "1", Events: []*wire.Subscription{{Event: "MESSAGE_CREATE"}}}}
	if err := p.asBefore(&wire.Manifest{Name: "echo", Version: "2", Sdk: "new", Events: []*wire.Subscription{{Event: "MESSAGE_CREATE"}}}); err != nil {
		t.Error(err)
	}
	other := &wire.Manifest{Name: "echo", Events: []*wire.Subscription{{Event: "TYPING_START"}}}
	if p.asBefore(other) == nil {
		t.Error("another event is taken")
	}
	p.generation = 1
	if err := p.asBefore(other); err != nil {
		t.Errorf("a plugin that has run: %v", err)
	}
}
