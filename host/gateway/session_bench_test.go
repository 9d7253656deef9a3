package gateway

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"

	"github.com/gorilla/websocket"
)

// BenchmarkSession is the way from the socket to the router's queue: real loopback, messages of a
// real size, compressed and framed before. The CPU it reports is the whole process's, with the writing of the bytes.
func BenchmarkSession(b *testing.B) {
	for _, compress := range []string{CompressZstd, CompressZlib, CompressNone} {
		b.Run(compress, func(b *testing.B) { benchmarkSession(b, compress) })
	}
}

func benchmarkSession(b *testing.B, compress string) {
	template := string(message(b))
	payloads := [][]byte{[]byte(payload("HELLO", "40000")), []byte(payload("READY", "session-1"))}
	for i := range b.N {
		payloads = append(payloads, []byte(strings.Replace(template, `"s":4`, fmt.Sprintf(`"s":%d`, i+2), 1)))
	}
	var stream []byte
	for _, m := range messagesOf(b, compress, payloads) {
		stream = appendFrame(stream, m)
	}
	begin := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ws, err := new(websocket.Upgrader).Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer ws.Close()
		<-begin
		_, _ = ws.NetConn().Write(stream)
		_, _, _ = ws.ReadMessage() // IDENTIFY
		_, _, _ = ws.ReadMessage() // the end
	}))
	defer server.Close()
	events := make(chan Event, 256)
	set, err := NewSet(Config{Token: "t", URL: strings.Replace(server.URL, "http", "ws", 1), Compress: compress, Events: events,
		dial: new(net.Dialer).DialContext})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	ended := make(chan error, 1)
	go func() { ended <- set.Run(ctx) }()
	b.SetBytes(int64(len(template)))
	b.ReportAllocs()
	b.ResetTimer()
	before := processTime(b)
	close(begin)
	for range b.N + 1 {
		<-events
	}
	b.ReportMetric(float64(processTime(b)-before)/float64(b.N), "cpu-ns/op")
	b.StopTimer()
	cancel()
	if err := <-ended; err != nil {
		b.Fatal(err)
	}
}

// appendFrame writes a server's websocket frame: binary, whole, unmasked.
func appendFrame(b, m []byte) []byte {
	switch n := len(m); {
	case n < 126:
		b = append(b, 0x82, byte(n))
	case n < 1<<16:
		b = append(b, 0x82, 126, byte(n>>8), byte(n))
	default:
		b = append(b, 0x82, 127, 0, 0, 0, 0, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
	}
	return append(b, m...)
}

// processTime is the CPU time of the process in ns.
func processTime(b *testing.B) int64 {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}

// BenchmarkSessionSplit leaves out the network: inflate, scan, intern, copy.
func BenchmarkSessionSplit(b *testing.B) {
	p, known := message(b), newNames()
	l := &link{known: known}
	b.ReportAllocs()
	for b.Loop() {
		var e envelope
		if err := scan(p, &e); err != nil {
			b.Fatal(err)
		}
		ev, err := l.event(&e, false)
		if err != nil || !bytes.Equal(ev.Data, e.data) {
			b.Fatal(err)
		}
	}
}
