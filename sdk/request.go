package sdk

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"mime/multipart"
	"net/textproto"
	"reflect"
	"strconv"
	"strings"

	"github.com/switchupcb/disgo"

	"github.com/holdfast-bot/holdfast/sdk/wire"
)

// Do sends a request that disgo does not know, or knows less of than Discord
// does. It takes the same way as all others: the host adds the token, keeps the
// rate limits and waits 429s out.
//
// path is below the API's base and may have a query: "/guilds/1/bulk-ban". Parts
// of it that come from users must be escaped (url.PathEscape, url.Values); one
// that would lead elsewhere is refused. body is nil for none, an Upload, or
// anything that encoding/json encodes; a json.RawMessage goes as it is. out is
// nil, or a pointer that the answer is decoded into; it stays as it is when the
// answer has no body (204). A *json.RawMessage gets Discord's bytes, and
// components that disgo's types do not know are left out of them. WithReason
// gives a reason for the audit log.
//
// The request ends with ctx, and with the handler that bot belongs to. The error
// is an *APIError (errors.As finds it) when Discord refuses, with Discord's code
// and reasons. Do is safe for concurrent use.
func (b *Bot) Do(ctx context.Context, method, path string, body, out any) error {
	if err := b.do(ctx, method, path, body, out); err != nil {
		return fmt.Errorf("%s %s: %w", method, mask(path), err)
	}
	return nil
}

func (b *Bot) do(ctx context.Context, method, path string, body, out any) error {
	if err := checkPath(path); err != nil {
		return err
	}
	r := &wire.RestRequest{Method: method, Path: escapePath(path), Header: make(map[string]string)}
	if err := fillBody(r, body); err != nil {
		return err
	}
	if reason, ok := ctx.Value(reasonOf{}).(string); ok {
		r.Header[reasonKey] = reason
	}
	ctx, cancel, err := b.within(ctx)
	if err != nil {
		return err
	}
	defer cancel()
	answer, err := b.line.do(ctx, r)
	switch {
	case err != nil:
		return b.line.orOver(b.ticket, b.Event, err)
	case !isSuccess(answer):
		return newAPIError(answer)
	}
	return decodeAnswer(answer.GetBody(), out)
}

// WithReason returns a context whose requests (Bot.Do, Send, SendOnly) carry a
// reason for the guild's audit log, at most 512 characters (Discord's
// documentation, "Audit Logs"). Requests sent with bot.Client take it from
// Bot.Reason.
func WithReason(ctx context.Context, reason string) context.Context {
	return context.WithValue(ctx, reasonOf{}, escapeReason(reason))
}

// reasonOf is the key of a reason, which is escaped already.
type reasonOf struct{}

// Upload is a body with files, for Bot.Do: a multipart form as Discord's
// documentation, "Uploading Files", describes it. Discord takes 10 MiB a file
// from a bot, more in boosted guilds; the host takes 25 MiB a request.
type Upload struct {
	// JSON is what the request's body would be without files.
	JSON any
	// Files get the numbers 0, 1, … as ids of attachments.
	Files []*disgo.File
}

// checkPath keeps a request below the API's base. The host's gate, which is the
// judge, is stricter: it refuses what leads upwards or hides a separator.
func checkPath(path string) error {
	switch {
	case strings.HasPrefix(path, "https://"), strings.HasPrefix(path, "http://"):
		return errors.New(`the path must be below the API's base: leave https://discord.com/api/vN out: "/channels/1/messages"`)
	case !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//"):
		return errors.New(`the path must be below the API's base and begin with one slash: "/channels/1/messages"`)
	case strings.HasPrefix(path, "/api/"):
		return errors.New(`leave /api/vN out of the path: "/channels/1/messages"`)
	case strings.Contains(path, "#"):
		return errors.New("the path has a #: escape what comes from users with url.PathEscape")
	}
	return nil
}

// escapePath escapes bytes that may not stand in a URL, as in an emoji; what is
// escaped already stays.
func escapePath(path string) string {
	var b strings.Builder
	for _, c := range []byte(path) {
		if c <= ' ' || c >= 0x7f {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

func fillBody(r *wire.RestRequest, body any) (err error) {
	switch body := body.(type) {
	case nil:
		return nil
	case Upload:
		r.Body, r.Header["Content-Type"], err = body.form()
	case *Upload:
		r.Body, r.Header["Content-Type"], err = body.form()
	case []byte:
		return errors.New("give bytes that are JSON as a json.RawMessage")
	default:
		r.Header["Content-Type"] = "application/json"
		r.Body, err = json.Marshal(body)
	}
	if err != nil {
		return fmt.Errorf("encode the body: %w", err)
	}
	return nil
}

// form is what disgo makes of a message with files.
func (u *Upload) form() (body []byte, kind string, err error) {
	payload, err := json.Marshal(u.JSON)
	if err != nil {
		return nil, "", err
	}
	size := len(payload) + 1<<10
	for _, file := range u.Files {
		if file == nil {
			return nil, "", errors.New("a file is nil: leave it out")
		}
		size += len(file.Data) + len(file.Name) + 1<<10
	}
	buf := bytes.NewBuffer(make([]byte, 0, size))
	form := multipart.NewWriter(buf)
	add := func(disposition, kind string, data []byte) {
		part, _ := form.CreatePart(textproto.MIMEHeader{"Content-Disposition": {disposition}, "Content-Type": {kind}})
		_, _ = part.Write(data) // into memory
	}
	if u.JSON != nil {
		add(`form-data; name="payload_json"`, "application/json", payload)
	}
	for n, file := range u.Files {
		kind := file.ContentType
		if kind == "" {
			kind = "application/octet-stream"
		}
		if strings.ContainsAny(file.Name+kind, "\r\n") {
			return nil, "", fmt.Errorf("the name or the type of file %d has a line break", n)
		}
		name := strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(file.Name)
		add(`form-data; name="files[`+strconv.Itoa(n)+`]"; filename="`+name+`"`, kind, file.Data)
	}
	_ = form.Close() // into memory
	return buf.Bytes(), form.FormDataContentType(), nil
}

// decodeAnswer decodes as is, so that the author's own types see all, and what
// fails so once more without what disgo does not know.
func decodeAnswer(body []byte, out any) error {
	if out == nil || len(body) == 0 {
		return nil
	}
	err := guarded(func() error { return json.Unmarshal(body, out) })
	if err == nil {
		return nil
	}
	if better, changed := repair(body); changed {
		if v := reflect.ValueOf(out); v.Kind() == reflect.Pointer && !v.IsNil() {
			v.Elem().SetZero() // the first attempt may have filled half of it
		}
		if guarded(func() error { return json.Unmarshal(better, out) }) == nil {
			return nil
		}
	}
	return fmt.Errorf("decode the answer into %T: %w", out, err)
}

// within is ctx that ends also with the event that b belongs to.
func (b *Bot) within(ctx context.Context) (context.Context, context.CancelFunc, error) {
	event, ok := b.line.events.context(b.ticket)
	if !ok {
		return nil, nil, overError(b.Event)
	}
	if b.ticket == detachedTicket || ctx == event {
		return ctx, func() {}, nil
	}
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(event, func() { cancel(context.Cause(event)) })
	return ctx, func() { stop(); cancel(nil) }, nil
}
