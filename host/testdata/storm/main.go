// Command storm is the plugin of the host's tests of refused requests: it sends
// messages to CHANNEL without end and without looking at the answers, and, when
// the host sends that no more, to channels that there are not.
package main

import (
	"context"
	"os"
	"strconv"
	"time"

	"github.com/switchupcb/disgo"

	"github.com/holdfast-bot/holdfast/sdk"
)

// workers send at once.
const workers = 8

func main() {
	p := sdk.New("storm")
	p.OnStart(func(_ context.Context, bot *sdk.Bot) error {
		detached := bot.Detach()
		for worker := range workers {
			go func() { // ends with the process
				channel := os.Getenv("CHANNEL")
				for n := 0; ; n++ {
					_, err := (&disgo.CreateMessage{ChannelID: channel, Content: disgo.Pointer("anybody there?")}).Send(detached.Client)
					if _, answered := sdk.AsAPIError(err); err == nil || answered {
						continue
					}
					// The host refuses: there are other channels.
					channel = strconv.Itoa(100_000_000 + n*workers + worker)
					time.Sleep(time.Millisecond)
				}
			}()
		}
		return nil
	})
	p.Run()
}
