package gateway

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"
)

// server is a fake gateway on a real socket with TLS, as Discord's is.
func server(t *testing.T, f *fake) *httptest.Server {
	t.Helper()
	s := httptest.NewTLSServer(f)
	t.Cleanup(s.Close)
	return s
}

// TestTLS: one session, with a resume, over TLS on a real socket.
func TestTLS(t *testing.T) {
	for _, compress := range []string{CompressZstd, CompressZlib, CompressNone} {
		t.Run(compress, func(t *testing.T) {
			f := &fake{compress: compress, conns: make(chan *fakeConn, 16), over: make(chan struct{})}
			s := server(t, f)
			events := make(chan Event, 16)
			set, err := NewSet(Config{
				Token: "token", URL: strings.Replace(s.URL, "https", "wss", 1), Compress: compress, Events: events,
				tls: s.Client().Transport.(*http.Transport).TLSClientConfig,
			})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() { ended <- set.Run(ctx) }()

			c := <-f.conns
			c.must(t, f, "HELLO", "40000")
			c.expect(t, "IDENTIFY token, shard 0 of 1, intents 0")
			// The ws address that this READY names would show the token, so the first one is used.
			c.must(t, f, "READY", "session-1")
			big := `{"op":0,"s":2,"t":"GUILD_CREATE","d":{"name":"` + strings.Repeat("holdfast", 1<<19) + `","id":"5"}}`
			c.must(t, f, big, "")
			<-events
			if e := <-events; e.Guild != 5 || len(e.Data) != len(big)-len(`{"op":0,"s":2,"t":"GUILD_CREATE","d":}`) {
				t.Errorf("guild %d, %d bytes", e.Guild, len(e.Data))
			}
			c.abort()
			c = <-f.conns
			c.must(t, f, "HELLO", "40000")
			c.expect(t, "RESUME token, session-1, seq 2")
			cancel()
			c.expect(t, "CLOSE 4000")
			if err := <-ended; err != nil {
				t.Error(err)
			}
		})
	}
}

// TestRefusedHandshake: what the server answers instead of a websocket is told, without the token.
func TestRefusedHandshake(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "busy", http.StatusServiceUnavailable)
	}))
	defer s.Close()
	lines := make(chan string, 64)
	set, err := NewSet(Config{
		Token: "secret-token", URL: strings.Replace(s.URL, "http", "ws", 1), Events: make(chan Event, 1),
		Log: hclog.New(&hclog.LoggerOptions{Output: lineWriter(lines)}),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- set.Run(ctx) }()
	line := <-lines
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if !strings.Contains(line, fmt.Sprint(http.StatusServiceUnavailable)) || strings.Contains(line, "secret") {
		t.Errorf("said %q", line)
	}
}

// lineWriter hands on what is logged, as far as there is room.
type lineWriter chan string

func (w lineWriter) Write(p []byte) (int, error) {
	select {
	case w <- string(p):
	default:
	}
	return len(p), nil
}
