// Command impatient is the plugin of the host's tests of requests that end with
// their contexts. A message says which; how each ended is a line in FILE.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/switchupcb/disgo"

	"github.com/holdfast-bot/holdfast/sdk"
)

func main() {
	file, err := os.OpenFile(os.Getenv("FILE"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		panic(err)
	}
	p := sdk.New("impatient")
	sdk.On(p, func(ctx context.Context, bot *sdk.Bot, e *disgo.MessageCreate) error {
		typing := &disgo.TriggerTypingIndicator{ChannelID: e.ChannelID}
		short, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		var err error
		switch e.Content {
		case "first":
			err = typing.Send(bot.Client)
		case "queued":
			err = sdk.SendOnly(short, bot, typing)
		case "queued beyond the handler":
			err = typing.Send(bot.Client)
		case "under way":
			err = bot.Do(short, "GET", "/channels/"+e.ChannelID, nil, nil)
		case "refused":
			err = bot.Do(ctx, "GET", "/channels/../../../secret", nil, nil)
		}
		api, _ := errors.AsType[*sdk.APIError](err)
		_, err = fmt.Fprintf(file, "%s: deadline %t, discord %v: %v\n", e.Content, errors.Is(err, context.DeadlineExceeded), api, err)
		return err
	})
	p.Run()
}
