// Command uploader is the plugin of the host's tests of large bodies: at a
// message "N MIB" it sends N files of MIB mebibytes at the same time, and writes
// a line for each into FILE.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"sync"

	"github.com/switchupcb/disgo"

	"github.com/holdfast-bot/holdfast/sdk"
)

func main() {
	p := sdk.New("uploader")
	sdk.On(p, upload)
	p.Run()
}

func upload(ctx context.Context, bot *sdk.Bot, e *disgo.MessageCreate) error {
	var n, mib int
	if _, err := fmt.Sscanf(e.Content, "%d %d", &n, &mib); err != nil {
		return nil //nolint:nilerr // its own messages
	}
	data := bytes.Repeat([]byte("kelp and "), (mib<<20)/9)
	lines := make([]string, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			file := &disgo.File{Name: "kelp.bin", ContentType: "application/octet-stream", Data: data}
			message, err := sdk.Send(ctx, bot, &disgo.CreateMessage{ChannelID: e.ChannelID, Files: []*disgo.File{file}})
			switch {
			case err != nil:
				lines[i] = err.Error()
			case len(message.Attachments) != 1:
				lines[i] = "no attachment"
			default:
				lines[i] = fmt.Sprintf("sent %d of %d", message.Attachments[0].Size, len(data))
			}
		})
	}
	all.Wait()
	var text bytes.Buffer
	for _, line := range lines {
		fmt.Fprintln(&text, line)
	}
	part := os.Getenv("FILE") + ".part"
	return errors.Join(os.WriteFile(part, text.Bytes(), 0o600), os.Rename(part, os.Getenv("FILE")))
}
