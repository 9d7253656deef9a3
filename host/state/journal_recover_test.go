package state

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// written makes a journal with count events of about 1 KB and closes it.
func written(t *testing.T, s *State, o JournalOptions, count int) (records []Record, files []string) {
	t.Helper()
	j, err := s.OpenJournal(o)
	if err != nil {
		t.Fatal(err)
	}
	_, last := j.Range()
	for len(records) < count {
		batch := make([]Record, 16)
		for i := range batch {
			last++
			batch[i] = event(0, last, "MESSAGE_CREATE", 1000)
		}
		if err := j.Append(batch); err != nil {
			t.Fatal(err)
		}
		records = append(records, batch...)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	files, _ = filepath.Glob(filepath.Join(s.Path(), journalFolder, "*"+segmentEnding))
	return records, files
}

func TestDamageCostsOnlyWhatItHit(t *testing.T) {
	rnd := random(t)
	for name, damage := range map[string]func(raw []byte) []byte{
		"torn end":      func(raw []byte) []byte { return raw[:len(raw)-1-rnd.IntN(900)] },
		"zeroes at end": func(raw []byte) []byte { return append(raw, make([]byte, 5000)...) },
		"bytes at end":  func(raw []byte) []byte { return append(raw, bytes.Repeat([]byte{0x42}, 5000)...) },
		"one bit":       func(raw []byte) []byte { raw[10_000+rnd.IntN(len(raw)-20_000)] ^= 1 << rnd.IntN(8); return raw },
		"zeroes inside": func(raw []byte) []byte { clear(raw[20_000:24_000]); return raw },
		"header":        func(raw []byte) []byte { raw[5]++; return raw },
		"missing bytes": func(raw []byte) []byte { return append(raw[:15_000], raw[15_777:]...) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "state")
			s, log := openLogged(t, dir)
			o := JournalOptions{Bytes: 64 << 20}
			records, files := written(t, s, o, 8000)
			path := files[len(files)-1]
			if strings.Contains(name, "inside") || name == "one bit" {
				path = files[0]
			}
			raw, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, damage(raw), 0o600); err != nil {
				t.Fatal(err)
			}
			j := openJournal(t, s, o)
			events, lost := readAll(t, j, 1)
			for i := range events {
				if err := same(&events[i], &records[events[i].Index-1]); err != nil {
					t.Fatal(err)
				}
			}
			if gone := len(records) - len(events); gone > 6 || gone == 0 && strings.Contains(name, "bit") {
				t.Errorf("%d of %d events are gone, lost %v", gone, len(records), lost)
			}
			if n := strings.Count(log.String(), "\n"); n < 1 || n > 2 {
				t.Errorf("log has %d lines: %s", n, log)
			}
		})
	}
}

func TestANewerJournalIsRefused(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "state"))
	_, files := written(t, s, JournalOptions{}, 1)
	raw, _ := os.ReadFile(files[0])
	raw[4] = segmentVersion + 1
	binary.LittleEndian.PutUint32(raw[28:], crc32.Checksum(raw[:28], castagnoli))
	if err := os.WriteFile(files[0], raw, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.OpenJournal(JournalOptions{}); err == nil || !strings.Contains(err.Error(), "newer holdfast") {
		t.Errorf("got %v", err)
	}
	if now, _ := os.ReadFile(files[0]); !bytes.Equal(now, raw) {
		t.Error("the file was changed")
	}
}

func TestOldEventsGoAtTheStart(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "state"))
	j, err := s.OpenJournal(JournalOptions{})
	if err != nil {
		t.Fatal(err)
	}
	old := event(0, 1, "A", 10)
	old.Received = time.Now().Add(-time.Hour).UnixNano()
	if err := j.Append([]Record{old}); err != nil {
		t.Fatal(err)
	}
	j.Close()
	for range 2 { // the index is kept by an empty segment
		j, err = s.OpenJournal(JournalOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if first, last := j.Range(); first != 2 || last != 1 {
			t.Errorf("range is %d to %d", first, last)
		}
		j.Close()
	}
}

// FuzzSegment gives foreign bytes as a segment.
func FuzzSegment(f *testing.F) {
	good := appendHeader(nil, 1)
	for i := range uint64(5) {
		r := event(0, i, "MESSAGE_CREATE", 50)
		r.Index = i + 1
		good = appendFrame(good, &r)
	}
	f.Add(good)
	f.Add(good[:len(good)-7])
	f.Add(append(bytes.Clone(good[:90]), good[120:]...))
	f.Add(bytes.Repeat([]byte{0, 0, 0, 1}, 100))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var s scanner
		var r Record
		s.open(bytes.NewReader(raw), nil, 1)
		last := uint64(0)
		for {
			ok, err := s.next(int64(len(raw)), &r)
			if err != nil {
				t.Fatal(err)
			}
			if !ok {
				break
			}
			if r.Index <= last || len(r.Data) > len(raw) {
				t.Fatalf("event %d of %d bytes after %d", r.Index, len(r.Data), last)
			}
			last = r.Index
			again := appendFrame(nil, &r)
			if !bytes.Equal(again, raw[s.end-int64(len(again)):s.end]) {
				t.Fatal("the frame is not what was written")
			}
		}
		if cap(s.buf) > max(scanBuffer, len(raw)) {
			t.Fatalf("a buffer of %d bytes for %d", cap(s.buf), len(raw))
		}
	})
}

// TestAnEndlessTailIsNotSearched: what is behind the last whole frame may be a
// hole of any size, as a copy or a broken disk leaves it.
func TestAnEndlessTailIsNotSearched(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "state"))
	o := JournalOptions{Bytes: 64 << 20}
	records, files := written(t, s, o, 100)
	if err := os.Truncate(files[0], 1<<42); err != nil {
		t.Fatal(err)
	}
	j, err := s.OpenJournal(o)
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	if _, last := j.Range(); last != uint64(len(records)) {
		t.Errorf("the last event is %d, want %d", last, len(records))
	}
	if j.Bytes() > o.Bytes {
		t.Errorf("the journal takes %d bytes", j.Bytes())
	}
}
