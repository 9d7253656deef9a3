//go:build !linux

package host

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// hideMemory has nothing to do where there is no /proc.
func hideMemory() error { return nil }

// keepFiles keeps what the host was started with open, such as a token file
// given as /dev/fd/5, from being inherited by plugins. What Go opens is closed
// at exec anyway.
func keepFiles() error {
	entries, err := os.ReadDir("/dev/fd")
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if fd, err := strconv.Atoi(entry.Name()); err == nil && fd > 2 {
			unix.CloseOnExec(fd)
		}
	}
	return nil
}
