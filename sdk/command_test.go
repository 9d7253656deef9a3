package sdk_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"
	"github.com/switchupcb/disgo"

	"github.com/holdfast-bot/holdfast/sdk"
	"github.com/holdfast-bot/holdfast/sdk/sdktest"
)

func raw(name string) json.RawMessage {
	return json.RawMessage(`{"name":"` + name + `","description":"d"}`)
}

func reply(r *sdk.Reply, err error) sdk.CommandHandler {
	return func(context.Context, *sdk.Bot, *disgo.InteractionCreate) (*sdk.Reply, error) { return r, err }
}

func TestReplies(t *testing.T) {
	title := disgo.Pointer("Kelp")
	tests := []struct {
		name  string
		reply *sdk.Reply
		want  string
	}{
		{"text", sdk.Text("pong"), `{"type":4,"data":{"content":"pong"}}`},
		{"ephemeral", sdk.Text("psst").Ephemeral(), `{"type":4,"data":{"content":"psst","flags":64}}`},
		{"embeds", sdk.Embeds(&disgo.Embed{Title: title}), `{"type":4,"data":{"embeds":[{"title":"Kelp"}]}}`},
		{"text with embeds", sdk.Text("see").WithEmbeds(&disgo.Embed{Title: title}), `{"type":4,"data":{"content":"see","embeds":[{"title":"Kelp"}]}}`},
		{"raw", sdk.RawReply(json.RawMessage(`{"type":9,"data":{"custom_id":"m"}}`)), `{"type":9,"data":{"custom_id":"m"}}`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p := sdk.New("replies")
			p.Command(raw("ask"), reply(test.reply, nil))
			h := sdktest.Start(t, p, sdktest.Options{})
			if answer := h.Slash("ask"); answer.Err != nil {
				t.Fatal(answer.Err)
			}
			requests := h.Requests()
			if len(requests) != 1 || string(requests[0].Body) != test.want {
				t.Errorf("sent %s, want %s", requests[0].Body, test.want)
			}
		})
	}
}

func TestOptionsOfACommand(t *testing.T) {
	p := sdk.New("options")
	p.Command(raw("add"), func(_ context.Context, bot *sdk.Bot, i *disgo.InteractionCreate) (*sdk.Reply, error) {
		var said []string
		for _, o := range i.ApplicationCommand().Options {
			said = append(said, o.Name+"="+o.Value.String())
		}
		return sdk.Text(strings.Join(said, " ") + " in " + bot.GuildID() + " by " + i.Member.User.ID), nil
	})
	h := sdktest.Start(t, p, sdktest.Options{})
	answer := h.Slash("add", sdktest.String("a", "x"), sdktest.Integer("b", 7), sdktest.Number("c", 1.5), sdktest.Boolean("d", true), sdktest.User("e", "9"))
	if want := "a=x b=7 c=1.5 d=true e=9 in " + sdktest.GuildID + " by " + sdktest.UserID; answer.Content != want {
		t.Errorf("answered %q, want %q", answer.Content, want)
	}
}

