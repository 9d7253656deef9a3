package host

import (
	"context"
	"time"

	"github.com/holdfast-bot/holdfast/host/control"
	"github.com/holdfast-bot/holdfast/host/rest"
	"github.com/holdfast-bot/holdfast/host/state"
)

// openGate makes the gate, which goes on counting where the one of an earlier host was.
func (h *Host) openGate(folder *state.State) (gate *rest.Gate, closeGate func() error, err error) {
	ledger, past, err := folder.OpenLedger()
	if err != nil {
		return nil, nil, err
	}
	gate, err = rest.New(rest.Config{
		Token: h.config.Token, BaseURL: h.config.Settings.APIURL, Log: h.log.Named("rest"),
		Global: int(h.config.Settings.GlobalRate), Invalid: h.config.InvalidLimit,
		Remember: func(r rest.Record) {
			ledger.Add(state.LedgerEntry{Kind: byte(r.Kind), At: r.At, Mark: r.Mark, Caller: r.Caller})
		},
		Remembered: records(past),
	})
	if err != nil {
		_ = ledger.Close() // nothing has been written to it
		return nil, nil, err
	}
	if s := gate.Status(); s.Invalid > 0 {
		h.log.Info("requests that Discord refused before this host started still count", "invalid", s.Invalid, "ban_at", s.Limit)
	}
	return gate, func() error {
		gate.Close()
		return ledger.Close()
	}, nil
}

func records(past []state.LedgerEntry) []rest.Record {
	out := make([]rest.Record, 0, len(past))
	for _, e := range past {
		out = append(out, rest.Record{Kind: rest.RecordKind(e.Kind), At: e.At, Mark: e.Mark, Caller: e.Caller})
	}
	return out
}

// introduce asks Discord who the bot is, until it answers. A host that Cloudflare bans stays and asks when the ban has
// ended: whoever supervises it would start it again and again, and each start makes the ban longer.
func (h *Host) introduce(ctx context.Context, gate *rest.Gate) (*discord, error) {
	defer h.does("")
	for pause := introducePause; ; {
		if until := gate.Status().BannedUntil; !until.IsZero() {
			h.log.Error("Cloudflare has banned this address: the host waits, do not restart it", "until", until.Round(time.Second), "wait", time.Until(until).Round(time.Second).String())
			h.does("Cloudflare has banned this address: the host waits until " + until.Format(time.RFC3339) + ", do not restart it")
			if err := wait(ctx, time.Until(until)); err != nil {
				return nil, err
			}
		}
		known, err := introduce(ctx, gate, h.config.Settings.APIURL)
		switch {
		case err == nil:
			return known, nil
		case !gate.Status().BannedUntil.IsZero():
			continue
		case ctx.Err() != nil || refuses(err):
			return nil, err
		}
		h.log.Error("Discord is not reached: the host goes on trying", "error", err, "again_in", pause.String())
		h.does(err.Error() + ": the host goes on trying")
		if err := wait(ctx, pause); err != nil {
			return nil, err
		}
		pause = min(2*pause, introduceMost)
	}
}

func wait(ctx context.Context, pause time.Duration) error {
	select {
	case <-time.After(pause):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// restStatus is what the gate says of itself.
func restStatus(gate *rest.Gate) control.REST {
	s := gate.Status()
	out := control.REST{
		Requests: s.Requests, Limited: s.Limited, Invalid: uint64(s.Invalid), Queued: s.Queued,
		InvalidLimit: s.Limit, Standing: s.Standing, PausedUntil: s.PausedUntil, Banned: !s.BannedUntil.IsZero(), Stopped: s.Stopped,
	}
	for _, c := range gate.Callers() {
		out.Callers = append(out.Callers, control.Caller{
			Name: c.Name, Requests: c.Requests, Limited: c.Limited, Invalid: c.Invalid, Stopped: c.Stopped, Queued: c.Queued,
			Standing: c.Standing, Route: c.Route,
		})
	}
	return out
}
