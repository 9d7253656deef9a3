package state

import (
	"errors"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"
)

func openGuilds(t *testing.T, s *State) *Guilds {
	t.Helper()
	g, err := s.OpenGuilds()
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func set(ids ...uint64) map[uint64]struct{} {
	out := make(map[uint64]struct{})
	for _, id := range ids {
		out[id] = struct{}{}
	}
	return out
}

// loaded reads a shard's guilds as the next host does.
func loaded(t *testing.T, s *State, session string) map[uint64]struct{} {
	t.Helper()
	ids, known, err := openGuilds(t, s).Load(3, session)
	if err != nil || known != (ids != nil) {
		t.Fatal(known, err)
	}
	return ids
}

// TestGuildsOutliveTheHost: what READY and each change after it say is there at once for whoever comes
// after a kill, and for that session alone.
func TestGuildsOutliveTheHost(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "state"))
	g := openGuilds(t, s)
	if ids := loaded(t, s, "one"); ids != nil {
		t.Errorf("nothing was kept: %v", ids)
	}
	r := rand.New(rand.NewPCG(rand.Uint64(), 1))
	want := set(1, 1<<63, 7)
	if err := g.Save(3, "one", want); err != nil {
		t.Fatal(err)
	}
	longest := int64(0)
	for range 5000 {
		id, in := r.Uint64N(10), r.IntN(2) == 0
		whole, err := g.Change(3, id, in)
		if err != nil {
			t.Fatal(err)
		}
		if in {
			want[id] = struct{}{}
		} else {
			delete(want, id)
		}
		if info, err := os.Stat(g.path(3)); err != nil {
			t.Fatal(err)
		} else if longest = max(longest, info.Size()); info.Mode().Perm() != 0o600 {
			t.Errorf("mode %v", info.Mode())
		}
		if whole {
			if err := g.Save(3, "one", want); err != nil {
				t.Fatal(err)
			}
		}
		if r.IntN(100) == 0 {
			if got := loaded(t, s, "one"); !maps.Equal(got, want) {
				t.Fatalf("got %v, want %v", got, want)
			}
			if r.IntN(5) == 0 {
				g = openGuilds(t, s) // another host goes on
				if _, _, err := g.Load(3, "one"); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	if longest > 6000 {
		t.Errorf("the file had %d bytes for at most 10 guilds", longest)
	}
	if got := loaded(t, s, "two"); got != nil {
		t.Errorf("another session has %v", got)
	}
	if raw, err := os.ReadFile(g.path(3)); err != nil || strings.Contains(string(raw), "one") {
		t.Errorf("the session's id stands in it: %v", err)
	}
	if err := g.Save(3, "two", set()); err != nil {
		t.Fatal(err)
	}
	if got := loaded(t, s, "two"); got == nil || len(got) != 0 {
		t.Errorf("a session without guilds has %v", got)
	}
	if err := errors.Join(g.forget(3), g.forget(3)); err != nil {
		t.Error(err)
	}
	if whole, err := g.Change(3, 1, true); !whole || err != nil {
		t.Errorf("a change of nothing: %v, %v", whole, err)
	}
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if strings.Contains(e.Name(), temporaryMark) {
			t.Errorf("left over: %s", e.Name())
		}
	}
}

// TestGuildsAreNeverHalf: a line that was cut is left out, and the next one does not run into it; what
// makes no sense is set aside whole.
func TestGuildsAreNeverHalf(t *testing.T) {
	head := guildsHead + guildsMark("one") + "\n"
	for name, test := range map[string]struct {
		file  string
		want  map[uint64]struct{} // nil: unknown
		aside bool
	}{
		"cut":            {head + "+12\n+345", set(12), false},
		"cut at a sign":  {head + "+12\n-", set(12), false},
		"cut head":       {guildsHead, nil, true},
		"nothing":        {"", nil, true},
		"zeroes":         {head + "+12\n\x00\x00\x00\x00\n", nil, true},
		"no sign":        {head + "12\n", nil, true},
		"no number":      {head + "+\n", nil, true},
		"an empty line":  {head + "\n", nil, true},
		"a large number": {head + "+18446744073709551616\n", nil, true},
		"a later form":   {"holdfast guilds 2 x\n", nil, true},
	} {
		t.Run(name, func(t *testing.T) {
			var log strings.Builder
			s, err := Open(filepath.Join(t.TempDir(), "state"), hclog.New(&hclog.LoggerOptions{Output: &log}))
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			g := openGuilds(t, s)
			if err := os.WriteFile(g.path(3), []byte(test.file), 0o600); err != nil {
				t.Fatal(err)
			}
			got, _, err := g.Load(3, "one")
			if err != nil || !maps.Equal(got, test.want) || (got == nil) != (test.want == nil) {
				t.Errorf("got %v, %v", got, err)
			}
			if aside := strings.Contains(log.String(), "damaged and set aside"); aside != test.aside {
				t.Errorf("log: %s", log.String())
			}
			if test.want == nil {
				return
			}
			if whole, err := g.Change(3, 6, true); whole || err != nil {
				t.Fatal(whole, err)
			}
			test.want[6] = struct{}{}
			if got := loaded(t, s, "one"); !maps.Equal(got, test.want) {
				t.Errorf("after a change: %v", got)
			}
		})
	}
}

// TestGuildsThatCannotBeWritten: nothing is left that is not true any more.
func TestGuildsThatCannotBeWritten(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "state"))
	g := openGuilds(t, s)
	if err := g.Save(3, "one", set(1)); err != nil {
		t.Fatal(err)
	}
	// A link is nothing that a host has written.
	elsewhere := filepath.Join(t.TempDir(), "elsewhere")
	if err := errors.Join(os.Rename(g.path(3), elsewhere), os.Symlink(elsewhere, g.path(3))); err != nil {
		t.Fatal(err)
	}
	if whole, err := g.Change(3, 2, true); whole || err == nil || !strings.Contains(err.Error(), "make room on the disk") {
		t.Errorf("got %v, %v", whole, err)
	}
	if got := loaded(t, s, "one"); got != nil {
		t.Errorf("got %v", got)
	}
	if raw, err := os.ReadFile(elsewhere); err != nil || strings.Contains(string(raw), "+2\n") {
		t.Errorf("written through the link: %q, %v", raw, err)
	}
	if err := g.Save(3, "one", set(1)); err != nil {
		t.Fatal(err)
	}
	homeless := &Guilds{state: &State{dir: filepath.Join(s.dir, "gone")}, dir: g.dir, files: g.files}
	if err := homeless.Save(3, "one", set(1, 2)); err == nil || loaded(t, s, "one") != nil {
		t.Errorf("an old list is left: %v", err)
	}
	if err := os.MkdirAll(filepath.Join(g.path(3), "in the way"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := g.Save(3, "one", set(1)); err == nil {
		t.Error("saved onto a folder")
	}
	if whole, err := g.Change(3, 2, true); !whole || err != nil {
		t.Errorf("got %v, %v: nothing is kept, so the shard is to be saved", whole, err)
	}
}

// FuzzReadGuilds: whatever stands in a file, it is damaged or says guilds that can be written and read again.
func FuzzReadGuilds(f *testing.F) {
	head := guildsHead + guildsMark("one") + "\n"
	for _, seed := range []string{"", guildsHead, head, head + "+1\n-1\n+2\n", head + "+1\n+", "\x00\n", head + "+-1\n"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		kept, err := readGuilds(raw)
		if err != nil {
			return
		}
		again := []byte(guildsHead + kept.mark + "\n")
		for id := range kept.ids {
			again = append(again, guildsLine(id, true)...)
		}
		second, err := readGuilds(again)
		if err != nil || second.mark != kept.mark || second.cut || second.lines != 0 || kept.lines < 0 || !maps.Equal(second.ids, kept.ids) {
			t.Errorf("%q: %+v, again %+v, %v", raw, kept, second, err)
		}
	})
}
