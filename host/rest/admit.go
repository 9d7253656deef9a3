package rest

import (
	"container/list"
	"fmt"
	"net/http"
	"net/url"
	"time"
)

// ticket is a request on its way through the gate. Its first fields are set once; the others are guarded by the lock.
type ticket struct {
	caller string
	route  route
	method string
	url    *url.URL
	header http.Header
	body   *content
	once   bool
	ready  chan struct{} // room for the one grant that can be outstanding

	age     uint64 // place in the order of arrival
	lane    *lane
	place   *list.Element // in the lane's queue, or nil
	charged *bucket       // which one its grant was spent on, while it has one
	grant   uint64
	window  uint64
	alone   bool
	slot    *slot
	faults  int
	limited int
	began   time.Time // the first attempt
	safe    bool      // to be repeated although it may have been carried out: its nonce is enforced
	marked  uint64    // see mark
}

// mark names the request in the ledger.
func (t *ticket) mark() uint64 {
	if t.marked == 0 {
		t.marked = mark(t.method, t.url.EscapedPath())
	}
	return t.marked
}

// room is what is inside the gate, against its bounds: interactions, which are exempt, have the same of their own.
type room struct {
	normal, express share
	inflight        int
}

// share is what is inside of one kind, in all and of each caller.
type share struct {
	held
	callers map[string]held
}

// held counts requests and the bytes of their bodies.
type held struct{ requests, bytes int }

func newShare() share { return share{callers: make(map[string]held)} }

func (s *share) add(caller string, requests, bytes int) {
	s.requests += requests
	s.bytes += bytes
	own := s.callers[caller]
	own.requests += requests
	own.bytes += bytes
	if s.callers[caller] = own; own.requests == 0 {
		delete(s.callers, caller)
	}
}

// share is the one that a request is inside of.
func (g *Gate) share(t *ticket) *share {
	if t.route.exempt {
		return &g.room.express
	}
	return &g.room.normal
}

func (g *Gate) ticket(r *Request) (*ticket, error) {
	path := unhidden(r.Path)
	u, err := g.target(path)
	if err != nil {
		return nil, err
	}
	g.mu.Lock()
	application, now := g.application, time.Now().Add(g.ahead)
	g.mu.Unlock()
	return &ticket{
		caller: r.Caller, route: routeOf(r.Method, path, application, now),
		method: r.Method, url: u, header: g.headers(r), body: contentOf(r, g.cfg.RequestBytes), once: r.Once, ready: make(chan struct{}, 1),
	}, nil
}

// admit lets a ticket in and queues it, or says why not.
func (g *Gate) admit(t *ticket) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	if g.cause != nil {
		return g.cause
	}
	if err := g.ledger.allows(t, now); err != nil {
		return err
	}
	b := g.bucket(t.route, now)
	if err := g.hasRoom(t, b); err != nil {
		g.touch(b, now)
		return err
	}
	g.share(t).add(t.caller, 1, len(t.body.whole))
	g.age++
	t.age = g.age
	g.queue(t, b, now)
	return nil
}

// hasRoom says why there is no room, nil if there is. Of every bound a caller gets as much as it leaves free, so that none
// of them can take what another's first request needs.
func (g *Gate) hasRoom(t *ticket, b *bucket) error {
	size, s := len(t.body.whole), g.share(t)
	own := s.callers[t.caller]
	switch waiting := b.waiting(t.caller); {
	case lacks(g.cfg.QueuePerBucket-b.queued, waiting, 1):
		return fmt.Errorf("%w (%d for this route and its resource, of these %d of this plugin)", ErrQueueFull, b.queued, waiting)
	case lacks(g.cfg.QueueBytes-s.bytes, own.bytes, size):
		return fmt.Errorf("%w (%d bytes of bodies, of these %d of this plugin)", ErrQueueFull, s.bytes, own.bytes)
	case lacks(g.cfg.Queue-s.requests, own.requests, 1):
		return fmt.Errorf("%w (%d in all, of these %d of this plugin)", ErrQueueFull, s.requests, own.requests)
	case own.requests >= g.cfg.QueuePerCaller:
		return fmt.Errorf("%w (%d of this plugin)", ErrQueueFull, own.requests)
	}
	return nil
}

// lacks tells whether who has own of something may not have more of what is free of it.
func lacks(free, own, more int) bool { return more > free || own > 0 && own+more > free }

// requeue queues a ticket once more, at its old place in the order.
func (g *Gate) requeue(t *ticket) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.cause != nil {
		return g.cause
	}
	now := time.Now()
	g.queue(t, g.bucket(t.route, now), now)
	return nil
}

func (g *Gate) queue(t *ticket, b *bucket, now time.Time) {
	l, old := g.lane(b, t.caller), t.lane
	if old != nil {
		g.moveWriter(t, l)
	}
	l.add(t) // before anything is touched: a lane with nothing in it is dropped
	if old != nil && old.bucket != b {
		g.touch(old.bucket, now)
	}
	g.touch(b, now)
	g.schedule(now)
}

// leave takes a ticket out, wherever it stands.
func (g *Gate) leave(t *ticket) {
	g.mu.Lock()
	now := time.Now()
	if t.place != nil {
		t.lane.take(t)
	}
	if b := t.charged; b != nil { // granted, but its caller had gone
		b.discharge(t, true)
		g.room.inflight--
		if !t.route.exempt {
			g.pace.unused(t.slot)
		}
		g.touch(b, now)
	}
	if t.lane.writer == t {
		t.lane.writer = nil
	}
	g.touch(t.lane.bucket, now)
	g.share(t).add(t.caller, -1, -len(t.body.whole))
	g.schedule(now)
	closeIdle := g.own && g.cause != nil && g.room.inflight == 0
	g.mu.Unlock()
	if closeIdle {
		g.client.CloseIdleConnections()
	}
}
