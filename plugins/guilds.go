package plugins

import (
	"context"

	"github.com/holdfast-bot/holdfast/sdk/wire"
)

// Guilds is the host's guild cache as plugins use it. Its methods are for any
// goroutine.
type Guilds interface {
	// Want has a guild at hand for an event of this name, before the handler
	// runs. It does not wait: it returns the guild's version, or a channel that is
	// closed when the guild is there or cannot be had, or, if it cannot be had
	// now, neither.
	Want(guild uint64, event string) (version uint64, pending <-chan struct{})
	// Guild answers a plugin's read. The error is about the request only; why a
	// guild is missing is in the answer.
	Guild(ctx context.Context, r *wire.GuildRequest) (*wire.GuildResponse, error)
}
