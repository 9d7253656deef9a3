package sdk_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/switchupcb/disgo"

	"github.com/holdfast-bot/holdfast/sdk"
	"github.com/holdfast-bot/holdfast/sdk/sdktest"
)

// handle runs f as the handler of one event and returns what the host was told.
func handle(t *testing.T, prepare func(*sdktest.Host), f func(context.Context, *sdk.Bot) error) (*sdktest.Host, error) {
	t.Helper()
	p := sdk.New("client")
	sdk.OnRaw(p, "MESSAGE_CREATE", func(ctx context.Context, bot *sdk.Bot, _ json.RawMessage) error { return f(ctx, bot) })
	h := sdktest.Start(t, p, sdktest.Options{})
	if prepare != nil {
		prepare(h)
	}
	err := h.Send("MESSAGE_CREATE", message(1, 0))
	return h, err
}

// TestRequestsOfDisgo sends one request of each form and compares what arrives.
func TestRequestsOfDisgo(t *testing.T) {
	tests := []struct {
		name   string
		answer http.HandlerFunc
		send   func(*disgo.Client) error
		want   string // method, path, query
		body   string // part of it
		header string // its content type begins with this
	}{
		{"message", sdktest.JSON(200, map[string]string{"id": "5", "content": "hi"}), func(c *disgo.Client) error {
			m, err := (&disgo.CreateMessage{ChannelID: "3", Content: disgo.Pointer("hi")}).Send(c)
			if err == nil && (m.ID != "5" || m.Content != "hi") {
				err = errors.New("the answer was not decoded")
			}
			return err
		}, "POST /channels/3/messages ?", `"content":"hi"`, "application/json"},
		{"answer with components that disgo does not know", sdktest.JSON(200, json.RawMessage(`{"id":"5","components":[{"type":17}]}`)), func(c *disgo.Client) error {
			m, err := (&disgo.GetChannelMessage{ChannelID: "3", MessageID: "5"}).Send(c)
			if err == nil && m.ID != "5" {
				err = errors.New("the answer was not decoded")
			}
			return err
		}, "GET /channels/3/messages/5 ?", "", ""},
		{"query", sdktest.JSON(200, []any{}), func(c *disgo.Client) error {
			_, err := (&disgo.GetChannelMessages{ChannelID: "3", Limit: disgo.Pointer[disgo.Flag](50), Before: disgo.Pointer("9")}).Send(c)
			return err
		}, "GET /channels/3/messages ?before=9&limit=50", "", ""},
		{"emoji in the path", nil, func(c *disgo.Client) error {
			return (&disgo.CreateReaction{ChannelID: "3", MessageID: "4", Emoji: "🔥"}).Send(c)
		}, "PUT /channels/3/messages/4/reactions/🔥/@me ?", "", ""},
		{"escaped emoji", nil, func(c *disgo.Client) error {
			return (&disgo.CreateReaction{ChannelID: "3", MessageID: "4", Emoji: "%F0%9F%94%A5"}).Send(c)
		}, "PUT /channels/3/messages/4/reactions/🔥/@me ?", "", ""},
		{"upload", sdktest.JSON(200, map[string]string{"id": "5"}), func(c *disgo.Client) error {
			_, err := (&disgo.CreateMessage{ChannelID: "3", Content: disgo.Pointer("see"), Files: []*disgo.File{{Name: "a.txt", ContentType: "text/plain", Data: []byte("kelp")}}}).Send(c)
			return err
		}, "POST /channels/3/messages ?", "kelp", "multipart/form-data; boundary="},
		{"deletion without an answer", nil, func(c *disgo.Client) error {
			return (&disgo.DeleteMessage{ChannelID: "3", MessageID: "4"}).Send(c)
		}, "DELETE /channels/3/messages/4 ?", "", ""},
		{"callback", nil, func(c *disgo.Client) error {
			return (&disgo.CreateInteractionResponse{
				InteractionID: "8", InteractionToken: "tok",
				InteractionResponse: &disgo.InteractionResponse{Type: disgo.FlagInteractionCallbackTypeCHANNEL_MESSAGE_WITH_SOURCE, Data: &disgo.Messages{Content: disgo.Pointer("hi")}},
			}).Send(c)
		}, "POST /interactions/8/tok/callback ?", `"content":"hi"`, "application/json"},
		{"follow-up of the application", sdktest.JSON(200, map[string]string{"id": "5"}), func(c *disgo.Client) error {
			_, err := (&disgo.CreateFollowupMessage{InteractionToken: "tok", ApplicationID: c.ApplicationID, Content: disgo.Pointer("more")}).Send(c)
			return err
		}, "POST /webhooks/" + sdktest.ApplicationID + "/tok ?", `"content":"more"`, "application/json"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			answer := test.answer
			if answer == nil {
				answer = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) }
			}
			method, _, _ := strings.Cut(test.want, " ")
			h, err := handle(t, func(h *sdktest.Host) { h.Handle(method, "/", answer) },
				func(_ context.Context, bot *sdk.Bot) error { return test.send(bot.Client) })
			if err != nil {
				t.Fatal(err)
			}
			requests := h.Requests()
			if len(requests) != 1 {
				t.Fatalf("%d requests", len(requests))
			}
			r := requests[0]
			if got := r.Method + " " + r.Path + " ?" + r.Query.Encode(); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
			if !strings.Contains(string(r.Body), test.body) || !strings.HasPrefix(r.Header["Content-Type"], test.header) {
				t.Errorf("body %s of type %s", r.Body, r.Header["Content-Type"])
			}
			if _, ok := r.Header["Authorization"]; ok {
				t.Error("the event's ticket left the plugin")
			}
		})
	}
}

