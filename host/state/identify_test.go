package state

import (
	"testing"
	"time"
)

func TestIdentifyOutlivesTheHost(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	if last, err := s.LastIdentify(); err != nil || !last.IsZero() {
		t.Fatalf("in a new folder: %v, %v", last, err)
	}
	at := time.Now()
	if err := s.SetLastIdentify(at); err != nil {
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
	if last, err := again.LastIdentify(); err != nil || !last.Equal(at) {
		t.Fatalf("after a restart: %v, %v, want %v", last, err, at)
	}
}
