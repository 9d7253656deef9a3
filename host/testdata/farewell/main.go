// Command farewell is the plugin of the host's tests of mass events: it wants
// the guild of everybody who leaves, and writes a line for every event that it
// handles: the event, its guild, its user, the milliseconds from its arrival at
// the host to its handler, and what became of the guild. Of a command it writes
// the milliseconds until it had the guild.
package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/switchupcb/disgo"

	"github.com/holdfast-bot/holdfast/sdk"
)

const noGuild = "1"

// member is who joined or left.
type member struct {
	User struct {
		ID string `json:"id"`
	} `json:"user"`
}

func main() {
	file, err := os.OpenFile(os.Getenv("FILE"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		panic(err)
	}
	write := func(bot *sdk.Bot, m *member, took time.Duration, guild string) error {
		_, err := fmt.Fprintf(file, "%s %s %s %d %s\n", bot.Event, bot.GuildID(), cmp.Or(m.User.ID, "-"), took.Milliseconds(), guild)
		return err
	}
	p := sdk.New("farewell")
	// Who joins costs as much as who leaves, but for the guild: one read, of a
	// guild that there is not.
	sdk.OnAs(p, "GUILD_MEMBER_ADD", func(ctx context.Context, bot *sdk.Bot, m *member) error {
		took := time.Since(bot.Received)
		_, _ = bot.Guild(ctx, noGuild)
		return write(bot, m, took, "unasked")
	})
	sdk.OnAs(p, "GUILD_MEMBER_REMOVE", func(ctx context.Context, bot *sdk.Bot, m *member) error {
		took := time.Since(bot.Received)
		if _, err := bot.Guild(ctx, bot.GuildID()); err != nil {
			return write(bot, m, took, strings.ReplaceAll(err.Error(), "\n", " "))
		}
		return write(bot, m, took, "found")
	}, sdk.WithGuild())
	p.Command(&disgo.CreateGlobalApplicationCommand{
		Name:        "where",
		Description: disgo.Pointer("Tells the server's name."),
	}, func(ctx context.Context, bot *sdk.Bot, _ *disgo.InteractionCreate) (*sdk.Reply, error) {
		guild, err := bot.Guild(ctx, bot.GuildID())
		took := time.Since(bot.Received)
		if err != nil {
			return sdk.Text("nowhere: " + err.Error()), nil //nolint:nilerr // who asked is told
		}
		return sdk.Text(guild.Name), write(bot, &member{}, took, "found")
	})
	p.Run()
}
