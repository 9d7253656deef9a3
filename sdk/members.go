package sdk

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strconv"

	"github.com/switchupcb/disgo"

	"github.com/holdfast-bot/holdfast/sdk/wire"
)

// MembersRequest says which members of a guild are asked for: users, or those
// whose name begins with a query, or, with neither, all (Discord's documentation,
// "Request Guild Members").
type MembersRequest struct {
	// UserIDs are at most 100.
	UserIDs []string
	// Query is the beginning of a name or nick, at most 32 characters.
	Query string
	// Limit bounds what a query finds, at most 100. Default 100.
	Limit int
	// Presences asks for the members' presences, too. It needs the intent
	// GUILD_PRESENCES (Plugin.Intents).
	Presences bool
}

// Members are a guild's, as they were when Discord answered. They are the
// caller's own.
//
// What disgo cannot decode is left out (a field, or the element of a list); Raw
// has it whole.
type Members struct {
	Members []*disgo.GuildMember
	// Presences are there if they were asked for. Who is offline has none.
	Presences []*disgo.PresenceUpdate
	// NotFound are the users that were asked for and are no members.
	NotFound []string
	// Raw are the chunks as Discord sent them: the data of GUILD_MEMBERS_CHUNK.
	Raw []json.RawMessage
}

// RequestMembers asks Discord for members of a guild and returns them when all
// have come.
//
// The whole list needs the intent GUILD_MEMBERS (Plugin.Intents), and Discord
// sends it once in 30 s for each guild: who asks within that time, in whatever
// plugin, gets what the first got, or waits. It may be large, up to 32 MiB in
// Discord's JSON: ask for the users that matter instead, where that will do.
//
// It takes a minute at most, half of it for that limit, and the handler's
// context ends it mostly before. When it ends too early for the limit the error
// says so at once. A request that is lost with its session is sent again.
func (b *Bot) RequestMembers(ctx context.Context, guild string, r MembersRequest) (*Members, error) {
	request, err := membersRequest(guild, r)
	if err != nil {
		return nil, fmt.Errorf("request members: %w", err)
	}
	answer, err := callHost(ctx, b, request, b.line.host.Members)
	if err != nil {
		return nil, fmt.Errorf("request members of guild %s: %w", guild, err)
	}
	members, err := decodeMembers(answer.GetChunks())
	if err != nil {
		return nil, fmt.Errorf("request members of guild %s: %w", guild, err)
	}
	if !r.Presences {
		members.Presences = nil // somebody else has asked for them
	}
	return members, nil
}

func membersRequest(guild string, r MembersRequest) (*wire.MembersRequest, error) {
	if err := checkID(guild); err != nil {
		return nil, err
	}
	if r.Limit < 0 || r.Limit > math.MaxInt32 {
		return nil, fmt.Errorf("limit %d: a query finds 1 to 100 members", r.Limit)
	}
	request := &wire.MembersRequest{Query: r.Query, Limit: uint32(r.Limit), Presences: r.Presences}
	request.Guild, _ = strconv.ParseUint(guild, 10, 64) // it was checked
	for _, id := range r.UserIDs {
		if err := checkID(id); err != nil {
			return nil, err
		}
		user, _ := strconv.ParseUint(id, 10, 64) // the same
		request.Users = append(request.Users, user)
	}
	return request, nil
}

// decodeMembers puts the chunks together.
func decodeMembers(chunks [][]byte) (*Members, error) {
	m := new(Members)
	for _, raw := range chunks {
		chunk := new(disgo.GuildMembersChunk)
		if _, err := decode(disgo.FlagGatewayEventNameGuildMembersChunk, raw, chunk); err != nil {
			if err := decodeObject(raw, chunk); err != nil {
				return nil, fmt.Errorf("decode the host's answer: %w", err)
			}
		}
		m.Members = append(m.Members, chunk.Members...)
		m.Presences = append(m.Presences, chunk.Presences...)
		m.NotFound = append(m.NotFound, chunk.NotFound...)
		m.Raw = append(m.Raw, raw)
	}
	return m, nil
}