// TestFailedCommand holds that the user gets an apology with a reference which
// the log has too, and that no token gets into the log.
func TestFailedCommand(t *testing.T) {
	tests := []struct {
		name    string
		handler sdk.CommandHandler
		event   string // empty: Slash
		log     string // part of it
	}{
		{"error", reply(nil, errors.New("the database is locked")), "", "the database is locked"},
		{"panic", func(context.Context, *sdk.Bot, *disgo.InteractionCreate) (*sdk.Reply, error) { panic("nil map") }, "", "panic: nil map"},
		{"error of disgo", func(_ context.Context, bot *sdk.Bot, i *disgo.InteractionCreate) (*sdk.Reply, error) {
			err := (&disgo.GetOriginalInteractionResponse{InteractionToken: i.Token}).Send(bot.Client)
			return nil, err
		}, "", "discord answered 404"},
		{"reply that Discord refuses", reply(sdk.RawReply(json.RawMessage(`{"type":99}`)), nil), "", "answer the interaction: discord answered 400"},
		{"reply that is no JSON", reply(sdk.RawReply(json.RawMessage(`{`)), nil), "", "are no JSON"},
		{"unreadable", reply(sdk.Text("never"), nil), `{"id":"77","token":"token-of-77","type":2,"version":{},"data":{"name":"ask","type":1}}`, "decode INTERACTION_CREATE"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var log bytes.Buffer
			p := sdk.New("failing")
			p.Command(raw("ask"), test.handler)
			h := sdktest.Start(t, p, sdktest.Options{Log: hclog.New(&hclog.LoggerOptions{Output: &log, Level: hclog.Trace, JSONFormat: true})})
			h.Handle("POST", "/interactions/{id}/{token}/callback", func(w http.ResponseWriter, r *http.Request) {
				var body struct{ Type int }
				if err := json.NewDecoder(r.Body).Decode(&body); err != nil || body.Type != 4 {
					sdktest.JSON(400, map[string]any{"code": 50035, "message": "Invalid Form Body"})(w, r)
					return
				}
				w.WriteHeader(204)
			})
			var err error
			if test.event == "" {
				err = h.Slash("ask").Err
			} else {
				err = h.Send("INTERACTION_CREATE", test.event)
			}
			if err == nil {
				t.Error("no failure was told")
			}
			requests := h.Requests()
			last := requests[len(requests)-1]
			found := regexp.MustCompile(`"content":"Something went wrong \(reference ([A-Z2-7]{8})\)\.","flags":64`).FindSubmatch(last.Body)
			if found == nil {
				t.Fatalf("the user was told %s", last.Body)
			}
			text := log.String()
			if !strings.Contains(text, `"reference":"`+string(found[1])+`"`) || !strings.Contains(text, `"command":"/ask"`) || !strings.Contains(text, test.log) {
				t.Errorf("the log has %s", text)
			}
			if strings.Contains(text, "token-of-") || strings.Contains(err.Error(), "token-of-") {
				t.Errorf("the interaction's token got out: %s, %v", text, err)
			}
		})
	}
}

// TestNoAnswer has a handler that answered by itself, and one whose answer
// comes too late.
func TestNoAnswer(t *testing.T) {
	p := sdk.New("self")
	p.Command(raw("quiet"), reply(nil, nil))
	p.Command(raw("late"), reply(sdk.Text("late"), nil))
	h := sdktest.Start(t, p, sdktest.Options{})
	if answer := h.Slash("quiet"); answer.Err != nil || answer.Type != 0 {
		t.Errorf("got %+v", answer)
	}
	h.Handle("POST", "/interactions/{id}/{token}/callback", sdktest.JSON(404, map[string]any{"code": 10062, "message": "Unknown interaction"}))
	if answer := h.Slash("late"); answer.Err == nil {
		t.Error("a late answer was no failure")
	}
	if n := len(h.Requests()); n != 1 {
		t.Errorf("%d requests: an apology for a late answer comes later still", n)
	}
}

