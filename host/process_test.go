package host

import (
	"os"
	"runtime"
	"sync"
	"testing"
)

func TestProcessStatus(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux tells all of it")
	}
	const more = 100 // so many that what else the process does makes no difference
	before := processStatus()
	end := make(chan struct{})
	var wait sync.WaitGroup
	defer wait.Wait()
	defer close(end)
	for range more {
		f, err := os.Open(os.DevNull)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = f.Close() })
		wait.Go(func() { <-end })
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
	if n := after.MemoryBytes; n < int64(len(block)) || n > 8<<30 {
		t.Errorf("%d bytes are in memory, and %d of them were just written", n, len(block))
	}
}
