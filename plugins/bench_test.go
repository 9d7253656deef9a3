package plugins

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-bot/holdfast/sdk/wire"
)

// eventSize is that of an ordinary message in bytes.
const eventSize = 1024

// cpuOf sums the time that a process has run, in nanoseconds.
func cpuOf(b *testing.B, pid int) (sum float64) {
	b.Helper()
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	if err != nil || len(tasks) == 0 {
		b.Skip("no schedstat on this machine")
	}
	for _, path := range tasks {
		raw, err := os.ReadFile(path)
		if err != nil {
			continue // the thread has ended
		}
		n, err := strconv.ParseFloat(strings.Fields(string(raw))[0], 64)
		if err != nil {
			b.Fatal(err)
		}
		sum += n
	}
	return sum
}

// measure reports the CPU of both processes for each event. Threads that end
// meanwhile are missed: the runtime keeps its own.
func measure(b *testing.B, pid int, run func()) {
	b.Helper()
	runtime.GC()
	before := cpuOf(b, pid) + cpuOf(b, os.Getpid())
	b.ResetTimer()
	run()
	b.StopTimer()
	after := cpuOf(b, pid) + cpuOf(b, os.Getpid())
	b.ReportMetric((after-before)/float64(b.N), "cpu-ns/op")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

// BenchmarkHostToPlugin compares the whole way to a plugin process (queue,
// lanes, credit, stream, acknowledgements) with the least that is possible, a
// framed unix socket. Compare the two within one run:
//
//	go test -run '^$' -bench HostToPlugin -benchtime 1000000x -count 5 ./plugins
func BenchmarkHostToPlugin(b *testing.B) {
	data := make([]byte, eventSize)
	b.Run("socket", func(b *testing.B) {
		path := filepath.Join(b.TempDir(), "s")
		listener, err := net.Listen("unix", path)
		if err != nil {
			b.Fatal(err)
		}
		defer listener.Close()
		self, err := os.Executable()
		if err != nil {
			b.Fatal(err)
		}
		reader := exec.Command(self)
		reader.Env = append(os.Environ(), wire.CookieKey+"=x", "MODE=socket", "FILE="+path)
		if err := reader.Start(); err != nil {
			b.Fatal(err)
		}
		conn, err := listener.Accept()
		if err != nil {
			b.Fatal(err)
		}
		measure(b, reader.Process.Pid, func() {
			w := bufio.NewWriterSize(conn, 64<<10)
			e := wire.Event{Name: "MESSAGE_CREATE", Data: data}
			var header []byte
			for n := range b.N {
				e.Index = uint64(n)
				header = e.AppendHeader(header[:0])
				if _, err := w.Write(header); err != nil {
					b.Fatal(err)
				}
				if _, err := w.Write(data); err != nil {
					b.Fatal(err)
				}
			}
			if err := w.Flush(); err != nil {
				b.Fatal(err)
			}
			_ = conn.(*net.UnixConn).CloseWrite()
			if _, err := io.Copy(io.Discard, conn); err != nil { // the reader closes when it has all
				b.Fatal(err)
			}
		})
		conn.Close()
		if err := reader.Wait(); err != nil {
			b.Fatal(err)
		}
	})
	b.Run("plugin", func(b *testing.B) {
		s, p := benchSet(b)
		measure(b, p.status().PID, func() {
			for n := range b.N {
				e := &wire.Event{Index: uint64(n), Lane: uint64(1 + n%50), Name: "MESSAGE_CREATE", Data: data}
				p.Deliver(e)
				for n%1000 == 0 && p.status().QueuedBytes > 8<<20 { // there is no journal here for what finds no room
					time.Sleep(time.Millisecond)
				}
			}
			if err := s.Drain(b.Context(), false); err != nil {
				b.Fatal(err)
			}
			if dropped := p.status().Dropped; len(dropped) > 0 {
				b.Fatalf("dropped %v", dropped)
			}
		})
	})
}

func benchSet(b *testing.B) (*Set, *Plugin) {
	b.Helper()
	f := newFolder(b)
	f.add("bench", "")
	s := f.load()
	s.Run()
	p := s.Plugins()[0]
	for p.status().PID == 0 {
		runtime.Gosched()
	}
	return s, p
}

// readSocket is the other side of the socket benchmark.
func readSocket(path string) {
	conn, err := net.Dial("unix", path)
	if err != nil {
		panic(err)
	}
	defer conn.Close()
	r := bufio.NewReaderSize(conn, 64<<10)
	frame := make([]byte, 64<<10)
	for {
		if _, err := io.ReadFull(r, frame[:4]); err != nil {
			return
		}
		n := binary.BigEndian.Uint32(frame)
		if _, err := io.ReadFull(r, frame[4:4+n]); err != nil {
			panic(err)
		}
	}
}
