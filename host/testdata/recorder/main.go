// Command recorder is the plugin of the host's end-to-end tests: it writes a
// line for every event that it handles, before it acknowledges it.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/holdfast-bot/holdfast/sdk"
)

// message is a message whose content is its number within its guild.
type message struct {
	GuildID string `json:"guild_id"`
	Content string `json:"content"`
}

func main() {
	file, err := os.OpenFile(os.Getenv("FILE"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		panic(err)
	}
	delay, _ := time.ParseDuration(os.Getenv("DELAY"))
	p := sdk.New(os.Getenv("NAME"))
	p.OnStart(func(context.Context, *sdk.Bot) error {
		if _, err := os.Stat(os.Getenv("FILE") + ".broken"); err == nil {
			return errors.New("a bug that the next build has not")
		}
		return nil
	})
	if names := os.Getenv("RAW"); names != "" {
		if list, ok := strings.CutPrefix(names, "@"); ok { // the names are in a file, so that another build has others
			raw, err := os.ReadFile(list)
			if err != nil {
				panic(err)
			}
			names = string(raw)
		}
		for name := range strings.SplitSeq(names, ",") {
			sdk.OnRaw(p, name, func(_ context.Context, _ *sdk.Bot, d json.RawMessage) error {
				_, err := fmt.Fprintf(file, "%s %s\n", name, d)
				return err
			})
		}
		p.Run()
		return
	}
	if os.Getenv("IDLE") != "" { // for benchmarks: what the way costs, not the handler
		sdk.OnRaw(p, "MESSAGE_CREATE", func(context.Context, *sdk.Bot, json.RawMessage) error { return nil })
		p.Run()
		return
	}
	sdk.OnAs(p, "MESSAGE_CREATE", func(ctx context.Context, bot *sdk.Bot, m *message) error {
		if m.Content == os.Getenv("STUCK") && m.Content != "" {
			select {} // whatever becomes of its context
		}
		if delay > 0 {
			select {
			case <-time.After(delay):
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		_, err := fmt.Fprintf(file, "%s %s %v\n", m.GuildID, m.Content, bot.Redelivered)
		return err
	})
	p.Run()
}
