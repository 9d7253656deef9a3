package state

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

const lockFile = "lock"

// InUseError says that another host holds the state folder.
type InUseError struct {
	Dir string
	PID int // 0 if the other host has not written it yet
}

func (e *InUseError) Error() string {
	other := "another holdfast"
	if e.PID != 0 {
		other = fmt.Sprintf("holdfast with pid %d", e.PID)
	}
	return fmt.Sprintf("state folder %s is in use by %s: stop it, or give another --state", e.Dir, other)
}

// lockFolder takes the folder for this process. The kernel gives a flock free
// when its holder dies, however it dies, so a lock is never stale. Go opens
// files close-on-exec: plugins do not inherit it.
func lockFolder(dir string) (*os.File, error) {
	path := filepath.Join(dir, lockFile)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, fileMode)
	if err != nil {
		return nil, fmt.Errorf("lock state folder %s: %w: make the folder writable for this user, or give another --state", dir, reason(err))
	}
	if err := flock(f); err != nil {
		defer f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, &InUseError{Dir: dir, PID: holder(f)}
		}
		return nil, fmt.Errorf("lock state folder %s: %w: give a --state on a local disk", dir, err)
	}
	if err := sign(f); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("write %s: %w: make room on the disk, or give another --state", path, reason(err))
	}
	return f, nil
}

func flock(f *os.File) error {
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}

// sign writes our process id into the locked file, for the one who finds it locked.
func sign(f *os.File) error {
	if err := f.Chmod(fileMode); err != nil {
		return err
	}
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err := f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return err
}

// holder reads who signed the lock file.
func holder(f *os.File) int {
	buf := make([]byte, 32)
	n, _ := f.ReadAt(buf, 0)
	pid, err := strconv.Atoi(strings.TrimSpace(string(buf[:n])))
	if err != nil || pid < 0 {
		return 0
	}
	return pid
}