func TestReasonForTheAuditLog(t *testing.T) {
	h, err := handle(t, func(h *sdktest.Host) {
		h.Handle("DELETE", "/", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) })
	}, func(_ context.Context, bot *sdk.Bot) error {
		return (&disgo.DeleteMessage{ChannelID: "3", MessageID: "4"}).Send(bot.Reason("spam & ünwanted"))
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := h.Requests()[0].Header["X-Audit-Log-Reason"]; got != "spam%20%26%20%C3%BCnwanted" {
		t.Errorf("reason %q", got)
	}
}

func TestRefusalsAreAPIErrors(t *testing.T) {
	const body = `{"code":50035,"message":"Invalid Form Body","errors":{"content":{"_errors":[{"code":"BASE_TYPE_MAX_LENGTH","message":"Must be 2000 or fewer in length."}]}}}`
	tests := []struct {
		name   string
		answer http.HandlerFunc
		status int
		code   int
		text   string
	}{
		{"with reasons", sdktest.JSON(400, json.RawMessage(body)), 400, 50035, "discord answered 400: Invalid Form Body (50035): content: Must be 2000 or fewer in length."},
		{"forbidden", sdktest.JSON(403, json.RawMessage(`{"code":50013,"message":"Missing Permissions"}`)), 403, 50013, "discord answered 403: Missing Permissions (50013)"},
		{"a 429 that the host gave up on", sdktest.JSON(429, json.RawMessage(`{"message":"You are being rate limited.","retry_after":1.5,"global":false}`)), 429, 0, "discord answered 429: You are being rate limited."},
		{"a bad gateway", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(502); _, _ = w.Write([]byte("<html>")) }, 502, 0, "discord answered 502"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			h, err := handle(t, func(h *sdktest.Host) {
				h.Handle("POST", "/channels/3/messages", test.answer)
				h.Handle("GET", "/guilds/1", test.answer)
			},
				func(ctx context.Context, bot *sdk.Bot) error {
					_, err := (&disgo.CreateMessage{ChannelID: "3", Content: disgo.Pointer("hi")}).Send(bot.Client)
					api, ok := sdk.AsAPIError(err)
					if !ok || api.Status != test.status || api.Code != test.code || api.Error() != test.text {
						t.Errorf("send: %v (%+v)", err, api)
					}
					_, err = bot.Guild(ctx, "1")
					api = nil
					if !errors.As(err, &api) || api.Status != test.status {
						t.Errorf("guild: %v", err)
					}
					return nil
				})
			if err != nil {
				t.Error(err)
			}
			if n := len(h.Requests()); n != 2 {
				t.Errorf("%d requests: a refusal was tried again", n)
			}
		})
	}
}

