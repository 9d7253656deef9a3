package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/holdfast-bot/holdfast/cache"
	"github.com/holdfast-bot/holdfast/host/rest"
	"github.com/holdfast-bot/holdfast/sdk/wire"
)

// Member implements plugins.Guilds. It answers within 10 s. The bot's own member
// comes with its guild, which is loaded for it behind the guard; who else is not
// kept each plugin asks for in its own name, so that none waits in another's
// queue at the gate.
func (g *guilds) Member(ctx context.Context, caller string, r *wire.MemberRequest) (*wire.MemberResponse, error) {
	if r.GetGuild() == 0 || r.GetUser() == 0 {
		return nil, fmt.Errorf("read member %d of guild %d: there is none: give the ids of both", r.GetUser(), r.GetGuild())
	}
	ctx, cancel := context.WithTimeout(ctx, guildRead)
	defer cancel()
	member, err := g.member(ctx, caller, r)
	if err != nil {
		g.refusals.note(err, true)
		return noMember(err)
	}
	kept, _ := g.cache.Person(r.GetGuild(), r.GetUser()) // empty for who is not kept
	return &wire.MemberResponse{Member: member, VoiceState: kept.VoiceState, Presence: kept.Presence}, nil
}

func (g *guilds) member(ctx context.Context, caller string, r *wire.MemberRequest) (json.RawMessage, error) {
	if r.GetUser() == g.bot {
		s, err := g.cache.Guild(ctx, r.GetGuild(), cache.PartsOf(cache.PartMember), readCause(r.GetEvent()))
		if err != nil {
			return nil, err
		}
		if own := s.Part(cache.PartMember); string(own) != "null" {
			return own, nil
		}
	}
	return g.cache.Member(ctx, caller, r.GetGuild(), r.GetUser(), g.memberAsker(caller, r.GetGuild(), r.GetUser()))
}

// memberAsker asks Discord for a member.
func (g *guilds) memberAsker(caller string, guild, user uint64) func(context.Context) (json.RawMessage, error) {
	return func(ctx context.Context) (json.RawMessage, error) {
		response, err := g.gate.Do(ctx, &rest.Request{
			Caller: caller, Method: http.MethodGet, Path: fmt.Sprintf("/guilds/%d/members/%d", guild, user),
		})
		switch {
		case err != nil:
			return nil, err
		case response.Status != http.StatusOK:
			return nil, &refusedError{response}
		}
		return response.Body, nil
	}
}

// refusedError is an answer of Discord's that is no success.
type refusedError struct{ response *rest.Response }

func (e *refusedError) Error() string { return fmt.Sprintf("discord answered %d", e.response.Status) }

// noMember tells why there is none.
func noMember(err error) (*wire.MemberResponse, error) {
	if missing, ok := errors.AsType[*cache.MissingError](err); ok {
		return &wire.MemberResponse{Missing: missingGuild(missing)}, nil
	}
	if refused, ok := errors.AsType[*refusedError](err); ok {
		return &wire.MemberResponse{Refused: &wire.RestResponse{Status: uint32(refused.response.Status), Body: refused.response.Body}}, nil
	}
	if left, ok := errors.AsType[*cache.LoadError](err); ok {
		// An event told that the member has left while Discord was asked: as if it
		// had been asked later (Discord's documentation, "JSON Error Codes").
		return &wire.MemberResponse{Refused: &wire.RestResponse{
			Status: uint32(left.Status), Body: []byte(`{"message":"Unknown Member","code":10007}`),
		}}, nil
	}
	return nil, err
}
