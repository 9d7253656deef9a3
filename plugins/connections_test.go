package plugins

import (
	"context"
	"io"
	"net"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/holdfast-bot/holdfast/sdk/wire"
)

// TestConnectionsAreFew: of many that are opened only so many are accepted.
func TestConnectionsAreFew(t *testing.T) {
	const most, all = 2, 20
	path := filepath.Join(t.TempDir(), "s")
	inner, err := new(net.ListenConfig).Listen(t.Context(), "unix", path)
	if err != nil {
		t.Fatal(err)
	}
	l := atMost(most, inner)
	defer l.Close()
	knock(t, path, all)
	var open atomic.Int64
	accepted := make(chan net.Conn, all)
	go func() { // ends with the last one
		defer close(accepted)
		for range all {
			c, err := l.Accept()
			if err != nil {
				return
			}
			if n := open.Add(1); n > most {
				t.Errorf("%d are open, want %d at most", n, most)
			}
			accepted <- c
		}
	}()
	taken := 0
	for c := range accepted {
		for taken++; taken < all && open.Load() < most; {
			runtime.Gosched() // it takes all that it may
		}
		open.Add(-1)
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
	if taken != all {
		t.Errorf("%d were accepted in the end, want %d", taken, all)
	}
}

// TestSilentConnectionsHoldNobodyUp: what another process opened to an instance's
// socket, without a word, does not keep the instance from its end.
func TestSilentConnectionsHoldNobodyUp(t *testing.T) {
	none := func(context.Context, string, *wire.RestRequest) (*wire.RestResponse, error) {
		return nil, context.Canceled
	}
	s, err := serveInstance(t.TempDir(), "asked", 1, none, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	silent := knock(t, s.socket, 2*maxConnections)
	s.close() // without mending it waits for grpc's 2 min
	for _, c := range silent {
		_, _ = io.Copy(io.Discard, c) // ends only if the host has closed it
	}
	if n := len(s.listener.places); n != 0 {
		t.Errorf("%d places are held after the end", n)
	}
}

// knock opens connections that say nothing.
func knock(t *testing.T, path string, n int) (silent []net.Conn) {
	t.Helper()
	for range n {
		c, err := new(net.Dialer).DialContext(t.Context(), "unix", path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		silent = append(silent, c)
	}
	return silent
}
