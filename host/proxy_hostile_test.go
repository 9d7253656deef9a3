package host

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/holdfast-bot/holdfast/host/rest"
)

// TestWhoHasNoKeyReachesNothingElse: paths that only look as if they carried a token do not, and web pages, which can
// make a browser on this machine send such requests, have no part in it.
func TestWhoHasNoKeyReachesNothingElse(t *testing.T) {
	const token = "the.real.token"
	d := newDiscordBehind(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bot "+token && !strings.HasPrefix(r.URL.Path, "/api/v10/webhooks/5/tok") {
			w.WriteHeader(http.StatusUnauthorized)
		}
	})
	url, gate := proxyTo(t, d.URL+"/api/v10", token, nil)
	tests := map[string]struct {
		path   string
		header []string
		sent   bool
	}{
		"a webhook's token":         {"/webhooks/5/tok", nil, true},
		"and two slashes":           {"//webhooks//5///tok", nil, true},
		"a webhook without one":     {"/webhooks//5", nil, false},
		"webhooks without one":      {"/webhooks//messages", nil, false},
		"an interaction without":    {"/interactions//5/callback", nil, false},
		"nothing after it":          {"/webhooks/5/", nil, false},
		"a page's form":             {"/webhooks/5/tok", []string{"Origin", "https://evil.test"}, false},
		"a page without an origin":  {"/webhooks/5/tok", []string{"Origin", "null"}, false},
		"a picture of a page":       {"/webhooks/5/tok", []string{"Sec-Fetch-Site", "cross-site"}, false},
		"a name that leads here":    {"/webhooks/5/tok", []string{"Host", "evil.test:8080"}, false},
		"a name like this machines": {"/webhooks/5/tok", []string{"Host", "127.0.0.1.evil.test"}, false},
		"this machine's name":       {"/webhooks/5/tok", []string{"Host", "localhost:8080"}, true},
		"and its other address":     {"/webhooks/5/tok", []string{"Host", "[::1]:8080"}, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			before := d.requests()
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+test.path, nil)
			if err != nil {
				t.Fatal(err)
			}
			for i := 0; i+1 < len(test.header); i += 2 {
				if r.Header.Set(test.header[i], test.header[i+1]); test.header[i] == "Host" {
					r.Host = test.header[i+1]
				}
			}
			response, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			_ = response.Body.Close()
			if sent := d.requests() > before; sent != test.sent || (response.StatusCode == http.StatusOK) != test.sent {
				t.Errorf("answered %d, sent %v", response.StatusCode, sent)
			}
		})
	}
	if s := gate.Status(); s.Stopped != "" || s.Invalid != 0 {
		t.Errorf("the gate after it: %+v", s)
	}
	// Who has the key is no page.
	if response, body := proxied(t, http.MethodGet, url+"/users/@me", nil, "Origin", "https://evil.test", "Sec-Fetch-Site", "cross-site"); response.StatusCode != http.StatusOK {
		t.Errorf("with the key: %d %s", response.StatusCode, body)
	}
}

// carrier is a gate's way to a Discord in memory.
type carrier func(*http.Request) (*http.Response, error)

func (c carrier) RoundTrip(r *http.Request) (*http.Response, error) { return c(r) }

// answerOf is an answer of so many bytes.
func answerOf(size int) *http.Response {
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(make([]byte, size)))}
}

// pipes are a listener in memory, whose connections a bubble's clock ends.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { p.once.Do(func() { close(p.closed) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }

// open sends what a client says first.
func (p *pipes) open(said string) net.Conn {
	here, there := net.Pipe()
	p.conns <- there
	_, _ = io.WriteString(here, said)
	return here
}

