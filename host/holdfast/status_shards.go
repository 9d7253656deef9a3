package main

import (
	"fmt"
	"io"
	"strconv"
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

// printShards shows how each shard's session is.
func printShards(w io.Writer, s control.Status) {
	fmt.Fprintf(w, "\nSHARD\tSTATE\tGUILDS\tSEQ\tLATENCY\tCONNECTIONS\tIDENTIFIES\tRESUMES\tLOST\tGAPS\n")
	for _, shard := range s.Shards {
		guilds := "-" // a resumed session has not told
		if shard.Guilds != nil {
			guilds = strconv.Itoa(*shard.Guilds)
		}
		fmt.Fprintf(w, "%d\t%s\t%s\t%d\t%s\t%d\t%d\t%d\t%d\t%d\n", shard.Shard, shard.State, guilds, shard.Seq, latency(shard.LatencyMS),
			shard.Connections, shard.Identifies, shard.Resumes, shard.Lost, shard.Gaps)
	}
	if len(s.Beside) > 0 {
		ready := 0
		for _, shard := range s.Beside {
			if shard.State == "ready" {
				ready++
			}
		}
		fmt.Fprintf(w, "beside\t%d of %d new sessions are ready, to take over\n", ready, len(s.Beside))
	}
}

// guildNote tells of a shard that has nearly too many guilds.
func guildNote(s control.Shard) string {
	switch {
	case s.Guilds == nil || s.GuildLimit == 0:
		return ""
	case *s.Guilds < s.GuildLimit:
		return fmt.Sprintf("shard %d: %d guilds of at most %d: run holdfast reshard auto", s.Shard, *s.Guilds, s.GuildLimit)
	default:
		return fmt.Sprintf("shard %d: %d guilds of at most %d, Discord may refuse its next identify: run holdfast reshard auto", s.Shard, *s.Guilds, s.GuildLimit)
	}
}
