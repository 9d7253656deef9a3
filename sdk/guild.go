package sdk

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/switchupcb/disgo"
)

// Guild is a guild as its bot sees it, at one moment. All handlers of the
// plugin share it, so it must not be changed: copy what you want to change.
//
// What disgo cannot decode is left out (a field, or the element of a list, such
// as a channel of a kind that it does not know); Raw has it whole.
type Guild struct {
	disgo.Guild
	// Channels are those of the guild, without threads, in Discord's order.
	Channels []*disgo.Channel
	// Threads are the active ones that the bot may see. The Member of a thread
	// is the bot's own, nil if it has not joined.
	Threads []*disgo.Channel
	// Member is the bot's own, nil if it is unknown.
	Member *disgo.GuildMember
	// Version grows with each change of the guild while the host runs. It is 0
	// with hosts that keep no guilds; those give neither channels, threads nor
	// member.
	Version uint64
	// Raw is Discord's JSON, for what disgo does not know.
	Raw GuildParts

	missing Part // that it was read without
}

// GuildParts is a guild in Discord's JSON. What the host does not know, or was
// not asked for, is empty.
type GuildParts struct {
	Guild    json.RawMessage // the guild object with roles, emojis and stickers
	Channels json.RawMessage // a list
	Threads  json.RawMessage // a list of the active ones
	Member   json.RawMessage // the bot's own
}

// Guild reads a guild from the host, which keeps guilds that are active and
// loads the others on demand; see WithGuild to have the event's guild loaded
// before the handler runs. It is never older than the event that is being
// handled. Who names parts gets these at least, and the host loads no others:
// bot.Guild(ctx, id, sdk.PartGuild) has roles and costs one request of four. The
// fields of the other parts may be empty then; Guild.Has tells.
//
// The plugin keeps copies of what it has read (16 MiB at most). To read the
// event's own guild again, unchanged, asks nobody and costs less than 1 µs;
// every other read is one call to the host, shared by all who wait for the same.
// It may take as long as a load: the context ends the wait.
//
// The error is a *GuildError when the guild is not to be had now (errors.As
// finds it): go on without the guild then. Do not ask Discord instead, least of
// all for events that come in masses. With a host that keeps no guilds it is
// one request to Discord each time, and the error an *APIError when Discord
// refuses.
func (b *Bot) Guild(ctx context.Context, id string, parts ...Part) (*Guild, error) {
	return b.readGuild(ctx, id, union(parts))
}

func (b *Bot) readGuild(ctx context.Context, id string, parts Part) (*Guild, error) {
	if err := checkID(id); err != nil {
		return nil, fmt.Errorf("read guild: %w", err)
	}
	number, _ := strconv.ParseUint(id, 10, 64) // it was checked
	if _, ok := b.line.events.context(b.ticket); !ok {
		return nil, fmt.Errorf("read guild %s: %w", id, overError(b.Event))
	}
	guild, err := b.line.guilds.read(ctx, guildAsk{guild: number, parts: parts, event: b.Event}, b.guildNeed(number))
	if err == nil {
		return guild, nil
	}
	if _, ok := errors.AsType[*GuildError](err); ok {
		return nil, err // its message says all
	}
	if _, ok := b.line.events.context(b.ticket); !ok {
		err = overError(b.Event)
	}
	return nil, fmt.Errorf("read guild %s: %w", id, err)
}

// guildNeed says how new the guild must be for what the bot belongs to. Events
// of other guilds come in another order, and a detached bot has none.
func (b *Bot) guildNeed(guild uint64) guildNeed {
	if b.ticket == detachedTicket || b.guild != guild {
		return guildNeed{}
	}
	return guildNeed{ticket: b.ticket, version: b.guildVersion}
}

// checkID keeps anything but a snowflake out of a path.
func checkID(id string) error {
	if n, err := strconv.ParseUint(id, 10, 64); err != nil || n == 0 {
		return fmt.Errorf("%q is no id of Discord's: use digits", id)
	}
	return nil
}
