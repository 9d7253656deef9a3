package main

import (
	"fmt"
	"io"
	"time"

	"github.com/holdfast-bot/holdfast/host/control"
)

// printIdentifies shows how often the bot may still identify, and who waits for it.
func printIdentifies(w io.Writer, s control.Status) {
	i := s.Identifies
	if i == nil {
		return
	}
	waiting := ""
	if i.Waiting > 0 {
		waiting = fmt.Sprintf("; %d shards wait until %s", i.Waiting, i.Until.Format(time.RFC3339))
	}
	fmt.Fprintf(w, "identifies\t%d of %d left until %s, the last %d are kept%s\n", i.Remaining, i.Total, i.Reset.Format(time.RFC3339), i.Reserve, waiting)
}
