package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/hashicorp/go-hclog"

	"github.com/holdfast-bot/holdfast/host"
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
	h, err := host.New(host.Config{Settings: settings, Token: token, Log: log})
	if err != nil {
		return usageError{err}
	}
	defer surviveHangup(log)()
	return h.Run(ctx)
}

// surviveHangup keeps SIGHUP, which will mean reload, from ending the bot: by
// default it ends a process without any order. The returned function undoes it.
func surviveHangup(log hclog.Logger) (stop func()) {
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range hangups {
			log.Warn("nothing reloaded: this version takes new builds at its start only; stop it and start it again")
		}
	}()
	return func() {
		signal.Stop(hangups)
		close(hangups)
		<-done
	}
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