// TestGuildByRequest has a host that keeps no guilds.
func TestGuildByRequest(t *testing.T) {
	h, err := handle(t, func(h *sdktest.Host) {
		h.Handle("GET", "/guilds/1", sdktest.JSON(200, json.RawMessage(`{"id":"1","name":"Kelp","approximate_member_count":7,"roles":[{"id":"1","name":"@everyone"}]}`)))
	}, func(ctx context.Context, bot *sdk.Bot) error {
		guild, err := bot.Guild(ctx, bot.GuildID())
		if err != nil {
			return err
		}
		if guild.Name != "Kelp" || *guild.ApproximateMemberCount != 7 || len(guild.Roles) != 1 {
			t.Errorf("got %+v", guild)
		}
		for _, id := range []string{"", "1/members", "0", "kelp"} {
			if _, err := bot.Guild(ctx, id); err == nil {
				t.Errorf("id %q was taken", id)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if r := h.Requests(); len(r) != 1 || r[0].Query.Encode() != "with_counts=true" {
		t.Errorf("requests %+v", r)
	}
}

// TestBotEndsWithItsEvent keeps a bot, its client and a detached one beyond the
// handler.
func TestBotEndsWithItsEvent(t *testing.T) {
	var kept, detached *sdk.Bot
	h, err := handle(t, nil, func(_ context.Context, bot *sdk.Bot) error {
		kept, detached = bot, bot.Detach()
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	send := func(bot *sdk.Bot) error {
		_, err := (&disgo.CreateMessage{ChannelID: "3", Content: disgo.Pointer("hi")}).Send(bot.Client)
		return err
	}
	const want = "the event MESSAGE_CREATE is over: use bot.Detach() for work that outlives its handler"
	if err := send(kept); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("client after the handler: %v", err)
	}
	if _, err := kept.Guild(t.Context(), "1"); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("guild after the handler: %v", err)
	}
	if err := (&disgo.DeleteMessage{ChannelID: "3", MessageID: "4"}).Send(kept.Reason("x")); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("reason after the handler: %v", err)
	}
	if err := kept.Do(t.Context(), "GET", "/guilds/1", nil, nil); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("do after the handler: %v", err)
	}
	if _, err := sdk.Send(t.Context(), kept, &disgo.GetGuild{GuildID: "1"}); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("Send after the handler: %v", err)
	}
	if n := len(h.Requests()); n != 0 {
		t.Fatalf("%d requests left the plugin", n)
	}
	if err := send(detached); err != nil {
		t.Errorf("detached: %v", err)
	}
	if err := send(kept.Detach()); err != nil {
		t.Errorf("detached afterwards: %v", err)
	}
	if detached.Event != "MESSAGE_CREATE" || len(detached.Raw) == 0 {
		t.Errorf("detached lost its event: %+v", detached.Facts)
	}
}

// TestRequestEndsWithItsContext lets Discord never answer.
func TestRequestEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		never := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
		var sent, read error
		p := sdk.New("never")
		sdk.OnRaw(p, "MESSAGE_CREATE", func(ctx context.Context, bot *sdk.Bot, _ json.RawMessage) error {
			short, cancel := context.WithTimeout(ctx, time.Second)
			defer cancel()
			_, read = bot.Guild(short, "1")
			_, sent = (&disgo.GetGuild{GuildID: "1"}).Send(bot.Client)
			return nil
		})
		h := sdktest.Start(t, p, sdktest.Options{HandlerTimeout: 20 * time.Second})
		h.Handle("GET", "/guilds/1", never)
		start := time.Now()
		if err := h.Send("MESSAGE_CREATE", message(1, 0)); err != nil {
			t.Error(err)
		}
		if !errors.Is(read, context.DeadlineExceeded) {
			t.Errorf("guild: %v", read)
		}
		if sent == nil || !strings.Contains(sent.Error(), "the handler's deadline of 20s has passed") || time.Since(start) != 20*time.Second {
			t.Errorf("send: %v after %s", sent, time.Since(start))
		}
	})
}

// TestRequestInFlightWhenTheEventEnds belongs to a goroutine that forgot to
// detach.
func TestRequestInFlightWhenTheEventEnds(t *testing.T) {
	arrived, failed := make(chan struct{}), make(chan error, 1)
	_, err := handle(t, func(h *sdktest.Host) {
		h.Handle("GET", "/guilds/1", func(_ http.ResponseWriter, r *http.Request) {
			close(arrived)
			<-r.Context().Done()
		})
	}, func(_ context.Context, bot *sdk.Bot) error {
		go func() {
			_, err := (&disgo.GetGuild{GuildID: "1"}).Send(bot.Client)
			failed <- err
		}()
		<-arrived
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := <-failed; err == nil || !strings.Contains(err.Error(), "is over: use bot.Detach()") {
		t.Errorf("got %v", err)
	}
}
