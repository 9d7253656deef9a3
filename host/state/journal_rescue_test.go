package state

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestDiskThatFailsDuringARescue: what has to go to memory while the rest is moved
// to the disk is not forgotten there.
func TestDiskThatFailsDuringARescue(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	s := open(t, dir)
	j := openJournal(t, s, JournalOptions{Bytes: 32 << 20, Sync: time.Hour})
	inTheWay := func(shard uint32) string {
		path := filepath.Join(j.dir, segmentName(shard, 1, segmentEnding))
		if err := os.MkdirAll(filepath.Join(path, "in the way"), 0o700); err != nil {
			t.Fatal(err)
		}
		return path
	}
	free := func(path string) {
		if err := os.RemoveAll(path); err != nil {
			t.Fatal(err)
		}
	}
	blocked := inTheWay(0)
	for n := range uint64(100) {
		if err := j.Append([]Record{event(0, n+1, "MESSAGE_CREATE", 100<<10)}); err != nil {
			t.Fatal(err)
		}
	}
	free(blocked)
	blocked = inTheWay(1)
	j.triedAt.Store(0)
	rescued := make(chan error, 1)
	go func() { rescued <- j.rescue(time.Now()) }()
	for {
		if _, err := os.Stat(filepath.Join(j.dir, segmentName(0, 1, segmentEnding))); err == nil {
			break
		}
	}
	if err := j.Append([]Record{event(1, 1, "MESSAGE_CREATE", 100)}); err != nil {
		t.Fatal(err)
	}
	if err := <-rescued; err != nil {
		t.Fatal(err)
	}
	free(blocked)
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	j = openJournal(t, s, JournalOptions{})
	if got, lost := readAll(t, j, 1, 1); len(got) != 1 {
		t.Errorf("%d events of the shard that fell back, lost %v", len(got), lost)
	}
}
