// Command typed is the plugin of the host's tests of real payloads: typed
// handlers that write a line for every event that they are called with.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/switchupcb/disgo"

	"github.com/holdfast-bot/holdfast/sdk"
)

func main() {
	file, err := os.OpenFile(os.Getenv("FILE"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		panic(err)
	}
	write := func(name, id string) error {
		_, err := fmt.Fprintln(file, name, id)
		return err
	}
	p := sdk.New("typed")
	sdk.On(p, func(_ context.Context, _ *sdk.Bot, e *disgo.GuildCreate) error { return write("GUILD_CREATE", e.ID) })
	sdk.On(p, func(_ context.Context, _ *sdk.Bot, e *disgo.GuildMemberUpdate) error {
		return write("GUILD_MEMBER_UPDATE", e.GuildID)
	})
	sdk.On(p, func(_ context.Context, _ *sdk.Bot, e *disgo.InteractionCreate) error {
		return write("INTERACTION_CREATE", e.ID)
	})
	sdk.On(p, func(_ context.Context, _ *sdk.Bot, e *disgo.MessageCreate) error {
		return write("MESSAGE_CREATE", e.ID)
	})
	sdk.On(p, func(_ context.Context, _ *sdk.Bot, e *disgo.MessageUpdate) error {
		return write("MESSAGE_UPDATE", e.ID)
	})
	sdk.On(p, func(_ context.Context, _ *sdk.Bot, e *disgo.MessageDelete) error {
		return write("MESSAGE_DELETE", e.MessageID)
	})
	sdk.On(p, func(_ context.Context, _ *sdk.Bot, e *disgo.MessageReactionAdd) error {
		return write("MESSAGE_REACTION_ADD", e.MessageID)
	})
	sdk.On(p, func(_ context.Context, _ *sdk.Bot, e *disgo.ThreadCreate) error { return write("THREAD_CREATE", e.ID) })
	sdk.On(p, func(_ context.Context, _ *sdk.Bot, e *disgo.VoiceStateUpdate) error {
		return write("VOICE_STATE_UPDATE", e.UserID)
	})
	p.Run()
}
