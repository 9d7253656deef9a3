package plugins

import (
	"context"
	"strings"
	"time"

	"github.com/holdfast-bot/holdfast/sdk/wire"
)

// prospect is what a dry run expects to run: the manifest that a plugin has then,
// nil for one that is gone. Plugins that are not in it stay as they are.
type prospect map[*Plugin]*wire.Manifest

// others are the manifests beside p's.
func (s *Set) others(p *Plugin, ahead prospect) (others []*wire.Manifest) {
	for _, other := range s.Plugins() {
		if _, foreseen := ahead[other]; other != p && !foreseen {
			others = append(others, other.Manifest())
		}
	}
	for other, m := range ahead {
		if other != p && m != nil {
			others = append(others, m)
		}
	}
	return others
}

// foresee says what a step would come to, as far as the new build's manifest shows
// it. Nothing of it stays.
func (s *Set) foresee(ctx context.Context, step *Step, later []Step, ahead prospect, o ReloadOptions) {
	p := step.plugin
	switch {
	case step.staged.err != nil:
		step.tell(outcome{result: Refused, err: step.staged.err})
		return
	case step.Action == Remove:
		step.Result, ahead[p] = Planned, nil
		return
	}
	fresh := s.newPlugin(step.staged.file)
	in, err := fresh.up(ctx, step.staged.file)
	if err != nil {
		step.tell(outcome{result: Refused, err: err})
		return
	}
	defer in.stop()
	if p == nil {
		if p = renamed(in.manifest.GetName(), later); p != nil {
			step.plugin, step.Action = p, Replace
		}
	}
	if err := s.admit(p, in.manifest, s.others(p, ahead), o); err != nil {
		step.tell(outcome{result: Refused, err: err})
		return
	}
	if p == nil {
		p, step.Plugin = fresh, in.manifest.GetName()
	}
	step.Result, ahead[p] = Planned, in.manifest
}

// tell takes what came of a step, in one line.
func (step *Step) tell(out outcome) {
	step.Result, step.Pause, step.Detail = out.result, out.pause, out.note
	if out.err != nil {
		step.Detail = strings.ReplaceAll(out.err.Error(), "\n", "; ")
	}
}

// keepFailed keeps what was to be added and did not come up, for the status; the
// next reload tries it again.
func (s *Set) keepFailed(step *Step) *Plugin {
	p := s.newPlugin(step.staged.file)
	p.setState(Failed, step.Detail)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.plugins = append(s.plugins, p)
	return p
}

// noteReload remembers for the status what became of the plugin's last reload. A nil
// plugin is one that is gone.
func (p *Plugin) noteReload(step *Step, now time.Time) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lastReload = reloadFault{}
	if step.Result == Done {
		return
	}
	p.lastReload = reloadFault{result: step.Result, detail: step.Detail, at: now}
	if p.state == Failed { // there is no build of before, and this is its error now
		p.lastError, p.lastErrorAt = step.Detail, now
	}
}
