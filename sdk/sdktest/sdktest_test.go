package sdktest_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/switchupcb/disgo"

	"github.com/holdfast-bot/holdfast/sdk"
	"github.com/holdfast-bot/holdfast/sdk/sdktest"
)

// fakeTB is a test that may fail without failing this one.
type fakeTB struct {
	testing.TB
	mu       sync.Mutex
	cleanups []func()
	said     []string
}

func (f *fakeTB) Helper()          {}
func (f *fakeTB) Cleanup(c func()) { f.cleanups = append(f.cleanups, c) }
func (f *fakeTB) Logf(string, ...any) {
}

func (f *fakeTB) Errorf(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.said = append(f.said, fmt.Sprintf(format, args...))
}

func (f *fakeTB) Fatalf(format string, args ...any) {
	f.Errorf(format, args...)
	runtime.Goexit()
}

// failing runs a test body that is expected to fail, with its cleanups, and
// returns what it said.
func failing(t *testing.T, body func(testing.TB)) string {
	t.Helper()
	f := &fakeTB{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			for _, cleanup := range slices.Backward(f.cleanups) {
				cleanup()
			}
		}()
		body(f)
	}()
	<-done
	return strings.Join(f.said, "\n")
}

func echo() *sdk.Plugin {
	p := sdk.New("echo")
	sdk.On(p, func(_ context.Context, bot *sdk.Bot, m *disgo.MessageCreate) error {
		answer, err := (&disgo.CreateMessage{ChannelID: m.ChannelID, Content: &m.Content}).Send(bot.Client)
		if err == nil && (answer.Content != m.Content || answer.Author.ID != sdktest.BotUserID || answer.ID == "") {
			return fmt.Errorf("the answer is %+v", answer)
		}
		return err
	})
	return p
}

const hello = `{"id":"1","channel_id":"2","guild_id":"3","content":"hello"}`

func TestMistakesOfTheTestAreTold(t *testing.T) {
	tests := []struct {
		name string
		body func(testing.TB)
		want string
	}{
		{"event without a handler", func(t testing.TB) {
			_ = sdktest.Start(t, echo(), sdktest.Options{}).Send("TYPING_START", `{}`)
		}, "the plugin has no handler for this TYPING_START: register one, or send another event"},
		{"command that does not exist", func(t testing.TB) {
			sdktest.Start(t, echo(), sdktest.Options{}).Slash("ping")
		}, `the plugin has no command "ping": it has []`},
		{"event that is no JSON value", func(t testing.TB) {
			_ = sdktest.Start(t, echo(), sdktest.Options{}).Send("MESSAGE_CREATE", func() {})
		}, "encode the event: json: unsupported type: func()"},
		{"plugin that does not start", func(t testing.TB) {
			p := echo()
			p.OnStart(func(context.Context, *sdk.Bot) error { return errors.New("no database") })
			sdktest.Start(t, p, sdktest.Options{})
		}, "start the plugin: rpc error: code = Aborted desc = OnStart: no database"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := failing(t, test.body); got != test.want {
				t.Errorf("said %q, want %q", got, test.want)
			}
		})
	}
}

func TestHandlerThatNeverEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began, release := make(chan struct{}), make(chan struct{})
		got := failing(t, func(t testing.TB) {
			p := sdk.New("stuck")
			sdk.OnRaw(p, "MESSAGE_CREATE", func(context.Context, *sdk.Bot, json.RawMessage) error {
				close(began)
				<-release
				return nil
			})
			sdktest.Start(t, p, sdktest.Options{HandlerTimeout: time.Hour}).Deliver("MESSAGE_CREATE", hello)
			<-began
		})
		close(release)
		if !strings.Contains(got, "a handler is still running") {
			t.Errorf("said %q", got)
		}
	})
}

