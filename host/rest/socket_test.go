package rest

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// gateTo makes a gate onto a real server.
func gateTo(t *testing.T, url string, change ...func(*Config)) *Gate {
	t.Helper()
	cfg := Config{Token: testToken, BaseURL: url + "/api/v10", RetryPause: 2 * time.Millisecond}
	for _, each := range change {
		each(&cfg)
	}
	g, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.Close)
	return g
}

func TestWhatDiscordGets(t *testing.T) {
	var got *http.Request
	var body []byte
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r
		body, _ = io.ReadAll(r.Body)
		w.Header().Set("Set-Cookie", "__cfruid=1")
		w.Header().Set("X-Ratelimit-Bucket", "b")
		w.WriteHeader(http.StatusCreated)
		_, _ = w.Write([]byte(`{"id":"1"}`))
	}))
	defer server.Close()
	g := gateTo(t, server.URL)
	response, err := g.Do(t.Context(), &Request{
		Caller: "a", Method: http.MethodPost, Path: "/channels/1/messages?x=%20y&z=1", Body: []byte(`{"content":"hi"}`),
		Header: http.Header{
			"Authorization": {"Bot stolen"}, "User-Agent": {"me"}, "X-Audit-Log-Reason": {"why%20not"},
			"Cookie": {"a=b"}, "Host": {"evil.test"}, "X-Forwarded-For": {"1.2.3.4"}, "Accept": {"application/json"},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if response.Status != http.StatusCreated || string(response.Body) != `{"id":"1"}` ||
		response.Header.Get("X-Ratelimit-Bucket") != "b" || response.Header.Get("Set-Cookie") != "" {
		t.Errorf("answer %+v", response)
	}
	if got.RequestURI != "/api/v10/channels/1/messages?x=%20y&z=1" || got.Method != http.MethodPost || string(body) != `{"content":"hi"}` {
		t.Errorf("got %s %s with %q", got.Method, got.RequestURI, body)
	}
	for name, want := range map[string]string{
		"Authorization": "Bot " + testToken, "User-Agent": defaultUserAgent, "X-Audit-Log-Reason": "why%20not", "Content-Type": "application/json",
		"Cookie": "", "X-Forwarded-For": "", "Accept": "application/json",
	} {
		if value := got.Header.Get(name); value != want {
			t.Errorf("header %s is %q, want %q", name, value, want)
		}
	}
	if got.Host != strings.TrimPrefix(server.URL, "http://") {
		t.Errorf("host %q", got.Host)
	}
}

func TestARedirectIsNotFollowed(t *testing.T) {
	var stolen atomic.Int32
	thief := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { stolen.Add(1) }))
	defer thief.Close()
	for _, status := range []int{301, 302, 303, 307, 308} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, thief.URL, status)
		}))
		client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return nil }}
		for _, change := range []func(*Config){func(*Config) {}, func(c *Config) { c.Client = client }} {
			response, err := gateTo(t, server.URL, change).Do(t.Context(), &Request{Method: http.MethodGet, Path: "/channels/1"})
			if err != nil || response.Status != status {
				t.Errorf("%d: answer %v, error %v", status, response, err)
			}
		}
		server.Close()
	}
	if n := stolen.Load(); n != 0 {
		t.Errorf("%d redirects were followed with the token", n)
	}
}

// flaky is a server on loopback that treats each request by its number. What it does to a connection is up to each.
func flaky(t *testing.T, each func(n int, w http.ResponseWriter)) (*httptest.Server, *atomic.Int32) {
	t.Helper()
	var n atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		each(int(n.Add(1)), w)
	}))
	t.Cleanup(server.Close)
	return server, &n
}

