package state

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestAFolderIsOneBots(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	for range 2 {
		s := open(t, dir)
		if err := s.Claim(1 << 63); err != nil {
			t.Fatal(err)
		}
		if err := s.Claim(42); err == nil || !strings.Contains(err.Error(), "give another --state") {
			t.Errorf("another bot: %v", err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
