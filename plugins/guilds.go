package plugins

import (
	"context"

	"github.com/holdfast-bot/holdfast/sdk/wire"
)

// Guilds is the host's guild cache as plugins use it. Its methods are for any
// goroutine.
type Guilds interface {
	// Want has parts of a guild at hand for an event of this name, before the
	// handler runs; they are a set as in wire.GuildRequest, 0 is all. It does not
	// wait: it returns the guild's version, or a channel that is closed when the
	// parts are there or cannot be had, or, if they cannot be had now, neither.
	Want(guild uint64, parts uint32, event string) (version uint64, pending <-chan struct{})
	// Guild answers a plugin's read. The error is about the request only; why a
	// guild is missing is in the answer.
	Guild(ctx context.Context, r *wire.GuildRequest) (*wire.GuildResponse, error)
	// Member answers the read of a member by the plugin called caller. The error is
	// about the way there; what Discord refuses is in the answer.
	Member(ctx context.Context, caller string, r *wire.MemberRequest) (*wire.MemberResponse, error)
}
