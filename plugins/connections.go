package plugins

import (
	"net"
	"sync"
)

// fewConnections accepts at most so many connections at a time; further ones
// wait in the kernel, and cost the host no open file. A plugin needs one, and
// one that leaks them shall not take those of journal and sessions. Its Close
// ends the connections too: grpc waits for those that have said nothing yet.
type fewConnections struct {
	net.Listener
	places chan struct{}
	closed chan struct{}

	mu    sync.Mutex
	ended bool
	open  map[*placed]struct{}
}

func atMost(n int, l net.Listener) *fewConnections {
	return &fewConnections{Listener: l, places: make(chan struct{}, n), closed: make(chan struct{}), open: make(map[*placed]struct{})}
}

// Accept implements net.Listener.
func (f *fewConnections) Accept() (net.Conn, error) {
	select {
	case f.places <- struct{}{}:
	case <-f.closed:
		return nil, net.ErrClosed
	}
	c, err := f.Listener.Accept()
	if err != nil {
		<-f.places
		return nil, err
	}
	p := &placed{Conn: c, of: f}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ended {
		<-f.places
		_ = c.Close() // nobody has used it
		return nil, net.ErrClosed
	}
	f.open[p] = struct{}{}
	return p, nil
}

// Close implements net.Listener.
func (f *fewConnections) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.ended {
		f.ended = true
		close(f.closed)
	}
	for p := range f.open {
		_ = p.Conn.Close() // whoever reads from it sees why
	}
	return f.Listener.Close()
}

// placed gives its place back when it is closed.
type placed struct {
	net.Conn
	of *fewConnections
}

// Close implements net.Conn.
func (p *placed) Close() error {
	p.of.mu.Lock()
	if _, open := p.of.open[p]; open {
		delete(p.of.open, p)
		<-p.of.places
	}
	p.of.mu.Unlock()
	return p.Conn.Close()
}
