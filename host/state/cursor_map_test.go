package state

import (
	"os"
	"path/filepath"
	"testing"
)

// TestWhatCannotBeMappedIsSetAside: a link or a folder in the place of a mapped
// file is no full disk, and nothing is forgotten for want of the file.
func TestWhatCannotBeMappedIsSetAside(t *testing.T) {
	for name, put := range map[string]func(path string) error{
		"link":   func(path string) error { return os.Symlink("/nowhere", path) },
		"folder": func(path string) error { return os.Mkdir(path, folderMode) },
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, filepath.Join(t.TempDir(), "state"))
			if _, err := s.folder(cursorFolder); err != nil {
				t.Fatal(err)
			}
			cursor, err := s.cursorPath("p")
			if err != nil {
				t.Fatal(err)
			}
			for _, path := range []string{s.path(sequencesFile), cursor} {
				if err := put(path); err != nil {
					t.Fatal(err)
				}
			}
			sessions, err := s.OpenSessions()
			if err != nil {
				t.Fatal(err)
			}
			defer sessions.Close()
			c, err := s.OpenCursor("p")
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if err := c.Ack(1); err != nil || c.Low() != 1 {
				t.Errorf("acknowledged: %d, %v", c.Low(), err)
			}
			for _, path := range []string{s.path(sequencesFile), cursor} {
				if aside, _ := filepath.Glob(path + damagedMark + "*"); len(aside) != 1 {
					t.Errorf("%s set aside: %v", filepath.Base(path), aside)
				}
			}
		})
	}
}
