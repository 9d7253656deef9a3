// Command presence is a plugin that asks for events which need another intent.
package main

import (
	"context"
	"encoding/json"

	"github.com/holdfast-bot/holdfast/sdk"
)

func main() {
	p := sdk.New("recorder-0")
	sdk.OnRaw(p, "PRESENCE_UPDATE", func(context.Context, *sdk.Bot, json.RawMessage) error { return nil })
	p.Run()
}
