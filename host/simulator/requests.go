package simulator

import (
	"bytes"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// Request is one request that REST has answered, or that a fault has left without an answer: status 0.
type Request struct {
	Method string
	Path   string // below the base, with its query
	Route  string // as in Discord's documentation
	Status int
	Time   time.Time // when it came
	Done   time.Time // when its answer was ready: what it tells is no newer
	Body   []byte    // the first 4096 bytes
	Reason string    // X-Audit-Log-Reason
}

const (
	requestsKept = 5000
	bodyKept     = 4096
)

type requestLog struct {
	mu       sync.Mutex
	list     []Request
	routes   map[string]uint64
	statuses map[int]uint64
}

func (l *requestLog) add(q *query, status int) {
	if q.made.IsZero() {
		q.made = time.Now() // a fault's answer
	}
	body := bytes.Clone(q.body[:min(len(q.body), bodyKept)])
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.routes == nil {
		l.routes, l.statuses = make(map[string]uint64), make(map[int]uint64)
	}
	l.routes[q.rt.name]++
	l.statuses[status]++
	if len(l.list) >= 2*requestsKept {
		l.list = slices.Clone(l.list[requestsKept:])
	}
	l.list = append(l.list, Request{
		Method: q.r.Method, Path: strings.TrimPrefix(q.r.URL.RequestURI(), apiPrefix), Route: q.rt.name, Status: status,
		Time: q.now, Done: q.made, Body: body, Reason: q.r.Header.Get("X-Audit-Log-Reason"),
	})
}

func (l *requestLog) count(c *Counts) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c.Requests, c.Statuses = maps.Clone(l.routes), maps.Clone(l.statuses)
	c.Limited = l.statuses[http.StatusTooManyRequests]
}

// Requests lists the last requests, in the order in which they were done with: at least the last 5000.
func (s *Server) Requests() []Request {
	s.requests.mu.Lock()
	defer s.requests.mu.Unlock()
	return slices.Clone(s.requests.list)
}
