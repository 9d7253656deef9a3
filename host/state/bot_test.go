package state

import (
	"strings"
	"testing"
)

func TestAFolderIsOfOneBot(t *testing.T) {
	dir := t.TempDir()
	for _, life := range []struct {
		bot     uint64
		name    string
		refused string
	}{
		{1 << 62, "first", ""},
		{1 << 62, "renamed", ""},
		{7, "second", "is of the bot first (4611686018427387904), and the token is of second (7): give another --state"},
		{1 << 62, "first", ""},
	} {
		s, err := Open(dir, nil)
		if err != nil {
			t.Fatal(err)
		}
		err = s.Claim(life.bot, life.name)
		switch {
		case life.refused == "" && err != nil:
			t.Error(err)
		case life.refused != "" && (err == nil || !strings.Contains(err.Error(), life.refused)):
			t.Errorf("%s: %v, want %q", life.name, err, life.refused)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
