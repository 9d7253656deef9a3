package plugins

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/holdfast-bot/holdfast/sdk/wire"
	"google.golang.org/protobuf/proto"
)

// savedOf is what a host has left of a plugin's memory.
func savedOf(t *testing.T, f *folder, name string) *wire.State {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(f.config.Saved, name))
	if err != nil {
		t.Fatal(err)
	}
	state := new(wire.State)
	if err := proto.Unmarshal(raw, state); err != nil {
		t.Fatal(err)
	}
	return state
}

// TestMemoryOutlivesTheHost: what a plugin has in memory at the end of one host
// is there in the next, once.
func TestMemoryOutlivesTheHost(t *testing.T) {
	f := newFolder(t)
	f.add("echo", "memory")
	for life := range uint64(3) {
		s := f.load()
		s.Run()
		p := only(t, s)
		until(t, "running", func() bool { return p.status().PID != 0 })
		if left, err := os.ReadDir(f.config.Saved); err != nil || len(left) != 0 {
			t.Fatalf("still there after it was restored: %v, %v", left, err)
		}
		deliver(t, p, life*100, life*100+100)
		until(t, "all handled", func() bool { return p.status().Acked == 100 })
		if err := s.Drain(t.Context(), true); err != nil {
			t.Fatal(err)
		}
		deliver(t, p, 1000, 1010) // what comes after the end is not handled
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if got, want := savedOf(t, f, "echo.state"), 100*int(life+1); len(got.GetData()) != want || got.GetSchema() != 7 {
			t.Fatalf("life %d saved %d bytes of schema %d, want %d of 7", life, len(got.GetData()), got.GetSchema(), want)
		}
	}
}

// TestWhatIsNoSavedStateIsSetAside: a pipe is not waited for, a huge file not read.
func TestWhatIsNoSavedStateIsSetAside(t *testing.T) {
	for name, put := range map[string]func(path string) error{
		"pipe":   func(path string) error { return syscall.Mkfifo(path, 0o600) },
		"folder": func(path string) error { return os.Mkdir(path, 0o700) },
		"huge": func(path string) error {
			return errors.Join(os.WriteFile(path, nil, 0o600), os.Truncate(path, 1<<40)) // a hole
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFolder(t)
			f.add("echo", "memory")
			path := filepath.Join(f.config.Saved, "echo.state")
			if err := put(path); err != nil {
				t.Fatal(err)
			}
			s := f.load()
			s.Run()
			p := only(t, s)
			until(t, "running", func() bool { return p.status().PID != 0 })
			if _, err := os.Lstat(path + refusedEnding); err != nil {
				t.Errorf("set aside: %v", err)
			}
			if st := p.status(); !strings.Contains(st.LastError, "begins without it") {
				t.Errorf("told: %q", st.LastError)
			}
		})
	}
}

// TestRefusedMemoryIsSetAside: a build that does not read what the last one has
// left begins without it, and says so.
func TestRefusedMemoryIsSetAside(t *testing.T) {
	for name, raw := range map[string][]byte{"refused": nil, "damaged": []byte("no protobuf")} {
		t.Run(name, func(t *testing.T) {
			f := newFolder(t)
			f.add("echo", "memory")
			if raw == nil {
				var err error
				if raw, err = proto.Marshal(&wire.State{Schema: 9, Data: []byte("of another kind")}); err != nil {
					t.Fatal(err)
				}
			}
			path := filepath.Join(f.config.Saved, "echo.state")
			if err := os.WriteFile(path, raw, 0o600); err != nil {
				t.Fatal(err)
			}
			s := f.load()
			s.Run()
			p := only(t, s)
			until(t, "running", func() bool { return p.status().PID != 0 })
			if kept, err := os.ReadFile(path + ".refused"); err != nil || !bytes.Equal(kept, raw) {
				t.Errorf("set aside: %q, %v", kept, err)
			}
			if _, err := os.Stat(path); err == nil {
				t.Error("what was refused is still there")
			}
			if st := p.status(); !strings.Contains(st.LastError, "begins without it") || strings.Contains(st.LastError, "\n") {
				t.Errorf("told: %q", st.LastError)
			}
		})
	}
}

