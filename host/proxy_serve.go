package host

import (
	"bytes"
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/holdfast-bot/holdfast/host/rest"
)

var slashes = regexp.MustCompile(`//+`)

// statusClosed is what is logged of a client that has gone, after nginx.
const statusClosed = 499

// ServeHTTP carries one request through the gate. What a client is slow with is
// bounded step by step, because the gate may take minutes in between.
func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	hurry(w, proxyBodyTimeout) // also of a body that nobody wants, which the server takes in
	path, ok := strings.CutPrefix(r.URL.EscapedPath(), p.base)
	if !ok || !strings.HasPrefix(path, "/") {
		refuse(w, http.StatusNotFound, "this is the API at "+p.base+" and nothing else: change the base URL's path")
		return
	}
	path = slashes.ReplaceAllString(path, "/") // some libraries join paths so, and Discord takes them
	caller, ok := p.authorize(r, path)
	if !ok {
		refuse(w, http.StatusUnauthorized, "401: Unauthorized")
		p.log.Debug("refused a request without the key", "from", r.RemoteAddr)
		return
	}
	places := p.places
	if caller == keylessCaller {
		places = p.keyless
	}
	select {
	case places <- struct{}{}:
		defer func() { <-places }()
	default:
		w.Header().Set("Retry-After", "1")
		refuse(w, http.StatusServiceUnavailable, "too many requests are inside the proxy: send fewer at once")
		return
	}
	request := &rest.Request{Caller: caller, Method: r.Method, Path: path, Header: r.Header, NoToken: caller == keylessCaller}
	if r.URL.RawQuery != "" {
		request.Path += "?" + r.URL.RawQuery
	}
	p.carry(w, r, request)
}

// carry takes the body of a request that may enter, and its answer back.
func (p *proxy) carry(w http.ResponseWriter, r *http.Request, request *rest.Request) {
	if err := takeBody(r, request); err != nil {
		refuse(w, http.StatusBadRequest, "the request's body broke off")
		return
	}
	if request.Stream != nil {
		hurry(w, 0) // the gate bounds it by its size
		body := &ending{Reader: request.Stream}
		request.Stream = body
		defer body.cut(w)
	}
	answer, err := p.gate.Do(r.Context(), request)
	if err != nil {
		status := statusOf(err)
		p.log.Debug("request failed", "status", status, "error", err)
		refuse(w, status, err.Error())
		return
	}
	pass(w.Header(), answer)
	mustBeTaken(w)
	w.WriteHeader(answer.Status)
	_, _ = w.Write(answer.Body) // a client that has gone misses it
}

// hurry bounds the reading of a request from now on; zero: it may take its time. Some
// servers cannot; then the client has the time that it wants.
func hurry(w http.ResponseWriter, most time.Duration) {
	var until time.Time
	if most > 0 {
		until = time.Now().Add(most)
	}
	_ = http.NewResponseController(w).SetReadDeadline(until)
}

// mustBeTaken bounds the time in which the client must take its answer.
func mustBeTaken(w http.ResponseWriter) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(proxyAnswerTimeout))
}

// ending is a body that is streamed and may not have been read to its end when the
// request has been.
type ending struct {
	io.Reader

	ended atomic.Bool
}

// Read implements io.Reader.
func (e *ending) Read(into []byte) (int, error) {
	n, err := e.Reader.Read(into)
	if err != nil {
		e.ended.Store(true)
	}
	return n, err
}

// cut ends the reading of what is left: whoever still reads it would hold the
// connection until the client goes on.
func (e *ending) cut(w http.ResponseWriter) {
	if !e.ended.Load() {
		_ = http.NewResponseController(w).SetReadDeadline(time.Now())
	}
}

