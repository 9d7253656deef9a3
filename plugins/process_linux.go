package plugins

import (
	"errors"
	"syscall"

	"golang.org/x/sys/unix"
)

// childAttributes put a plugin into a process group of its own, where a
// terminal's Ctrl-C does not reach it, and let it die with the host.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// waitExited returns when the process has ended, and leaves it unreaped: its
// number, and so its group's, cannot be given to another yet.
func waitExited(pid int) {
	for {
		err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			return
		}
	}
}
