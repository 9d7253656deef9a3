package sdk_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"
	"github.com/switchupcb/disgo"

	"github.com/holdfast-bot/holdfast/sdk"
	"github.com/holdfast-bot/holdfast/sdk/sdktest"
	"github.com/holdfast-bot/holdfast/sdk/wire"
)

// named answers with the handler's name and the custom ID.
func named(name string) sdk.CommandHandler {
	return func(_ context.Context, _ *sdk.Bot, i *disgo.InteractionCreate) (*sdk.Reply, error) {
		return sdk.Text(name + " " + i.MessageComponent().CustomID).Update(), nil
	}
}

// TestComponents: the longest prefix counts, modals are apart from components, and
// what no prefix fits is left to On.
func TestComponents(t *testing.T) {
	var others []string
	p := sdk.New("votes")
	p.Component("vote:", named("vote"))
	p.Component("vote:secret:", named("secret"), sdk.DeferEphemeral)
	p.Modal("vote:", func(_ context.Context, bot *sdk.Bot, i *disgo.InteractionCreate) (*sdk.Reply, error) {
		in := bot.Inputs()
		return sdk.Text(fmt.Sprintf("%s wrote %s in %d", i.ModalSubmit().CustomID, in["why"], len(in))), nil
	})
	sdk.On(p, func(_ context.Context, _ *sdk.Bot, i *disgo.InteractionCreate) error {
		others = append(others, i.ID)
		return nil
	})
	h := sdktest.Start(t, p, sdktest.Options{})
	for id, want := range map[string]string{"vote:1": "vote vote:1", "vote:secret:2": "secret vote:secret:2", "vote:": "vote vote:"} {
		if a := h.Click(id); a.Err != nil || a.Type != 7 || a.Content != want {
			t.Errorf("%s: answered %+v", id, a)
		}
	}
	if a := h.Submit("vote:form", map[string]string{"why": "because", "more": "no"}); a.Err != nil || a.Type != 4 || a.Content != "vote:form wrote because in 2" {
		t.Errorf("modal: answered %+v", a)
	}
	if err := h.Send("INTERACTION_CREATE", `{"id":"7","token":"t","type":3,"data":{"custom_id":"vot","component_type":2}}`); err != nil {
		t.Error(err)
	}
	if len(others) != 5 || others[4] != "7" {
		t.Errorf("On got %v", others)
	}
	m := h.Manifest()
	if c := m.GetComponents(); len(c) != 2 || c[1].GetPrefix() != "vote:secret:" || c[1].GetDeferral() != wire.Deferral_DEFERRAL_EPHEMERAL || len(m.GetModals()) != 1 {
		t.Errorf("manifest %v", m)
	}
}

// TestInputs reads rows and labels, text and choices.
func TestInputs(t *testing.T) {
	var got map[string]string
	p := sdk.New("forms")
	p.Modal("form", func(_ context.Context, bot *sdk.Bot, _ *disgo.InteractionCreate) (*sdk.Reply, error) {
		got = bot.Inputs()
		return sdk.Text("thank you"), nil
	})
	h := sdktest.Start(t, p, sdktest.Options{})
	err := h.Send("INTERACTION_CREATE", `{"id":"7","token":"t","type":5,"data":{"custom_id":"form","components":[
		{"type":1,"components":[{"type":4,"custom_id":"a","value":"x"}]},
		{"type":18,"component":{"type":3,"custom_id":"b","values":["one","two"]}},
		{"type":10,"content":"text"},
		{"type":18,"component":{"type":4,"custom_id":"c","value":""}}]}}`)
	if empty, ok := got["c"]; err != nil || got["a"] != "x" || got["b"] != "one" || !ok || empty != "" || len(got) != 3 {
		t.Errorf("read %v: %v", got, err)
	}
	if in := (&sdk.Bot{Raw: json.RawMessage(`[`)}).Inputs(); len(in) != 0 {
		t.Errorf("of nothing: %v", in)
	}
}

