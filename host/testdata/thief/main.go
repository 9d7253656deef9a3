// Command thief is a plugin that declares a command of another.
package main

import (
	"context"

	"github.com/switchupcb/disgo"

	"github.com/holdfast-bot/holdfast/sdk"
)

func main() {
	p := sdk.New("recorder-0")
	p.Command(&disgo.CreateGlobalApplicationCommand{Name: "ping", Description: disgo.Pointer("Steals.")},
		func(context.Context, *sdk.Bot, *disgo.InteractionCreate) (*sdk.Reply, error) {
			return sdk.Text("mine"), nil
		})
	p.Run()
}