func TestAnswers(t *testing.T) {
	h := sdktest.Start(t, echo(), sdktest.Options{})
	send := func(want string) {
		t.Helper()
		err := h.Send("MESSAGE_CREATE", hello)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	send("") // the message comes back
	h.Handle("POST", "/channels/{channel}/messages", sdktest.JSON(403, map[string]any{"code": 50013, "message": "Missing Permissions"}))
	send("discord answered 403: Missing Permissions (50013)")
	h.Handle("POST", "/channels/{channel}/messages", func(w http.ResponseWriter, r *http.Request) {
		sdktest.JSON(500, map[string]any{"message": "channel " + r.PathValue("channel")})(w, r)
	})
	send("discord answered 500: channel 2")
	h.Handle("POST", "/channels/9/messages", sdktest.JSON(200, nil))
	send("discord answered 500: channel 2")

	requests := h.Requests()
	var body struct{ Content string }
	if len(requests) != 4 || requests[0].JSON(&body) != nil || body.Content != "hello" || requests[0].Path != "/channels/2/messages" {
		t.Errorf("requests %+v", requests)
	}
}

func TestUnknownRequestsAreToldWhatIsMissing(t *testing.T) {
	p := sdk.New("reader")
	sdk.OnRaw(p, "MESSAGE_CREATE", func(_ context.Context, bot *sdk.Bot, _ json.RawMessage) error {
		_, err := (&disgo.GetChannel{ChannelID: "3"}).Send(bot.Client)
		if api, ok := sdk.AsAPIError(err); ok {
			return api
		}
		return err
	})
	h := sdktest.Start(t, p, sdktest.Options{})
	err := h.Send("MESSAGE_CREATE", hello)
	if err == nil || !strings.Contains(err.Error(), "nothing answers GET /channels/3 in this test: add it with Handle") {
		t.Errorf("got %v", err)
	}
}

// TestEventsTakeTheirPlaces holds that lanes are those of a real host.
func TestEventsTakeTheirPlaces(t *testing.T) {
	var got []string
	p := sdk.New("places")
	for _, name := range []string{"GUILD_CREATE", "GUILD_ROLE_CREATE", "MESSAGE_CREATE", "USER_UPDATE"} {
		sdk.OnRaw(p, name, func(_ context.Context, bot *sdk.Bot, _ json.RawMessage) error {
			got = append(got, bot.Event+" "+bot.GuildID())
			return nil
		})
	}
	h := sdktest.Start(t, p, sdktest.Options{})
	for _, e := range []struct{ name, data string }{
		{"GUILD_CREATE", `{"id":"5"}`},
		{"GUILD_ROLE_CREATE", `{"guild_id":"6","id":"7"}`},
		{"MESSAGE_CREATE", `{"id":"8","channel_id":"9"}`},
		{"USER_UPDATE", `{"id":"8"}`},
	} {
		if err := h.Send(e.name, e.data); err != nil {
			t.Error(err)
		}
	}
	if all := strings.Join(got, "|"); all != "GUILD_CREATE 5|GUILD_ROLE_CREATE 6|MESSAGE_CREATE |USER_UPDATE " {
		t.Errorf("got %s", all)
	}
}

// TestNothingIsLeft counts goroutines: those of fasthttp's client may take a
// second to end.
func TestNothingIsLeft(t *testing.T) {
	before := runtime.NumGoroutine()
	for range 5 {
		t.Run("one", func(t *testing.T) {
			h := sdktest.Start(t, echo(), sdktest.Options{Log: hclog.NewNullLogger()})
			for range 10 {
				h.Deliver("MESSAGE_CREATE", hello)
			}
			if err := h.Send("MESSAGE_CREATE", hello); err != nil {
				t.Error(err)
			}
		})
	}
	for deadline := time.Now().Add(20 * time.Second); runtime.NumGoroutine() > before; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			stacks := make([]byte, 1<<20)
			t.Fatalf("%d goroutines before, %d now:\n%s", before, runtime.NumGoroutine(), stacks[:runtime.Stack(stacks, true)])
		}
	}
}
