package host

import (
	"context"
	"math"
	"sync/atomic"
	"time"

	"github.com/holdfast-bot/holdfast/host/gateway"
	"github.com/holdfast-bot/holdfast/host/state"
	"github.com/holdfast-bot/holdfast/sdk/wire"
)

// doubt is the stretch of the journal whose events may have been handled before: a host
// that is killed while other sessions take over leaves nobody who knows which events both
// have shown. So what comes after its next start is marked, until the sessions have shown
// all that Discord had for them.
type doubt struct {
	from, to atomic.Uint64 // from is the last index before it, to its own last one
}

// open is whether all events that come are doubtful.
func (d *doubt) open() bool { return d.to.Load() == math.MaxUint64 }

// mark marks an event that is journaled, or could not be.
func (d *doubt) mark(e *wire.Event) {
	if e.Index > d.from.Load() && e.Index <= d.to.Load() {
		e.Flags |= wire.Redelivered
	}
}

// beginHandover is for the router's goroutine, before other sessions deliver.
func (j *journal) beginHandover() {
	_, last := j.events.Range()
	if err := j.folder.BeginHandover(state.Handover{Since: time.Now(), Journaled: last}); err != nil {
		j.log.Error("if the host is killed within the next seconds events may come twice that are not marked", "error", err)
	}
}

// endHandover is for when nothing comes twice any more.
func (j *journal) endHandover() {
	if err := j.folder.EndHandover(); err != nil {
		j.log.Error("events after the next start of the host are marked as redelivered although they are not", "error", err)
	}
	if _, last := j.events.Range(); j.doubt.open() {
		j.doubt.to.Store(last)
	}
}

// recall begins to doubt what comes, if an earlier host was killed while sessions took over.
func (j *journal) recall() error {
	h, err := j.folder.Handover()
	if err == nil && !h.Since.IsZero() {
		_, last := j.events.Range() // one in memory begins anew
		j.doubt.from.Store(min(h.Journaled, last))
		j.doubt.to.Store(math.MaxUint64)
		j.log.Warn("the host before ended while new sessions took over: what comes next may come twice, marked as redelivered", "since", h.Since.Format(time.RFC3339))
	}
	return err
}

// resolve returns when sessions that were resumed have shown all that had been meant for
// those that they replaced or that replaced them, or ctx ends. Nobody replaces them meanwhile.
func (s *sessionSets) resolve(ctx context.Context, bot uint64) {
	s.replacing.Lock()
	defer s.replacing.Unlock()
	for ctx.Err() == nil {
		select {
		case <-time.After(s.skew):
		case <-ctx.Done():
			return
		}
		if s.settled() && s.sync(ctx, s.delivering(), bot) == nil {
			s.handed()
			return
		}
	}
}

// settled says whether all sessions that can be are up.
func (s *sessionSets) settled() bool {
	for _, shard := range s.delivering().set.Status() {
		if shard.State != gateway.StateReady && shard.State != gateway.StateRefused {
			return false
		}
	}
	return true
}
