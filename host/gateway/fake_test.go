package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// fake is a gateway on pipes, so that it works in a synctest bubble. It does
// what a test tells it and nothing by itself.
type fake struct {
	compress string
	pipes    chan net.Conn
	conns    chan *fakeConn // in the order of the upgrades
	refuse   atomic.Bool    // dialing fails
	over     chan struct{}  // closed when the test is over
	raw      bool           // tell what the client sent as it is
}

// fakeConn is one connection as the server sees it.
type fakeConn struct {
	address string
	ws      *websocket.Conn
	got     chan string // what the client sent, in words; ends with how the connection ended
	out     bytes.Buffer
	deflate deflater
	text    int         // the websocket message type
	deaf    atomic.Bool // what the client sends goes nowhere
}

func newFake(t testing.TB, compress string) *fake {
	t.Helper()
	f := &fake{compress: compress, pipes: make(chan net.Conn), conns: make(chan *fakeConn, 16), over: make(chan struct{})}
	server := &http.Server{Handler: f}
	served := make(chan error, 1)
	go func() { served <- server.Serve(f) }()
	t.Cleanup(func() {
		close(f.over)
		_ = server.Close()
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("serve: %v", err)
		}
	})
	return f
}

// Accept, Close and Addr make it a listener.
func (f *fake) Accept() (net.Conn, error) {
	c, ok := <-f.pipes
	if !ok {
		return nil, net.ErrClosed
	}
	return c, nil
}

func (f *fake) Close() error   { close(f.pipes); return nil }
func (f *fake) Addr() net.Addr { return &net.UnixAddr{Name: "fake"} }

func (f *fake) dial(ctx context.Context, _, addr string) (net.Conn, error) {
	if f.refuse.Load() {
		return nil, fmt.Errorf("dial %s: refused", addr)
	}
	ours, theirs := net.Pipe()
	select {
	case f.pipes <- theirs:
		return ours, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ws, err := new(websocket.Upgrader).Upgrade(w, r, nil)
	if err != nil {
		return
	}
	c := &fakeConn{address: r.Host + r.URL.String(), ws: ws, got: make(chan string, 256), text: websocket.BinaryMessage}
	ws.SetCloseHandler(func(int, string) error { return nil })
	if f.compress == CompressNone {
		c.text = websocket.TextMessage
	}
	defer ws.Close()
	select {
	case f.conns <- c:
	case <-f.over:
		return
	}
	for {
		_, p, err := ws.ReadMessage()
		if c.deaf.Load() {
			<-f.over
			return
		}
		var closed *websocket.CloseError
		switch {
		case err == nil && f.raw:
			c.got <- string(p)
			continue
		case err == nil:
			c.got <- inWords(p)
			continue
		case errors.As(err, &closed) && closed.Code != websocket.CloseAbnormalClosure:
			c.got <- fmt.Sprintf("CLOSE %d", closed.Code)
		default:
			c.got <- "END"
		}
		return
	}
}

// inWords tells a client's payload in a line.
func inWords(p []byte) string {
	var m struct {
		Op int
		D  json.RawMessage
	}
	if err := json.Unmarshal(p, &m); err != nil {
		return fmt.Sprintf("GARBAGE %q", p)
	}
	switch m.Op {
	case opHeartbeat:
		return "HEARTBEAT " + string(m.D)
	case opIdentify:
		var d struct {
			Token    string
			Intents  uint64
			Shard    [2]int
			Compress *bool
			Props    map[string]string `json:"properties"`
		}
		if json.Unmarshal(m.D, &d) != nil || d.Compress != nil || d.Props["browser"] != "holdfast" || d.Props["device"] != "holdfast" || d.Props["os"] == "" {
			return fmt.Sprintf("GARBAGE %q", p)
		}
		return fmt.Sprintf("IDENTIFY %s, shard %d of %d, intents %d", d.Token, d.Shard[0], d.Shard[1], d.Intents)
	case opResume:
		var d struct {
			Token     string
			SessionID string `json:"session_id"`
			Seq       uint64
		}
		if json.Unmarshal(m.D, &d) != nil {
			return fmt.Sprintf("GARBAGE %q", p)
		}
		return fmt.Sprintf("RESUME %s, %s, seq %d", d.Token, d.SessionID, d.Seq)
	}
	return fmt.Sprintf("OP %d %s", m.Op, m.D)
}

// write sends one payload.
func (c *fakeConn) write(t testing.TB, compress, payload string) error {
	if c.deflate == nil {
		c.deflate = newDeflater(t, compress, &c.out)
	}
	if _, err := c.deflate.Write([]byte(payload)); err != nil {
		return err
	}
	if err := c.deflate.Flush(); err != nil {
		return err
	}
	defer c.out.Reset()
	return c.ws.WriteMessage(c.text, c.out.Bytes())
}

// abort ends the connection without a close frame.
func (c *fakeConn) abort() { _ = c.ws.NetConn().Close() }

func (c *fakeConn) close(code int) {
	_ = c.ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, "because"), time.Now().Add(time.Second))
	c.abort()
}

// payload writes out what a story calls by name.
func payload(word, arg string) string {
	switch word {
	case "HELLO":
		return `{"t":null,"s":null,"op":10,"d":{"heartbeat_interval":` + arg + `,"_trace":["x"]}}`
	case "READY":
		return `{"t":"READY","s":1,"op":0,"d":{"v":10,"session_id":"` + arg + `","resume_gateway_url":"ws://resume.test"}}`
	case "RESUMED":
		return `{"t":"RESUMED","s":` + arg + `,"op":0,"d":{"_trace":[]}}`
	case "EVENT":
		return `{"t":"MESSAGE_CREATE","s":` + arg + `,"op":0,"d":{"id":"` + arg + `","guild_id":"7"}}`
	case "ACK":
		return `{"op":11}`
	case "ASK":
		return `{"op":1,"d":null}`
	case "RECONNECT":
		return `{"op":7,"d":null}`
	case "INVALID":
		return `{"op":9,"d":` + arg + `}`
	}
	return word // raw
}
