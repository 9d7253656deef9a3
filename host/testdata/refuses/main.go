// Command refuses is a plugin that does not start.
package main

import (
	"context"
	"errors"

	"github.com/holdfast-bot/holdfast/sdk"
)

func main() {
	p := sdk.New("recorder-0")
	p.OnStart(func(context.Context, *sdk.Bot) error { return errors.New("database is locked") })
	p.Run()
}
