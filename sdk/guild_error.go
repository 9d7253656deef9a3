package sdk

import (
	"fmt"
	"strconv"
	"time"

	"github.com/holdfast-bot/holdfast/sdk/wire"
)

// GuildReason says why a guild is not to be had. A newer host may have reasons
// that are not among the constants.
type GuildReason string

// The reasons.
const (
	// GuildRemoved says that the bot is not in the guild.
	GuildRemoved GuildReason = "removed"
	// GuildOutage says that Discord has an outage there; the guild comes back.
	GuildOutage GuildReason = "outage"
	// GuildForbidden says that Discord does not let the bot see the guild.
	GuildForbidden GuildReason = "forbidden"
	// GuildFailed says that loading it from Discord failed.
	GuildFailed GuildReason = "failed"
	// GuildBackingOff says that loading it failed before, and is not tried now.
	GuildBackingOff GuildReason = "backing off"
	// GuildGuardOpen says that loading failed for many guilds, and is not tried
	// now.
	GuildGuardOpen GuildReason = "guard open"
	// GuildRefused says that too many guilds are being loaded at this moment.
	// Events that come in masses (joins and leaves, bans, reactions) are
	// refused first.
	GuildRefused GuildReason = "refused"
	// GuildTimeout says that loading it took too long; it may be there later.
	GuildTimeout GuildReason = "timeout"
	// GuildMemory says that the guild is too large for the host's cache.
	GuildMemory GuildReason = "memory"
	// GuildClosed says that the host is ending.
	GuildClosed GuildReason = "closed"
)

// GuildError is why Bot.Guild has no guild. A handler that can do without the
// guild does so; another lets its event pass.
type GuildError struct {
	// ID of the guild, as Discord writes it.
	ID     string
	Reason GuildReason
	// Until is when the host may try to load it again; zero if nobody knows.
	Until time.Time
	// Message is the host's, with the remedy.
	Message string
}

// Error is the host's message.
func (e *GuildError) Error() string {
	if e.Message == "" {
		return fmt.Sprintf("guild %s is missing: %s", e.ID, e.Reason)
	}
	return e.Message
}

func newGuildError(guild uint64, missing *wire.GuildMissing) *GuildError {
	e := &GuildError{
		ID:      strconv.FormatUint(guild, 10),
		Reason:  GuildReason(missing.GetReason()),
		Message: missing.GetMessage(),
	}
	if until := missing.GetUntilMs(); until > 0 {
		e.Until = time.UnixMilli(until)
	}
	return e
}
