package host

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/holdfast-bot/holdfast/host/rest"
	"github.com/holdfast-bot/holdfast/host/simulator"
	"github.com/holdfast-bot/holdfast/host/state"
)

const proxyTestKey = "MTIz.holdfast.A-KEY-OF-THE-TEST"

// discordBehind is what the proxy's gate speaks to; it notes what arrives.
type discordBehind struct {
	*httptest.Server

	mu   sync.Mutex
	last http.Header
	path string
	size int64
	n    int
}

func newDiscordBehind(t *testing.T, answer http.HandlerFunc) *discordBehind {
	t.Helper()
	d := new(discordBehind)
	d.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		size, _ := io.Copy(io.Discard, r.Body)
		d.mu.Lock()
		d.last, d.path, d.size = r.Header, r.URL.RequestURI(), size
		d.n++
		d.mu.Unlock()
		if answer != nil {
			answer(w, r)
		}
	}))
	t.Cleanup(d.Close)
	return d
}

func (d *discordBehind) seen() (n int, path string, size int64, header http.Header) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.n, d.path, d.size, d.last
}

func (d *discordBehind) requests() int {
	n, _, _, _ := d.seen() //nolint:dogsled // it tells more than is wanted here
	return n
}

// proxyTo runs a proxy before a server.
func proxyTo(t *testing.T, base, token string, change func(*rest.Config)) (url string, gate *rest.Gate) {
	t.Helper()
	cfg := rest.Config{Token: token, BaseURL: base, RetryPause: time.Millisecond}
	if change != nil {
		change(&cfg)
	}
	gate, err := rest.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(gate.Close)
	server := httptest.NewServer(newProxy(gate, proxyTestKey, "/api/v10", hclog.NewNullLogger()))
	t.Cleanup(server.Close)
	return server.URL + "/api/v10", gate
}

// proxied sends one request with the key, or with other headers (names and values in turn).
func proxied(t *testing.T, method, url string, body io.Reader, header ...string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bot "+proxyTestKey)
	for i := 0; i+1 < len(header); i += 2 {
		if r.Header.Set(header[i], header[i+1]); header[i+1] == "" {
			r.Header.Del(header[i])
		}
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, string(raw)
}

// TestOnlyTheKeyOpensTheProxy: nothing else reaches Discord, and the token leaves the host towards Discord only.
func TestOnlyTheKeyOpensTheProxy(t *testing.T) {
	const token = "the.real.token"
	d := newDiscordBehind(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Set-Cookie", "__cfruid=1")
		_, _ = io.WriteString(w, `{"id":"1"}`)
	})
	url, _ := proxyTo(t, d.URL+"/api/v10", token, nil)
	tests := map[string]struct {
		path, authorization string
		status              int
		sent                string // what Discord gets as Authorization
	}{
		"the key":                 {"/users/@me", "Bot " + proxyTestKey, 200, "Bot " + token},
		"in small letters":        {"/users/@me", "bot " + proxyTestKey, 200, "Bot " + token},
		"no key":                  {"/users/@me", "", 401, ""},
		"another key":             {"/users/@me", "Bot " + proxyTestKey + "x", 401, ""},
		"half the key":            {"/users/@me", "Bot " + proxyTestKey[:9], 401, ""},
		"an empty key":            {"/users/@me", "Bot ", 401, ""},
		"the token itself":        {"/users/@me", "Bot " + token, 401, ""},
		"a bearer":                {"/users/@me", "Bearer " + proxyTestKey, 401, ""},
		"without Bot":             {"/users/@me", proxyTestKey, 401, ""},
		"webhook, no key":         {"/webhooks/5/tok", "", 200, ""},
		"its message, no key":     {"/webhooks/5/tok/messages/@original", "", 200, ""},
		"webhook, key":            {"/webhooks/5/tok", "Bot " + proxyTestKey, 200, "Bot " + token},
		"webhook, wrong key":      {"/webhooks/5/tok", "Bot x", 401, ""},
		"webhook without a token": {"/webhooks/5", "", 401, ""},
		"interaction, no key":     {"/interactions/5/tok/callback", "", 200, ""},
		"half an interaction":     {"/interactions/5/tok", "", 401, ""},
		"a path that looks so":    {"/channels/5/webhooks/5/tok", "", 401, ""},
		"and one that leads away": {"/webhooks/5/..%2f..%2fusers%2f@me", "", 400, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			before := d.requests()
			response, body := proxied(t, http.MethodPost, url+test.path, nil, "Authorization", test.authorization)
			after, _, _, header := d.seen()
			if response.StatusCode != test.status || after-before != map[bool]int{true: 1}[test.status == 200] {
				t.Errorf("answered %d (%s), %d requests reached Discord", response.StatusCode, body, after-before)
			}
			if after > before && header.Get("Authorization") != test.sent {
				t.Errorf("Discord got %q", header.Get("Authorization"))
			}
			if test.status != 200 && !json.Valid([]byte(body)) {
				t.Errorf("answered %q", body)
			}
			if all := fmt.Sprint(response.Header, body); strings.Contains(all, token) || strings.Contains(all, "cfruid") {
				t.Errorf("told: %s", all)
			}
		})
	}
}

