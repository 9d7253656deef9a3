// Command declares is a plugin of the host's end-to-end tests whose commands
// stand, as a JSON list, in a file: another start has others.
package main

import (
	"context"
	"encoding/json"
	"os"

	"github.com/holdfast-bot/holdfast/sdk"
	"github.com/switchupcb/disgo"
)

func main() {
	raw, err := os.ReadFile(os.Getenv("COMMANDS"))
	if err != nil {
		panic(err)
	}
	var commands []json.RawMessage
	if err := json.Unmarshal(raw, &commands); err != nil {
		panic(err)
	}
	p := sdk.New(os.Getenv("NAME"))
	for _, command := range commands {
		p.Command(command, func(context.Context, *sdk.Bot, *disgo.InteractionCreate) (*sdk.Reply, error) {
			return sdk.Text("here is " + p.Name()), nil
		})
	}
	p.Run()
}
