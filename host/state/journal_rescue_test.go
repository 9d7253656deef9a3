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
	s := open(t, filepath.Join(t.TempDir(), "state"))
	segment := func(first uint64) string {
		return filepath.Join(s.path(journalFolder), segmentName(first, segmentEnding))
	}
	inTheWay := func(first uint64) {
		if err := os.MkdirAll(filepath.Join(segment(first), "in the way"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	free := func(first uint64) {
		if err := os.RemoveAll(segment(first)); err != nil {
			t.Fatal(err)
		}
	}
	inTheWay(1)
	j := openJournal(t, s, JournalOptions{Bytes: 32 << 20, Sync: time.Hour})
	const before = 200
	last := uint64(0)
	appendOne := func(size int) {
		last++
		if err := j.Append([]Record{event(0, last, "MESSAGE_CREATE", size)}); err != nil {
			t.Fatal(err)
		}
	}
	for range before {
		appendOne(100 << 10)
	}
	free(1)
	inTheWay(before + 1)
	j.triedAt.Store(0)
	rescued := make(chan error, 1)
	go func() { rescued <- j.rescue(time.Now()) }()
	for {
		if _, err := os.Stat(segment(1)); err == nil {
			break
		}
	}
	appendOne(100 << 10) // no room for it in the last segment
	if err := <-rescued; err != nil {
		t.Fatal(err)
	}
	free(before + 1)
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	j = openJournal(t, s, JournalOptions{})
	if got, lost := readAll(t, j, before+1); len(got) != 1 || len(lost) != 0 {
		t.Errorf("%d events of after the disk failed, lost %v", len(got), lost)
	}
}
