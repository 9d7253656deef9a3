package main

import (
	"context"
	"errors"
	"time"
)

type demoCmd struct {
	For     time.Duration `help:"End by itself after this time (default: run until Ctrl-C)."`
	Verbose bool          `short:"v" help:"Show the log as well."`
}

// Run runs the demo until ctx ends or its time is up.
func (*demoCmd) Run(_ context.Context, _ surroundings) error {
	return errors.New("the demo is not part of this build")
}
