// Command record is an example plugin that writes a line for every message:
// guild, message id, and whether the message came again after a crash. It
// decodes into a type of its own, and takes its setting from the environment
// that holdfast.yaml gives it (plugins.record.env).
package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/holdfast-bot/holdfast/sdk"
)

// message is the little of a message that record reads.
type message struct {
	ID      string `json:"id"`
	GuildID string `json:"guild_id"`
}

func main() {
	p := sdk.New("record")
	sdk.OnAs(p, "MESSAGE_CREATE", recordTo(os.Getenv("RECORD_FILE")))
	p.Run()
}

// recordTo returns a handler that appends to the file at path. Each line is
// one write, so that a crash loses nothing that was acknowledged.
func recordTo(path string) func(context.Context, *sdk.Bot, *message) error {
	file, openErr := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if path == "" {
		openErr = errors.New("set RECORD_FILE to the file to write")
	}
	return func(_ context.Context, bot *sdk.Bot, m *message) error {
		if openErr != nil {
			return openErr
		}
		again := "first"
		if bot.Redelivered {
			again = "again"
		}
		_, err := fmt.Fprintf(file, "%s %s %s\n", m.GuildID, m.ID, again)
		return err
	}
}