func TestInteractionsFindTheirHandlers(t *testing.T) {
	var calls []string
	note := func(name string) sdk.CommandHandler {
		return func(context.Context, *sdk.Bot, *disgo.InteractionCreate) (*sdk.Reply, error) {
			calls = append(calls, name)
			return nil, nil
		}
	}
	p := sdk.New("routing")
	p.Command(raw("info"), note("global"))
	p.Command(&disgo.CreateGuildApplicationCommand{GuildID: "5", Name: "info", Description: disgo.Pointer("d")}, note("guild 5"))
	p.Command(json.RawMessage(`{"name":"far","description":"d","guild_id":"8"}`), note("guild 8"))
	p.Command(json.RawMessage(`{"name":"far","description":"d","guild_id":"7"}`), note("guild 7"))
	p.Command(disgo.CreateGlobalApplicationCommand{Name: "Info", Type: disgo.Pointer(disgo.FlagApplicationCommandTypeUSER)}, note("user"))
	sdk.On(p, func(_ context.Context, _ *sdk.Bot, _ *disgo.InteractionCreate) error {
		calls = append(calls, "on")
		return nil
	})
	h := sdktest.Start(t, p, sdktest.Options{})
	tests := []struct{ name, data, want string }{
		{"global command", `"type":2,"guild_id":"5","data":{"name":"info","type":1}`, "global on"},
		{"a guild's command", `"type":2,"guild_id":"5","data":{"name":"info","type":1,"guild_id":"5"}`, "guild 5 on"},
		{"global command that the host registered in a guild", `"type":2,"guild_id":"6","data":{"name":"info","type":1,"guild_id":"6"}`, "global on"},
		{"other guilds' command that the host registered in a guild", `"type":2,"guild_id":"6","data":{"name":"far","type":1,"guild_id":"6"}`, "guild 7 on"},
		{"other guilds' command, global", `"type":2,"guild_id":"6","data":{"name":"far","type":1}`, "on"},
		{"user command", `"type":2,"data":{"name":"Info","type":2,"target_id":"1"}`, "user on"},
		{"foreign command", `"type":2,"data":{"name":"other","type":1}`, "on"},
		{"same name of another type", `"type":2,"data":{"name":"info","type":3}`, "on"},
		{"component", `"type":3,"data":{"custom_id":"info","component_type":2}`, "on"},
		{"autocomplete", `"type":4,"data":{"name":"info","type":1}`, "on"},
	}
	for _, test := range tests {
		calls = nil
		if err := h.Send("INTERACTION_CREATE", `{"id":"1","token":"t",`+test.data+`}`); err != nil {
			t.Errorf("%s: %v", test.name, err)
		}
		if got := strings.Join(calls, " "); got != test.want {
			t.Errorf("%s: called %q, want %q", test.name, got, test.want)
		}
	}
}

func TestManifest(t *testing.T) {
	p := sdk.New("all")
	p.Version("1.2.3")
	p.Intents(disgo.FlagIntentGUILD_PRESENCES)
	p.Command(&disgo.CreateGlobalApplicationCommand{
		Name: "pick", Description: disgo.Pointer("d"),
		Options: []*disgo.ApplicationCommandOption{
			{Name: "n", Description: "d", Type: disgo.FlagApplicationCommandOptionTypeINTEGER, Choices: []*disgo.ApplicationCommandOptionChoice{{Name: "one", Value: "1"}}},
			{Name: "s", Description: "d", Type: disgo.FlagApplicationCommandOptionTypeSTRING, Choices: []*disgo.ApplicationCommandOptionChoice{{Name: "one", Value: "1"}}},
		},
	}, reply(nil, nil))
	p.Command(json.RawMessage(`{"name":"new","description":"d","guild_id":"42","contexts":[0,1],"integration_types":[1]}`), reply(nil, nil))
	sdk.OnRaw(p, "GUILD_SOUNDBOARD_SOUND_CREATE", func(context.Context, *sdk.Bot, json.RawMessage) error { return nil })
	m := sdktest.Start(t, p, sdktest.Options{}).Manifest()
	if m.GetName() != "all" || m.GetVersion() != "1.2.3" || m.GetIntents() != 1<<8 || !strings.HasPrefix(m.GetSdk(), "go ") {
		t.Errorf("got %v", m)
	}
	if len(m.GetEvents()) != 1 || m.GetEvents()[0].GetEvent() != "GUILD_SOUNDBOARD_SOUND_CREATE" {
		t.Errorf("events %v: commands are routed to their owner without a subscription", m.GetEvents())
	}
	first, second := m.GetCommands()[0], m.GetCommands()[1]
	if body := string(first.GetJson()); first.GetGuild() != 0 || !strings.Contains(body, `"value":1}`) || !strings.Contains(body, `"value":"1"}`) {
		t.Errorf("first command %s: choices of integers are numbers", body)
	}
	if body := string(second.GetJson()); second.GetGuild() != 42 || strings.Contains(body, "guild_id") || !strings.Contains(body, `"contexts":[0,1]`) {
		t.Errorf("second command of guild %d: %s", second.GetGuild(), body)
	}
}

