package state

import (
	"os"
	"path/filepath"
	"testing"
)

func TestHolderKnowsWhoHoldsTheFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	free := func(when string) {
		t.Helper()
		if pid, held := Holder(dir); held || pid != 0 {
			t.Errorf("%s: held by %d", when, pid)
		}
	}
	free("before there is a folder")
	if _, err := os.Lstat(dir); !os.IsNotExist(err) {
		t.Errorf("asking made the folder: %v", err)
	}

	s := open(t, dir)
	if pid, held := Holder(dir); !held || pid != os.Getpid() {
		t.Errorf("while it is open: %d, %v", pid, held)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	free("after Close")

	other, kill := startHolder(t, dir)
	if pid, held := Holder(dir); !held || pid != other {
		t.Errorf("while process %d holds it: %d, %v", other, pid, held)
	}
	kill()
	free("after a kill, which leaves the signature")
	open(t, dir) // and asking has kept nothing
}