// TestTheProxyIsLikeDiscord: method, path, query, body, reason and content type arrive; status, body and limits come
// back, with the date of the clock that they are told by.
func TestTheProxyIsLikeDiscord(t *testing.T) {
	const date = "Tue, 15 Nov 1994 08:12:31 GMT"
	d := newDiscordBehind(t, func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Date", date)
		h.Set("X-Ratelimit-Bucket", "b")
		h.Set("X-Ratelimit-Remaining", "0")
		h.Set("X-Ratelimit-Reset", "784887155.250")
		h.Set("X-Ratelimit-Reset-After", "0.001")
		h.Set("Alt-Svc", `h3=":443"`)
		switch {
		case r.Method == http.MethodDelete:
			w.WriteHeader(http.StatusNoContent)
		case strings.Contains(r.URL.Path, "missing"):
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusNotFound)
			_, _ = io.WriteString(w, `{"message":"Unknown Channel","code":10003}`)
		default:
			_, _ = io.WriteString(w, `{"id":"1"}`)
		}
	})
	url, gate := proxyTo(t, d.URL+"/api/v10", "token", nil)
	const path = "/channels/1/messages/2/reactions/%F0%9F%91%8D/@me?x=%20y&z=1"
	response, body := proxied(t, http.MethodPatch, url+path, strings.NewReader(`{"content":"hi"}`), "X-Audit-Log-Reason", "why%20not", "Cookie", "a=b", "X-Forwarded-For", "1.2.3.4")
	_, got, size, header := d.seen()
	if got != "/api/v10"+path || size != 16 || header.Get("X-Audit-Log-Reason") != "why%20not" || header.Get("Cookie")+header.Get("X-Forwarded-For") != "" {
		t.Errorf("Discord got %s with %d bytes, %v", got, size, header)
	}
	if response.StatusCode != http.StatusOK || body != `{"id":"1"}` {
		t.Errorf("answered %d %s", response.StatusCode, body)
	}
	for name, want := range map[string]string{
		"Date": date, "X-Ratelimit-Bucket": "b", "X-Ratelimit-Remaining": "0", "X-Ratelimit-Reset": "784887155.250", "X-Ratelimit-Reset-After": "0.001", "Alt-Svc": "",
	} {
		if value := response.Header.Get(name); value != want {
			t.Errorf("header %s is %q, want %q", name, value, want)
		}
	}
	if response, body = proxied(t, http.MethodDelete, url+"/channels/1", nil); response.StatusCode != http.StatusNoContent || body != "" {
		t.Errorf("answered %d %s", response.StatusCode, body)
	}
	if response, body = proxied(t, http.MethodGet, url+"/missing/1", nil); response.StatusCode != http.StatusNotFound || !strings.Contains(body, "10003") {
		t.Errorf("answered %d %s", response.StatusCode, body)
	}
	for _, c := range gate.Callers() {
		if c.Name != proxyCaller || c.Requests != 3 {
			t.Errorf("counted %+v", c)
		}
	}
	proxied(t, http.MethodGet, url+"//voice//regions?a=//b", nil)
	if _, got, _, _ = d.seen(); got != "/api/v10/voice/regions?a=//b" {
		t.Errorf("Discord got %s", got)
	}
	for name, path := range map[string]string{"another version": "/api/v9/users/@me", "no version": "/api/users/@me", "nothing": "/", "a longer one": "/api/v100/users/@me"} {
		if response, body = proxied(t, http.MethodGet, strings.TrimSuffix(url, "/api/v10")+path, nil); response.StatusCode != http.StatusNotFound || !strings.Contains(body, "/api/v10") {
			t.Errorf("%s: answered %d %s", name, response.StatusCode, body)
		}
	}
}

