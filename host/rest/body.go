package rest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"sync/atomic"
	"time"
)

const (
	// leastSpeed is what a connection must carry, in bytes a second: larger bodies get more time than [Config.Attempt].
	leastSpeed = 256 << 10
	// nonceLife is how long after its first attempt a message with an enforced nonce is repeated. Discord looks for the
	// nonce in "the past few minutes".
	nonceLife = 2 * time.Minute
	// mostPayload bounds the JSON in a form with files that is looked at for a nonce, in bytes.
	mostPayload = 256 << 10
)

// content is the body of a request on its way.
type content struct {
	whole  []byte
	stream io.Reader
	size   int64 // -1 if it is not known
	most   int64 // of a stream
	begun  atomic.Bool
}

func contentOf(r *Request, most int) *content {
	if r.Stream == nil {
		return &content{whole: r.Body, size: int64(len(r.Body))}
	}
	return &content{stream: r.Stream, size: r.Size, most: int64(most)}
}

// spent tells whether there is nothing left to send it once more.
func (c *content) spent() bool { return c.begun.Load() }

// into makes it the body of an attempt.
func (c *content) into(r *http.Request) {
	switch {
	case c.stream != nil:
		r.ContentLength, r.Body = c.size, io.NopCloser(c)
	case len(c.whole) > 0:
		r.ContentLength = c.size
		r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(c.whole)), nil }
		r.Body, _ = r.GetBody()
	}
}

// Read reads the stream, within its bound.
func (c *content) Read(into []byte) (int, error) {
	c.begun.Store(true)
	n, err := c.stream.Read(into)
	if c.most -= int64(n); c.most < 0 {
		return 0, fmt.Errorf("%w: its body is too large", ErrRequest)
	}
	return n, err
}

// time is how long an attempt with this body may take.
func (c *content) time(least time.Duration) time.Duration {
	size := c.size
	if size < 0 {
		size = c.most
	}
	return least + time.Duration(float64(size)/leastSpeed*float64(time.Second))
}

// nonced tells whether Discord itself sees to it that a message is made once however often it is asked for
// (https://docs.discord.com/developers/resources/message#create-message, enforce_nonce).
func (t *ticket) nonced() bool {
	if t.route.template != "POST /channels/{}/messages" || t.body.stream != nil {
		return false
	}
	var form map[string]json.RawMessage // Discord knows the names in these letters only, a struct would match others too
	payload := payloadOf(t.header.Get("Content-Type"), t.body.whole)
	if json.Unmarshal(payload, &form) != nil || string(form["enforce_nonce"]) != "true" {
		return false
	}
	switch string(form["nonce"]) {
	case "", "null", `""`:
		return false
	}
	return true
}

// payloadOf is the JSON of a body: all of it, or one part of a form with files.
func payloadOf(kind string, body []byte) []byte {
	media, params, err := mime.ParseMediaType(kind)
	if err != nil || media != "multipart/form-data" {
		return body
	}
	for form := multipart.NewReader(bytes.NewReader(body), params["boundary"]); ; {
		part, err := form.NextPart()
		if err != nil {
			return nil
		}
		if part.FormName() == "payload_json" {
			payload, err := io.ReadAll(io.LimitReader(part, mostPayload))
			if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
				return nil
			}
			return payload
		}
	}
}
