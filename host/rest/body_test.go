package rest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"mime/multipart"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"
)

// form is a message with a file and its Content-Type.
func form(t *testing.T, payload string, fileFirst bool) (body []byte, kind string) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	file := func() {
		part, err := w.CreateFormFile("files[0]", "a.bin")
		if err != nil {
			t.Fatal(err)
		}
		_, _ = part.Write(bytes.Repeat([]byte("x"), 100_000))
	}
	if fileFirst {
		file()
	}
	if err := w.WriteField("payload_json", payload); err != nil {
		t.Fatal(err)
	}
	if !fileFirst {
		file()
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), w.FormDataContentType()
}

// TestOnlyAMessageWithAnEnforcedNonceIsPostedTwice: of all POSTs that may have been carried out, Discord makes only
// those once by itself.
func TestOnlyAMessageWithAnEnforcedNonceIsPostedTwice(t *testing.T) {
	const enforced = `{"content":"hi","nonce":"n1","enforce_nonce":true}`
	const messages = "/channels/1/messages"
	tests := map[string]struct {
		path, payload string
		files         int // 1: after the payload, 2: before it
		repeated      bool
	}{
		"enforced":             {messages, enforced, 0, true},
		"a number":             {messages, `{"nonce":7,"enforce_nonce":true}`, 0, true},
		"with files":           {messages, enforced, 1, true},
		"with files before it": {messages, enforced, 2, true},
		"not enforced":         {messages, `{"content":"hi","nonce":"n1"}`, 0, false},
		"enforced: false":      {messages, `{"nonce":"n1","enforce_nonce":false}`, 0, false},
		"no nonce":             {messages, `{"content":"hi","enforce_nonce":true}`, 0, false},
		"an empty nonce":       {messages, `{"nonce":"","enforce_nonce":true}`, 0, false},
		"null":                 {messages, `{"nonce":null,"enforce_nonce":true}`, 0, false},
		"in other letters":     {messages, `{"nonce":"n1","Enforce_Nonce":true}`, 0, false},
		"no JSON":              {messages, `enforce_nonce`, 0, false},
		"files, not enforced":  {messages, `{"nonce":"n1"}`, 1, false},
		"a thread":             {"/channels/1/threads", enforced, 0, false},
		"a webhook":            {"/webhooks/1/tok", enforced, 0, false},
	}
	faults := map[string]func(http.ResponseWriter){
		"502": func(w http.ResponseWriter) { w.WriteHeader(http.StatusBadGateway) },
		"reset": func(w http.ResponseWriter) {
			if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
				_ = conn.Close()
			}
		},
	}
	for name, test := range tests {
		for fault, do := range faults {
			t.Run(name+" "+fault, func(t *testing.T) {
				server, sent := flaky(t, func(n int, w http.ResponseWriter) {
					if n <= 2 {
						do(w)
					}
				})
				r := &Request{Method: http.MethodPost, Path: test.path, Body: []byte(test.payload)}
				if test.files > 0 {
					body, kind := form(t, test.payload, test.files == 2)
					r.Body, r.Header = body, http.Header{"Content-Type": {kind}}
				}
				response, err := gateTo(t, server.URL).Do(t.Context(), r)
				switch {
				case test.repeated && (err != nil || response.Status != http.StatusOK || sent.Load() != 3):
					t.Errorf("answer %v, error %v after %d attempts", response, err, sent.Load())
				case !test.repeated && (sent.Load() != 1 || err == nil && response.Status == http.StatusOK):
					t.Errorf("answer %v, error %v after %d attempts", response, err, sent.Load())
				case !test.repeated && fault == "reset" && !errors.Is(err, ErrUncertain):
					t.Errorf("error %v", err)
				}
			})
		}
	}
	// What fails to the end is uncertain all the same, and an old attempt is not repeated: Discord forgets nonces.
	server, sent := flaky(t, func(_ int, w http.ResponseWriter) { faults["reset"](w) })
	r := &Request{Method: http.MethodPost, Path: messages, Body: []byte(enforced)}
	if _, err := gateTo(t, server.URL).Do(t.Context(), r); !errors.Is(err, ErrUncertain) || sent.Load() != 4 {
		t.Errorf("error %v after %d attempts", err, sent.Load())
	}
	g := testGate(t)
	for began, again := range map[time.Duration]bool{0: true, nonceLife + time.Second: false} {
		tick := &ticket{body: &content{}, safe: true, began: time.Now().Add(-began)}
		var v verdict
		if g.judge(tick, &outcome{status: http.StatusBadGateway}, &v); v.again != again {
			t.Errorf("repeated %v after %v", v.again, began)
		}
	}
}

