package simulator

import (
	"net/http"
	"strings"
	"sync"
	"time"
)

// Failure is how REST is to fail.
type Failure struct {
	Status     int           // 0: the request is handled ordinarily (after Delay)
	Body       string        // default: Discord's error body for the status
	RetryAfter time.Duration // of a 429; default 1 s
	Scope      string        // of a 429: ScopeUser (default), ScopeGlobal, ScopeShared
	Global     bool          // the same as ScopeGlobal
	HTML       bool          // Cloudflare's page, without rate limit headers
	Delay      time.Duration // before anything
	Late       time.Duration // after the request was handled ordinarily: its answer is so old when it comes
	Garbage    bool          // a body that is no JSON
	CloseConn  bool          // the connection is closed without an answer
}

type restFault struct {
	method, pattern string
	failure         Failure
	left            int // < 0: for ever
}

type restFaults struct {
	mu   sync.Mutex
	list []*restFault
}

// FailREST makes the next so many requests fail that match "METHOD /path" (times 0: all until ClearFailures).
// The method may be *, a segment of the path may be * or {anything}, and ** at the end stands for any rest.
func (s *Server) FailREST(match string, f Failure, times int) {
	method, pattern, _ := strings.Cut(match, " ")
	if times <= 0 {
		times = -1
	}
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	s.faults.list = append(s.faults.list, &restFault{method: method, pattern: pattern, failure: f, left: times})
}

// ClearFailures ends all that FailREST has begun.
func (s *Server) ClearFailures() {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	s.faults.list = nil
}

func (f *restFaults) take(method, path string) (Failure, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, fault := range f.list {
		if fault.left == 0 || fault.method != "*" && fault.method != method || !pathMatches(fault.pattern, path) {
			continue
		}
		fault.left--
		return fault.failure, true
	}
	return Failure{}, false
}

func pathMatches(pattern, path string) bool {
	want, have := strings.Split(pattern, "/"), strings.Split(path, "/")
	for i, w := range want {
		if w == "**" {
			return true
		}
		if i >= len(have) || w != "*" && !strings.HasPrefix(w, "{") && w != have[i] {
			return false
		}
	}
	return len(want) == len(have)
}

// linger waits; false: who asked has gone, or the server is closed.
func (s *Server) linger(q *query, wait time.Duration) bool {
	if wait <= 0 {
		return true
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-q.r.Context().Done():
		s.requests.add(q, 0)
	case <-s.done:
	}
	return false
}

// fail does what a failure asks for; true: the request is to be handled ordinarily.
func (s *Server) fail(q *query, f Failure, w http.ResponseWriter) bool {
	if !s.linger(q, f.Delay) {
		return false
	}
	if f.CloseConn {
		s.requests.add(q, 0)
		if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
			_ = conn.Close()
		}
		return false
	}
	if f.Status == 0 && !f.Garbage && !f.HTML {
		return true
	}
	s.reply(q, w, s.failure(q, f, w.Header()))
	return false
}

func (s *Server) failure(q *query, f Failure, h http.Header) answer {
	a := answer{status: f.Status, body: []byte(f.Body)}
	if a.status == 0 {
		a.status = http.StatusOK
	}
	wait := f.RetryAfter
	if wait == 0 {
		wait = time.Second
	}
	switch {
	case f.HTML:
		a = banned(h, wait)
		if f.Status != 0 {
			a.status = f.Status
		}
	case f.Garbage:
		a.body = []byte("{\"id\": \"12\x00, garbage")
	case a.status == http.StatusTooManyRequests:
		scope := f.Scope
		if f.Global {
			scope = ScopeGlobal
		}
		if scope == "" {
			scope = ScopeUser
		}
		limitedHeaders(h, scope, wait)
		if f.Body == "" {
			a.body = limitedBody(scope, wait)
		}
		s.limits.refuse(q.rt, q.topLevel(), scope == ScopeGlobal, wait, time.Now())
	case f.Body == "":
		a.body = failureBodies(a.status)
	}
	return a
}

func failureBodies(status int) []byte {
	switch status {
	case http.StatusForbidden:
		return problem(status, 50001, "Missing Access").body
	case http.StatusNotFound:
		return problem(status, 10004, "Unknown Guild").body
	case http.StatusNoContent:
		return nil
	}
	return problem(status, 0, http.StatusText(status)).body
}
