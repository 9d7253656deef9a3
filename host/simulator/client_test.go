package simulator

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"
)

// patience bounds waits that a broken simulator would make endless. Nothing is judged by it.
const patience = 20 * time.Second

const allIntents = knownIntents

// start runs a simulator for a test and demands at the end that Close leaves no goroutine behind.
func start(t testing.TB, cfg Config) *Server {
	t.Helper()
	before := runtime.NumGoroutine()
	s, err := Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
		http.DefaultClient.CloseIdleConnections()
		for deadline := time.Now().Add(patience); runtime.NumGoroutine() > before; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				buf := make([]byte, 1<<20)
				t.Fatalf("goroutines left: %d, before %d\n%s", runtime.NumGoroutine(), before, buf[:runtime.Stack(buf, true)])
			}
		}
	})
	return s
}

// payload is one gateway payload as the test's client reads it.
type payload struct {
	Op int             `json:"op"`
	S  *uint64         `json:"s"`
	T  *string         `json:"t"`
	D  json.RawMessage `json:"d"`
}

func (p payload) name() string {
	if p.T == nil {
		return ""
	}
	return *p.T
}

// client is a raw gateway client, written from Discord's documentation alone.
type client struct {
	t       testing.TB
	ws      *websocket.Conn
	decode  func(message []byte) []byte
	seq     uint64
	session string
	resume  string
}

func dial(t testing.TB, url, compress string) *client {
	t.Helper()
	if !strings.Contains(url, "?") {
		url += "/?v=10&encoding=json"
	}
	c := &client{t: t, decode: func(m []byte) []byte { return m }}
	switch compress {
	case "zlib-stream":
		url += "&compress=" + compress
		c.decode = zlibStream(t)
	case "zstd-stream":
		url += "&compress=" + compress
		c.decode = zstdStream(t)
	}
	ws, resp, err := websocket.DefaultDialer.Dial(url, nil)
	if err != nil {
		t.Fatalf("dial: %v", err)
	}
	_ = resp.Body.Close()
	c.ws = ws
	t.Cleanup(func() { _ = ws.Close() })
	return c
}

// drip feeds a decoder with one websocket message at a time and says when it asks for more.
type drip struct{ buf bytes.Buffer }

var errDry = errors.New("the message is used up")

func (d *drip) Read(p []byte) (int, error) {
	if d.buf.Len() == 0 {
		return 0, errDry
	}
	return d.buf.Read(p)
}

// zlibStream decodes with the standard framing: the flush marker ends a message.
func zlibStream(t testing.TB) func([]byte) []byte {
	in := &drip{}
	var r io.Reader
	return func(m []byte) []byte {
		if !bytes.HasSuffix(m, []byte{0, 0, 0xff, 0xff}) {
			t.Fatalf("a zlib-stream message ends with % x", m[max(0, len(m)-4):])
		}
		in.buf.Write(m)
		if r == nil {
			z, err := zlib.NewReader(in)
			if err != nil {
				t.Fatal(err)
			}
			r = z
		}
		return readDry(t, r)
	}
}

func zstdStream(t testing.TB) func([]byte) []byte {
	in := &drip{}
	var r *zstd.Decoder
	return func(m []byte) []byte {
		in.buf.Write(m)
		if r == nil {
			z, err := zstd.NewReader(in, zstd.WithDecoderConcurrency(1))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(z.Close)
			r = z
		}
		var out bytes.Buffer
		dec := json.NewDecoder(io.TeeReader(r, &out))
		var raw json.RawMessage
		if err := dec.Decode(&raw); err != nil {
			t.Fatalf("decode zstd: %v", err)
		}
		return raw
	}
}

// readDry reads exactly one JSON value.
func readDry(t testing.TB, r io.Reader) []byte {
	var raw json.RawMessage
	if err := json.NewDecoder(r).Decode(&raw); err != nil {
		t.Fatalf("decode: %v", err)
	}
	return raw
}

// read gives the next payload, or the error that ended the connection.
func (c *client) read() (payload, error) {
	_ = c.ws.SetReadDeadline(time.Now().Add(patience))
	_, m, err := c.ws.ReadMessage()
	if err != nil {
		return payload{}, err
	}
	var p payload
	if err := json.Unmarshal(c.decode(m), &p); err != nil {
		c.t.Fatalf("payload: %v", err)
	}
	if p.S != nil {
		if c.seq != 0 && *p.S != c.seq+1 {
			c.t.Fatalf("seq %d after %d: %.200s", *p.S, c.seq, m)
		}
		c.seq = *p.S
	}
	return p, nil
}

