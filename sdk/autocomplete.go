package sdk

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/switchupcb/disgo"
)

const (
	// autocompletion is the type of the interactions that Autocomplete handles.
	autocompletion = 4
	// maxChoices is how many choices Discord takes.
	maxChoices = 25
)

// Choice is a suggestion for an option. Its value is a string, or a number where
// the option is one.
type Choice struct {
	Name  string `json:"name"`
	Value any    `json:"value"`
}

// Typing is what a user is typing into an option of a command.
type Typing struct {
	// Subcommand is empty, "set" or "color set".
	Subcommand string
	Option     string
	// Value is what stands there, also of a number: it need not be one yet.
	Value string
}

// AutocompleteHandler suggests choices, at most 25: further ones are left out.
type AutocompleteHandler func(ctx context.Context, bot *Bot, interaction *disgo.InteractionCreate, typing Typing) ([]Choice, error)

// Autocomplete registers who suggests values for the options of a chat command
// with "autocomplete": true. The command must have been registered before.
// Autocomplete cannot be deferred: at 2 s the host sends no choices. An error is
// logged, and the user sees no choices.
func (p *Plugin) Autocomplete(command string, handler AutocompleteHandler) {
	p.mustBeOpen("Autocomplete")
	if handler == nil {
		panic(fmt.Sprintf("Autocomplete: the handler of /%s is nil", command))
	}
	found := false
	for _, c := range p.commands {
		if c.kind == chatInput && c.name == command {
			found = true
			if c.suggest != nil {
				panic(fmt.Sprintf("Autocomplete: %s is registered twice", c.commandKey))
			}
			c.suggest = &answering{
				what: c.String(), from: funcName(handler), suggests: true,
				run: func(ctx context.Context, bot *Bot, interaction *disgo.InteractionCreate) (*Reply, error) {
					choices, err := handler(ctx, bot, interaction, typingOf(bot.Raw))
					return choicesReply(choices), err
				},
			}
		}
	}
	if !found {
		panic(fmt.Sprintf("Autocomplete: there is no command /%s: register it first", command))
	}
}

// choicesReply is what Discord shows. No choices are an answer, too.
func choicesReply(choices []Choice) *Reply {
	choices = append([]Choice{}, choices[:min(len(choices), maxChoices)]...)
	body, err := json.Marshal(map[string]any{"type": callbackChoices, "data": map[string]any{"choices": choices}})
	if err != nil {
		body = nil // RawReply tells that it is no JSON
	}
	return RawReply(append(json.RawMessage{}, body...))
}

// typedOption is an option on the way to the focused one.
type typedOption struct {
	Name    string          `json:"name"`
	Type    int             `json:"type"`
	Value   json.RawMessage `json:"value"`
	Focused bool            `json:"focused"`
	Options []typedOption   `json:"options"`
}

// typingOf reads Discord's bytes: what is typed into a number may be no number.
func typingOf(raw json.RawMessage) Typing {
	var i struct {
		Data struct {
			Options []typedOption `json:"options"`
		} `json:"data"`
	}
	if json.Unmarshal(raw, &i) != nil {
		return Typing{}
	}
	var names []string
	options := i.Data.Options
	for len(options) == 1 && (options[0].Type == subcommand || options[0].Type == subcommandGroup) {
		names = append(names, options[0].Name)
		options = options[0].Options
	}
	typing := Typing{Subcommand: strings.Join(names, " ")}
	for _, option := range options {
		if option.Focused {
			typing.Option, typing.Value = option.Name, strings.TrimSpace(string(option.Value))
			var text string
			if json.Unmarshal(option.Value, &text) == nil {
				typing.Value = text
			}
		}
	}
	return typing
}