func TestRetries(t *testing.T) {
	status := func(code int) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) { w.WriteHeader(code) }
	}
	reset := func(w http.ResponseWriter) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			_ = conn.(*net.TCPConn).SetLinger(0)
			_ = conn.Close()
		}
	}
	torn := func(w http.ResponseWriter) { // the body ends before its length
		conn, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
			_ = conn.Close()
		}
	}
	garbage := func(w http.ResponseWriter) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			_, _ = io.WriteString(conn, "\x00\x01\x02 what?\r\n\r\n")
			_ = conn.Close()
		}
	}
	tests := []struct {
		name   string
		method string
		fault  func(http.ResponseWriter)
		faults int
		sent   int32
		status int
		err    error
	}{
		{"GET 502", http.MethodGet, status(502), 2, 3, 200, nil},
		{"PUT 500", http.MethodPut, status(500), 1, 2, 200, nil},
		{"DELETE 503", http.MethodDelete, status(503), 3, 4, 200, nil},
		{"GET 500 for ever", http.MethodGet, status(500), 100, 4, 500, nil},
		{"POST 502", http.MethodPost, status(502), 1, 1, 502, nil},
		{"PATCH 500", http.MethodPatch, status(500), 1, 1, 500, nil},
		{"GET 404", http.MethodGet, status(404), 1, 1, 404, nil},
		{"PUT reset", http.MethodPut, reset, 2, 3, 200, nil},
		{"POST reset", http.MethodPost, reset, 1, 1, 0, ErrUncertain},
		{"PATCH reset", http.MethodPatch, reset, 1, 1, 0, ErrUncertain},
		{"GET torn", http.MethodGet, torn, 1, 2, 200, nil},
		{"POST torn", http.MethodPost, torn, 1, 1, 0, ErrUncertain},
		{"GET garbage", http.MethodGet, garbage, 1, 2, 200, nil},
		{"POST garbage", http.MethodPost, garbage, 1, 1, 0, ErrUncertain},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			server, sent := flaky(t, func(n int, w http.ResponseWriter) {
				if n <= test.faults {
					test.fault(w)
				}
			})
			g := gateTo(t, server.URL)
			response, err := g.Do(t.Context(), &Request{Method: test.method, Path: "/channels/123456/pins/5", Body: []byte(`{}`)})
			if !errors.Is(err, test.err) || (test.err == nil && (err != nil || response.Status != test.status)) {
				t.Errorf("answer %v, error %v", response, err)
			}
			if n := sent.Load(); n != test.sent {
				t.Errorf("sent %d times, want %d", n, test.sent)
			}
			if err != nil && strings.Contains(err.Error(), "123456") {
				t.Errorf("the error holds the path: %v", err)
			}
		})
	}
}

func TestAPostThatWasNotSentIsRepeated(t *testing.T) {
	server, sent := flaky(t, func(int, http.ResponseWriter) {})
	dials := 0
	transport := &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		if dials++; dials <= 2 {
			return nil, errors.New("dial: no route")
		}
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}}
	defer transport.CloseIdleConnections()
	g := gateTo(t, server.URL, func(c *Config) { c.Client = &http.Client{Transport: transport} })
	response, err := g.Do(t.Context(), &Request{Method: http.MethodPost, Path: "/channels/1/messages", Body: []byte(`{}`)})
	if err != nil || response.Status != http.StatusOK {
		t.Fatalf("answer %v, error %v", response, err)
	}
	if sent.Load() != 1 || dials != 3 {
		t.Errorf("sent %d times in %d dials", sent.Load(), dials)
	}
}

func TestAnUnreachableServerIsSaidInTime(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	patient := func(c *Config) { c.RetryPause = time.Hour }
	_, err = gateTo(t, "http://"+address, patient).Do(ctx, &Request{Method: http.MethodGet, Path: "/webhooks/123/secret-token"})
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "refused") || strings.Contains(err.Error(), "secret") {
		t.Errorf("error %v", err)
	}
}

func TestAnswersAreBounded(t *testing.T) {
	plain, _ := flaky(t, func(_ int, w http.ResponseWriter) { _, _ = w.Write(bytes.Repeat([]byte("x"), 2000)) })
	bomb, _ := flaky(t, func(_ int, w http.ResponseWriter) {
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		_, _ = z.Write(make([]byte, 1<<20))
		_ = z.Close()
	})
	for name, server := range map[string]*httptest.Server{"plain": plain, "bomb": bomb} {
		_, err := gateTo(t, server.URL, func(c *Config) { c.ResponseBytes = 1000 }).Do(t.Context(), &Request{Method: http.MethodGet, Path: "/channels/1"})
		if !errors.Is(err, ErrTooLarge) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

// TestManyAtOnceOverSockets is for the race detector: many callers over real connections, some of which go away.
func TestManyAtOnceOverSockets(t *testing.T) {
	server, _ := flaky(t, func(n int, w http.ResponseWriter) {
		w.Header().Set("X-Ratelimit-Bucket", "b")
		w.Header().Set("X-Ratelimit-Limit", "1000")
		w.Header().Set("X-Ratelimit-Remaining", "999")
		w.Header().Set("X-Ratelimit-Reset-After", "0.010")
		if n%17 == 0 {
			w.WriteHeader(http.StatusBadGateway)
		}
	})
	g := gateTo(t, server.URL, func(c *Config) { c.Global = 100_000 })
	var wait sync.WaitGroup
	for i := range 20 {
		wait.Go(func() {
			for n := range 20 {
				ctx, cancel := context.WithCancel(t.Context())
				if n%5 == 4 {
					time.AfterFunc(time.Millisecond, cancel)
				}
				method := []string{http.MethodGet, http.MethodPost}[n%2]
				_, err := g.Do(ctx, &Request{Caller: string(rune('a' + i%4)), Method: method, Path: "/channels/1/messages"})
				if err != nil && ctx.Err() == nil {
					t.Error(err)
				}
				cancel()
				_ = g.Status()
			}
		})
	}
	wait.Wait()
	if s := g.Status(); s.Queued != 0 || s.InFlight != 0 {
		t.Errorf("status %+v", s)
	}
}
