// Command counter is an example plugin that counts the messages of each guild
// and tells the count on /count. It counts in memory: the counts live on over
// reloads because they are the plugin's state.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"

	"github.com/holdfast-bot/holdfast/sdk"
	"github.com/switchupcb/disgo"
)

func main() { newPlugin().Run() }

func newPlugin() *sdk.Plugin {
	c := &counter{messages: make(map[string]int)}
	p := sdk.New("counter")
	p.State(&c.messages)
	p.Command(&disgo.CreateGlobalApplicationCommand{
		Name:        "count",
		Description: disgo.Pointer("Tells how many messages this server has seen."),
	}, c.tell)
	sdk.OnRaw(p, "MESSAGE_CREATE", c.count)
	return p
}

// counter is shared by handlers that run in parallel: those of different
// guilds, and commands.
type counter struct {
	mu       sync.Mutex
	messages map[string]int // by guild
}

func (c *counter) count(ctx context.Context, bot *sdk.Bot, data json.RawMessage) error {
	if bot.GuildID() == "" {
		return nil // a direct message
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.messages[bot.GuildID()]++
	return nil
}

func (c *counter) tell(ctx context.Context, bot *sdk.Bot, i *disgo.InteractionCreate) (*sdk.Reply, error) {
	if bot.GuildID() == "" {
		return sdk.Text("I count in servers: ask me there.").Ephemeral(), nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return sdk.Text(fmt.Sprintf("%d messages", c.messages[bot.GuildID()])), nil
}
