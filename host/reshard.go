package host

import (
	"context"
	"errors"

	"github.com/holdfast-bot/holdfast/host/control"
)

// Reshard implements control.Sharder.
func (h *Host) Reshard(context.Context, control.Reshard, func(string)) error {
	return errors.New("not built yet")
}
