// Command forgetful is a build of counter that does not read what the build
// before it has saved.
package main

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/holdfast-bot/holdfast/sdk"
	"github.com/switchupcb/disgo"
)

func main() {
	p := sdk.New("counter")
	p.SaveRestore(2,
		func() ([]byte, error) { return nil, nil },
		func(uint32, []byte) error { return errors.New("counts of before the flood") })
	p.Command(&disgo.CreateGlobalApplicationCommand{
		Name:        "count",
		Description: disgo.Pointer("Tells how many messages this server has seen."),
	}, func(context.Context, *sdk.Bot, *disgo.InteractionCreate) (*sdk.Reply, error) {
		return sdk.Text("0 messages"), nil
	})
	sdk.OnRaw(p, "MESSAGE_CREATE", func(context.Context, *sdk.Bot, json.RawMessage) error { return nil })
	p.Run()
}
