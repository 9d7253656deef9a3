package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

const (
	demoFolder = "holdfast-demo-"
	// demoLock is held as long as its demo lives, however that ends.
	demoLock = "lock"
)

// newDemoFolder makes the demo's temporary folder, and removes those of demos that
// were killed. The returned function removes it.
func newDemoFolder() (dir string, remove func() error, err error) {
	dropDeadDemos(os.TempDir())
	if dir, err = os.MkdirTemp("", demoFolder); err != nil {
		return "", nil, fmt.Errorf("make a temporary folder: %w: set TMPDIR to one that can be written", err)
	}
	lock, err := holdFolder(dir)
	if err != nil {
		return "", nil, errors.Join(fmt.Errorf("lock the temporary folder: %w", err), os.RemoveAll(dir))
	}
	return dir, func() error { return errors.Join(os.RemoveAll(dir), lock.Close()) }, nil
}

// holdFolder locks a folder. The lock gets its name when it is held: nobody finds
// one that is not.
func holdFolder(dir string) (*os.File, error) {
	lock, err := os.CreateTemp(dir, "."+demoLock)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil {
		err = os.Rename(lock.Name(), filepath.Join(dir, demoLock))
	}
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return lock, nil
}

// dropDeadDemos removes the folders of this user's demos that nobody holds. What
// cannot be looked at is left alone.
func dropDeadDemos(base string) {
	found, _ := filepath.Glob(filepath.Join(base, demoFolder+"*")) // the pattern is right
	for _, dir := range found {
		info, err := os.Lstat(dir)
		if err != nil || !info.IsDir() {
			continue
		}
		if owner, ok := info.Sys().(*syscall.Stat_t); !ok || int(owner.Uid) != os.Getuid() {
			continue
		}
		lock, err := os.OpenFile(filepath.Join(dir, demoLock), os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
		if err != nil {
			continue
		}
		if syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
			_ = os.RemoveAll(dir) // what stays is for the next demo
		}
		_ = lock.Close()
	}
}
