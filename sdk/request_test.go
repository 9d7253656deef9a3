package sdk_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/switchupcb/disgo"

	"github.com/holdfast-bot/holdfast/sdk"
	"github.com/holdfast-bot/holdfast/sdk/sdktest"
	"github.com/holdfast-bot/holdfast/sdk/wire"
)

const refusal = `{"code":50035,"message":"Invalid Form Body","errors":{"content":{"_errors":[{"code":"BASE_TYPE_MAX_LENGTH","message":"Must be 2000 or fewer in length."}]}}}`

// TestDo sends what disgo has no type for.
func TestDo(t *testing.T) {
	type banned struct {
		Users  []string `json:"banned_users"`
		Failed []string `json:"failed_users"`
	}
	var out banned
	h, err := handle(t, func(h *sdktest.Host) {
		h.Handle("POST", "/guilds/1/bulk-ban", sdktest.JSON(200, json.RawMessage(`{"banned_users":["7"],"failed_users":["8"]}`)))
	}, func(ctx context.Context, bot *sdk.Bot) error {
		body := map[string]any{"user_ids": []string{"7", "8"}}
		return bot.Do(sdk.WithReason(ctx, "a raid & more"), "POST", "/guilds/1/bulk-ban?x=1", body, &out)
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(out.Users) != 1 || out.Users[0] != "7" || len(out.Failed) != 1 {
		t.Errorf("decoded %+v", out)
	}
	r := h.Requests()[0]
	if r.Method != "POST" || r.Path != "/guilds/1/bulk-ban" || r.Query.Encode() != "x=1" || string(r.Body) != `{"user_ids":["7","8"]}` {
		t.Errorf("sent %+v", r)
	}
	want := map[string]string{"Content-Type": "application/json", "X-Audit-Log-Reason": "a%20raid%20%26%20more"}
	if len(r.Header) != len(want) || r.Header["Content-Type"] != want["Content-Type"] || r.Header["X-Audit-Log-Reason"] != want["X-Audit-Log-Reason"] {
		t.Errorf("headers %v", r.Header)
	}
}

// TestDoBodiesAndAnswers goes through the forms of both.
func TestDoBodiesAndAnswers(t *testing.T) {
	const unknown = `{"id":"5","content":"hi","components":[{"type":17,"id":1}]}`
	_, err := handle(t, func(h *sdktest.Host) {
		h.Handle("PUT", "/echo", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			body, _ := io.ReadAll(r.Body)
			_, _ = w.Write(body)
		})
		h.Handle("DELETE", "/nothing", func(w http.ResponseWriter, r *http.Request) {
			if r.ContentLength > 0 || r.Header.Get("Content-Type") != "" {
				t.Errorf("a body of %d bytes, %s", r.ContentLength, r.Header.Get("Content-Type"))
			}
			w.WriteHeader(204)
		})
		h.Handle("GET", "/odd", sdktest.JSON(200, json.RawMessage(unknown)))
	}, func(ctx context.Context, bot *sdk.Bot) error {
		var raw json.RawMessage
		if err := bot.Do(ctx, "PUT", "/echo", json.RawMessage(`{"big": 123456789012345678901}`), &raw); err != nil {
			return err
		}
		if string(raw) != `{"big":123456789012345678901}` {
			t.Errorf("raw bytes %s", raw)
		}
		kept := "kept"
		if err := bot.Do(ctx, "DELETE", "/nothing", nil, &kept); err != nil || kept != "kept" {
			t.Errorf("no answer: %v, %q", err, kept)
		}
		if err := bot.Do(ctx, "DELETE", "/nothing", nil, nil); err != nil {
			t.Errorf("no answer wanted: %v", err)
		}
		var message disgo.Message
		if err := bot.Do(ctx, "GET", "/odd", nil, &message); err != nil || message.ID != "5" || len(message.Components) != 0 {
			t.Errorf("disgo's type: %v, %+v", err, message)
		}
		var own struct{ Components []struct{ Type, ID int } }
		if err := bot.Do(ctx, "GET", "/odd", nil, &own); err != nil || len(own.Components) != 1 || own.Components[0].Type != 17 {
			t.Errorf("a type of one's own: %v, %+v", err, own)
		}
		var wrong []string
		if err := bot.Do(ctx, "GET", "/odd", nil, &wrong); err == nil || !strings.Contains(err.Error(), "GET /odd: decode the answer into *[]string") {
			t.Errorf("another form: %v", err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestDoUploads(t *testing.T) {
	h, err := handle(t, nil, func(ctx context.Context, bot *sdk.Bot) error {
		return bot.Do(ctx, "POST", "/channels/3/messages", sdk.Upload{
			JSON: map[string]any{"flags": 1 << 15},
			Files: []*disgo.File{
				{Name: `a "b" \c.txt`, Data: []byte("kelp")},
				{Name: "x.png", ContentType: "image/png", Data: bytes.Repeat([]byte{0, 255, '\r', '\n', '-'}, 1000)},
			},
		}, nil)
	})
	if err != nil {
		t.Fatal(err)
	}
	r := h.Requests()[0]
	kind, params, err := mime.ParseMediaType(r.Header["Content-Type"])
	if err != nil || kind != "multipart/form-data" {
		t.Fatalf("%s: %v", kind, err)
	}
	form := multipart.NewReader(bytes.NewReader(r.Body), params["boundary"])
	want := []struct{ field, file, kind, data string }{
		{"payload_json", "", "application/json", `{"flags":32768}`},
		{"files[0]", `a "b" \c.txt`, "application/octet-stream", "kelp"},
		{"files[1]", "x.png", "image/png", strings.Repeat("\x00\xff\r\n-", 1000)},
	}
	for _, w := range want {
		part, err := form.NextPart()
		if err != nil {
			t.Fatal(err)
		}
		data, _ := io.ReadAll(part)
		if part.FormName() != w.field || part.FileName() != w.file || part.Header.Get("Content-Type") != w.kind || string(data) != w.data {
			t.Errorf("part %s, %q, %s of %d bytes", part.FormName(), part.FileName(), part.Header.Get("Content-Type"), len(data))
		}
	}
	if _, err := form.NextPart(); !errors.Is(err, io.EOF) {
		t.Errorf("after the last part: %v", err)
	}
}

// TestDoRefuses has no request leave the plugin.
func TestDoRefuses(t *testing.T) {
	tests := []struct {
		path string
		body any
		want string
	}{
		{"https://example.com/", nil, "must be below the API's base"},
		{"//example.com/x", nil, "must be below the API's base"},
		{"channels/1", nil, "must be below the API's base"},
		{"", nil, "must be below the API's base"},
		{"/api/v10/channels/1", nil, "leave /api/vN out"},
		{"/channels/1/messages/2/reactions/#️⃣/@me", nil, "url.PathEscape"},
		{"/channels/1", []byte("{}"), "json.RawMessage"},
		{"/channels/1", json.RawMessage("{"), "encode the body"},
		{"/channels/1", make(chan int), "encode the body"},
		{"/channels/1", sdk.Upload{Files: []*disgo.File{nil}}, "is nil"},
		{"/channels/1", &sdk.Upload{Files: []*disgo.File{{Name: "a\r\nX: y"}}}, "line break"},
		{"/channels/1", sdk.Upload{JSON: make(chan int)}, "encode the body"},
	}
	h, err := handle(t, nil, func(ctx context.Context, bot *sdk.Bot) error {
		for _, test := range tests {
			if err := bot.Do(ctx, "POST", test.path, test.body, nil); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%q with %T: %v", test.path, test.body, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if n := len(h.Requests()); n != 0 {
		t.Errorf("%d requests left the plugin", n)
	}
}

// TestErrorsAreFoundByErrorsAs asks the same in every way that a plugin has,
// and shows why disgo's own Send needs AsAPIError.
func TestErrorsAreFoundByErrorsAs(t *testing.T) {
	_, err := handle(t, func(h *sdktest.Host) {
		for _, method := range []string{"POST", "DELETE"} {
			h.Handle(method, "/", sdktest.JSON(400, json.RawMessage(refusal)))
		}
	}, func(ctx context.Context, bot *sdk.Bot) error {
		webhook := &disgo.ExecuteWebhook{WebhookID: "1", WebhookToken: "secret", Content: disgo.Pointer("x")}
		_, asked := sdk.Send(ctx, bot, &disgo.CreateMessage{ChannelID: "3", Content: disgo.Pointer("x")})
		ways := map[string]error{
			"bot.Do":                    bot.Do(ctx, "POST", "/channels/3/messages", map[string]string{"content": "x"}, nil),
			"bot.Do with a token":       bot.Do(ctx, "POST", "/webhooks/1/secret", nil, nil),
			"Send":                      asked,
			"SendOnly":                  sdk.SendOnly(ctx, bot, &disgo.DeleteMessage{ChannelID: "3", MessageID: "4"}),
			"SendOnly with a token":     sdk.SendOnly(ctx, bot, webhook),
			"what disgo's error holds":  holds(t, webhook.Send(bot.Client)),
			"what AsAPIError looks for": asAPIError(t, webhook.Send(bot.Client)),
		}
		for way, err := range ways {
			var api *sdk.APIError
			if !errors.As(err, &api) {
				t.Errorf("%s: %v", way, err)
				continue
			}
			if api.Status != 400 || api.Code != 50035 || api.Message != "Invalid Form Body" || !strings.Contains(string(api.Errors), "BASE_TYPE_MAX_LENGTH") {
				t.Errorf("%s: %+v", way, api)
			}
			if strings.Contains(err.Error(), "secret") {
				t.Errorf("%s tells the token: %v", way, err)
			}
		}
		const want = "send CreateMessage: discord answered 400: Invalid Form Body (50035): content: Must be 2000 or fewer in length."
		if asked.Error() != want {
			t.Errorf("Send: %v", asked)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// holds shows what disgo v1.10.1 gives: a struct by value, without Unwrap, Is
// and As. Should that ever change, AsAPIError and Send can go.
func holds(t *testing.T, err error) error {
	t.Helper()
	if _, ok := errors.AsType[*sdk.APIError](err); ok {
		t.Error("disgo's error can be unwrapped now: say so in the documentation")
	}
	request, ok := errors.AsType[disgo.ErrorRequest](err)
	if !ok {
		t.Fatalf("disgo's error is a %T", err)
	}
	return request.Err
}

func asAPIError(t *testing.T, err error) error {
	t.Helper()
	api, ok := sdk.AsAPIError(err)
	if !ok {
		t.Fatalf("no answer of Discord in %v", err)
	}
	return api
}

// TestComponentsOfDisgoLackTheirType holds what the README says of disgo v1.10.1.
func TestComponentsOfDisgoLackTheirType(t *testing.T) {
	h, err := handle(t, nil, func(ctx context.Context, bot *sdk.Bot) error {
		button := disgo.Button{Style: disgo.FlagButtonStylePRIMARY, Label: disgo.Pointer("press"), CustomID: disgo.Pointer("x")}
		row := disgo.ActionsRow{Components: []disgo.Component{button}}
		_, err := sdk.Send(ctx, bot, &disgo.CreateMessage{ChannelID: "3", Components: []disgo.Component{row}})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if body := string(h.Requests()[0].Body); !strings.Contains(body, `"custom_id":"x"`) || strings.Contains(body, `"type"`) {
		t.Errorf("sent %s: if the types are there now, say so in the README", body)
	}
}

// TestSendDecodesAndCarriesReasons compares Send with what disgo does alone.
func TestSendDecodesAndCarriesReasons(t *testing.T) {
	h, err := handle(t, func(h *sdktest.Host) {
		h.Handle("DELETE", "/", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) })
	}, func(ctx context.Context, bot *sdk.Bot) error {
		message, err := sdk.Send(ctx, bot, &disgo.CreateMessage{ChannelID: "3", Content: disgo.Pointer("hi")})
		if err != nil || message.Content != "hi" {
			t.Errorf("send: %v, %+v", err, message)
		}
		return sdk.SendOnly(sdk.WithReason(ctx, "spam"), bot, &disgo.DeleteMessage{ChannelID: "3", MessageID: "4"})
	})
	if err != nil {
		t.Fatal(err)
	}
	r := h.Requests()
	if len(r) != 2 || r[0].Header["X-Audit-Log-Reason"] != "" || r[1].Header["X-Audit-Log-Reason"] != "spam" {
		t.Errorf("requests %+v", r)
	}
}

// TestContextsEndRequests lets Discord never answer: a context of one's own, the
// handler's and the event's end each end what they belong to, and no other.
func TestContextsEndRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		never := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
		outlive := make(chan error, 2)
		p := sdk.New("never")
		sdk.OnRaw(p, "MESSAGE_CREATE", func(ctx context.Context, bot *sdk.Bot, _ json.RawMessage) error {
			for name, ask := range map[string]func(context.Context) error{
				"do": func(ctx context.Context) error { return bot.Do(ctx, "GET", "/never", nil, nil) },
				"send": func(ctx context.Context) error {
					_, err := sdk.Send(ctx, bot, &disgo.GetGuild{GuildID: "1"})
					return err
				},
				"sendonly": func(ctx context.Context) error { return sdk.SendOnly(ctx, bot, &disgo.DeleteGuild{GuildID: "1"}) },
				"detached": func(ctx context.Context) error { return bot.Detach().Do(ctx, "GET", "/never", nil, nil) },
			} {
				start := time.Now()
				for _, parent := range []context.Context{ctx, context.Background()} {
					short, cancel := context.WithTimeout(parent, time.Second)
					if err := ask(short); !errors.Is(err, context.DeadlineExceeded) {
						t.Errorf("%s: %v", name, err)
					}
					cancel()
				}
				if took := time.Since(start); took != 2*time.Second {
					t.Errorf("%s: ended after %s", name, took)
				}
			}
			go func() { outlive <- bot.Do(context.Background(), "GET", "/never", nil, nil) }()
			go func() {
				_, err := sdk.Send(context.Background(), bot, &disgo.GetGuild{GuildID: "1"})
				outlive <- err
			}()
			time.Sleep(time.Second) // both are under way
			return nil
		})
		h := sdktest.Start(t, p, sdktest.Options{HandlerTimeout: 20 * time.Second})
		h.Handle("GET", "/", never)
		h.Handle("DELETE", "/", never)
		if err := h.Send("MESSAGE_CREATE", message(1, 0)); err != nil {
			t.Error(err)
		}
		for range 2 {
			if err := <-outlive; err == nil || !strings.Contains(err.Error(), "is over: use bot.Detach()") {
				t.Errorf("after its event: %v", err)
			}
		}
	})
}

// TestLargeBodies crosses the size from which bodies travel in pieces.
func TestLargeBodies(t *testing.T) {
	sizes := []int{wire.MaxInline - 1000, wire.MaxInline + 1, 25 << 20}
	h, err := handle(t, func(h *sdktest.Host) {
		h.Handle("POST", "/", sdktest.JSON(200, map[string]string{"id": "5"}))
	}, func(ctx context.Context, bot *sdk.Bot) error {
		for _, size := range sizes {
			data := bytes.Repeat([]byte("kelp and rock\r\n"), size/15+1)[:size]
			_, err := sdk.Send(ctx, bot, &disgo.CreateMessage{ChannelID: "3", Files: []*disgo.File{{Name: "a", Data: data}}})
			if err != nil {
				return err
			}
			if err := bot.Do(ctx, "POST", "/channels/3/messages", sdk.Upload{Files: []*disgo.File{{Name: "a", Data: data}}}, nil); err != nil {
				return err
			}
		}
		err := bot.Do(ctx, "POST", "/channels/3/messages", sdk.Upload{Files: []*disgo.File{{Name: "a", Data: make([]byte, wire.MaxBody)}}}, nil)
		if err == nil || !strings.Contains(err.Error(), "the host takes") {
			t.Errorf("more than the host takes: %v", err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	requests := h.Requests()
	if len(requests) != 2*len(sizes) {
		t.Fatalf("%d requests", len(requests))
	}
	for n, r := range requests {
		want := bytes.Repeat([]byte("kelp and rock\r\n"), sizes[n/2]/15+1)[:sizes[n/2]]
		if !bytes.Contains(r.Body, want) || len(r.Body) > len(want)+1000 {
			t.Errorf("request %d of %d bytes has not the file of %d", n, len(r.Body), len(want))
		}
	}
}

// TestUploadsLeaveRoomForSmallRequests has more uploads than may be under way;
// those that wait end with their context.
func TestUploadsLeaveRoomForSmallRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := sdk.New("uploads")
		ended := make(chan error, 40)
		sdk.OnRaw(p, "MESSAGE_CREATE", func(ctx context.Context, bot *sdk.Bot, _ json.RawMessage) error {
			large := sdk.Upload{Files: []*disgo.File{{Name: "a", Data: make([]byte, wire.MaxInline+1)}}}
			long, cancel := context.WithTimeout(ctx, 10*time.Second)
			defer cancel()
			for range cap(ended) {
				go func() { ended <- bot.Do(long, "POST", "/never", large, nil) }()
			}
			time.Sleep(time.Second) // all are under way, or wait
			if err := bot.Do(ctx, "GET", "/small", nil, nil); err != nil {
				t.Errorf("a small request: %v", err)
			}
			for range cap(ended) {
				if err := <-ended; !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("an upload: %v", err)
				}
			}
			return nil
		})
		h := sdktest.Start(t, p, sdktest.Options{})
		h.Handle("POST", "/never", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		h.Handle("GET", "/small", sdktest.JSON(200, nil))
		if err := h.Send("MESSAGE_CREATE", message(1, 0)); err != nil {
			t.Error(err)
		}
		if n := len(h.Requests()); n != 1+4 {
			t.Errorf("%d requests arrived, want 4 uploads and a small one", n)
		}
	})
}