// TestSubcommands find their handlers, with their own arguments.
func TestSubcommands(t *testing.T) {
	say := func(_ context.Context, _ *sdk.Bot, i *disgo.InteractionCreate) (*sdk.Reply, error) {
		a := sdk.Arguments(i)
		return sdk.Text(fmt.Sprintf("%d %s %s", len(a), a["key"], a["n"])), nil
	}
	p := sdk.New("config")
	p.Command(raw("config"), sdk.Subcommands(map[string]sdk.CommandHandler{"set": say, "color set": say}))
	p.Command(raw("plain"), say)
	h := sdktest.Start(t, p, sdktest.Options{})
	for name, want := range map[string]string{"config set": "2 k 7", "config color set": "2 k 7", "plain": "2 k 7"} {
		if a := h.Slash(name, sdktest.String("key", "k"), sdktest.Integer("n", 7)); a.Err != nil || a.Content != want {
			t.Errorf("%s: answered %+v", name, a)
		}
	}
	for _, name := range []string{"config", "config get", "config color"} {
		if a := h.Slash(name); a.Err == nil || !strings.Contains(a.Err.Error(), `has no handler: there are ["color set" "set"]`) || !a.Ephemeral {
			t.Errorf("%s: answered %+v", name, a)
		}
	}
}

// TestAutocomplete: what is typed, also into a subcommand's number, and at most 25
// choices; a failure shows none.
func TestAutocomplete(t *testing.T) {
	var typed []sdk.Typing
	var log bytes.Buffer
	p := sdk.New("finder")
	p.Command(raw("find"), reply(nil, nil))
	p.Autocomplete("find", func(_ context.Context, _ *sdk.Bot, i *disgo.InteractionCreate, typing sdk.Typing) ([]sdk.Choice, error) {
		typed = append(typed, typing)
		if typing.Value == "fail" {
			return nil, errors.New("the index is locked")
		}
		var choices []sdk.Choice
		for n := range 30 {
			choices = append(choices, sdk.Choice{Name: typing.Value + i.ID, Value: n})
		}
		return choices, nil
	})
	h := sdktest.Start(t, p, sdktest.Options{Log: hclog.New(&hclog.LoggerOptions{Output: &log, JSONFormat: true})})
	choices, err := h.Autocomplete("find", sdktest.String("what", "ke"))
	if err != nil || len(choices) != 25 || !strings.HasPrefix(choices[0].Name, "ke") || choices[3].Value != 3.0 {
		t.Errorf("suggested %v: %v", choices, err)
	}
	if choices, err = h.Autocomplete("find color in", sdktest.Integer("n", 12)); err != nil || len(choices) != 25 {
		t.Errorf("suggested %v: %v", choices, err)
	}
	if choices, err = h.Autocomplete("find", sdktest.String("what", "fail")); err == nil || len(choices) != 0 {
		t.Errorf("suggested %v: %v", choices, err)
	}
	want := []sdk.Typing{{Option: "what", Value: "ke"}, {Subcommand: "color in", Option: "n", Value: "12"}, {Option: "what", Value: "fail"}}
	if fmt.Sprint(typed) != fmt.Sprint(want) {
		t.Errorf("typed %+v", typed)
	}
	requests := h.Requests()
	if last := string(requests[len(requests)-1].Body); len(requests) != 3 || last != `{"data":{"choices":[]},"type":8}` {
		t.Errorf("after the failure: %s", last)
	}
	if !strings.Contains(log.String(), "the index is locked") || !strings.Contains(log.String(), `"reference"`) {
		t.Errorf("the log has %s", log.String())
	}
}

// TestDeferrals are what the manifest says.
func TestDeferrals(t *testing.T) {
	p := sdk.New("slow")
	p.Defer(sdk.DeferEphemeral)
	p.Command(raw("a"), reply(nil, nil))
	p.Command(raw("b"), reply(nil, nil), sdk.DeferNever)
	p.Modal("m", reply(nil, nil), sdk.DeferUpdate)
	m := sdktest.Start(t, p, sdktest.Options{}).Manifest()
	c := m.GetCommands()
	if m.GetDeferral() != wire.Deferral_DEFERRAL_EPHEMERAL || c[0].GetDeferral() != wire.Deferral_DEFERRAL_DEFAULT ||
		c[1].GetDeferral() != wire.Deferral_DEFERRAL_NEVER || m.GetModals()[0].GetDeferral() != wire.Deferral_DEFERRAL_UPDATE {
		t.Errorf("manifest %v", m)
	}
}