// TestUploadsThroughTheProxy: 25 MiB pass without being held, whether their length is told or not, and more do not.
func TestUploadsThroughTheProxy(t *testing.T) {
	const size = 25 << 20
	d := newDiscordBehind(t, nil)
	url, _ := proxyTo(t, d.URL+"/api/v10", "token", nil)
	for name, told := range map[string]bool{"of a known size": true, "of an unknown size": false} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		var body io.Reader = &endless{left: size}
		if told {
			body = &sized{endless{left: size}}
		}
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/channels/1/messages", body)
		if err != nil {
			t.Fatal(err)
		}
		if told {
			r.ContentLength = size
		}
		r.Header.Set("Authorization", "Bot "+proxyTestKey)
		r.Header.Set("Content-Type", "multipart/form-data; boundary=x")
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		runtime.ReadMemStats(&after)
		_, _, arrived, header := d.seen()
		if response.StatusCode != http.StatusOK || arrived != size || header.Get("Content-Type") != "multipart/form-data; boundary=x" {
			t.Errorf("%s: answered %d, %d bytes arrived as %s", name, response.StatusCode, arrived, header.Get("Content-Type"))
		}
		taken := after.TotalAlloc - before.TotalAlloc
		t.Logf("%s: %d KiB were allocated for %d", name, taken>>10, size>>10)
		if taken > size/4 {
			t.Errorf("%s: %d bytes were allocated", name, taken)
		}
	}
	before := d.requests()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/channels/1/messages", &sized{endless{left: 27 << 20}})
	if err != nil {
		t.Fatal(err)
	}
	r.ContentLength = 27 << 20
	r.Header.Set("Authorization", "Bot "+proxyTestKey)
	if response, err := http.DefaultClient.Do(r); err == nil { // or the connection breaks while it sends
		_ = response.Body.Close()
		if response.StatusCode != http.StatusBadRequest {
			t.Errorf("too much: answered %d", response.StatusCode)
		}
	}
	if d.requests() != before {
		t.Error("too much has reached Discord")
	}
}

// endless is a body that is not held.
type endless struct{ left int64 }

func (e *endless) Read(into []byte) (int, error) {
	if e.left == 0 {
		return 0, io.EOF
	}
	n := int(min(int64(len(into)), e.left))
	e.left -= int64(n)
	return n, nil
}

type sized struct{ endless }

// TestWhatTheGateRefusesIsTold: each of the gate's errors has a status that libraries take for what it is.
func TestWhatTheGateRefusesIsTold(t *testing.T) {
	for err, want := range map[error]int{
		rest.ErrUnauthorized: 401, rest.ErrRequest: 400, rest.ErrQueueFull: 503, rest.ErrInvalidBudget: 503, rest.ErrClosed: 503,
		rest.ErrWaited: 504, rest.ErrLimited: 504, rest.ErrUncertain: 500, rest.ErrTooLarge: 502, context.Canceled: 499, io.ErrUnexpectedEOF: 502,
	} {
		if got := statusOf(fmt.Errorf("GET /x: %w", err)); got != want {
			t.Errorf("%v is %d, want %d", err, got, want)
		}
	}
	d := newDiscordBehind(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) })
	url, _ := proxyTo(t, d.URL+"/api/v10", "token", func(c *rest.Config) { c.Invalid = 20 })
	statuses := make(map[int]int)
	var last string
	for i := range 10 {
		response, body := proxied(t, http.MethodPut, fmt.Sprintf("%s/channels/%d/pins/1", url, i), nil)
		statuses[response.StatusCode]++
		last = body
	}
	if statuses[403] != 5 || statuses[503] != 5 || !strings.Contains(last, "Discord refused") {
		t.Errorf("answered %v, the last %s", statuses, last)
	}
	// Who has no key has an account of his own.
	if response, _ := proxied(t, http.MethodPost, url+"/webhooks/5/tok", nil, "Authorization", ""); response.StatusCode != http.StatusForbidden {
		t.Errorf("without a key: answered %d", response.StatusCode)
	}
}

