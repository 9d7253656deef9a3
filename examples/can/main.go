// Command can is an example plugin that tells who may do what: /can USER CHANNEL
// lists what a member may do in a channel, /gives ROLE what a role gives. The first
// costs Discord one request, for the member; the guild is the host's.
package main

import (
	"context"
	"errors"

	"github.com/holdfast-bot/holdfast/sdk"
	"github.com/switchupcb/disgo"
)

func main() { newPlugin().Run() }

func newPlugin() *sdk.Plugin {
	p := sdk.New("can")
	p.Command(&disgo.CreateGlobalApplicationCommand{
		Name:        "can",
		Description: disgo.Pointer("Lists what a member may do in a channel, or in the whole server."),
		Options: []*disgo.ApplicationCommandOption{
			{Type: disgo.FlagApplicationCommandOptionTypeUSER, Name: "user", Description: "who", Required: disgo.Pointer(true)},
			{Type: disgo.FlagApplicationCommandOptionTypeCHANNEL, Name: "channel", Description: "where"},
		},
	}, can)
	p.Command(&disgo.CreateGlobalApplicationCommand{
		Name:        "gives",
		Description: disgo.Pointer("Lists what a role gives to who has it."),
		Options: []*disgo.ApplicationCommandOption{
			{Type: disgo.FlagApplicationCommandOptionTypeROLE, Name: "role", Description: "which", Required: disgo.Pointer(true)},
		},
	}, gives)
	return p
}

func can(ctx context.Context, bot *sdk.Bot, i *disgo.InteractionCreate) (*sdk.Reply, error) {
	user := option(i, "user")
	may, err := bot.Permissions(ctx, bot.GuildID(), user, option(i, "channel"))
	if err != nil {
		return excuse(err)
	}
	return sdk.Text("<@" + user + "> may: " + may.String()).Ephemeral(), nil
}

func gives(ctx context.Context, bot *sdk.Bot, i *disgo.InteractionCreate) (*sdk.Reply, error) {
	role, err := bot.Role(ctx, bot.GuildID(), option(i, "role"))
	if err != nil {
		return excuse(err)
	}
	given, err := sdk.ParsePermissions(role.Permissions)
	if err != nil {
		return nil, err
	}
	return sdk.Text(role.Name + " gives: " + given.String()).Ephemeral(), nil
}

// option is the value of one of the command's options, empty if it was not given.
func option(i *disgo.InteractionCreate, name string) string {
	for _, o := range i.ApplicationCommand().Options {
		if o.Name == name && o.Value != nil {
			return string(*o.Value)
		}
	}
	return ""
}

// excuse tells the user what stands in the way, where it is no fault of ours.
func excuse(err error) (*sdk.Reply, error) {
	const unknownMember = 10007
	var (
		guild *sdk.GuildError
		place *sdk.NotFoundError
		api   *sdk.APIError
	)
	switch {
	case errors.As(err, &guild):
		return sdk.Text("I cannot look that up now (" + string(guild.Reason) + "). Try again later.").Ephemeral(), nil
	case errors.As(err, &place):
		return sdk.Text("I do not see that " + place.Kind + ".").Ephemeral(), nil
	case errors.As(err, &api) && api.Code == unknownMember:
		return sdk.Text("That user is not a member of this server.").Ephemeral(), nil
	}
	return nil, err
}