// proxyInMemory runs a proxy within a bubble.
func proxyInMemory(t *testing.T, discord carrier) (*pipes, *proxy) {
	t.Helper()
	gate, err := rest.New(rest.Config{Token: "token", BaseURL: "http://discord.test/api/v10", Client: &http.Client{Transport: discord}})
	if err != nil {
		t.Fatal(err)
	}
	listen := &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}
	p := newProxy(gate, proxyTestKey, "/api/v10", hclog.NewNullLogger())
	server := proxyServer(p, hclog.NewNullLogger())
	served := make(chan error, 1)
	go func() { served <- server.Serve(listen) }()
	t.Cleanup(func() {
		_ = server.Close()
		<-served
		gate.Close()
	})
	return listen, p
}

const keyLine = "Host: 127.0.0.1\r\nAuthorization: Bot " + proxyTestKey + "\r\n"

// TestClientsThatDoNotGoOnAreLeft: whoever stops in the middle of what he sends or reads, with a key or without one, keeps
// neither a place nor a connection.
func TestClientsThatDoNotGoOnAreLeft(t *testing.T) {
	tests := map[string]string{
		"a refused body":          "POST /api/v10/users/@me HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000\r\n\r\n",
		"a refused chunk":         "POST /api/v10/users/@me HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n",
		"another path":            "POST /x HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000\r\n\r\n",
		"a body":                  "POST /api/v10/channels/1/messages HTTP/1.1\r\n" + keyLine + "Content-Length: 1000\r\n\r\n{",
		"a large body":            "POST /api/v10/channels/1/messages HTTP/1.1\r\n" + keyLine + "Content-Length: 300000\r\n\r\n{",
		"a body of no end":        "POST /api/v10/channels/1/messages HTTP/1.1\r\n" + keyLine + "Transfer-Encoding: chunked\r\n\r\n40001\r\n" + strings.Repeat("x", 0x40001),
		"a body for a wrong path": "POST /api/v10/channels/../x HTTP/1.1\r\n" + keyLine + "Content-Length: 300000\r\n\r\n{",
		"an answer":               "GET /api/v10/guilds/1 HTTP/1.1\r\n" + keyLine + "\r\n",
		"a header":                "GET /api/v10/guilds/1 HTTP/1.1\r\nHost: 127",
		"nothing":                 "",
	}
	for name, said := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				listen, p := proxyInMemory(t, func(r *http.Request) (*http.Response, error) {
					read := make(chan struct{})
					go func() {
						defer close(read)
						if r.Body != nil {
							_, _ = io.Copy(io.Discard, r.Body)
						}
					}()
					select {
					case <-read:
						return answerOf(8 << 20), nil
					case <-r.Context().Done():
						return nil, r.Context().Err()
					}
				})
				client := listen.open(said)
				began := time.Now()
				time.Sleep(10 * time.Minute)
				if n := len(p.places) + len(p.keyless); n != 0 {
					t.Errorf("%d places are taken after %v", n, time.Since(began))
				}
				_ = client.SetReadDeadline(time.Now().Add(time.Hour))
				if _, err := io.Copy(io.Discard, client); err != nil {
					t.Errorf("the connection is still open after an hour: %v", err)
				}
				_ = client.Close()
			})
		})
	}
}

// TestASlowUploadIsNotCut: as long as it goes on at the speed that the gate asks for.
func TestASlowUploadIsNotCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const size = 20 << 20
		listen, _ := proxyInMemory(t, func(r *http.Request) (*http.Response, error) {
			n, err := io.Copy(io.Discard, r.Body)
			if err == nil && n != size {
				err = fmt.Errorf("%d bytes came", n)
			}
			return answerOf(10), err
		})
		client := listen.open(fmt.Sprintf("POST /api/v10/channels/1/messages HTTP/1.1\r\n%sContent-Length: %d\r\n\r\n", keyLine, size))
		defer client.Close()
		for range 20 {
			time.Sleep(6 * time.Second)
			_, _ = client.Write(make([]byte, size/20))
		}
		response, err := http.ReadResponse(bufio.NewReader(client), nil)
		if err != nil || response.StatusCode != http.StatusOK {
			t.Fatalf("answer %v, %v", response, err)
		}
		_ = response.Body.Close()
	})
}

