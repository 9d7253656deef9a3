package simulator

import (
	"errors"
	"io"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"
)

// conn is one websocket. Its reader (the goroutine of the HTTP handler) takes what the client sends and decides;
// its writer sends everything: frames of the session, and notes.
type conn struct {
	s      *Server
	ws     *websocket.Conn
	link   *link
	resume bool // reached at the resume URL
	pack   packer

	notes chan note     // to the writer
	wake  chan struct{} // the session has frames
	done  chan struct{} // closed by the reader when it ends
	gone  chan struct{} // closed by the writer when it ends

	ses          atomic.Pointer[session]
	over         atomic.Bool // we have decided to close: what still arrives is not looked at
	noACK        atomic.Bool
	perPayload   atomic.Bool // the writer is to compress each payload by itself
	stalledShard atomic.Int64
	leave        atomic.Int64 // when we close a client that ignored op 7, Unix nanoseconds
	released     atomic.Int64 // when the session was last taken from the connection, Unix nanoseconds

	mu    sync.Mutex
	pulse pulse

	payloads *window // the reader's
}

// note is something to send outside the session's numbering.
type note struct {
	payload []byte
	code    int // close with this code
	reason  string
	release bool // the connection has no session any more
	last    bool // only after all frames of the session
}

const (
	maxPayload     = 4096
	payloadsPer60s = 120
	noteRoom       = 64
	closePatience  = 2 * time.Second
	reconnectGrace = 10 * time.Second
	writeBatch     = 64
)

// serveGateway runs one websocket from HELLO to its end.
func (s *Server) serveGateway(w http.ResponseWriter, r *http.Request, resume bool) {
	if !s.enter() {
		return
	}
	defer s.running.Done()
	upgrader := websocket.Upgrader{
		ReadBufferSize: 4 << 10, WriteBufferSize: 32 << 10, CheckOrigin: func(*http.Request) bool { return true },
	}
	ws, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		s.log.Warn("websocket refused", "error", err)
		return
	}
	l, ok := ws.NetConn().(*link)
	if !ok {
		_ = ws.Close() // not one of ours: the listener makes links only
		return
	}
	c := &conn{
		s: s, ws: ws, link: l, resume: resume, pack: plainPacker{}, payloads: newWindow(payloadsPer60s, time.Minute),
		notes: make(chan note, noteRoom), wake: make(chan struct{}, 1), done: make(chan struct{}), gone: make(chan struct{}),
	}
	defer l.Close()
	if err := l.collect(); err != nil || !s.track(c) {
		return
	}
	defer s.untrack(c)
	c.start(r)
	code := c.read()
	c.part(code)
	close(c.done)
	<-c.gone
}

// start greets, or refuses what the query asks for.
func (c *conn) start(r *http.Request) {
	q := r.URL.Query()
	now := time.Now()
	c.pulse = pulse{interval: c.s.cfg.HeartbeatInterval, grace: c.s.cfg.HeartbeatGrace, began: now, last: now}
	p, err := newPacker(q.Get("compress"))
	if err == nil {
		c.pack = p
	}
	go c.write() // ends when done is closed; serveGateway waits for gone
	switch {
	case q.Get("v") != "10":
		c.fail(4012, RuleVersion, "v="+strconv.Quote(q.Get("v")))
	case q.Get("encoding") != "json":
		c.fail(4012, RuleVersion, "encoding="+strconv.Quote(q.Get("encoding")))
	case err != nil:
		c.fail(4002, RuleCompress, err.Error())
	default:
		interval := strconv.FormatInt(c.s.cfg.HeartbeatInterval.Milliseconds(), 10)
		c.send(note{payload: []byte(`{"t":null,"s":null,"op":10,"d":{"heartbeat_interval":` + interval +
			`,"_trace":["[\"gateway-simulator\",{\"micros\":0.0}]"]}}`)})
	}
}

// read takes payloads until the connection ends, and gives the client's close code: 0 when there was none.
func (c *conn) read() int {
	buf := make([]byte, maxPayload+1)
	for {
		_, r, err := c.ws.NextReader()
		if err != nil {
			return closeCode(err)
		}
		n, err := io.ReadFull(r, buf)
		switch {
		case c.over.Load():
		case err == nil:
			c.fail(4002, RuleOversize, "more than 4096 bytes")
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			c.take(buf[:n])
		default:
			return closeCode(err)
		}
	}
}

func closeCode(err error) int {
	var ce *websocket.CloseError
	if errors.As(err, &ce) && ce.Code != websocket.CloseAbnormalClosure {
		return ce.Code
	}
	return 0
}

// part settles what becomes of the session: a close with 1000 or 1001 ends it, everything else keeps it.
func (c *conn) part(code int) {
	ses := c.ses.Swap(nil)
	c.s.log.Debug("connection ended", "code", code)
	if ses == nil {
		return
	}
	ses.detach(c)
	if code == websocket.CloseNormalClosure || code == websocket.CloseGoingAway {
		c.s.remove(ses)
	}
}

// fail closes the connection because the client broke a rule.
func (c *conn) fail(code int, rule Rule, detail string) {
	c.s.breach(rule, c.shard(), detail)
	c.shut(code, closeReason(code))
}

// shut closes the connection with a close frame.
func (c *conn) shut(code int, reason string) {
	c.condemn(code)
	c.send(note{code: code, reason: reason, last: true})
}

// condemn settles what becomes of the session when we close: some codes end it, the others keep it for a resume.
func (c *conn) condemn(code int) {
	c.over.Store(true)
	if ses := c.ses.Load(); ses != nil {
		if !fatalCode(code) {
			ses.detach(c)
		} else if ses.endOn(c) {
			c.s.remove(ses)
		}
	}
}

// send gives the writer a note; it waits only as long as the writer lives.
func (c *conn) send(n note) {
	select {
	case c.notes <- n:
	case <-c.gone:
	}
}

func (c *conn) nudge() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

func (c *conn) shard() int {
	if ses := c.ses.Load(); ses != nil {
		return ses.shard
	}
	return -1
}

// fatalCode tells whether a session cannot be resumed after this close code.
func fatalCode(code int) bool {
	switch code {
	case 4003, 4004, 4007, 4009, 4010, 4011, 4012, 4013, 4014:
		return true
	}
	return false
}

// closeReason gives Discord's words for a close code.
func closeReason(code int) string {
	switch code {
	case 4001:
		return "Unknown opcode."
	case 4002:
		return "Error while decoding payload."
	case 4003:
		return "Not authenticated."
	case 4004:
		return "Authentication failed."
	case 4005:
		return "Already authenticated."
	case 4007:
		return "Invalid seq."
	case 4008:
		return "Rate limited."
	case 4009:
		return "Session timed out."
	case 4010:
		return "Invalid shard."
	case 4011:
		return "Sharding required."
	case 4012:
		return "Invalid API version."
	case 4013:
		return "Invalid intent(s)."
	case 4014:
		return "Disallowed intent(s)."
	}
	return "Unknown error."
}