// until reads until an event of this name, or a payload of this op when the name is "op N".
func (c *client) until(name string) payload {
	c.t.Helper()
	for {
		p, err := c.read()
		if err != nil {
			c.t.Fatalf("waiting for %s: %v", name, err)
		}
		if p.name() == name || name == fmt.Sprintf("op %d", p.Op) {
			return p
		}
	}
}

// closed reads until the connection ends and gives the close code, 0 without one.
func (c *client) closed() int {
	c.t.Helper()
	for {
		if _, err := c.read(); err != nil {
			var ce *websocket.CloseError
			if errors.As(err, &ce) && ce.Code != websocket.CloseAbnormalClosure {
				return ce.Code
			}
			return 0
		}
	}
}

func (c *client) send(text string) {
	c.t.Helper()
	if err := c.ws.WriteMessage(websocket.TextMessage, []byte(text)); err != nil {
		c.t.Fatalf("send: %v", err)
	}
}

const properties = `"properties":{"os":"linux","browser":"test","device":"test"}`

func identifyText(token string, shard, shards int, intents uint64) string {
	return fmt.Sprintf(`{"op":2,"d":{"token":%q,"intents":%d,"shard":[%d,%d],%s}}`, token, intents, shard, shards, properties)
}

// identify goes as far as READY.
func (c *client) identify(s *Server, shard, shards int, intents uint64) payload {
	c.t.Helper()
	c.until("op 10")
	c.send(identifyText(s.Token(), shard, shards, intents))
	ready := c.until("READY")
	var d struct {
		Session string `json:"session_id"`
		Resume  string `json:"resume_gateway_url"`
	}
	if err := json.Unmarshal(ready.D, &d); err != nil {
		c.t.Fatal(err)
	}
	c.session, c.resume = d.Session, d.Resume
	return ready
}

// again resumes this client's session on a new connection.
func (c *client) again(s *Server, compress string) *client {
	c.t.Helper()
	n := dial(c.t, c.resume, compress)
	n.seq, n.session, n.resume = c.seq, c.session, c.resume
	n.until("op 10")
	n.send(resumeText(s.Token(), c.session, c.seq))
	return n
}

func resumeText(token, session string, seq uint64) string {
	return fmt.Sprintf(`{"op":6,"d":{"token":%q,"session_id":%q,"seq":%d}}`, token, session, seq)
}

func connect(t testing.TB, s *Server, intents uint64) *client {
	t.Helper()
	c := dial(t, s.GatewayURL(), "")
	c.identify(s, 0, 1, intents)
	return c
}

// contentOf gives the content of a message event.
func contentOf(p payload) string {
	var m struct {
		Content string `json:"content"`
	}
	_ = json.Unmarshal(p.D, &m)
	return m.Content
}

// wantBreaches compares the count of every rule.
func wantBreaches(t testing.TB, s *Server, want map[Rule]int) {
	t.Helper()
	have := s.BreachCounts()
	for rule, n := range want {
		if have[rule] != n {
			t.Errorf("breach %q: %d, want %d", rule, have[rule], n)
		}
	}
	for rule, n := range have {
		if want[rule] == 0 {
			t.Errorf("breach %q: %d, want none: %+v", rule, n, s.Breaches())
		}
	}
}

// eventually waits until a condition holds that another goroutine brings about.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}

// twice finds a key that an object has twice, at any depth; "" when there is none.
func twice(data []byte) string {
	dec := json.NewDecoder(bytes.NewReader(data))
	type level struct {
		keys map[string]bool // nil: a list
		key  bool            // the next token is a key
	}
	var stack []level
	for {
		tok, err := dec.Token()
		if err != nil {
			return ""
		}
		top := len(stack) - 1
		switch v := tok.(type) {
		case json.Delim:
			switch v {
			case '{':
				stack = append(stack, level{keys: map[string]bool{}, key: true})
			case '[':
				stack = append(stack, level{})
			default:
				stack = stack[:top]
				if top > 0 && stack[top-1].keys != nil {
					stack[top-1].key = true
				}
			}
			continue
		case string:
			if top >= 0 && stack[top].key {
				if stack[top].keys[v] {
					return v
				}
				stack[top].keys[v], stack[top].key = true, false
				continue
			}
		}
		if top >= 0 && stack[top].keys != nil {
			stack[top].key = true
		}
	}
}

func TestTwice(t *testing.T) {
	for text, want := range map[string]string{`{"a":1,"b":{"a":[{"a":1},"a"]},"c":"a"}`: "", `{"a":1,"a":2}`: "a", `{"x":[{"b":{},"b":1}]}`: "b", `{"x":{"y":1},"x":1}`: "x"} {
		if got := twice([]byte(text)); got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}