// TestMemoryOfRemovedPluginGoes: a plugin of the same name, later, begins anew.
func TestMemoryOfRemovedPluginGoes(t *testing.T) {
	f := newFolder(t)
	f.add("echo", "memory")
	j := newMemoryJournal()
	f.config.Journal, f.config.Cursors = j, j
	s := f.load()
	s.Run()
	p := only(t, s)
	until(t, "running", func() bool { return p.status().PID != 0 })
	if names, _ := j.Cursors(); len(names) != 1 {
		t.Fatalf("cursors %v", names)
	}
	if err := os.WriteFile(filepath.Join(f.config.Saved, "echo.state"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(f.dir, "echo")); err != nil {
		t.Fatal(err)
	}
	steps := reloadOf(f, s)
	if len(steps) != 1 || steps[0].Result != Done {
		t.Fatalf("%+v", steps)
	}
	p.Deliver(numbered(1)) // by a router that does not know yet
	if left, err := os.ReadDir(f.config.Saved); err != nil || len(left) != 0 {
		t.Errorf("left: %v, %v", left, err)
	}
	if names, _ := j.Cursors(); len(names) != 0 {
		t.Errorf("cursors %v", names)
	}
}

// TestMemoryThatIsSavedStays: whatever becomes of the process between its saving
// and the end of the host.
func TestMemoryThatIsSavedStays(t *testing.T) {
	for name, after := range map[string]func(f *folder, s *Set, p *Plugin){
		"crash": func(_ *folder, _ *Set, p *Plugin) {
			generation := p.status().Generation
			if err := syscall.Kill(p.status().PID, syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			until(t, "up again", func() bool { st := p.status(); return st.PID != 0 && st.Generation > generation })
		},
		"reload": func(f *folder, s *Set, _ *Plugin) {
			_, _ = s.Reload(t.Context(), ReloadOptions{
				Names: []string{"echo"}, Changed: func() {},
				Check: func([]*wire.Manifest, *wire.Manifest) error { return nil },
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFolder(t)
			f.add("echo", "memory")
			s := f.load()
			s.Run()
			p := only(t, s)
			until(t, "running", func() bool { return p.status().PID != 0 })
			deliver(t, p, 0, 100)
			until(t, "all handled", func() bool { return p.status().Acked == 100 })
			if err := s.Drain(t.Context(), true); err != nil {
				t.Fatal(err)
			}
			after(f, s, p)
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			if got := savedOf(t, f, "echo.state"); len(got.GetData()) != 100 {
				t.Errorf("%d bytes are left, want 100", len(got.GetData()))
			}
		})
	}
}

// TestStopDuringReload: what the plugin has in memory is saved by whichever
// instance has it when the host stops.
func TestStopDuringReload(t *testing.T) {
	for range 3 {
		f := newFolder(t)
		f.add("echo", "memory")
		s := f.load()
		s.Run()
		p := only(t, s)
		until(t, "running", func() bool { return p.status().PID != 0 })
		deliver(t, p, 0, 100)
		until(t, "all handled", func() bool { return p.status().Acked == 100 })
		checked, reloaded := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(reloaded)
			_, _ = s.Reload(context.Background(), ReloadOptions{
				Names: []string{"echo"}, Changed: func() {},
				Check: func([]*wire.Manifest, *wire.Manifest) error { close(checked); return nil },
			})
		}()
		<-checked
		if err := s.Drain(t.Context(), true); err != nil {
			t.Fatal(err)
		}
		<-reloaded
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if got := savedOf(t, f, "echo.state"); len(got.GetData()) != 100 {
			t.Errorf("%d bytes are left, want 100", len(got.GetData()))
		}
	}
}

// TestCursorsFollowTheFolder: at the start the places of plugins that are gone go,
// unless that may be a mistake.
func TestCursorsFollowTheFolder(t *testing.T) {
	for name, test := range map[string]struct {
		add  func(f *folder)
		want int
	}{
		"gone":               {func(f *folder) { f.add("echo", "") }, 1},
		"folder not mounted": {func(*folder) {}, 2},
		"one does not start": {func(f *folder) { f.add("echo", ""); f.add("broken", "exit") }, 2},
		"lost its bit": {func(f *folder) {
			f.add("echo", "")
			if err := os.WriteFile(filepath.Join(f.dir, "away.bin"), nil, 0o600); err != nil {
				f.t.Fatal(err)
			}
		}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFolder(t)
			j := newMemoryJournal()
			f.config.Journal, f.config.Cursors = j, j
			for _, plugin := range []string{"echo", "away"} {
				c, err := j.Cursor(plugin)
				if err != nil {
					t.Fatal(err)
				}
				if err := c.Close(); err != nil {
					t.Fatal(err)
				}
			}
			test.add(f)
			s := f.load()
			s.Run()
			if names, _ := j.Cursors(); len(names) != test.want {
				t.Errorf("places of %v", names)
			}
		})
	}
}

// TestMemoryOfPluginThatLeftBetweenHosts: a plugin whose file went while no host
// ran leaves nothing, nor does a host that was killed while it saved. What is not
// the host's stays.
func TestMemoryOfPluginThatLeftBetweenHosts(t *testing.T) {
	f := newFolder(t)
	f.add("echo", "memory")
	f.config.Journal = newMemoryJournal()
	for _, name := range []string{"gone.state", "gone.state.refused", ".echo.state123", ".gone.state4", "notes.txt", ".hidden"} {
		if err := os.WriteFile(filepath.Join(f.config.Saved, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := f.load()
	s.Run()
	p := only(t, s)
	until(t, "running", func() bool { return p.status().PID != 0 })
	if left, want := namesIn(t, f.config.Saved), []string{".hidden", "gone.state.refused", "notes.txt"}; !slices.Equal(left, want) {
		t.Errorf("left are %v, want %v", left, want)
	}
}

// TestMemoryOfPluginThatDoesNotStartStays: nobody knows whose it is as long as
// one of the plugins has not told its name.
func TestMemoryOfPluginThatDoesNotStartStays(t *testing.T) {
	f := newFolder(t)
	f.add("echo", "memory")
	if err := os.WriteFile(filepath.Join(f.dir, "broken"), []byte("no program"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(f.config.Saved, "other.state"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s := f.load()
	s.Run()
	if left := namesIn(t, f.config.Saved); !slices.Equal(left, []string{"other.state"}) {
		t.Errorf("left are %v", left)
	}
}

func namesIn(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// TestMemoryThatIsNeverTakenIsSetAside: a build that hangs over what the last one has
// left is tried a few times, not for ever.
func TestMemoryThatIsNeverTakenIsSetAside(t *testing.T) {
	f := newFolder(t)
	f.config.stateTimeout = 300 * time.Millisecond
	f.add("echo", "forgetful")
	raw, err := proto.Marshal(&wire.State{Schema: 7, Data: []byte("x")})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(f.config.Saved, "echo.state")
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	s := f.load()
	s.Run()
	p := only(t, s)
	until(t, "running", func() bool { return p.status().PID != 0 })
	if kept, err := os.ReadFile(path + ".refused"); err != nil || !bytes.Equal(kept, raw) {
		t.Errorf("set aside: %q, %v", kept, err)
	}
	if st := p.status(); st.Restarts != restoreTries || !strings.Contains(st.LastError, "no answer within 300ms: it is kept in") {
		t.Errorf("%d starts beyond the first, %q", st.Restarts, st.LastError)
	}
}
