// Command members is the plugin of the host's tests of gateway commands. A
// message tells it what to do: "list GUILD" requests a guild's whole list, "join
// CHANNEL" enters a voice channel. It writes a line of what came of it, and of
// every chunk that it sees.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/switchupcb/disgo"

	"github.com/holdfast-bot/holdfast/sdk"
)

type message struct {
	GuildID string `json:"guild_id"`
	Content string `json:"content"`
}

func main() {
	file, err := os.OpenFile(os.Getenv("FILE"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		panic(err)
	}
	p := sdk.New(os.Getenv("NAME"))
	if os.Getenv("MODEST") == "" {
		p.Intents(disgo.FlagIntentGUILD_MEMBERS)
	}
	p.OnStart(func(ctx context.Context, bot *sdk.Bot) error {
		return bot.SetPresence(ctx, sdk.Presence{
			Status:     disgo.FlagStatusTypeDoNotDisturb,
			Activities: []*disgo.Activity{{Name: "roll call", Type: disgo.FlagActivityTypeWatching}},
		})
	})
	sdk.OnRaw(p, "GUILD_MEMBERS_CHUNK", func(context.Context, *sdk.Bot, json.RawMessage) error {
		_, err := fmt.Fprintln(file, "chunk")
		return err
	})
	sdk.OnAs(p, "MESSAGE_CREATE", func(ctx context.Context, bot *sdk.Bot, m *message) error {
		what, id, _ := strings.Cut(m.Content, " ")
		if what == "join" {
			return bot.SetVoiceState(ctx, m.GuildID, id, false, true)
		}
		return list(ctx, bot, id, file)
	})
	p.Run()
}

// list writes how many members came, how many of them differ, and in how many
// chunks.
func list(ctx context.Context, bot *sdk.Bot, guild string, file *os.File) error {
	all, err := bot.RequestMembers(ctx, guild, sdk.MembersRequest{})
	if err != nil {
		_, err = fmt.Fprintln(file, "error", err)
		return err
	}
	seen := make(map[string]bool)
	for _, m := range all.Members {
		seen[m.User.ID] = true
	}
	_, err = fmt.Fprintln(file, "members", len(all.Members), len(seen), len(all.Raw))
	return err
}
