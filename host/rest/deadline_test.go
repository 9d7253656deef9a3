package rest

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// wire is a connection in memory that goes dead as one does whose way is cut: what is written is lost, and nothing comes.
type wire struct {
	net.Conn

	dead *atomic.Bool
	gone chan struct{}
	once sync.Once
}

func (w *wire) Write(b []byte) (int, error) {
	if w.dead.Load() {
		return len(b), nil
	}
	return w.Conn.Write(b)
}

func (w *wire) Read(b []byte) (int, error) {
	n, err := w.Conn.Read(b)
	if w.dead.Load() {
		<-w.gone
		return 0, net.ErrClosed
	}
	return n, err
}

func (w *wire) Close() error {
	w.once.Do(func() { close(w.gone) })
	return w.Conn.Close()
}

// wires listens for them; each has its own switch.
type wires struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once

	mu   sync.Mutex
	cuts []*atomic.Bool
}

func (l *wires) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *wires) Close() error   { l.once.Do(func() { close(l.closed) }); return nil }
func (l *wires) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 443} }

func (l *wires) dial(context.Context, string, string) (net.Conn, error) {
	here, there := net.Pipe()
	cut := new(atomic.Bool)
	l.mu.Lock()
	l.cuts = append(l.cuts, cut)
	l.mu.Unlock()
	l.conns <- there
	return &wire{Conn: here, dead: cut, gone: make(chan struct{})}, nil
}

// TestADeadConnectionIsLeft: HTTP/2 sends everything over one connection. When its way is cut without a word, the requests
// of then fail, and those after them must not go on doing so until the kernel gives up, which takes a quarter of an hour.
func TestADeadConnectionIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		listen := &wires{conns: make(chan net.Conn), closed: make(chan struct{})}
		server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.ProtoMajor != 2 {
				t.Errorf("spoken: %s", r.Proto)
			}
			_, _ = io.WriteString(w, "{}")
		}))
		_ = server.Listener.Close()
		server.Listener, server.EnableHTTP2 = listen, true
		server.StartTLS()
		defer server.Close()
		g, err := New(Config{Token: testToken, BaseURL: "https://example.com/api/v10"})
		if err != nil {
			t.Fatal(err)
		}
		defer g.Close()
		transport := g.client.Transport.(*http.Transport)
		transport.DialContext, transport.Proxy = listen.dial, nil
		transport.TLSClientConfig = server.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
		transport.TLSClientConfig.NextProtos = nil
		ask := func(most time.Duration) error {
			ctx, cancel := context.WithTimeout(t.Context(), most)
			defer cancel()
			_, err := g.Do(ctx, &Request{Caller: "a", Method: http.MethodPost, Path: "/interactions/1/tok/callback", Body: []byte("{}")})
			return err
		}
		if err := ask(time.Minute); err != nil {
			t.Fatal(err)
		}
		listen.cuts[0].Store(true)
		began := time.Now()
		for err = ask(3 * time.Second); err != nil; err = ask(3 * time.Second) {
			if !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, ErrUncertain) {
				t.Fatal(err)
			}
			if time.Since(began) > time.Hour {
				t.Fatal("an hour later nothing passes")
			}
		}
		took := time.Since(began)
		t.Logf("the next was answered after %v", took)
		if took > deadPing+deadAfter+3*time.Second {
			t.Errorf("requests failed for %v", took)
		}
	})
}
