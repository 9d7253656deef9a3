package sdk

import (
	"context"
	"fmt"

	"github.com/switchupcb/disgo"
)

// flagObfuscated marks a channel that the bot may not see: Discord sends its id
// with most else made up (Discord's documentation, "Obfuscated Channels").
const flagObfuscated disgo.BitFlag = 1 << 17

// NotFoundError says that a guild, which is known, has no such channel or role,
// or none that the bot may see.
type NotFoundError struct {
	GuildID string
	Kind    string // "channel" or "role"
	ID      string
}

// Error says what may be the reason.
func (e *NotFoundError) Error() string {
	if e.Kind == "role" {
		return fmt.Sprintf("guild %s has no role %s: it was deleted, or is another guild's", e.GuildID, e.ID)
	}
	return fmt.Sprintf("guild %s has no %s %s that the bot may see: it was deleted or archived, is hidden from the bot, or is another guild's", e.GuildID, e.Kind, e.ID)
}

// Channel reads a channel or an active thread of a guild, as Guild does; the host
// loads only the guild's channels and threads for it. It is shared by all
// handlers: do not change it.
//
// The error is a *GuildError when the guild is not to be had now, and a
// *NotFoundError when it has no such channel: also when the bot may not see it,
// and for an archived thread, which Discord tells nobody of.
func (b *Bot) Channel(ctx context.Context, guildID, channelID string) (*disgo.Channel, error) {
	if err := checkID(channelID); err != nil {
		return nil, fmt.Errorf("read channel: %w", err)
	}
	guild, err := b.readGuild(ctx, guildID, PartChannels|PartThreads)
	if err != nil {
		return nil, err
	}
	return guild.findChannel(guildID, channelID)
}

// Role reads a role of a guild, as Guild does; the host loads only the guild
// itself for it, without channels. The role @everyone has the id of its guild. It
// is shared by all handlers: do not change it.
//
// The error is a *GuildError when the guild is not to be had now, and a
// *NotFoundError when it has no such role.
func (b *Bot) Role(ctx context.Context, guildID, roleID string) (*disgo.Role, error) {
	if err := checkID(roleID); err != nil {
		return nil, fmt.Errorf("read role: %w", err)
	}
	guild, err := b.readGuild(ctx, guildID, PartGuild)
	if err != nil {
		return nil, err
	}
	if role, ok := guild.Role(roleID); ok {
		return role, nil
	}
	return nil, &NotFoundError{GuildID: guildID, Kind: "role", ID: roleID}
}

// Channel finds a channel or an active thread that the bot may see.
func (g *Guild) Channel(id string) (*disgo.Channel, bool) {
	for _, list := range [...][]*disgo.Channel{g.Channels, g.Threads} {
		for _, c := range list {
			if c != nil && c.ID == id {
				return c, c.Flags == nil || *c.Flags&flagObfuscated == 0
			}
		}
	}
	return nil, false
}

// Role finds a role.
func (g *Guild) Role(id string) (*disgo.Role, bool) {
	for _, r := range g.Roles {
		if r != nil && r.ID == id {
			return r, true
		}
	}
	return nil, false
}

func (g *Guild) findChannel(guildID, id string) (*disgo.Channel, error) {
	if channel, ok := g.Channel(id); ok {
		return channel, nil
	}
	return nil, &NotFoundError{GuildID: guildID, Kind: "channel", ID: id}
}
