package plugins

import (
	"context"

	"github.com/holdfast-bot/holdfast/sdk/wire"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Gateway takes what plugins send to Discord's gateway. Its methods are for any
// goroutine; their errors are told to the plugin's author.
type Gateway interface {
	// Presence sets the bot's presence, now and for sessions that begin later. It
	// does not wait for Discord.
	Presence(r *wire.PresenceRequest) error
	// VoiceState joins, moves within or leaves a guild's voice channels.
	VoiceState(ctx context.Context, r *wire.VoiceStateRequest) error
	// Members answers when all members that are asked for have come.
	Members(ctx context.Context, r *wire.MembersRequest) (*wire.MembersResponse, error)
}

// Presence implements wire.HostServer.
func (s *services) Presence(ctx context.Context, r *wire.PresenceRequest) (*wire.PresenceResponse, error) {
	if s.gateway == nil {
		return nil, errNoGateway()
	}
	if err := s.gateway.Presence(r); err != nil {
		return nil, gatewayError(ctx, err)
	}
	return &wire.PresenceResponse{}, nil
}

// VoiceState implements wire.HostServer.
func (s *services) VoiceState(ctx context.Context, r *wire.VoiceStateRequest) (*wire.VoiceStateResponse, error) {
	if s.gateway == nil {
		return nil, errNoGateway()
	}
	if err := s.gateway.VoiceState(ctx, r); err != nil {
		return nil, gatewayError(ctx, err)
	}
	return &wire.VoiceStateResponse{}, nil
}

// Members implements wire.HostServer.
func (s *services) Members(ctx context.Context, r *wire.MembersRequest) (*wire.MembersResponse, error) {
	if s.gateway == nil {
		return nil, errNoGateway()
	}
	response, err := s.gateway.Members(ctx, r)
	if err != nil {
		return nil, gatewayError(ctx, err)
	}
	return response, nil
}

func errNoGateway() error {
	return status.Error(codes.Unimplemented, "this host has no gateway")
}

func gatewayError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return status.FromContextError(ctx.Err()).Err()
	}
	return status.Error(codes.FailedPrecondition, err.Error())
}
