package host

import (
	"os"
	"runtime"
	"testing"
)

func TestProcessStatus(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux tells")
	}
	const more = 100 // so many that what else the process does makes no difference
	before := processStatus()
	end := make(chan struct{})
	defer close(end)
	for range more {
		f, err := os.Open(os.DevNull)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		go func() { <-end }()
	}
	block := make([]byte, 64<<20)
	for n := 0; n < len(block); n += os.Getpagesize() {
		block[n] = 1 // the kernel gives the page now
	}
	after := processStatus()
	runtime.KeepAlive(block)
	if n := after.OpenFiles - before.OpenFiles; n < more/2 || n > 2*more {
		t.Errorf("%d more files are open, want %d", n, more)
	}
	if n := after.Goroutines - before.Goroutines; n < more/2 || n > 2*more {
		t.Errorf("%d more goroutines, want %d", n, more)
	}
	if grown := after.MemoryBytes - before.MemoryBytes; grown < 32<<20 || grown > 1<<30 {
		t.Errorf("%d bytes more are in memory, want about %d", grown, len(block))
	}
}
