package main

import (
	"context"
	"errors"

	"github.com/holdfast-bot/holdfast/host"
	"github.com/holdfast-bot/holdfast/host/control"
)

// whichHost tells which of the running hosts a command is for.
type whichHost struct {
	Config string `env:"HOLDFAST_CONFIG" placeholder:"FILE" help:"Settings file, for its state_dir (default holdfast.yaml, if there is one)."`
	State  string `yaml:"state_dir" placeholder:"DIR" help:"State folder of the running host, by default ./.holdfast."`
}

// settings are those of the host, as far as they tell its state folder.
func (w whichHost) settings(around surroundings) (host.Settings, error) {
	settings, err := host.LoadSettings(w.Config, around.environ)
	settings = settings.With(host.Settings{StateDir: w.State}, around.given...)
	// Other settings may be wrong while a host runs well: they matter only if the
	// folder might have been among them.
	if err != nil && w.State == "" {
		return settings, usageError{err}
	}
	return settings, nil
}

// askHost asks the host of these settings, and says why nobody answers if it does
// not.
func askHost(ctx context.Context, settings host.Settings, ask func(socket string) error) error {
	socket, err := settings.ControlSocket()
	if err == nil {
		if err = ask(socket); !errors.Is(err, control.ErrNotRunning) {
			return err
		}
	}
	// Who asks for the status learns why nobody answers.
	if _, why := settings.AskStatus(ctx); why != nil {
		err = why
	}
	return err
}
