package host

import (
	"math"

	"golang.org/x/sys/unix"
)

// hideMemory makes the process non-dumpable: other processes of the same user
// then cannot read its memory, nor its environment in /proc, where the token
// stands even after os.Unsetenv.
func hideMemory() error {
	return unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0)
}

// keepFiles keeps what the host was started with open, such as a token file
// given as /dev/fd/5, from being inherited by plugins. What Go opens is closed
// at exec anyway.
func keepFiles() error {
	const firstAfterStandard = 3
	return unix.CloseRange(firstAfterStandard, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC)
}
