package sdk

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/holdfast-bot/holdfast/sdk/wire"
)

// drainWait is how long SaveState waits for handlers. The host asks when it has
// seen all acknowledgements: they are about to return.
const drainWait = 2 * time.Second

// phase is how far a server's life has come.
type phase int

const (
	described phase = iota // nothing was called but Describe
	restored
	refused  // RestoreState failed: the plugin may be half restored
	starting // and for good if Start fails
	started
)

// SaveState implements wire.PluginServer. It waits for handlers at most 2 s,
// and for those that were given up not at all.
func (s *Server) SaveState(ctx context.Context, _ *wire.SaveStateRequest) (*wire.State, error) {
	form, err := s.enter()
	if err != nil {
		return nil, err
	}
	defer s.calls.Unlock()
	if s.phase != started {
		return nil, status.Error(codes.FailedPrecondition, "SaveState was called before Start")
	}
	if err := s.drained(ctx); err != nil {
		return nil, err
	}
	state, err := form.saved()
	if err != nil {
		return nil, s.stateError("state not saved: the plugin's function panicked", err)
	}
	return state, nil
}

// RestoreState implements wire.PluginServer. A server that has refused a state
// does not start any more.
func (s *Server) RestoreState(_ context.Context, state *wire.State) (*wire.RestoreStateResponse, error) {
	form, err := s.enter()
	if err != nil {
		return nil, err
	}
	defer s.calls.Unlock()
	switch s.phase {
	case described:
	case restored, refused:
		return nil, status.Error(codes.FailedPrecondition, "RestoreState was called twice")
	default:
		return nil, status.Error(codes.FailedPrecondition, "RestoreState was called after Start")
	}
	s.phase = refused
	if err := form.restored(state); err != nil {
		return nil, s.stateError("state not restored: the plugin's function panicked", err)
	}
	s.phase = restored
	return &wire.RestoreStateResponse{}, nil
}

// enter begins a call that runs the author's state functions; calls is locked
// if there is no error. It does not wait: a call that hangs is told as such.
func (s *Server) enter() (*stateForm, error) {
	form := s.plugin.state
	if form == nil {
		return nil, status.Error(codes.Unimplemented, "the plugin keeps no state: register it with State or SaveRestore")
	}
	if !s.calls.TryLock() {
		return nil, status.Error(codes.FailedPrecondition, "the plugin has not returned from an earlier Start, SaveState or RestoreState")
	}
	return form, nil
}

// drained waits until no handler runs, and so sees all that they wrote.
func (s *Server) drained(ctx context.Context) error {
	s.mu.Lock()
	d := s.delivery
	s.mu.Unlock()
	if d == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, drainWait)
	defer cancel()
	if d.waitIdle(ctx) != nil {
		return status.Error(codes.FailedPrecondition, d.busyWith()+": drain the plugin first")
	}
	if n := d.leaked.Load(); n > 0 {
		s.config.Log.Warn("saving the state beside handlers that were given up and may use it: let handlers end with their context", "abandoned", n)
	}
	return nil
}

// busyWith names one of the events that are being handled.
func (d *delivery) busyWith() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	name := func(l *lane) string {
		if j := l.current.Load(); j != nil && j.state.Load() == running {
			return fmt.Sprintf("a handler of %s in guild %d still runs", j.event.Name, j.event.Guild)
		}
		return ""
	}
	for l := range d.singles {
		if text := name(l); text != "" {
			return text
		}
	}
	for _, l := range d.lanes {
		if text := name(l); text != "" {
			return text
		}
	}
	return "handlers still run"
}

// stateError is what the host is told. Where a panic came from is logged here:
// only this process knows.
func (s *Server) stateError(message string, err error) error {
	if panicked, ok := errors.AsType[*panicError](err); ok {
		s.config.Log.Error(message, "error", tell(err), "stack", mask(string(panicked.stack)))
	}
	code := codes.Aborted
	if _, ok := errors.AsType[*tooLargeError](err); ok {
		code = codes.ResourceExhausted
	}
	return status.Error(code, shorten(tell(err)))
}

// shorten bounds a text that travels to the host.
func shorten(text string) string {
	if len(text) <= maxFailure {
		return text
	}
	return strings.ToValidUTF8(text[:maxFailure], "") + "…"
}
