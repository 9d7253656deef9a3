package rest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync/atomic"
	"time"
)

// noStatus is where HTTP's classes of statuses end (https://www.rfc-editor.org/rfc/rfc9110#section-15).
const noStatus = 600

// outcome is what one attempt came to. With a status, Discord has answered, though perhaps not to the end.
type outcome struct {
	response *Response
	status   int
	said     limits
	err      error
	heard    time.Time // when the answer began
	unsent   bool      // certainly nothing of the request reached anybody
}

// fault tells whether the attempt failed in a way that another one may mend.
func (o *outcome) fault() bool {
	if o.err != nil {
		return !errors.Is(o.err, ErrTooLarge) && !errors.Is(o.err, ErrRequest)
	}
	return o.status >= http.StatusInternalServerError
}

// refusesToken tells whether it was the bot's token that Discord refused.
func (o *outcome) refusesToken(t *ticket) bool {
	return o.status == http.StatusUnauthorized && !t.route.ownToken && t.header.Get("Authorization") != ""
}

// attempt sends the request once and reads the whole answer.
func (g *Gate) attempt(ctx context.Context, t *ticket) *outcome {
	longest := t.body.time(g.cfg.Attempt)
	bounded, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	o := g.exchange(bounded, t)
	if o.err != nil && bounded.Err() != nil && ctx.Err() == nil {
		o.err = fmt.Errorf("no whole answer within %s", longest)
	}
	return o
}

func (g *Gate) exchange(ctx context.Context, t *ticket) *outcome {
	var conn connection
	request := (&http.Request{
		Method: t.method, URL: t.url, Host: t.url.Host, Header: t.header.Clone(),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}).WithContext(httptrace.WithClientTrace(ctx, conn.trace()))
	t.body.into(request)
	answer, err := g.client.Do(request)
	if err != nil {
		return &outcome{err: withoutURL(err), unsent: conn.unsent()}
	}
	if answer.StatusCode < http.StatusOK || answer.StatusCode >= noStatus {
		_ = answer.Body.Close() // after a 101 it is the connection, which no context would end
		return &outcome{err: fmt.Errorf("%d is no answer", answer.StatusCode)}
	}
	return g.read(answer)
}

// read takes the answer's body in, within its bound.
func (g *Gate) read(answer *http.Response) *outcome {
	defer answer.Body.Close()
	heard := time.Now()
	body, err := io.ReadAll(io.LimitReader(answer.Body, int64(g.cfg.ResponseBytes)+1))
	if err == nil && len(body) > g.cfg.ResponseBytes {
		err = fmt.Errorf("%w: more than %d bytes", ErrTooLarge, g.cfg.ResponseBytes)
	}
	o := &outcome{status: answer.StatusCode, heard: heard, said: limitsOf(answer.StatusCode, answer.Header, body)}
	if err != nil {
		o.err = fmt.Errorf("read the answer: %w", withoutURL(err))
		return o
	}
	answer.Header.Del("Set-Cookie") // Cloudflare's, for this connection and not for plugins
	o.response = &Response{Status: answer.StatusCode, Header: answer.Header, Body: body, RetryAfter: o.said.wait}
	return o
}

// withoutURL takes the URL out of an error: it may hold the token of an interaction or a webhook.
func withoutURL(err error) error {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		return wrapped.Err
	}
	return err
}

// connection notes whether a request ever had a connection to be written to.
type connection struct{ wanted, got atomic.Bool }

func (c *connection) trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		GetConn: func(string) { c.wanted.Store(true) },
		GotConn: func(httptrace.GotConnInfo) { c.got.Store(true) },
	}
}

// unsent is true only when a connection was looked for and none was had. A transport that does not say so may have sent.
func (c *connection) unsent() bool { return c.wanted.Load() && !c.got.Load() }
