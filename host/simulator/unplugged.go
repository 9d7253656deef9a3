package simulator

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// Unplugged makes a Discord without sockets: its REST is reached by Transport only, its gateway not at all. It runs
// within a testing/synctest bubble, where waiting for a socket would keep time from passing.
func Unplugged(cfg Config) *Server {
	s := newServer(cfg.filled())
	s.base = "http://simulator.invalid" + apiPrefix
	s.gatewayURL, s.resumeURL = "ws://simulator.invalid/gateway", "ws://simulator.invalid/resume"
	s.http = &http.Server{Handler: s.handler(), ReadHeaderTimeout: 1} // for Close
	s.served <- http.ErrServerClosed
	return s
}

// Transport carries requests to REST in memory: the handler runs in the goroutine of the one who asks.
func (s *Server) Transport() http.RoundTripper { return inMemory{s} }

type inMemory struct{ s *Server }

// RoundTrip implements http.RoundTripper.
func (m inMemory) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	r = r.Clone(r.Context())
	if r.Body == nil {
		r.Body = http.NoBody
	}
	defer r.Body.Close()
	w := &recorder{header: make(http.Header)}
	m.s.http.Handler.ServeHTTP(w, r)
	if w.status == 0 {
		return nil, errors.New("connection closed without an answer")
	}
	return &http.Response{
		Status: fmt.Sprint(w.status, " ", http.StatusText(w.status)), StatusCode: w.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: w.header, Body: io.NopCloser(&w.body), ContentLength: int64(w.body.Len()), Request: r,
	}, nil
}

// recorder is an answer in memory.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

// Header implements http.ResponseWriter.
func (w *recorder) Header() http.Header { return w.header }

// WriteHeader implements http.ResponseWriter.
func (w *recorder) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
}

// Write implements http.ResponseWriter.
func (w *recorder) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.body.Write(b)
}
