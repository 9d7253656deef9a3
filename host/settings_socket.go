package host

import "github.com/holdfast-bot/holdfast/host/state"

// ControlSocket is the path of the control socket of the host that runs with
// these settings' state folder. The error tells if there is none.
func (s Settings) ControlSocket() (string, error) {
	r, err := state.ReadRuntime(s.WithDefaults().StateDir)
	if err != nil {
		return "", err
	}
	return r.Socket, nil
}
