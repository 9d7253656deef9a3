package state

import (
	"maps"
	"os"
	"path/filepath"
	"testing"
)

func openInteractions(t *testing.T, dir string) (*State, *Interactions, map[uint64]byte) {
	t.Helper()
	s, err := Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	k, steps, err := s.OpenInteractions()
	if err != nil {
		t.Fatal(err)
	}
	return s, k, steps
}

func closeInteractions(t *testing.T, s *State, k *Interactions) {
	t.Helper()
	if err := k.Close(); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// TestInteractionsOutliveTheHost: the last step of each counts, also when the ring
// has gone round, and the file does not grow beyond it.
func TestInteractionsOutliveTheHost(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	s, k, steps := openInteractions(t, dir)
	if len(steps) != 0 {
		t.Fatalf("a new folder remembers %v", steps)
	}
	set := func(id uint64, step byte) {
		t.Helper()
		if err := k.Set(id, step); err != nil {
			t.Fatal(err)
		}
	}
	set(7, 1)
	set(8, 2)
	set(7, 3)
	closeInteractions(t, s, k)
	s, k, steps = openInteractions(t, dir)
	if want := map[uint64]byte{7: 3, 8: 2}; !maps.Equal(steps, want) {
		t.Fatalf("remembered %v, want %v", steps, want)
	}
	for n := range uint64(interactionSlots + 100) {
		set(1000+n, byte(n%5))
	}
	closeInteractions(t, s, k)
	s, k, steps = openInteractions(t, dir)
	defer closeInteractions(t, s, k)
	if len(steps) != interactionSlots || steps[1000+interactionSlots+99] != byte((interactionSlots+99)%5) || steps[7] != 0 {
		t.Errorf("%d are remembered, the last with step %d", len(steps), steps[1000+interactionSlots+99])
	}
	if info, err := os.Stat(filepath.Join(dir, interactionsFile)); err != nil || info.Size() > interactionSlots*interactionSlot || info.Mode().Perm() != fileMode {
		t.Errorf("the file: %v %v", info, err)
	}
}

// TestTornInteractions: a slot that is half written is left out, the others count;
// what is no file is set aside.
func TestTornInteractions(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	s, k, _ := openInteractions(t, dir)
	for id := range uint64(3) {
		if err := k.Set(10+id, 1); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := k.file.WriteAt([]byte{0xff}, 2*interactionSlot+9); err != nil {
		t.Fatal(err)
	}
	closeInteractions(t, s, k)
	s, k, steps := openInteractions(t, dir)
	if want := map[uint64]byte{10: 1, 12: 1}; !maps.Equal(steps, want) {
		t.Errorf("remembered %v, want %v", steps, want)
	}
	closeInteractions(t, s, k)
	path := filepath.Join(dir, interactionsFile)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	if s, err := Open(dir, nil); err != nil {
		t.Error(err)
	} else {
		if _, _, err := s.OpenInteractions(); err == nil {
			t.Error("a folder in the place of the file is no fault")
		}
		_ = s.Close()
	}
}
