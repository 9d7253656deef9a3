package main

import (
	"context"
	"errors"

	"github.com/hashicorp/go-hclog"

	"github.com/holdfast-bot/holdfast/host"
)

// start builds the host and runs it until ctx ends.
func start(_ context.Context, _ host.Settings, _ string, _ hclog.Logger) error {
	return errors.New("the host is not part of this build")
}
