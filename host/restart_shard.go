package host

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/holdfast-bot/holdfast/host/control"
	"github.com/holdfast-bot/holdfast/host/gateway"
)

// RestartShard implements control.Sharder. A session is given up only if its
// shard may identify at once: else the bot would be gone there for hours.
func (h *Host) RestartShard(ctx context.Context, o control.ShardRestart, tell func(line string)) error {
	h.mu.Lock()
	sessions, budget, phase := h.sessions, h.budget, h.phase
	h.mu.Unlock()
	if sessions == nil || phase != "running" {
		return fmt.Errorf("no shard restarted: the host is not up (%s): try again when it runs", cmp.Or(phase, "not started"))
	}
	current := sessions.delivering()
	runs := slices.ContainsFunc(current.set.Status(), func(s gateway.ShardStatus) bool { return s.Shard == o.Shard })
	if o.Identify && runs {
		if until := budget.wouldWait(place{current.number, o.Shard}); !until.IsZero() {
			return fmt.Errorf("shard %d is left as it is: it may not identify before %s, so that Discord does not reset the token (holdfast status shows what is left): restart it without --identify, or after that time",
				o.Shard, until.Format(time.RFC3339))
		}
	}
	begun := time.Now()
	resumed, err := current.set.Restart(ctx, o.Shard, o.Identify)
	if err != nil {
		return err
	}
	took := time.Since(begun).Round(time.Millisecond)
	switch {
	case resumed:
		tell(fmt.Sprintf("shard %d: session resumed after %s, nothing is missed", o.Shard, took))
	case o.Identify:
		tell(fmt.Sprintf("shard %d: identified anew after %s, events of that time are missed", o.Shard, took))
	default:
		tell(fmt.Sprintf("shard %d: identified anew after %s, because it had no session that Discord resumes; events of that time are missed", o.Shard, took))
	}
	return nil
}
