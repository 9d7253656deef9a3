// Hello is the smallest useful plugin: it answers /ping, and tells who writes
// "!guild" what their guild is called.
package main

import (
	"context"

	"github.com/holdfast-bot/holdfast/sdk"
	"github.com/switchupcb/disgo"
)

func main() {
	p := sdk.New("hello")
	p.Command(&disgo.CreateGlobalApplicationCommand{
		Name:        "ping",
		Description: disgo.Pointer("Replies with pong."),
	}, ping)
	sdk.On(p, guildName, sdk.WithGuild())
	p.Run()
}

func ping(ctx context.Context, bot *sdk.Bot, i *disgo.InteractionCreate) (*sdk.Reply, error) {
	return sdk.Text("pong"), nil
}

func guildName(ctx context.Context, bot *sdk.Bot, e *disgo.MessageCreate) error {
	if e.Content != "!guild" || e.GuildID == nil {
		return nil
	}
	guild, err := bot.Guild(ctx, *e.GuildID)
	if err != nil {
		return err
	}
	_, err = (&disgo.CreateMessage{ChannelID: e.ChannelID, Content: &guild.Name}).Send(bot.Client)
	return err
}
