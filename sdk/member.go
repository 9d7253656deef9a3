package sdk

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/switchupcb/disgo"

	"github.com/holdfast-bot/holdfast/sdk/wire"
)

// Member is a member of a guild, as it was when it was read. It is the caller's
// own.
//
// What disgo cannot decode is left out (a field, or the element of a list); Raw
// has it whole.
type Member struct {
	disgo.GuildMember
	// VoiceState and Presence are there if the host keeps such (its settings say)
	// and knows one of this member, else nil.
	VoiceState *disgo.VoiceState
	Presence   *disgo.PresenceUpdate
	// Raw is Discord's JSON, for what disgo does not know.
	Raw MemberParts
}

// MemberParts is what is known of a member, in Discord's JSON. What is not known
// is empty.
type MemberParts struct {
	Member     json.RawMessage
	VoiceState json.RawMessage
	Presence   json.RawMessage
}

// Member reads a member of a guild: the bot's own, and those that the host keeps
// (its settings say), from its cache, never older than the event that is being
// handled; any other by one request to Discord, shared by all handlers of this
// plugin that ask for the same member at that moment. Such a request waits its
// turn at the host's gate, so think twice before asking for each of many: events mostly bring the
// member they are about, and RequestMembers asks for 100 at once.
//
// The error is an *APIError when Discord refuses, 404 with code 10007 for who is
// no member, and a *GuildError when the guild of the bot's own member is not to be
// had now, or the guild is one that the bot is not in or may not see.
func (b *Bot) Member(ctx context.Context, guildID, userID string) (*Member, error) {
	for _, id := range [...]string{guildID, userID} {
		if err := checkID(id); err != nil {
			return nil, fmt.Errorf("read member: %w", err)
		}
	}
	r := &wire.MemberRequest{Event: b.Event}
	r.Guild, _ = strconv.ParseUint(guildID, 10, 64) // they were checked
	r.User, _ = strconv.ParseUint(userID, 10, 64)
	answer, err := callHost(ctx, b, r, b.line.host.Member)
	switch {
	case err != nil:
	case answer.GetMissing() != nil:
		return nil, newGuildError(r.GetGuild(), answer.GetMissing()) // its message says all
	case answer.GetRefused() != nil:
		err = newAPIError(answer.GetRefused())
	default:
		var m *Member
		if m, err = decodeMemberAnswer(answer); err == nil {
			return m, nil
		}
	}
	return nil, fmt.Errorf("read member %s of guild %s: %w", userID, guildID, err)
}

func decodeMemberAnswer(answer *wire.MemberResponse) (*Member, error) {
	m := &Member{Raw: MemberParts{Member: answer.GetMember(), VoiceState: answer.GetVoiceState(), Presence: answer.GetPresence()}}
	if isAbsent(m.Raw.Member) {
		return nil, errors.New("the host answered neither a member nor why there is none: report this")
	}
	if err := decodeObject(m.Raw.Member, &m.GuildMember); err != nil {
		return nil, fmt.Errorf("decode the member: %w", err)
	}
	if !isAbsent(m.Raw.VoiceState) {
		m.VoiceState = new(disgo.VoiceState)
		if err := decodeObject(m.Raw.VoiceState, m.VoiceState); err != nil {
			return nil, fmt.Errorf("decode the voice state: %w", err)
		}
	}
	if !isAbsent(m.Raw.Presence) {
		m.Presence = new(disgo.PresenceUpdate)
		if _, err := decode(disgo.FlagGatewayEventNamePresenceUpdate, m.Raw.Presence, m.Presence); err != nil {
			if err := decodeObject(m.Raw.Presence, m.Presence); err != nil {
				return nil, fmt.Errorf("decode the presence: %w", err)
			}
		}
	}
	return m, nil
}
