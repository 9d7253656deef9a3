package simulator

import (
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// link is a TCP connection with the faults of one: it can go silent in both directions and be reset. Once it
// carries a websocket it collects what is written until flush, so that a burst of events is one write.
//
// It embeds the interface and not *net.TCPConn, whose hidden methods would let net.Buffers write past it.
type link struct {
	net.Conn
	tcp *net.TCPConn

	mu   sync.Mutex // guards buf and hold, and keeps writes whole
	buf  []byte
	hold bool

	vanished atomic.Bool // silent for good

	gate    sync.Mutex
	stalled chan struct{} // closed when the stall is over; nil when there is none
	closed  chan struct{}
	once    sync.Once
}

// linkBuffer is how much is collected before it is written.
const linkBuffer = 64 << 10

func newLink(c *net.TCPConn) *link { return &link{Conn: c, tcp: c, closed: make(chan struct{})} }

// collect makes later writes wait for flush.
func (l *link) collect() error {
	l.mu.Lock()
	l.hold = true
	l.mu.Unlock()
	return l.flush()
}

func (l *link) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.hold {
		return l.write(p)
	}
	l.buf = append(l.buf, p...)
	if len(l.buf) < linkBuffer {
		return len(p), nil
	}
	return len(p), l.empty()
}

func (l *link) flush() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.empty()
}

func (l *link) empty() error {
	if len(l.buf) == 0 {
		return nil
	}
	_, err := l.write(l.buf)
	l.buf = l.buf[:0]
	if cap(l.buf) > 16*linkBuffer {
		l.buf = nil
	}
	return err
}

func (l *link) write(p []byte) (int, error) {
	if !l.pass() {
		return 0, net.ErrClosed
	}
	if l.vanished.Load() {
		return len(p), nil
	}
	return l.tcp.Write(p)
}

func (l *link) Read(p []byte) (int, error) {
	if !l.pass() {
		return 0, net.ErrClosed
	}
	for {
		n, err := l.tcp.Read(p)
		if !l.pass() {
			return 0, net.ErrClosed
		}
		// When the peer has vanished, only our reader learns that the client has given the link up: so it ends.
		if err != nil || !l.vanished.Load() {
			return n, err
		}
	}
}

// pass waits while the link is stalled; false: it was closed.
func (l *link) pass() bool {
	l.gate.Lock()
	stalled := l.stalled
	l.gate.Unlock()
	if stalled == nil {
		return true
	}
	select {
	case <-stalled:
		return true
	case <-l.closed:
		return false
	}
}

// stall stops or continues all reading and writing.
func (l *link) stall(on bool) {
	l.gate.Lock()
	defer l.gate.Unlock()
	switch {
	case on && l.stalled == nil:
		l.stalled = make(chan struct{})
	case !on && l.stalled != nil:
		close(l.stalled)
		l.stalled = nil
	}
}

func (l *link) isStalled() bool {
	l.gate.Lock()
	defer l.gate.Unlock()
	return l.stalled != nil
}

func (l *link) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.tcp.Close()
}

// reset ends the connection with RST: what was not yet read is lost at the other end.
func (l *link) reset() {
	_ = l.tcp.SetLinger(0) // a connection that is gone already needs no reset
	_ = l.Close()
}

// finish sends what was written, then FIN, and leaves the read side open for a while, so that the other end
// reads what was sent (a close frame) before it sees the end.
func (l *link) finish(patience time.Duration) {
	if l.vanished.Load() {
		return
	}
	_ = l.SetReadDeadline(time.Now().Add(patience))
	_ = l.flush()
	_ = l.tcp.CloseWrite()
}

// links is the listener that makes every connection a link.
type links struct{ *net.TCPListener }

func (l links) Accept() (net.Conn, error) {
	c, err := l.AcceptTCP()
	if err != nil {
		return nil, err
	}
	return newLink(c), nil
}
