package state

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestAGuildThatMovesKeepsItsOrder: its events come by shard 0, and after a
// restart with another number of shards by shard 1. A plugin that has handled a
// part of them gets the rest in the order in which they came.
func TestAGuildThatMovesKeepsItsOrder(t *testing.T) {
	const guild, rounds = 42, 3
	dir := filepath.Join(t.TempDir(), "state")
	seqs := map[uint32]uint64{}
	came := 0
	for life := range uint32(rounds) {
		s := open(t, dir)
		j, err := s.OpenJournal(JournalOptions{})
		if err != nil {
			t.Fatal(err)
		}
		shards := life + 1
		for range 20 {
			batch := make([]Record, 0, 8)
			for n := range uint32(8) {
				shard := n % shards
				seqs[shard]++
				r := event(shard, seqs[shard], "MESSAGE_CREATE", 50)
				if shard == shards-1 { // the guild's, in this life
					r.Guild, r.Data = guild, fmt.Append(nil, came)
					came++
				}
				batch = append(batch, r)
			}
			if err := j.Append(batch); err != nil {
				t.Fatal(err)
			}
		}
		c, err := s.OpenCursor("ping")
		if err != nil {
			t.Fatal(err)
		}
		if life == 0 {
			if err := c.SkipTo(13); err != nil {
				t.Fatal(err)
			}
		}
		if low := c.Low(); low != 13 {
			t.Fatalf("life %d: handled up to %d", life, low)
		}
		for _, closer := range []interface{ Close() error }{c, j, s} {
			if err := closer.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
	j := openJournal(t, open(t, dir), JournalOptions{})
	events, lost := readAll(t, j, 14)
	if len(lost) != 0 {
		t.Fatalf("lost %v", lost)
	}
	next := 13
	for i := range events {
		if events[i].Guild != guild {
			continue
		}
		if got := string(events[i].Data); got != fmt.Sprint(next) {
			t.Fatalf("event %s of the guild follows, want %d", got, next)
		}
		next++
	}
	if next != came {
		t.Errorf("the guild's events end before %d, want %d", next, came)
	}
	for shard, seq := range seqs { // also of the shards that an earlier life had
		if newest, ok := j.Newest(shard); !ok || newest.Shard != shard || newest.Seq != seq {
			t.Errorf("newest of shard %d is %+v, %v, want seq %d", shard, newest, ok, seq)
		}
	}
}

// TestWhatAnOlderHoldfastLeft: each shard had a journal, and each plugin a mark
// for each. They are not read, and do not stay in the way.
func TestWhatAnOlderHoldfastLeft(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	s, log := openLogged(t, dir)
	for _, name := range []string{"0000000000-00000000000000000001.segment", "0000000001-00000000000000000007.thinned", "notes"} {
		writeIn(t, s, journalFolder, name)
	}
	writeIn(t, s, filepath.Join(cursorFolder, "ping"), "0")
	writeIn(t, s, filepath.Join(cursorFolder, "gone"), "1")
	j := openJournal(t, s, JournalOptions{})
	if lines := strings.Count(log.String(), "\n"); lines != 1 || !strings.Contains(log.String(), "older holdfast") || !strings.Contains(log.String(), "segments=2") {
		t.Errorf("log: %s", log)
	}
	if err := j.Append([]Record{event(1, 1, "A", 1)}); err != nil {
		t.Fatal(err)
	}
	if events, lost := readAll(t, j, 1); len(events) != 1 || len(lost) != 0 {
		t.Errorf("read %d events, lost %v", len(events), lost)
	}
	log.Reset()
	c, err := s.OpenCursor("ping")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, _, known := c.Position(); known || strings.Count(log.String(), "\n") != 1 {
		t.Errorf("known %v, log: %s", known, log)
	}
	if err := s.RemoveCursor("gone"); err != nil {
		t.Error(err)
	}
	for folder, want := range map[string][]string{
		journalFolder: {"00000000000000000001.segment", "notes"},
		cursorFolder:  {"ping", "ping" + damagedMark},
	} {
		var names []string
		for _, e := range entries(t, filepath.Join(dir, folder)) {
			name, _, aside := strings.Cut(e.Name(), damagedMark)
			if aside {
				name += damagedMark
			}
			names = append(names, name)
		}
		if !slices.Equal(names, want) {
			t.Errorf("%s has %q, want %q", folder, names, want)
		}
	}
}

func writeIn(t *testing.T, s *State, folder, name string) {
	t.Helper()
	if err := os.MkdirAll(s.path(folder), folderMode); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(s.path(folder), name), []byte("old"), fileMode); err != nil {
		t.Fatal(err)
	}
}

// TestHalfWrittenCursorIsSwept: a kill came while the file was new.
func TestHalfWrittenCursorIsSwept(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	s := open(t, dir)
	writeIn(t, s, cursorFolder, "ping"+temporaryMark+"123")
	if names, err := s.Cursors(); err != nil || len(names) != 0 {
		t.Errorf("cursors of %q, %v", names, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, dir)
	if names := entries(t, filepath.Join(dir, cursorFolder)); len(names) != 0 {
		t.Errorf("left: %v", names)
	}
}
