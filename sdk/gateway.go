package sdk

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/switchupcb/disgo"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/holdfast-bot/holdfast/sdk/wire"
)

// customName is what Discord calls an activity that is a custom status. It must
// have a name, which nobody sees.
const customName = "Custom Status"

// Presence is what users see of the bot (Discord's documentation, "Update
// Presence"). The zero value is a bot that is online and does nothing.
type Presence struct {
	// Status is one of disgo's FlagStatusType…; default online.
	Status string
	// Activities are those of the bot. Of each Discord takes Name, Type, URL (of a
	// stream, on Twitch or YouTube) and State; of one of
	// disgo.FlagActivityTypeCustom users see the State only. Names and states have
	// at most 128 characters.
	Activities []*disgo.Activity
	// IdleSince is since when the bot is idle; zero if it is not.
	IdleSince time.Time
	// AFK says that the bot is away.
	AFK bool
	// Shards are those whose guilds see it; none stands for all.
	Shards []int
}

// SetPresence sets what users see of the bot. The bot has one presence, whatever
// plugin sets it: the last one counts. It returns when the host has taken it,
// and may be called in OnStart: sessions that are not connected get it when they
// are, and so do those that begin later, until the host ends. A shard sends five
// a minute at most, then the newest of those that wait.
func (b *Bot) SetPresence(ctx context.Context, p Presence) error {
	r, err := presenceRequest(p)
	if err != nil {
		return fmt.Errorf("set presence: %w", err)
	}
	_, err = callHost(ctx, b, r, b.line.host.Presence)
	if err != nil {
		return fmt.Errorf("set presence: %w", err)
	}
	return nil
}

func presenceRequest(p Presence) (*wire.PresenceRequest, error) {
	r := &wire.PresenceRequest{Status: p.Status, Afk: p.AFK}
	if p.Status == "" {
		r.Status = disgo.FlagStatusTypeOnline
	}
	if !p.IdleSince.IsZero() {
		r.IdleSinceMs = p.IdleSince.UnixMilli()
	}
	for _, shard := range p.Shards {
		if shard < 0 || shard > math.MaxInt32 {
			return nil, fmt.Errorf("shard %d: there is none: count from 0", shard)
		}
		r.Shards = append(r.Shards, uint32(shard))
	}
	for n, a := range p.Activities {
		if a == nil {
			return nil, fmt.Errorf("activity %d is nil: leave it out", n)
		}
		activity := &wire.Activity{Name: a.Name, Type: uint32(a.Type), Url: text(a.URL), State: text(a.State)}
		if a.Type == disgo.FlagActivityTypeCustom && a.Name == "" {
			activity.Name = customName
		}
		r.Activities = append(r.Activities, activity)
	}
	return r, nil
}

// text is a string that disgo may leave out, or have as null.
func text(s **string) string {
	if s == nil || *s == nil {
		return ""
	}
	return **s
}

// SetVoiceState lets the bot join a voice channel of a guild, move there, or
// leave with channel "" (Discord's documentation, "Update Voice State"). It
// returns when the payload is sent, and waits for the guild's session to be
// ready, 30 s at most. Discord answers by events: VOICE_STATE_UPDATE, and
// VOICE_SERVER_UPDATE with the place to send voice to. A bot that may not enter
// the channel gets no answer.
func (b *Bot) SetVoiceState(ctx context.Context, guild, channel string, mute, deaf bool) error {
	r := &wire.VoiceStateRequest{Mute: mute, Deaf: deaf}
	err := checkID(guild)
	if err == nil && channel != "" {
		err = checkID(channel)
	}
	if err != nil {
		return fmt.Errorf("set voice state: %w", err)
	}
	r.Guild, _ = strconv.ParseUint(guild, 10, 64)     // it was checked
	r.Channel, _ = strconv.ParseUint(channel, 10, 64) // the same, or it is 0
	_, err = callHost(ctx, b, r, b.line.host.VoiceState)
	if err != nil {
		return fmt.Errorf("set voice state in guild %s: %w", guild, err)
	}
	return nil
}

// callHost makes one call to the host for a bot's event.
func callHost[Q, A any](ctx context.Context, b *Bot, request Q, call func(context.Context, Q, ...grpc.CallOption) (A, error)) (A, error) {
	var none A
	if _, ok := b.line.events.context(b.ticket); !ok {
		return none, overError(b.Event)
	}
	answer, err := call(b.line.outgoing(ctx), request)
	if err == nil {
		return answer, nil
	}
	if _, ok := b.line.events.context(b.ticket); !ok {
		return none, overError(b.Event)
	}
	if status.Code(err) == codes.Unimplemented {
		return none, errors.New("this host does not do that: run a newer one")
	}
	return none, callError(ctx, err)
}
