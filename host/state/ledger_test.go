package state

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func openLedger(t *testing.T, s *State) (*Ledger, []LedgerEntry) {
	t.Helper()
	l, entries, err := s.OpenLedger()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l, entries
}

// agoEntry is one of so long ago, as precise as the file is.
func agoEntry(kind byte, ago time.Duration, mark uint64, caller string) LedgerEntry {
	return LedgerEntry{Kind: kind, At: time.UnixMilli(time.Now().Add(-ago).UnixMilli()), Mark: mark, Caller: caller}
}

// TestTheLedgerOutlivesTheHost: without a Close, as after kill -9, what counts still is there again, in order.
func TestTheLedgerOutlivesTheHost(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "state"))
	first, entries := openLedger(t, s)
	if len(entries) != 0 {
		t.Fatalf("a new folder has %v", entries)
	}
	given := []LedgerEntry{
		agoEntry('i', 12*time.Minute, 1, "old"),
		agoEntry('i', 5*time.Minute, 1<<63, "greeter"),
		agoEntry('w', 1000*time.Hour, 7, ""),
		agoEntry('i', -time.Hour, 0, "of a clock that was set back since"),
		agoEntry('i', 0, 3, "odd \"name\" \n é"),
		agoEntry('b', time.Second, 0, ""),
		agoEntry('b', -time.Minute, 0, ""),
	}
	for _, e := range given {
		first.Add(e)
	}
	want := slices.Concat(given[1:5], given[6:])
	opened := time.UnixMilli(time.Now().UnixMilli())
	for range 2 { // and once more
		_, entries = openLedger(t, s)
		if len(entries) > 2 && want[2].At.After(opened) { // it counts from the first of these on
			if at := entries[2].At; at.Before(opened) || at.After(time.Now()) {
				t.Errorf("what a clock has put ahead counts from %v", at)
			}
			want[2].At = entries[2].At
		}
		if !slices.Equal(entries, want) {
			t.Errorf("got %v\nwant %v", entries, want)
		}
	}
	if m := mode(t, s.path(ledgerFile)); m != 0o600 {
		t.Errorf("mode %v", m)
	}
}

// TestATimeToComeDoesNotCountForEver: a clock that was years ahead, or a damaged number, must not make every host of those
// years begin with a soft stop, or wait for a ban.
func TestATimeToComeDoesNotCountForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, filepath.Join(t.TempDir(), "state"))
		l, _ := openLedger(t, s)
		const years = 5 * 365 * 24 * time.Hour
		l.Add(agoEntry('i', -years, 1, "a"))
		l.Add(agoEntry('b', -years, 0, ""))
		l.Add(agoEntry('b', -time.Hour, 0, ""))
		for _, step := range []struct {
			after time.Duration
			want  int
		}{{0, 3}, {10 * time.Minute, 3}, {2 * time.Minute, 2}, {time.Hour, 1}, {23 * time.Hour, 0}} {
			time.Sleep(step.after)
			_, entries := openLedger(t, s)
			if len(entries) != step.want {
				t.Errorf("after %v more %v count", step.after, entries)
			}
			for _, e := range entries {
				if e.Kind == 'i' && time.Since(e.At) < 0 || time.Until(e.At) > 24*time.Hour {
					t.Errorf("%c counts from %v", e.Kind, e.At)
				}
			}
		}
	})
}

// TestADamagedLedgerIsSetAsideAndReadAsFarAsItGoes: damage is told and kept for whoever wants to look; the lines that
// can be read count. A cut last line is what a kill leaves, and no damage.
func TestADamagedLedgerIsSetAsideAndReadAsFarAsItGoes(t *testing.T) {
	line := func(mark uint64) string { return string(agoEntry('i', time.Minute, mark, "a").append(nil)) }
	good := ledgerHead + line(1) + line(2)
	tests := map[string]struct {
		content string
		marks   []uint64
		damaged bool
	}{
		"whole":            {good, []uint64{1, 2}, false},
		"empty":            {"", nil, false},
		"cut":              {good + line(3)[:12], []uint64{1, 2}, false},
		"cut head":         {ledgerHead[:5], nil, true},
		"garbage between":  {good + "\x00\x00 what\n" + line(3), []uint64{1, 2, 3}, true},
		"another file":     {"{\"version\":1}\n" + line(9), []uint64{9}, true},
		"unknown kind":     {good + "q 1 1 \"a\"\n", []uint64{1, 2}, true},
		"no number":        {good + "i x 1 \"a\"\n", []uint64{1, 2}, true},
		"two marks":        {good + "i 1 1 1 \"a\"\n", []uint64{1, 2}, true},
		"without a caller": {good + "i 1 1\n", []uint64{1, 2}, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "state")
			s, log := openLogged(t, dir)
			path := filepath.Join(dir, ledgerFile)
			if err := os.WriteFile(path, []byte(test.content), 0o600); err != nil {
				t.Fatal(err)
			}
			l, entries := openLedger(t, s)
			var marks []uint64
			for _, e := range entries {
				marks = append(marks, e.Mark)
			}
			if !slices.Equal(marks, test.marks) {
				t.Errorf("read %v, want %v", marks, test.marks)
			}
			kept, _ := filepath.Glob(path + damagedMark + "*")
			if told := strings.Contains(log.String(), "set aside"); told != test.damaged || len(kept) > 0 != test.damaged {
				t.Errorf("told %v, kept %v: %s", told, kept, log)
			}
			l.Add(agoEntry('i', 0, 77, "b"))
			if _, entries = openLedger(t, s); len(entries) != len(test.marks)+1 {
				t.Errorf("after one more: %v", entries)
			}
		})
	}
}