// TestAConnectionGoesOnAfterAPause: the bounds are those of one request each.
func TestAConnectionGoesOnAfterAPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		listen, _ := proxyInMemory(t, func(r *http.Request) (*http.Response, error) {
			if _, err := io.Copy(io.Discard, r.Body); err != nil {
				return nil, err
			}
			time.Sleep(50 * time.Second) // longer than any bound on reading or writing
			return answerOf(10), r.Context().Err()
		})
		client := listen.open("")
		defer client.Close()
		answers := bufio.NewReader(client)
		for i := range 3 {
			_, _ = io.WriteString(client, "POST /api/v10/channels/1/messages HTTP/1.1\r\n"+keyLine+"Content-Length: 2\r\nExpect: 100-continue\r\n\r\n")
			line, err := answers.ReadString('\n')
			if err != nil || !strings.Contains(line, "100 Continue") {
				t.Fatalf("request %d: %q, %v", i, line, err)
			}
			_, _ = answers.ReadString('\n')
			_, _ = io.WriteString(client, "{}")
			response, err := http.ReadResponse(answers, nil)
			if err != nil || response.StatusCode != http.StatusOK {
				t.Fatalf("request %d: %v, %v", i, response, err)
			}
			_, _ = io.Copy(io.Discard, response.Body)
			_ = response.Body.Close()
			time.Sleep(100 * time.Second)
		}
	})
}

// TestWhoHasNoKeyTakesNoPlaceFromTheKeysOwner: requests without it have few places of their own.
func TestWhoHasNoKeyTakesNoPlaceFromTheKeysOwner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		listen, p := proxyInMemory(t, func(r *http.Request) (*http.Response, error) {
			if strings.Contains(r.URL.Path, "webhooks") {
				<-r.Context().Done()
				return nil, r.Context().Err()
			}
			return answerOf(10), nil
		})
		var clients []net.Conn
		for i := range 2 * proxyRequests {
			clients = append(clients, listen.open(fmt.Sprintf("GET /api/v10/webhooks/%d/tok HTTP/1.1\r\nHost: localhost\r\n\r\n", i)))
		}
		synctest.Wait()
		client := listen.open("GET /api/v10/users/@me HTTP/1.1\r\n" + keyLine + "\r\n")
		clients = append(clients, client)
		response, err := http.ReadResponse(bufio.NewReader(client), nil)
		if err != nil || response.StatusCode != http.StatusOK {
			t.Errorf("with the key: %v, %v", response, err)
		} else {
			_ = response.Body.Close()
		}
		if n := len(p.keyless); n == 0 || n > proxyRequests/4 {
			t.Errorf("%d requests without the key are inside", n)
		}
		for _, c := range clients {
			_ = c.Close()
		}
	})
}

// TestTheProxysConnectionsAreBounded: further ones wait in the kernel, so that nobody takes the files that the host
// needs for its sessions.
func TestTheProxysConnectionsAreBounded(t *testing.T) {
	listen, err := listenProxy("127.0.0.1:0", reachLoopback)
	if err != nil {
		t.Fatal(err)
	}
	defer listen.Close()
	const more = 40
	accepted := make(chan net.Conn, proxyConnections+more)
	go func() {
		for {
			c, err := listen.Accept()
			if err != nil {
				close(accepted)
				return
			}
			accepted <- c
		}
	}()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var clients []net.Conn
	defer func() {
		for _, c := range clients {
			_ = c.Close()
		}
	}()
	for range proxyConnections + more {
		c, err := new(net.Dialer).DialContext(ctx, "tcp", listen.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		clients = append(clients, c)
	}
	most := 0
	for range proxyConnections + more { // one goes, one comes
		most = max(most, len(accepted))
		_ = (<-accepted).Close()
	}
	if most > proxyConnections {
		t.Errorf("%d connections were open at once", most)
	}
}