// TestAProxysClientThatGoes: its request leaves the gate.
func TestAProxysClientThatGoes(t *testing.T) {
	arrived, free := make(chan struct{}), make(chan struct{})
	var gone atomic.Bool
	d := newDiscordBehind(t, func(_ http.ResponseWriter, r *http.Request) {
		close(arrived)
		select {
		case <-r.Context().Done():
			gone.Store(true)
		case <-free:
		}
	})
	defer close(free)
	url, gate := proxyTo(t, d.URL+"/api/v10", "token", nil)
	ctx, cancel := context.WithCancel(t.Context())
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/channels/1/messages", strings.NewReader(`{}`))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bot "+proxyTestKey)
	go func() {
		<-arrived
		cancel()
	}()
	if response, err := http.DefaultClient.Do(r); !errors.Is(err, context.Canceled) {
		t.Errorf("answer %v, error %v", response, err)
	}
	for deadline := time.Now().Add(time.Minute); gate.Status().InFlight > 0 || !gone.Load(); {
		if time.Now().After(deadline) {
			t.Fatalf("left: %+v, gone %v", gate.Status(), gone.Load())
		}
		time.Sleep(time.Millisecond)
	}
}

// TestTheProxyObeysTheLimits: a program that knows no limits meets none of Discord's.
func TestTheProxyObeysTheLimits(t *testing.T) {
	sim, err := simulator.Start(simulator.Config{RateLimits: simulator.RateLimits{Routes: map[string]simulator.Limit{
		"POST /channels/{channel}/messages": {Requests: 5, Per: time.Second},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := sim.Close(); err != nil {
			t.Error(err)
		}
	}()
	url, _ := proxyTo(t, sim.URL(), sim.Token(), nil)
	channel := sim.Guilds()[0].Channels[0]
	var wait sync.WaitGroup
	for i := range 12 {
		wait.Go(func() {
			var form bytes.Buffer
			w := multipart.NewWriter(&form)
			_ = w.WriteField("payload_json", fmt.Sprintf(`{"content":"message %d"}`, i))
			part, _ := w.CreateFormFile("files[0]", "a.txt")
			_, _ = part.Write(bytes.Repeat([]byte("x"), 100_000*(i%6))) // some are streamed
			_ = w.Close()
			response, body := proxied(t, http.MethodPost, fmt.Sprintf("%s/channels/%d/messages", url, channel), &form, "Content-Type", w.FormDataContentType())
			if response.StatusCode != http.StatusOK || !strings.Contains(body, fmt.Sprintf("message %d", i)) || response.Header.Get("X-Ratelimit-Bucket") == "" {
				t.Errorf("answered %d %s", response.StatusCode, body)
			}
		})
	}
	wait.Wait()
	if breaches := sim.Breaches(); len(breaches) > 0 || sim.Counts().Limited > 0 {
		t.Errorf("%d answers of 429, breaches %v", sim.Counts().Limited, breaches)
	}
}

// TestTheProxyStaysOnThisMachine unless it is told otherwise.
func TestTheProxyStaysOnThisMachine(t *testing.T) {
	for address, well := range map[string]bool{
		"127.0.0.1:8080": true, "localhost:8080": true, "[::1]:8080": true, "127.5.6.7:1": true,
		":8080": false, "0.0.0.0:8080": false, "[::]:8080": false, "192.168.1.5:8080": false, "example.org:80": false,
	} {
		s := Settings{RestProxy: address}
		if err := s.Validate(); (err == nil) != well {
			t.Errorf("%s: %v", address, err)
		}
		s.RestProxyReach = reachAny
		if err := s.Validate(); err != nil {
			t.Errorf("%s: %v", address, err)
		}
	}
	if _, err := listenProxy("0.0.0.0:0", reachLoopback); err == nil || !strings.Contains(err.Error(), "--rest-proxy-reach any") {
		t.Errorf("said %v", err)
	}
	for _, reach := range []string{reachLoopback, reachAny} {
		listen, err := listenProxy("127.0.0.1:0", reach)
		if err != nil {
			t.Fatal(err)
		}
		_ = listen.Close()
	}
}

// TestAnInventedKey has the form of a token, and is another each time.
func TestAnInventedKey(t *testing.T) {
	folder, err := state.Open(filepath.Join(t.TempDir(), "state"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer folder.Close()
	key, err := folder.ProxyKey(func() string { return inventKey(123456789012345678) })
	if err != nil || !strings.HasPrefix(key, "MTIzNDU2Nzg5MDEyMzQ1Njc4.") || strings.Count(key, ".") != 2 || len(key) < 50 {
		t.Errorf("key %q, %v", key, err)
	}
	if one, other := inventKey(1), inventKey(1); one == other {
		t.Error("two keys are the same")
	}
}
