package main

import "github.com/holdfast-bot/holdfast/host"

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