// TestTheLedgerIsBounded: however much is added, what has lapsed goes, and of what does not lapse the oldest.
func TestTheLedgerIsBounded(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "state"))
	l, _ := openLedger(t, s)
	var most int64
	for i := range 3 * ledgerSlack {
		l.Add(agoEntry('i', 12*time.Minute, uint64(i), "old"))
		if i%1000 == 0 {
			info, err := os.Stat(s.path(ledgerFile))
			if err != nil {
				t.Fatal(err)
			}
			most = max(most, info.Size())
		}
	}
	if perLine := int64(40); most > perLine*(ledgerSlack+1000) {
		t.Errorf("the file grew to %d bytes", most)
	}
	for i := range ledgerGone + 50 {
		l.Add(agoEntry('w', 0, uint64(i), ""))
	}
	_, entries := openLedger(t, s)
	if len(entries) != ledgerGone || entries[0].Mark != 50 || entries[len(entries)-1].Mark != ledgerGone+49 {
		t.Errorf("%d webhooks are kept, from %v on", len(entries), entries[0])
	}
}

// TestALedgerOnADiskThatTakesNothing: it is told once, nobody waits, and what came meanwhile is written when the disk
// takes it again, whole.
func TestALedgerOnADiskThatTakesNothing(t *testing.T) {
	s, log := openLogged(t, filepath.Join(t.TempDir(), "state"))
	l, _ := openLedger(t, s)
	l.Add(agoEntry('i', 0, 1, "a"))
	well := l.file
	broken, err := os.Open(s.path(ledgerFile)) // not for writing
	if err != nil {
		t.Fatal(err)
	}
	defer broken.Close()
	l.file = broken
	for i := range 50_000 { // more than may wait
		l.Add(agoEntry('i', 0, uint64(i), "a"))
	}
	if n := len(l.unwritten); n > ledgerUnwritten || n < ledgerUnwritten-100 {
		t.Errorf("%d bytes wait", n)
	}
	l.file = well
	l.Add(agoEntry('i', 0, 5, "a"))
	if n := strings.Count(log.String(), "are not kept"); n != 1 {
		t.Errorf("told %d times: %s", n, log)
	}
	if !strings.Contains(log.String(), "written again") {
		t.Error("that it is written again is not told")
	}
	if _, entries := openLedger(t, s); len(entries) < 10_000 {
		t.Errorf("%d entries are left", len(entries))
	}
	if strings.Contains(log.String(), "set aside") {
		t.Errorf("damaged: %s", log)
	}
}

func TestManyAddToTheLedgerAtOnce(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "state"))
	l, _ := openLedger(t, s)
	var wait sync.WaitGroup
	for i := range 8 {
		wait.Go(func() {
			for n := range 2 * ledgerSlack / 8 {
				l.Add(agoEntry('i', 0, uint64(n+1), fmt.Sprint("c", i)))
			}
		})
	}
	wait.Wait()
	if _, entries := openLedger(t, s); len(entries) != 2*ledgerSlack {
		t.Errorf("%d of %d entries", len(entries), 2*ledgerSlack)
	}
}

func FuzzReadLedger(f *testing.F) {
	f.Add([]byte(ledgerHead + "i 1732217047123 9f86d081884c7d65 \"greeter\"\nw 1 2 \"\"\n"))
	f.Add([]byte("x"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		entries, _ := readLedger(raw)
		again := []byte(ledgerHead)
		for _, e := range entries {
			again = e.append(again)
		}
		back, damage := readLedger(again)
		if damage != nil || !slices.Equal(back, entries) {
			t.Fatalf("%q is read as %v, and that again as %v (%v)", raw, entries, back, damage)
		}
		if bytes.Count(again, []byte("\n")) != len(entries)+1 {
			t.Fatalf("a line breaks: %q", again)
		}
	})
}

// TestTheProxysKey is invented once, kept, the operator's to change, and refused when it is too weak.
func TestTheProxysKey(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "state"))
	n := 0
	invent := func() string { n++; return fmt.Sprintf("invented-key-number-%d", n) }
	for range 2 {
		if key, err := s.ProxyKey(invent); err != nil || key != "invented-key-number-1" {
			t.Errorf("key %q: %v", key, err)
		}
	}
	if m := mode(t, s.ProxyKeyPath()); m != 0o600 {
		t.Errorf("mode %v", m)
	}
	for content, want := range map[string]string{
		"  the operator's-own-key\r\n": "", "operators-own-key-1\r\n": "operators-own-key-1", "short\n": "", "": "", "two\nlines-are-too-many\n": "", "não-é-uma-chave-boa": "",
	} {
		if err := os.WriteFile(s.ProxyKeyPath(), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		key, err := s.ProxyKey(invent)
		if key != want || (err == nil) != (want != "") {
			t.Errorf("%q: key %q, %v", content, key, err)
		}
		if err != nil && len(content) > 6 && strings.Contains(err.Error(), strings.TrimSpace(content)) {
			t.Errorf("the error tells the key: %v", err)
		}
	}
}
