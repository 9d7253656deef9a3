package main

import (
	"context"
	"errors"
	"io"

	"github.com/hashicorp/go-hclog"

	"github.com/holdfast-bot/holdfast/host"
	"github.com/holdfast-bot/holdfast/host/control"
)

// settingsFlags are the settings as flags. It has none of their methods: kong
// would call Validate before the file and the environment have been read.
type settingsFlags host.Settings

type runCmd struct {
	Config string        `env:"HOLDFAST_CONFIG" placeholder:"FILE" help:"Settings file (default holdfast.yaml, if there is one)."`
	Flags  settingsFlags `embed:""`
}

// Run runs the bot until ctx ends.
func (c *runCmd) Run(ctx context.Context, around surroundings) error {
	settings, token, err := c.prepare(around)
	if err != nil {
		return usageError{err}
	}
	log := newLogger(settings, around.stderr)
	ready := make(chan struct{})
	h, err := host.New(host.Config{Settings: settings, Token: token, Log: log, Ready: func() { close(ready) }})
	if err != nil {
		return usageError{err}
	}
	stop := onHangup(ctx, ready, func(ctx context.Context) (control.ReloadReport, error) {
		return h.Reload(ctx, control.ReloadOptions{})
	}, log)
	defer stop()
	return h.Run(ctx)
}

// prepare layers the settings and checks all that can be checked before anything
// starts: first the settings, then what they point to. The faults of each are
// told at once.
func (c *runCmd) prepare(around surroundings) (host.Settings, string, error) {
	settings, err := host.LoadSettings(c.Config, around.environ)
	settings = settings.With(host.Settings(c.Flags), around.given...).WithDefaults()
	if err := errors.Join(err, settings.Validate()); err != nil {
		return settings, "", err
	}
	token, err := settings.Token(around.environ)
	return settings, token, errors.Join(settings.CheckPlugins(), err)
}

// newLogger writes the host's log to w in the form that the settings ask for.
func newLogger(settings host.Settings, w io.Writer) hclog.Logger {
	return hclog.New(&hclog.LoggerOptions{
		Name:       "holdfast",
		Level:      hclog.LevelFromString(settings.LogLevel),
		Output:     w,
		JSONFormat: settings.LogFormat == "json",
	})
}
