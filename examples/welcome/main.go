// Command welcome is an example plugin that greets who joins a server and says
// goodbye to who leaves, in the server's system channel. It goes on without a
// word when the guild is not to be had. (Discord sends joins and leaves only to
// bots whose Server Members Intent is switched on in the developer portal.)
package main

import (
	"context"
	"errors"

	"github.com/holdfast-bot/holdfast/sdk"
	"github.com/switchupcb/disgo"
)

func main() { newPlugin().Run() }

func newPlugin() *sdk.Plugin {
	p := sdk.New("welcome")
	sdk.On(p, greet, sdk.WithGuild(sdk.PartGuild)) // one request of four when it must be loaded
	sdk.On(p, farewell, sdk.WithGuild(sdk.PartGuild))
	return p
}

func greet(ctx context.Context, bot *sdk.Bot, e *disgo.GuildMemberAdd) error {
	return say(ctx, bot, e.GuildID, "Welcome, <@"+e.User.ID+">!")
}

func farewell(ctx context.Context, bot *sdk.Bot, e *disgo.GuildMemberRemove) error {
	return say(ctx, bot, e.GuildID, "Goodbye, "+e.User.Username+".")
}

// say posts in the system channel of a guild. When thousands join or leave at
// once, the host may load no guilds for that: then nothing is said, and above
// all Discord is not asked for the guild each time.
func say(ctx context.Context, bot *sdk.Bot, guildID, text string) error {
	guild, err := bot.Guild(ctx, guildID, sdk.PartGuild)
	if missing, ok := errors.AsType[*sdk.GuildError](err); ok {
		bot.Log.Debug("nothing said: the guild is missing", "reason", missing.Reason)
		return nil
	}
	if err != nil {
		return err
	}
	if guild.SystemChannelID == nil {
		return nil // this server wants no such news
	}
	_, err = (&disgo.CreateMessage{ChannelID: *guild.SystemChannelID, Content: &text}).Send(bot.Client)
	return err
}
