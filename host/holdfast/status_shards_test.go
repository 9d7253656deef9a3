package main

import (
	"strings"
	"testing"
	"time"

	"github.com/holdfast-bot/holdfast/host/control"
)

// A host that does not know Discord's limit says nothing of it.
func TestIdentifies(t *testing.T) {
	reset := time.Date(2026, 8, 2, 12, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		said *control.Identifies
		want string
	}{
		{nil, ""},
		{
			&control.Identifies{Total: 1000, Remaining: 900, Reset: reset, Reserve: 50},
			"identifies\t900 of 1000 left until 2026-08-02T12:00:00Z, the last 50 are kept\n",
		},
		{
			&control.Identifies{Total: 1000, Remaining: 51, Reset: reset, Reserve: 50, Waiting: 2, Until: reset.Add(-time.Hour)},
			"identifies\t51 of 1000 left until 2026-08-02T12:00:00Z, the last 50 are kept; 2 shards wait until 2026-08-02T11:00:00Z\n",
		},
	} {
		var out strings.Builder
		printIdentifies(&out, control.Status{Identifies: test.said})
		if out.String() != test.want {
			t.Errorf("got %q, want %q", out.String(), test.want)
		}
	}
}

func TestShardTable(t *testing.T) {
	var out strings.Builder
	printShards(&out, control.Status{Shards: []control.Shard{
		{Shard: 4, State: "ready", Guilds: new(0), Seq: 7, LatencyMS: 41.2, Connections: 3, Identifies: 1, Resumes: 2, Lost: 5, Gaps: 6},
		{Shard: 5, State: "resuming"},
	}})
	want := "\nSHARD\tSTATE\tGUILDS\tSEQ\tLATENCY\tCONNECTIONS\tIDENTIFIES\tRESUMES\tLOST\tGAPS\n" +
		"4\tready\t0\t7\t41 ms\t3\t1\t2\t5\t6\n5\tresuming\t-\t0\t-\t0\t0\t0\t0\t0\n"
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}

// A shard that has room for guilds needs no words.
func TestGuildNote(t *testing.T) {
	for want, shard := range map[string]control.Shard{
		"": {Shard: 1, Guilds: new(1999)},
		"\nshard 1: 2000 guilds of at most 2500: run holdfast reshard auto\n":                                       {Shard: 1, Guilds: new(2000), GuildLimit: 2500},
		"\nshard 1: 2500 guilds of at most 2500, Discord may refuse its next identify: run holdfast reshard auto\n": {Shard: 1, Guilds: new(2500), GuildLimit: 2500},
	} {
		var out strings.Builder
		printNotes(&out, control.Status{Shards: []control.Shard{shard}})
		if out.String() != want {
			t.Errorf("got %q, want %q", out.String(), want)
		}
	}
}
