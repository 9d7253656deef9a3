package plugins

import (
	"errors"
	"syscall"

	"golang.org/x/sys/unix"
)

// childAttributes put a plugin into a process group of its own, where a
// terminal's Ctrl-C does not reach it. The guardian ends it with the host.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}

// waitExited returns when the process has ended, and leaves it unreaped: its
// number, and so its group's, cannot be given to another yet.
func waitExited(pid int) {
	queue, err := unix.Kqueue()
	if err != nil {
		return
	}
	defer unix.Close(queue)
	change := []unix.Kevent_t{{
		Ident:  uint64(pid),
		Filter: unix.EVFILT_PROC,
		Flags:  unix.EV_ADD | unix.EV_ONESHOT,
		Fflags: unix.NOTE_EXIT,
	}}
	events := make([]unix.Kevent_t, 1)
	for {
		// An error other than an interruption says that it has ended already.
		if _, err := unix.Kevent(queue, change, events, nil); !errors.Is(err, unix.EINTR) {
			return
		}
	}
}
