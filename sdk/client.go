package sdk

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/holdfast-bot/holdfast/sdk/wire"
	"github.com/switchupcb/disgo"
	"github.com/valyala/fasthttp"
)

const (
	// apiPrefix is the base of disgo's endpoints: paths on the line are below it.
	apiPrefix = "/api/v" + disgo.VersionDiscordAPI
	// reasonKey is Discord's header for the audit log.
	reasonKey = "X-Audit-Log-Reason"
	// sendTimeout only has to be positive: contexts end requests.
	sendTimeout = 24 * time.Hour
)

// clientConfig makes disgo send through the line. Rate limits, retries and
// 429s are the host's job: disgo's own handling of them can hang or end the
// process, so it gets a limiter that does nothing and never sees a 429.
func clientConfig(l *line) *disgo.Config {
	return &disgo.Config{Request: disgo.Request{
		RateLimiter: noLimits{},
		Timeout:     sendTimeout,
		Client: &fasthttp.Client{
			DisablePathNormalizing: true, // a path arrives as the author wrote it
			ConfigureClient: func(host *fasthttp.HostClient) error {
				host.Transport = l.roundTrip
				return nil
			},
		},
	}}
}

// clientHeader is what ties a client to its event; the name is for errors.
func clientHeader(ticket uint64, event string) string {
	var space [64]byte
	b := strconv.AppendUint(space[:0], ticket, 10)
	b = append(b, ' ')
	b = append(b, event...)
	return string(b)
}

// roundTrip is fasthttp's transport. It returns answers that are no success as
// errors, because disgo would make a bare status of them.
func (l *line) roundTrip(request *fasthttp.Request, response *fasthttp.Response) error {
	number, rest, _ := strings.Cut(string(request.Header.Peek("Authorization")), " ")
	event, reason, _ := strings.Cut(rest, " ")
	ticket, err := strconv.ParseUint(number, 10, 64)
	if err != nil {
		return errors.New("send request: the client's Authentication was changed: use bot.Client as it is")
	}
	ctx, ok := l.events.context(ticket)
	if !ok {
		return overError(event)
	}
	path, err := apiPath(request.URI())
	if err != nil {
		return err
	}
	r := &wire.RestRequest{Method: string(request.Header.Method()), Path: path, Header: make(map[string]string), Body: request.Body()}
	if kind := request.Header.ContentType(); len(kind) > 0 && len(r.GetBody()) > 0 {
		r.Header["Content-Type"] = string(kind)
	}
	if reason != "" {
		r.Header[reasonKey] = reason
	}
	answer, err := l.do(ctx, r)
	if err != nil {
		return l.orOver(ticket, event, err)
	}
	if !isSuccess(answer) {
		return newAPIError(answer)
	}
	return fill(response, answer)
}

// apiPath is the path and query below the API's base.
func apiPath(uri *fasthttp.URI) (string, error) {
	original := string(uri.PathOriginal())
	path, ok := strings.CutPrefix(original, apiPrefix)
	if !ok || !strings.HasPrefix(path, "/") {
		return "", fmt.Errorf("send request: %s is outside of Discord's API v%s, which is all that a plugin reaches through its host", uri.Host(), disgo.VersionDiscordAPI)
	}
	path = escapePath(path)
	if query := uri.QueryString(); len(query) > 0 {
		path += "?" + string(query)
	}
	return path, nil
}

// fill writes the answer as HTTP and lets fasthttp read it: setting the fields
// of a response by hand leaves Date out, without which disgo fails. Rate limit
// headers stay behind, they have been obeyed.
func fill(response *fasthttp.Response, answer *wire.RestResponse) error {
	body := repairAnswer(answer.GetBody())
	var head bytes.Buffer
	fmt.Fprintf(&head, "HTTP/1.1 %d OK\r\nDate: %s\r\n", answer.GetStatus(), time.Now().UTC().Format(http.TimeFormat))
	if answer.GetStatus() != http.StatusNoContent {
		fmt.Fprintf(&head, "Content-Type: application/json\r\nContent-Length: %d\r\n", len(body))
	}
	head.WriteString("\r\n")
	if err := response.Read(bufio.NewReader(io.MultiReader(&head, bytes.NewReader(body)))); err != nil {
		return fmt.Errorf("read the host's answer: %w", err)
	}
	return nil
}

// escapeReason encodes a reason for the audit log as Discord wants it.
func escapeReason(reason string) string {
	return strings.ReplaceAll(url.QueryEscape(reason), "+", "%20")
}

// noLimits is disgo's rate limiter when somebody else keeps the limits.
type noLimits struct{}

func (noLimits) SetBucketID(string, string)             {}
func (noLimits) GetBucketID(string) string              { return "" }
func (noLimits) SetBucketFromID(string, *disgo.Bucket)  {}
func (noLimits) GetBucketFromID(string) *disgo.Bucket   { return nil }
func (noLimits) SetBucket(string, *disgo.Bucket)        {}
func (noLimits) GetBucket(string, string) *disgo.Bucket { return nil }
func (noLimits) SetDefaultBucket(*disgo.Bucket)         {}
func (noLimits) Lock()                                  {}
func (noLimits) Unlock()                                {}
func (noLimits) StartTx()                               {}
func (noLimits) EndTx()                                 {}