// authorize names the caller of a request. The libraries leave the token out where an
// interaction's or a webhook's own token stands in the path, so the key may be missing
// there; a wrong one never passes, and neither does a web page without one.
func (p *proxy) authorize(r *http.Request, path string) (caller string, ok bool) {
	given := r.Header.Values("Authorization")
	if len(given) == 0 && ownToken(path) && !ofPage(r) {
		return keylessCaller, true
	}
	if len(given) != 1 {
		return "", false
	}
	kind, key, _ := strings.Cut(given[0], " ")
	if !strings.EqualFold(kind, "Bot") || subtle.ConstantTimeCompare([]byte(key), []byte(p.key)) != 1 {
		return "", false
	}
	return proxyCaller, true
}

// ofPage tells whether a browser may have sent the request for a web page, which could
// so use up what this address may do wrong. Programs send neither header, and a page
// whose name has been made to lead to this machine (DNS rebinding) sends that name.
func ofPage(r *http.Request) bool {
	if r.Header["Origin"] != nil || r.Header["Sec-Fetch-Site"] != nil {
		return true
	}
	at, ok := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)
	if !ok || !at.IP.IsLoopback() || r.Host == "" {
		return false
	}
	name := (&url.URL{Host: r.Host}).Hostname()
	ip := net.ParseIP(name)
	return !strings.EqualFold(name, "localhost") && (ip == nil || !ip.IsLoopback())
}

// ownToken tells whether a path is authorised by a token of its own.
func ownToken(path string) bool {
	parts := strings.Split(strings.TrimPrefix(path, "/"), "/")
	switch parts[0] {
	case "webhooks":
		return len(parts) >= 3 && parts[1] != "" && parts[2] != ""
	case "interactions":
		return len(parts) == 4 && parts[3] == "callback"
	}
	return false
}

// takeBody reads a small body, and leaves a large one to be streamed.
func takeBody(r *http.Request, into *rest.Request) error {
	if r.ContentLength > proxyWhole {
		into.Stream, into.Size = r.Body, r.ContentLength
		return nil
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, proxyWhole+1))
	if err != nil {
		return err
	}
	if into.Body = body; len(body) > proxyWhole { // its length was not told
		into.Body, into.Stream, into.Size = nil, io.MultiReader(bytes.NewReader(body), r.Body), -1
	}
	return nil
}

// pass hands on what a library needs. It gets Discord's limits as they are, and the
// date of the clock that they are told by: so it knows when its next request may go,
// and does not wait once more for what the gate has waited for.
func pass(to http.Header, answer *rest.Response) {
	for name, values := range answer.Header {
		switch {
		case name == "Content-Type", name == "Date", name == "Retry-After", strings.HasPrefix(name, "X-Ratelimit-"):
			to[name] = values
		}
	}
	to.Set("Content-Length", strconv.Itoa(len(answer.Body)))
	if answer.Status == http.StatusNoContent || answer.Status == http.StatusNotModified {
		to.Del("Content-Length")
	}
}

// refuse answers in the form of Discord's own errors.
func refuse(w http.ResponseWriter, status int, message string) {
	body, err := json.Marshal(map[string]any{"message": message, "code": 0})
	if err != nil {
		body = []byte(`{"message":"","code":0}`)
	}
	mustBeTaken(w)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that has gone misses it
}

// statusOf says what the gate's error is in HTTP. Libraries repeat a 502 themselves,
// so nothing that may have been carried out is one; and nothing of the gate's is a 403
// or a 429, which they would take for Discord's.
func statusOf(err error) int {
	switch {
	case errors.Is(err, rest.ErrUnauthorized):
		return http.StatusUnauthorized
	case errors.Is(err, rest.ErrRequest):
		return http.StatusBadRequest
	case errors.Is(err, rest.ErrUncertain):
		return http.StatusInternalServerError
	case errors.Is(err, rest.ErrWaited), errors.Is(err, rest.ErrLimited):
		return http.StatusGatewayTimeout
	case errors.Is(err, rest.ErrInvalidBudget), errors.Is(err, rest.ErrQueueFull), errors.Is(err, rest.ErrClosed):
		return http.StatusServiceUnavailable
	case errors.Is(err, context.Canceled):
		return statusClosed
	}
	return http.StatusBadGateway
}