func TestMistakesPanicWithASentence(t *testing.T) {
	handler := reply(nil, nil)
	on := func(context.Context, *sdk.Bot, *disgo.MessageCreate) error { return nil }
	tests := []struct {
		name string
		do   func(*sdk.Plugin)
		want string
	}{
		{"the host's name", func(*sdk.Plugin) { sdk.New("host") }, `sdk.New: the name "host" is the host's own: give another`},
		{"name", func(*sdk.Plugin) { sdk.New("no spaces") }, `sdk.New: the name "no spaces": use 1 to 64 letters, digits, '-' or '_'`},
		{"nil handler", func(p *sdk.Plugin) { sdk.On[disgo.MessageCreate](p, nil) }, "sdk.On: the handler for MESSAGE_CREATE is nil"},
		{"nil raw handler", func(p *sdk.Plugin) { sdk.OnRaw(p, "READY", nil) }, "sdk.OnRaw: the handler for READY is nil"},
		{"event name", func(p *sdk.Plugin) {
			sdk.OnAs(p, "message create", func(context.Context, *sdk.Bot, *int) error { return nil })
		}, `sdk.OnAs: the event "message create": use Discord's dispatch name, such as MESSAGE_CREATE`},
		{"no dispatch", func(p *sdk.Plugin) {
			sdk.On(p, func(context.Context, *sdk.Bot, *disgo.Hello) error { return nil })
		}, "sdk.On: HELLO is no event of the gateway but part of its protocol: the host handles it"},
		{"no JSON", func(p *sdk.Plugin) { p.Command(json.RawMessage(`[`), handler) }, "Command: encode the command: "},
		{"no object", func(p *sdk.Plugin) { p.Command(7, handler) }, "Command: the command is no JSON object: give a disgo create command struct or a json.RawMessage"},
		{"nil command", func(p *sdk.Plugin) { p.Command(nil, handler) }, "Command: the command is no JSON object: "},
		{"nil struct", func(p *sdk.Plugin) { p.Command((*disgo.CreateGuildApplicationCommand)(nil), handler) }, "Command: the command is no JSON object: "},
		{"command name", func(p *sdk.Plugin) { p.Command(raw("Ping"), handler) }, `Command: the name "Ping": use 1 to 32 lower-case letters, digits, '-', '_' or '\''`},
		{"no description", func(p *sdk.Plugin) { p.Command(&disgo.CreateGlobalApplicationCommand{Name: "ping"}, handler) }, "Command: /ping needs a description of 1 to 100 characters"},
		{"type", func(p *sdk.Plugin) { p.Command(json.RawMessage(`{"name":"x","type":9}`), handler) }, "Command: the type 9: use 1 to 4"},
		{"no guild", func(p *sdk.Plugin) { p.Command(&disgo.CreateGuildApplicationCommand{Name: "ping"}, handler) }, `Command: the guild command "ping" has no GuildID`},
		{"guild", func(p *sdk.Plugin) {
			p.Command(json.RawMessage(`{"name":"x","description":"d","guild_id":"reef"}`), handler)
		}, `Command: guild "reef": use the digits of its id`},
		{"nil command handler", func(p *sdk.Plugin) { p.Command(raw("ping"), nil) }, "Command: the handler of /ping is nil"},
		{"twice", func(p *sdk.Plugin) { p.Command(raw("ping"), handler); p.Command(raw("ping"), handler) }, "Command: /ping is registered twice: names are unique for each type and guild"},
		{"too late", func(p *sdk.Plugin) { p.Server(sdk.ServerConfig{}); sdk.On(p, on) }, "sdk.On: the plugin is running already: register before Run"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			defer func() {
				if got, _ := recover().(string); !strings.HasPrefix(got, test.want) {
					t.Errorf("got %q, want %q", got, test.want)
				}
			}()
			test.do(sdk.New("test"))
		})
	}
}

func TestNamesThatDiscordTakes(t *testing.T) {
	p := sdk.New("names")
	for _, name := range []string{"ping", "a-b_c", "größe", "日本", "नमस्ते", "สวัสดี", "o'clock", "1st"} {
		p.Command(raw(name), reply(nil, nil))
	}
	p.Command(json.RawMessage(`{"name":"Report Message","type":3}`), reply(nil, nil))
}
