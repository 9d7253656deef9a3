package state

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"
)

func TestIdentifiesOutliveTheHost(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	if known, err := s.Identifies(); err != nil || !reflect.DeepEqual(known, Identifies{}) {
		t.Fatalf("in a new folder: %+v, %v", known, err)
	}
	at := time.Now().UTC().Round(0)
	want := Identifies{Last: at, Bot: 1 << 63, Total: 1000, Remaining: 7, Reset: at.Add(time.Hour), Starts: []time.Time{at.Add(-time.Minute), at}}
	if err := s.SetIdentifies(want); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if known, err := again.Identifies(); err != nil || !reflect.DeepEqual(known, want) {
		t.Fatalf("after a restart: %+v, %v, want %+v", known, err, want)
	}
}

// What cannot be read may be of a moment ago: Discord's interval is kept all the same.
func TestDamagedIdentifies(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := os.WriteFile(filepath.Join(dir, identifyFile), []byte(`{"version":1,"content`), 0o600); err != nil {
		t.Fatal(err)
	}
	before := time.Now().Round(0)
	known, err := s.Identifies()
	if err != nil || known.Last.Before(before) || known.Last.After(time.Now()) {
		t.Errorf("got %+v, %v, want now", known, err)
	}
	if again, err := s.Identifies(); err != nil || !reflect.DeepEqual(again, known) {
		t.Errorf("read again: %+v, %v, want %+v", again, err, known)
	}
}

// An earlier host wrote the time of the last IDENTIFY and nothing else.
func TestIdentifiesOfAnEarlierHost(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	at := time.Date(2026, 8, 1, 12, 0, 0, 5, time.UTC)
	if err := os.WriteFile(filepath.Join(dir, identifyFile), []byte(`{"version":1,"content":"`+at.Format(time.RFC3339Nano)+`"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if known, err := s.Identifies(); err != nil || !reflect.DeepEqual(known, Identifies{Last: at}) {
		t.Fatalf("got %+v, %v", known, err)
	}
}
