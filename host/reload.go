package host

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/holdfast-bot/holdfast/host/control"
	"github.com/holdfast-bot/holdfast/host/router"
	"github.com/holdfast-bot/holdfast/plugins"
	"github.com/holdfast-bot/holdfast/sdk/wire"
)

// live is what a reload works on: the rooms of a host that is up.
type live struct {
	*rooms

	ctx      context.Context //nolint:containedctx // the host's life: a reload outlives whoever asked for it
	route    *router.Router
	sessions *sessionSets
	budget   *budget
	denied   Intents
	people   KeepPeople // kept by the guild cache
}

// Reload brings the running plugins into line with the folder and returns when
// it is done. It goes on when ctx ends: whoever asked may leave. One reload
// runs at a time and one more may wait. An error means that nothing was
// reloaded; what became of each plugin is in the report.
func (h *Host) Reload(_ context.Context, o control.ReloadOptions) (control.ReloadReport, error) {
	var report control.ReloadReport
	h.mu.Lock()
	l, phase := h.live, h.phase
	h.mu.Unlock()
	if l == nil || phase != "running" {
		return report, fmt.Errorf("nothing reloaded: the host is not up (%s): try again when it runs", cmp.Or(phase, "not started"))
	}
	select {
	case h.reloads <- struct{}{}:
		defer func() { <-h.reloads }()
	default:
		return report, errors.New("nothing reloaded: a reload is running and another one waits for it: try again later")
	}
	release, err := h.claimReload(l.ctx, o.Asker)
	if err != nil {
		return report, err
	}
	defer release()
	h.does("plugins are being reloaded: new builds start, handlers of old ones end, for at most " + h.config.Settings.DrainTimeout.String() + " each")
	ahead := make(map[string]*wire.Manifest) // of the new builds that may run
	steps, err := l.set.Reload(l.ctx, plugins.ReloadOptions{
		Names:  o.Names,
		Force:  o.Force,
		DryRun: o.DryRun,
		Drain:  h.config.Settings.DrainTimeout,
		Check: func(others []*wire.Manifest, m *wire.Manifest) error {
			err := l.check(others, m, o.Reidentify)
			if err == nil {
				ahead[m.GetName()] = m
			}
			return err
		},
		Changed: func() { h.reroute(l) },
	})
	if err != nil {
		return report, err
	}
	if o.DryRun {
		report.Commands = h.foreseeCommands(l.ctx, l.rooms, foreseen(manifests(l.set), ahead, steps), o.Prune)
	}
	for _, step := range steps {
		report.Steps = append(report.Steps, control.ReloadStep{
			Plugin: step.Plugin, File: step.File, Action: string(step.Action), Result: string(step.Result),
			Detail: step.Detail, PauseMS: float64(step.Pause.Microseconds()) / 1000, Generation: int(step.Generation),
		})
	}
	if !o.DryRun {
		h.does("plugins are reloaded; their commands are being compared with Discord's")
		report.Commands = h.syncCommands(l.ctx, l.rooms, o.Prune)
	}
	if !o.DryRun && o.Reidentify {
		h.does("plugins are reloaded; new sessions with the intents that they need are coming up beside those that run")
		report.Sessions, report.SessionsError = h.widen(l)
	}
	return report, nil
}

// foreseen are the manifests after the steps of a dry run.
func foreseen(now []*wire.Manifest, ahead map[string]*wire.Manifest, steps []plugins.Step) []*wire.Manifest {
	removed := make(map[string]bool)
	for _, step := range steps {
		if step.Action == plugins.Remove {
			removed[step.Plugin] = true
		}
	}
	after := slices.DeleteFunc(slices.Clone(now), func(m *wire.Manifest) bool { return removed[m.GetName()] || ahead[m.GetName()] != nil })
	return slices.AppendSeq(after, maps.Values(ahead))
}

// claimReload waits for the turn to change the plugins, and tells the log what for.
// The status names asker as long as the turn is taken.
func (h *Host) claimReload(ctx context.Context, asker string) (release func(), err error) {
	release = func() {
		h.set(func() { h.doing, h.doingFor = "", "" })
		<-h.reloading
	}
	taken := func() { h.set(func() { h.doingFor = asker }) }
	select {
	case h.reloading <- struct{}{}:
		taken()
		return release, nil
	default:
	}
	h.mu.Lock()
	doing := h.doing
	h.mu.Unlock()
	h.log.Info("a reload waits", "for", doing)
	select {
	case h.reloading <- struct{}{}:
		taken()
		return release, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("nothing reloaded: %w", errHostStops)
	}
}

// does tells who asks for the status what the holder of reloading does.
func (h *Host) does(what string) { h.set(func() { h.doing = what }) }

// check says whether a new build may run beside the others: its commands must
// not be theirs, and the sessions must get the events that it asks for, or others
// may take their place.
func (l *live) check(others []*wire.Manifest, m *wire.Manifest, reidentify bool) error {
	if err := refuseDenied(m, l.denied); err != nil {
		return err
	}
	all := slices.Concat(others, []*wire.Manifest{m})
	if _, err := router.MergeOwners(all); err != nil {
		return err
	}
	missing := l.missing(all)
	if missing == 0 {
		return nil
	}
	if !reidentify {
		return fmt.Errorf("its events need gateway intents (%s) that the running sessions do not have: holdfast reload --reidentify lets new sessions take over, side by side, which costs an identify a shard", missing)
	}
	if err := l.budget.allow(l.sessions.delivering().count, false); err != nil {
		return fmt.Errorf("its events need gateway intents (%s) that the running sessions do not have: %w", missing, err)
	}
	return nil
}

// missing are the intents that plugins need and the sessions do not have, or those
// that are about to take over.
func (l *live) missing(all []*wire.Manifest) Intents {
	return Intents(intentsFor(all, l.people, l.denied) &^ l.sessions.intents())
}

// widen lets sessions with the intents that the plugins need take over, and says
// what came of it.
func (h *Host) widen(l *live) (done, failed string) {
	missing := l.missing(manifests(l.set))
	if missing == 0 {
		return "", ""
	}
	log := h.log.Named("gateway")
	err := h.replace(l.ctx, l, wantedSessions{reloads: true}, func(line string) { log.Info(line) })
	if err != nil {
		return "", fmt.Sprintf("events that need the intents %s do not come yet: %v (holdfast reload --reidentify tries again)", missing, err)
	}
	return fmt.Sprintf("new sessions have taken over: the intents %s are there", missing), ""
}

// reroute lets the router follow the plugins as they are now.
func (h *Host) reroute(l *live) {
	owners, err := router.MergeOwners(manifests(l.set))
	if err != nil {
		h.log.Error("commands and custom IDs of the plugins not merged", "error", err) // each was checked before
	}
	l.route.Change(targets(l.set), h.placed(owners))
}
