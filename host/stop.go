package host

import (
	"context"
	"time"
)

// announceStop tells of a stop when ctx ends. The returned function must be called
// when all has been closed that takes its time; it tells that, too.
func (h *Host) announceStop(ctx context.Context) (stopped func()) {
	var begun time.Time
	told := make(chan struct{})
	never := context.AfterFunc(ctx, func() {
		defer close(told)
		begun = time.Now()
		h.set(func() { h.phase = "stopping" })
		h.log.Info("stopping: plugins finish their events; those that do not end after that are killed, 4 s later at most", "at_most", h.config.Settings.DrainTimeout.String())
	})
	return func() {
		if !never() {
			<-told
			h.log.Info("stopped", "took", time.Since(begun).Round(time.Millisecond).String())
		}
	}
}
