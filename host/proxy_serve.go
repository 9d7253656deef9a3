package host

import (
	"bytes"
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/holdfast-bot/holdfast/host/rest"
)

var slashes = regexp.MustCompile(`//+`)

// statusClosed is what is logged of a client that has gone, after nginx.
const statusClosed = 499

// ServeHTTP carries one request through the gate.
func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	select {
	case p.places <- struct{}{}:
		defer func() { <-p.places }()
	default:
		w.Header().Set("Retry-After", "1")
		refuse(w, http.StatusServiceUnavailable, "too many requests are inside the proxy: send fewer at once")
		return
	}
	path, ok := strings.CutPrefix(r.URL.EscapedPath(), p.base)
	if !ok || !strings.HasPrefix(path, "/") {
		refuse(w, http.StatusNotFound, "this is the API at "+p.base+" and nothing else: change the base URL's path")
		return
	}
	caller, ok := p.authorize(r, path)
	if !ok {
		refuse(w, http.StatusUnauthorized, "401: Unauthorized")
		p.log.Debug("refused a request without the key", "from", r.RemoteAddr)
		return
	}
	path = slashes.ReplaceAllString(path, "/") // some libraries join paths so, and Discord takes them
	request := &rest.Request{Caller: caller, Method: r.Method, Path: path, Header: r.Header, NoToken: caller == keylessCaller}
	if r.URL.RawQuery != "" {
		request.Path += "?" + r.URL.RawQuery
	}
	if err := takeBody(w, r, request); err != nil {
		refuse(w, http.StatusBadRequest, "the request's body broke off")
		return
	}
	answer, err := p.gate.Do(r.Context(), request)
	if err != nil {
		status := statusOf(err)
		p.log.Debug("request failed", "status", status, "error", err)
		refuse(w, status, err.Error())
		return
	}
	pass(w.Header(), answer)
	w.WriteHeader(answer.Status)
	_, _ = w.Write(answer.Body) // a client that has gone misses it
}

// authorize names the caller of a request. The libraries leave the token out where an
// interaction's or a webhook's own token stands in the path, so the key may be missing
// there; a wrong one never passes.
func (p *proxy) authorize(r *http.Request, path string) (caller string, ok bool) {
	given := r.Header.Values("Authorization")
	if len(given) == 0 && ownToken(path) {
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

// ownToken tells whether a path is authorised by a token of its own.
func ownToken(path string) bool {
	parts := strings.Split(strings.TrimPrefix(path, "/"), "/")
	switch parts[0] {
	case "webhooks":
		return len(parts) >= 3 && parts[2] != ""
	case "interactions":
		return len(parts) == 4 && parts[3] == "callback"
	}
	return false
}

// takeBody reads a small body, and leaves a large one to be streamed.
func takeBody(w http.ResponseWriter, r *http.Request, into *rest.Request) error {
	if r.ContentLength > proxyWhole {
		into.Stream, into.Size = r.Body, r.ContentLength
		return nil
	}
	// Some servers cannot set one; then the client has the time that it wants.
	deadline := http.NewResponseController(w)
	_ = deadline.SetReadDeadline(time.Now().Add(proxyBodyTimeout))
	body, err := io.ReadAll(io.LimitReader(r.Body, proxyWhole+1))
	_ = deadline.SetReadDeadline(time.Time{})
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