// upload is a server that reads bodies and says how long they were.
func upload(t *testing.T, status func(n int32) int) (url string, read, requests *atomic.Int64) {
	t.Helper()
	read, requests = new(atomic.Int64), new(atomic.Int64)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		read.Add(n)
		code := status(int32(requests.Add(1)))
		if code == http.StatusTooManyRequests {
			w.Header().Set("Retry-After", "7")
			w.Header().Set("X-Ratelimit-Scope", "user")
		}
		w.WriteHeader(code)
	}))
	t.Cleanup(server.Close)
	return server.URL, read, requests
}

func always(status int) func(int32) int { return func(int32) int { return status } }

// zeros is a stream of n bytes.
func zeros(n int64) io.Reader { return io.LimitReader(zero{}, n) }

type zero struct{}

func (zero) Read(into []byte) (int, error) {
	clear(into)
	return len(into), nil
}

// TestAnUploadIsStreamed: 25 MiB pass without being held.
func TestAnUploadIsStreamed(t *testing.T) {
	const size = 25 << 20
	for name, told := range map[string]int64{"of a known size": size, "of an unknown size": -1} {
		t.Run(name, func(t *testing.T) {
			url, read, _ := upload(t, always(http.StatusOK))
			g := gateTo(t, url)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			response, err := g.Do(t.Context(), &Request{Method: http.MethodPost, Path: "/channels/1/messages", Stream: zeros(size), Size: told})
			runtime.ReadMemStats(&after)
			if err != nil || response.Status != http.StatusOK || read.Load() != size {
				t.Errorf("answer %v, error %v, %d bytes arrived", response, err, read.Load())
			}
			taken := after.TotalAlloc - before.TotalAlloc
			t.Logf("%d KiB were allocated for %d", taken>>10, size>>10)
			if taken > size/8 {
				t.Errorf("%d bytes were allocated for %d", taken, size)
			}
		})
	}
}

// TestAStreamIsSentOnce: what cannot be read again is not repeated, unless nothing of it was read.
func TestAStreamIsSentOnce(t *testing.T) {
	send := func(g *Gate, method string, stream io.Reader, size int64) (*Response, error) {
		return g.Do(t.Context(), &Request{Method: method, Path: "/channels/1/messages", Stream: stream, Size: size})
	}
	url, _, requests := upload(t, always(http.StatusTooManyRequests))
	if r, err := send(gateTo(t, url), http.MethodPost, zeros(9), 9); err != nil || r.Status != http.StatusTooManyRequests || r.RetryAfter != 7*time.Second || requests.Load() != 1 {
		t.Errorf("a 429: %+v, %v, %d requests", r, err, requests.Load())
	}
	url, _, requests = upload(t, always(http.StatusBadGateway))
	if r, err := send(gateTo(t, url), http.MethodPut, zeros(9), 9); err != nil || r.Status != http.StatusBadGateway || requests.Load() != 1 {
		t.Errorf("a 502: %+v, %v, %d requests", r, err, requests.Load())
	}
	url, _, requests = upload(t, always(http.StatusOK))
	if r, err := send(gateTo(t, url), http.MethodPost, iotest.ErrReader(errors.New("the client has gone")), 9); err == nil || requests.Load() > 1 {
		t.Errorf("a torn stream: %+v, %v", r, err)
	}
	const most = 1000
	small := gateTo(t, url, func(c *Config) { c.RequestBytes = most })
	for _, size := range []int64{most + 1, -1} {
		if r, err := send(small, http.MethodPost, zeros(most+1), size); !errors.Is(err, ErrRequest) {
			t.Errorf("a stream that is too large, size %d: %+v, %v", size, r, err)
		}
	}
	if r, err := send(small, http.MethodPost, zeros(most), -1); err != nil || r.Status != http.StatusOK {
		t.Errorf("a stream that just fits: %+v, %v", r, err)
	}

	dials := 0
	transport := &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		if dials++; dials <= 2 {
			return nil, errors.New("dial: no route")
		}
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}}
	defer transport.CloseIdleConnections()
	patient := gateTo(t, url, func(c *Config) { c.Client = &http.Client{Transport: transport} })
	if r, err := send(patient, http.MethodPost, strings.NewReader("x"), 1); err != nil || r.Status != http.StatusOK || dials != 3 {
		t.Errorf("a stream that was not begun: %+v, %v in %d dials", r, err, dials)
	}
}

// TestLargeBodiesGetMoreTime: 25 MiB at the least speed.
func TestLargeBodiesGetMoreTime(t *testing.T) {
	for size, want := range map[int64]time.Duration{0: time.Minute, 1 << 20: 64 * time.Second, 25 << 20: 160 * time.Second, -1: 160 * time.Second} {
		c := content{size: size, most: 25 << 20}
		if got := c.time(time.Minute); got != want {
			t.Errorf("%d bytes: %v, want %v", size, got, want)
		}
	}
}
