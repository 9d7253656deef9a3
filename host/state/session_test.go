package state

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func openSessions(t *testing.T, s *State) *Sessions {
	t.Helper()
	v, err := s.OpenSessions()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { v.Close() })
	return v
}

func TestSessionsOutliveTheHost(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "state"))
	v := openSessions(t, s)
	ready := time.Unix(1_700_000_000, 5).UTC()
	one := SessionValues{ID: "one", ResumeURL: "wss://x", Shard: 1, Count: 2, Intents: 513, Seq: 1, Ready: ready}
	zero := SessionValues{ID: "zero", Shard: 0, Count: 2, Seq: 9, Ready: ready}
	for _, x := range []SessionValues{one, zero} {
		if err := v.Save(x); err != nil {
			t.Fatal(err)
		}
	}
	v.SetSeq(1, 1<<33, ready.Add(time.Minute).UnixNano())
	v.SetSeq(5, 3, 3) // nobody's
	v.Close()
	v = openSessions(t, s)
	all := v.All()
	if len(all) != 2 || all[0].ID != "zero" || all[0].Seq != 9 || !all[0].At.Equal(ready) {
		t.Fatalf("got %+v", all)
	}
	if got := all[1]; got.Seq != 1<<33 || !got.At.Equal(ready.Add(time.Minute)) || got.ResumeURL != one.ResumeURL || got.Intents != 513 || !got.Ready.Equal(ready) {
		t.Errorf("got %+v", got)
	}
	// The old session's number is never that of a new one, even if only the file was written.
	one.ID, one.Seq = "other", 2
	v.values[1] = one
	if err := v.write(); err != nil {
		t.Fatal(err)
	}
	v.Close()
	v = openSessions(t, s)
	if got := v.All()[1]; got.ID != "other" || got.Seq != 2 {
		t.Errorf("got %+v", got)
	}
	if err := v.Forget(1); err != nil {
		t.Fatal(err)
	}
	v.SetSeq(1, 77, 1)
	v.Close()
	if all := openSessions(t, s).All(); len(all) != 1 || all[0].Shard != 0 {
		t.Errorf("got %+v", all)
	}
	for _, bad := range []SessionValues{{}, {ID: "x", Shard: maxShards}} {
		if openSessions(t, s).Save(bad) == nil {
			t.Errorf("%+v is saved", bad)
		}
	}
}

func TestDamagedSessionsAreSetAside(t *testing.T) {
	for name, damage := range map[string]func(dir string) error{
		"values":          func(dir string) error { return os.WriteFile(filepath.Join(dir, sessionsFile), []byte("{"), 0o600) },
		"sequences":       func(dir string) error { return os.Truncate(filepath.Join(dir, sequencesFile), 5) },
		"sequences gone":  func(dir string) error { return os.Remove(filepath.Join(dir, sequencesFile)) },
		"values of a kid": func(dir string) error { return os.WriteFile(filepath.Join(dir, sessionsFile), []byte(`[]`), 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "state")
			s, log := openLogged(t, dir)
			v := openSessions(t, s)
			if err := v.Save(SessionValues{ID: "secret", Seq: 4}); err != nil {
				t.Fatal(err)
			}
			v.Close()
			if err := damage(dir); err != nil {
				t.Fatal(err)
			}
			for range 2 { // told once, and gone for good
				v = openSessions(t, s)
				if all := v.All(); len(all) != 0 {
					t.Errorf("got %+v", all)
				}
				v.Close()
			}
			if n := strings.Count(log.String(), "\n"); n < 1 || n > 2 || strings.Contains(log.String(), "secret") {
				t.Errorf("log: %s", log)
			}
		})
	}
}

// TestNumbersAreNotSavedForTheSessionBefore: when the values of a new session
// cannot be written, the numbers of the old one stay its own.
func TestNumbersAreNotSavedForTheSessionBefore(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	s := open(t, dir)
	v := openSessions(t, s)
	if err := v.Save(SessionValues{ID: "one", Seq: 70}); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, sessionsFile)
	if err := errors.Join(os.Rename(file, file+".kept"), os.MkdirAll(filepath.Join(file, "in the way"), 0o700)); err != nil {
		t.Fatal(err)
	}
	if v.Save(SessionValues{ID: "two", Seq: 1}) == nil {
		t.Fatal("saved onto a folder")
	}
	v.SetSeq(0, 2, 1)
	v.Close()
	if err := errors.Join(os.RemoveAll(file), os.Rename(file+".kept", file)); err != nil {
		t.Fatal(err)
	}
	if got := openSessions(t, s).All(); len(got) != 1 || got[0].ID != "one" || got[0].Seq != 70 {
		t.Errorf("got %+v", got)
	}
}
