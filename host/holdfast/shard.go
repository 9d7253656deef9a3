package main

import (
	"context"
	"fmt"
	"strconv"

	"github.com/holdfast-bot/holdfast/host/control"
)

type shardCmd struct {
	Restart shardRestartCmd `cmd:"" help:"Replace the connection of one shard; its session is resumed and nothing is missed."`
}

type shardRestartCmd struct {
	Shard    int       `arg:"" name:"N" help:"The shard's number; holdfast status shows those that run."`
	Identify bool      `help:"Give the session up and identify anew: events until then are missed, and it costs one of the day's identifies."`
	Host     whichHost `embed:""`
}

// Run has the host replace a shard's connection, and waits until the shard is
// ready again.
func (c *shardRestartCmd) Run(ctx context.Context, around surroundings) error {
	settings, err := c.Host.settings(around)
	if err != nil {
		return err
	}
	return askHost(ctx, settings, func(socket string) error {
		return control.RestartShard(ctx, socket, control.ShardRestart{Shard: c.Shard, Identify: c.Identify}, around.tell)
	})
}

type reshardCmd struct {
	To   shardCount `arg:"" name:"N|auto" help:"Number of shards, or auto for what Discord recommends."`
	Host whichHost  `embed:""`
}

// Run has the host change its number of shards, and tells what it does.
func (c *reshardCmd) Run(ctx context.Context, around surroundings) error {
	settings, err := c.Host.settings(around)
	if err != nil {
		return err
	}
	return askHost(ctx, settings, func(socket string) error {
		return control.AskReshard(ctx, socket, control.Reshard{Shards: int(c.To)}, around.tell)
	})
}

// tell prints a line of progress.
func (a surroundings) tell(line string) { fmt.Fprintln(a.stdout, plain(line)) }

// shardCount is a number of shards, 0 for auto.
type shardCount int

// UnmarshalText reads "auto", or a number from 1 on.
func (c *shardCount) UnmarshalText(text []byte) error {
	if string(text) == "auto" {
		*c = 0
		return nil
	}
	n, err := strconv.ParseUint(string(text), 10, 31)
	if err != nil || n == 0 {
		return fmt.Errorf("%q is not a number of shards: give auto, or a number from 1 on", text)
	}
	*c = shardCount(n)
	return nil
}
