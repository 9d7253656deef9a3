package sdk

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/switchupcb/disgo"
)

// Types of options that are subcommands (Discord's documentation, "Application
// Command Option Type").
const (
	subcommand      = 1
	subcommandGroup = 2
)

// Subcommands makes the handler of a command that has subcommands of a handler
// for each: "set", or "color set" for the subcommand set of the group color.
//
//	p.Command(config, sdk.Subcommands(map[string]sdk.CommandHandler{"set": set, "list": list}))
func Subcommands(handlers map[string]CommandHandler) CommandHandler {
	for path, handler := range handlers {
		if handler == nil || path == "" || path != strings.Join(strings.Fields(path), " ") {
			panic(fmt.Sprintf("sdk.Subcommands: %q: give it a handler, and its name, or its group's and its name with a space between", path))
		}
	}
	handlers = maps.Clone(handlers)
	return func(ctx context.Context, bot *Bot, interaction *disgo.InteractionCreate) (*Reply, error) {
		path, _ := calledOptions(interaction)
		if handler, ok := handlers[path]; ok {
			return handler(ctx, bot, interaction)
		}
		return nil, fmt.Errorf("the subcommand %q has no handler: there are %q", path, slices.Sorted(maps.Keys(handlers)))
	}
}

// Arguments are the values that a user gave to the options of a command, or of
// the subcommand that he called, by name: text as it is, numbers in digits,
// true or false, the ids of users, channels and roles.
func Arguments(interaction *disgo.InteractionCreate) map[string]string {
	_, options := calledOptions(interaction)
	arguments := make(map[string]string, len(options))
	for _, option := range options {
		if option != nil && option.Value != nil {
			arguments[option.Name] = option.Value.String()
		}
	}
	return arguments
}

// calledOptions walks down to the subcommand that was called, if there is one.
func calledOptions(interaction *disgo.InteractionCreate) (path string, options []*disgo.ApplicationCommandInteractionDataOption) {
	if interaction == nil || interaction.Interaction == nil {
		return "", nil
	}
	data, ok := interaction.Data.(*disgo.ApplicationCommandData)
	if !ok || data == nil {
		return "", nil
	}
	options = data.Options
	var names []string
	for len(options) == 1 && options[0] != nil && (options[0].Type == subcommand || options[0].Type == subcommandGroup) {
		names = append(names, options[0].Name)
		options = options[0].Options
	}
	return strings.Join(names, " "), options
}
