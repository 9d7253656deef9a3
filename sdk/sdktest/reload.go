package sdktest

import (
	"context"
	"fmt"
	"maps"

	"google.golang.org/grpc/status"

	"github.com/holdfast-bot/holdfast/sdk"
	"github.com/holdfast-bot/holdfast/sdk/wire"
)

// State is what a plugin saved of its memory, as State and SaveRestore of its
// Plugin put it.
type State struct {
	Schema uint32
	Data   []byte
}

// SaveState asks the plugin for its state, as a host does at a reload. It goes
// on as before. Wait for deliveries first: handlers must have returned.
func (h *Host) SaveState() (State, error) {
	ctx, cancel := context.WithTimeout(context.Background(), closeLimit)
	defer cancel()
	s, err := h.plugin.SaveState(ctx, &wire.SaveStateRequest{})
	if err != nil {
		return State{}, fmt.Errorf("save the plugin's state: %s", status.Convert(err).Message())
	}
	return State{Schema: s.GetSchema(), Data: s.GetData()}, nil
}

// Reload does with p what a host does with a new build: the state of the
// running plugin, if both keep one, is restored in p; then the running one is
// stopped and p started. It returns the host of p, which has the same options,
// answers (Handle), guilds and members, and no requests yet. It fails the test if the
// state is not saved, or is refused. p is another plugin value, made as main
// makes it.
func (h *Host) Reload(p *sdk.Plugin) *Host {
	h.t.Helper()
	ctx, next := serve(h.t, p, h.options)
	next.ordinal = h.ordinal + 1
	if h.manifest.GetHasState() && next.manifest.GetHasState() {
		state, err := h.SaveState()
		if err != nil {
			h.t.Fatalf("%v", err)
		}
		next.restore(ctx, state)
	}
	h.end()
	h.mu.Lock()
	next.patterns, next.mux, next.last = maps.Clone(h.patterns), h.mux, h.last
	next.guilds, next.guildVersion = maps.Clone(h.guilds), h.guildVersion
	next.members, next.noMembers = maps.Clone(h.members), maps.Clone(h.noMembers)
	h.mu.Unlock()
	next.begin(ctx)
	return next
}

func (h *Host) restore(ctx context.Context, s State) {
	h.t.Helper()
	if _, err := h.plugin.RestoreState(ctx, &wire.State{Schema: s.Schema, Data: s.Data}); err != nil {
		h.t.Fatalf("the plugin refused the state: %s", status.Convert(err).Message())
	}
}
