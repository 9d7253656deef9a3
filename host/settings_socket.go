package host

import (
	"context"
	"errors"
	"fmt"

	"github.com/holdfast-bot/holdfast/host/control"
	"github.com/holdfast-bot/holdfast/host/state"
)

// ControlSocket is the path of the control socket of the host that runs with
// these settings' state folder. The error tells if there is none.
func (s Settings) ControlSocket() (string, error) {
	r, err := state.ReadRuntime(s.WithDefaults().StateDir)
	if err != nil {
		return "", err
	}
	return r.Socket, nil
}

// AskStatus asks the host that runs with these settings' state folder for its
// status. It waits as long as ctx allows. The error tells if there is no host, or
// one that does not answer because it is only starting, or already stopping.
func (s Settings) AskStatus(ctx context.Context) (control.Status, error) {
	var status control.Status
	socket, err := s.ControlSocket()
	if err == nil {
		status, err = control.GetStatus(ctx, socket)
	}
	if errors.Is(err, state.ErrNotRunning) || errors.Is(err, control.ErrNotRunning) {
		if pid, held := state.Holder(s.WithDefaults().StateDir); held {
			return status, fmt.Errorf("holdfast (pid %d) is starting or stopping: try again", pid)
		}
	}
	return status, err
}