// TestRepliesWithMore are what Discord takes.
func TestRepliesWithMore(t *testing.T) {
	buttons := json.RawMessage(`[{"type":1,"components":[{"type":2,"style":1,"label":"A","custom_id":"vote:a"}]}]`)
	for want, r := range map[string]*sdk.Reply{
		`{"content":"a","flags":64,"components":` + string(buttons) + `}`: sdk.Text("a").WithComponents(buttons).Ephemeral(),
		`{"components":[],"custom_id":"form:1","title":"Why?"}`:           sdk.ShowModal("form:1", "Why?", json.RawMessage(`[]`)),
	} {
		p := sdk.New("replies")
		p.Command(raw("ask"), reply(r, nil))
		if a := sdktest.Start(t, p, sdktest.Options{}).Slash("ask"); a.Err != nil || string(a.Data) != want {
			t.Errorf("answered %d %s: %v", a.Type, a.Data, a.Err)
		}
	}
	p := sdk.New("replies")
	p.Command(raw("ask"), reply(sdk.ShowModal("form:1", "Why?", json.RawMessage(`[`)), nil))
	if a := sdktest.Start(t, p, sdktest.Options{}).Slash("ask"); a.Err == nil {
		t.Error("a modal of components that are no JSON was sent")
	}
}

func TestMistakesOfAnswersPanicWithASentence(t *testing.T) {
	h := reply(nil, nil)
	suggest := func(context.Context, *sdk.Bot, *disgo.InteractionCreate, sdk.Typing) ([]sdk.Choice, error) {
		return nil, nil
	}
	for want, do := range map[string]func(*sdk.Plugin){
		`Component: the prefix "": use 1 to 100 characters`:       func(p *sdk.Plugin) { p.Component("", h) },
		`Modal: the handler of "x" is nil`:                        func(p *sdk.Plugin) { p.Modal("x", nil) },
		`Component: "x" is registered twice`:                      func(p *sdk.Plugin) { p.Component("x", h); p.Component("x", h) },
		"Command: 2 deferrals: give one at most":                  func(p *sdk.Plugin) { p.Command(raw("x"), h, sdk.DeferNever, sdk.DeferPublic) },
		"Command: /x is to be deferred by an update":              func(p *sdk.Plugin) { p.Command(raw("x"), h, sdk.DeferUpdate) },
		"Defer: the deferral 9: use one of the constants":         func(p *sdk.Plugin) { p.Defer(9) },
		"Autocomplete: there is no command /x: register it first": func(p *sdk.Plugin) { p.Autocomplete("x", suggest) },
		"Autocomplete: the handler of /x is nil":                  func(p *sdk.Plugin) { p.Autocomplete("x", nil) },
		"Autocomplete: /x is registered twice": func(p *sdk.Plugin) {
			p.Command(raw("x"), h)
			p.Autocomplete("x", suggest)
			p.Autocomplete("x", suggest)
		},
		`sdk.Subcommands: " a": give it a handler, and its name, or`: func(*sdk.Plugin) { sdk.Subcommands(map[string]sdk.CommandHandler{" a": h}) },
		`sdk.Subcommands: "a": give it a handler`:                    func(*sdk.Plugin) { sdk.Subcommands(map[string]sdk.CommandHandler{"a": nil}) },
	} {
		t.Run(want, func(t *testing.T) {
			defer func() {
				if got, _ := recover().(string); !strings.HasPrefix(got, want) {
					t.Errorf("got %q, want %q", got, want)
				}
			}()
			do(sdk.New("test"))
		})
	}
}
