package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"time"

	"github.com/gorilla/websocket"
)

// Opcodes of Discord's gateway, and one of ours for the end of the handshake.
const (
	opDispatch  = 0
	opHeartbeat = 1
	opIdentify  = 2
	opResume    = 6
	opReconnect = 7
	opInvalid   = 9
	opHello     = 10
	opAck       = 11

	opOpened = -1
)

const (
	readBuffer  = 64 << 10
	frameQueue  = 32 // payloads between the link and its session
	dialTimeout = 15 * time.Second
	closeWrite  = time.Second
	maxInterval = time.Hour
)

// frame is a payload as a link hands it to its session.
type frame struct {
	op        int
	resumable bool          // of op 9
	interval  time.Duration // of op 10
	event     Event         // of op 0
}

// link is one websocket connection. Its goroutine dials, reads, inflates
// and scans; it is the only sender on frames and closes it when it ends.
// Writing is the session's, who alone calls write and close.
type link struct {
	frames chan frame
	conn   *websocket.Conn // readable after opOpened
	err    error           // why it ended; readable after frames is closed
	cancel context.CancelFunc
	known  names
	set    int
	shard  int
	text   []byte // the message being read
}

// openLink starts to dial; what comes of it arrives on frames.
// The link lives until it fails or close is called, which waits for it.
func openLink(ctx context.Context, cfg *Config, known names, shard int, address string) *link {
	// The end of ctx must leave time for a close frame, so close ends the link and nothing else.
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	l := &link{frames: make(chan frame, frameQueue), cancel: cancel, known: known, set: cfg.Number, shard: shard}
	go func() {
		defer close(l.frames)
		l.err = l.run(ctx, cfg, address)
	}()
	return l
}

// close ends the link and waits for its goroutine. What it had read and the
// session had not taken is dropped; a resume brings it again.
func (l *link) close(opened bool, code int) {
	deadline := time.Now().Add(closeWrite)
	if opened {
		// Best effort: any end but 1000 and 1001 keeps the session.
		_ = l.conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, ""), deadline)
	}
	if !opened || code != websocket.CloseNormalClosure || l.conn.SetReadDeadline(deadline) != nil {
		l.cancel()
	}
	// A socket that is closed before all was read from it is reset, and that may
	// overtake the close frame: to end a session Discord's own is waited for.
	for range l.frames { // until its sender closes it
		continue
	}
	l.cancel()
}

func (l *link) run(ctx context.Context, cfg *Config, address string) error {
	if err := l.dial(ctx, cfg, address); err != nil {
		return err
	}
	unblock := context.AfterFunc(ctx, func() { _ = l.conn.Close() })
	defer func() {
		unblock()
		_ = l.conn.Close()
	}()
	if err := l.deliver(ctx, frame{op: opOpened}); err != nil {
		return err
	}
	return inflate(cfg.Compress, l.message, func(b []byte, own bool) error { return l.payload(ctx, b, own) })
}

func (l *link) dial(ctx context.Context, cfg *Config, address string) error {
	full, err := dialURL(address, cfg.Compress)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	open := cfg.dial
	if open == nil {
		open = new(net.Dialer).DialContext
	}
	// The dialer heeds ctx only while it connects; closing the connection ends its handshake too.
	stop := func() bool { return true }
	dialer := websocket.Dialer{
		Proxy:           http.ProxyFromEnvironment,
		TLSClientConfig: cfg.tls,
		ReadBufferSize:  readBuffer,
		NetDialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			c, err := open(ctx, network, addr)
			if err == nil {
				stop = context.AfterFunc(ctx, func() { _ = c.Close() })
			}
			return c, err
		},
	}
	conn, answer, err := dialer.DialContext(ctx, full, nil)
	if !stop() && err == nil {
		_ = conn.Close()
		err = context.Cause(ctx)
	}
	if answer != nil {
		_ = answer.Body.Close() // a few bytes in memory
		if err != nil {
			err = fmt.Errorf("%w: http status %d", err, answer.StatusCode)
		}
	}
	if err != nil {
		return fmt.Errorf("dial gateway: %w", err)
	}
	conn.SetReadLimit(maxPayload)
	// Echoing 1000 or 1001 would end the session; the connection is closed by us anyway.
	conn.SetCloseHandler(func(int, string) error { return nil })
	l.conn = conn
	return nil
}

// message reads the next websocket message into the link's buffer.
func (l *link) message() ([]byte, error) {
	_, r, err := l.conn.NextReader()
	if err != nil {
		return nil, fmt.Errorf("read message: %w", err)
	}
	l.text, err = readInto(reuse(l.text), r)
	if err != nil {
		return nil, fmt.Errorf("read message: %w", err)
	}
	return l.text, nil
}

// readInto is io.ReadAll with a buffer brought along.
func readInto(b []byte, r io.Reader) ([]byte, error) {
	b = slices.Grow(b, startBuffer)
	for {
		if len(b) == cap(b) {
			b = append(b, 0)[:len(b)]
		}
		n, err := r.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		if errors.Is(err, io.EOF) {
			return b, nil
		}
		if err != nil {
			return b, err
		}
	}
}

// payload cuts one payload and hands it on, in its own bytes if they are ours to keep.
func (l *link) payload(ctx context.Context, b []byte, own bool) error {
	var e envelope
	if err := scan(b, &e); err != nil {
		return fmt.Errorf("read payload of %d bytes: %w", len(b), err)
	}
	f := frame{op: e.op}
	switch e.op {
	case opDispatch:
		event, err := l.event(&e, own)
		if err != nil {
			return err
		}
		f.event = event
	case opHello:
		interval, err := helloInterval(e.data)
		if err != nil {
			return err
		}
		f.interval = interval
	case opInvalid:
		f.resumable = string(e.data) == "true"
	}
	return l.deliver(ctx, f)
}

func (l *link) event(e *envelope, own bool) (Event, error) {
	if len(e.name) == 0 {
		return Event{}, fmt.Errorf("read dispatch: %w: no event name", errMalformed)
	}
	if !own {
		e.data = bytes.Clone(e.data)
	}
	ev := Event{
		Set: l.set, Shard: l.shard, Seq: e.seq, Name: l.known.intern(e.name),
		Guild: e.guild, Channel: e.channel, ID: e.id,
		Received: time.Now(), Data: e.data,
	}
	switch ev.Name {
	case nameGuildCreate, nameGuildUpdate, nameGuildDelete:
		ev.Guild = e.id
	}
	return ev, nil
}

func helloInterval(data []byte) (time.Duration, error) {
	var d struct {
		Interval int64 `json:"heartbeat_interval"`
	}
	if err := json.Unmarshal(data, &d); err != nil {
		return 0, fmt.Errorf("read hello: %w", err)
	}
	if d.Interval <= 0 || d.Interval > maxInterval.Milliseconds() {
		return 0, fmt.Errorf("read hello: %w: heartbeat interval of %d ms", errMalformed, d.Interval)
	}
	return time.Duration(d.Interval) * time.Millisecond, nil
}

func (l *link) deliver(ctx context.Context, f frame) error {
	select {
	case l.frames <- f:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
