package state

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
)

// Holder tells whether a host holds the state folder dir now, and its process id.
// It is for those who want to know, not to have: it creates nothing. What cannot
// be read counts as not held.
func Holder(dir string) (pid int, held bool) {
	f, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return 0, false
	}
	defer f.Close()
	pid = holder(f)
	// Asking takes the lock for a moment if it is free, and a host that starts in
	// that moment would be refused. So only a signed lock is asked about: hosts
	// that ended in order leave none.
	if pid == 0 {
		return 0, false
	}
	for {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	if !errors.Is(err, syscall.EWOULDBLOCK) {
		return 0, false
	}
	return pid, true
}
