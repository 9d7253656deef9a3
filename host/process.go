package host

import (
	"bytes"
	"os"
	"runtime"
	"strconv"

	"github.com/holdfast-bot/holdfast/host/control"
)

// processStatus is what the host's own process takes.
func processStatus() control.Process {
	return control.Process{Goroutines: runtime.NumGoroutine(), OpenFiles: openFiles(), MemoryBytes: residentMemory()}
}

// openFiles counts the process's descriptors, 0 where there is no /proc.
func openFiles() int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0
	}
	return len(entries) - 1 // without the one that has just read them
}

// residentMemory is what the process has in memory, in bytes, 0 where there is
// no /proc.
func residentMemory() int64 {
	raw, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	fields := bytes.Fields(raw) // all, resident, …, in pages
	if len(fields) < 2 {
		return 0
	}
	pages, err := strconv.ParseInt(string(fields[1]), 10, 64)
	if err != nil {
		return 0
	}
	return pages * int64(os.Getpagesize())
}
