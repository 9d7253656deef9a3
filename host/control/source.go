package control

import "context"

// Source is the host behind the door. It is asked from several goroutines at
// once.
type Source interface {
	Status() Status
	Reloader
	Sharder
}

// Reloader is what a Source does with the plugins, and tells of the commands that
// they declare.
type Reloader interface {
	// Reload reloads plugins and returns when all is done that will be. An error
	// turns the whole request down, with a sentence for the operator: the host is
	// not up, a name is unknown, enough reloads wait already. What became of a
	// single plugin stands in its step. The source lets one reload run at a time.
	// It logs what it does with each plugin, and returns soon after ctx, or the
	// host, has ended.
	Reload(ctx context.Context, o ReloadOptions) (ReloadReport, error)
	// Commands tells what commands are registered and what a sync would do with
	// them. It asks Discord, changes nothing, and ends with ctx. An error turns the
	// request down.
	Commands(ctx context.Context) (Commands, error)
}

// Sharder is what a Source does with the bot's shards. Each call lasts until it is
// done, or ctx or the host has ended, and tells an operator on the way what is
// done, line by line; tell is for one goroutine at a time and keeps nobody
// waiting for long. An error turns the request down, or says why it did not come
// to its end, with the remedy.
type Sharder interface {
	// RestartShard replaces the connection of one shard.
	RestartShard(ctx context.Context, o ShardRestart, tell func(line string)) error
	// Reshard changes how many shards the bot has.
	Reshard(ctx context.Context, to Reshard, tell func(line string)) error
}
