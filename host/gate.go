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

// introduce asks Discord who the bot is. A host that Cloudflare bans stays and asks when the ban has ended: whoever
// supervises it would start it again and again, and each start makes the ban longer.
func (h *Host) introduce(ctx context.Context, gate *rest.Gate) (*discord, error) {
	for {
		if until := gate.Status().BannedUntil; !until.IsZero() {
			h.log.Error("Cloudflare has banned this address: the host waits, do not restart it", "until", until.Round(time.Second), "wait", time.Until(until).Round(time.Second))
			timer := time.NewTimer(time.Until(until))
			select {
			case <-timer.C:
			case <-ctx.Done():
				timer.Stop()
				return nil, ctx.Err()
			}
		}
		known, err := introduce(ctx, gate, h.config.Settings.APIURL)
		if err == nil || gate.Status().BannedUntil.IsZero() {
			return known, err
		}
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
