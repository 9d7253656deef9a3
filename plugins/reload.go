package plugins

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/holdfast-bot/holdfast/sdk/wire"
)

// Action of a step.
type Action string

// Actions of a reload's plan.
const (
	Add     Action = "add"
	Replace Action = "replace"
	Restart Action = "restart" // the same build again
	Remove  Action = "remove"
	Keep    Action = "keep"
)

// Result of a step.
type Result string

// Results of a step.
const (
	Planned   Result = "planned"    // a dry run
	Done      Result = "done"       // also for what is kept
	CalledOff Result = "called off" // handlers did not end in time; the old instance goes on
	Refused   Result = "refused"    // by a check; the old instance goes on
	NotDone   Result = "failed"     // the old build goes on, if there is one
)

// Step is one plugin's part of a reload.
type Step struct {
	Plugin     string
	File       string
	Action     Action
	Result     Result
	Detail     string        // why not, with the remedy
	Pause      time.Duration // how long the plugin got no events
	Generation uint64

	plugin *Plugin
	staged staged
	moved  bool // a removal that was none: the file has another name now
}

// reloadFault is what became of a plugin's last reload that was not done; the zero
// value: none since the last that was.
type reloadFault struct {
	result Result
	detail string
	at     time.Time
}

// ReloadOptions of one reload. Check and Changed are needed.
type ReloadOptions struct {
	// Names restricts the reload to plugins (by their own names or their
	// files'), and restarts those of them that are unchanged.
	Names []string
	// Force ends handlers that do not end within Drain; what they had is
	// delivered again, marked.
	Force bool
	// DryRun starts each new build as far as its manifest, checks that, and ends it
	// again. What only the reload itself can show is not known then: whether
	// handlers end in time, the state is taken, and the build's Start succeeds.
	DryRun bool
	// Drain is how long handlers may take to end. Default 30 s.
	Drain time.Duration
	// Check is asked whether a new build may run beside the others.
	Check func(others []*wire.Manifest, m *wire.Manifest) error
	// Changed is called when the set of plugins or a manifest has changed, at
	// the barrier of that plugin: from then on events follow the new set. It is
	// called again if the change is taken back.
	Changed func()
}

// Reload brings the running plugins into line with the folder: a plan, then one
// plugin after another. Nothing of a step that does not succeed stays. The
// error is about the folder or the names; faults of plugins are in their
// steps. One reload runs at a time, further calls wait.
func (s *Set) Reload(ctx context.Context, o ReloadOptions) ([]Step, error) {
	s.reloading.Lock()
	defer s.reloading.Unlock()
	if o.Drain <= 0 {
		o.Drain = 30 * time.Second
	}
	defer s.sweepStaged()
	defer s.strangers()
	steps, err := s.plan(ctx, o.Names)
	if err != nil {
		return nil, err
	}
	ahead := make(prospect)
	for n := range steps {
		step := &steps[n]
		switch {
		case step.moved: // another step has taken its plugin
		case step.Action == Keep:
			step.Result = Done
			step.plugin.noteReload(step, s.now())
		case o.DryRun:
			s.foresee(ctx, step, steps[n+1:], ahead, o)
		case ctx.Err() != nil:
			step.Result, step.Detail = NotDone, "the host stops"
		default:
			s.apply(ctx, step, steps[n+1:], o)
		}
		if step.plugin != nil {
			step.Generation = step.plugin.status().Generation
		}
	}
	return slices.DeleteFunc(steps, func(step Step) bool { return step.moved }), nil
}

// plan compares the folder with what runs.
func (s *Set) plan(ctx context.Context, names []string) ([]Step, error) {
	files, err := s.stageAll(ctx)
	if err != nil {
		return nil, err
	}
	running := s.all()
	var steps []Step
	for _, f := range files {
		step := Step{Plugin: f.file.Name, File: f.file.Path, Action: Add, staged: f}
		if at := slices.IndexFunc(running, func(p *Plugin) bool { return p.current().Path == f.file.Path }); at >= 0 {
			step.plugin, step.Plugin = running[at], running[at].Name()
			step.Action = actionFor(running[at], f, len(names) > 0)
		}
		steps = append(steps, step)
	}
	for _, p := range running {
		path := p.current().Path
		if !slices.ContainsFunc(files, func(f staged) bool { return f.file.Path == path }) {
			steps = append(steps, Step{Plugin: p.Name(), File: path, Action: Remove, plugin: p})
		}
	}
	return restrict(steps, names)
}

func actionFor(p *Plugin, f staged, named bool) Action {
	switch {
	case f.err != nil || p.current().Hash != f.file.Hash:
		return Replace
	case named || !p.hasBegun():
		return Restart
	}
	return Keep
}

// restrict keeps the steps of the named plugins.
func restrict(steps []Step, names []string) ([]Step, error) {
	if len(names) == 0 {
		return steps, nil
	}
	var kept []Step
	var unknown []string
	for _, name := range names {
		at := slices.IndexFunc(steps, func(s Step) bool { return s.Plugin == name || s.staged.file.Name == name })
		if at < 0 {
			unknown = append(unknown, name)
		} else if !slices.ContainsFunc(kept, func(s Step) bool { return s.File == steps[at].File }) {
			kept = append(kept, steps[at])
		}
	}
	if len(unknown) > 0 {
		return nil, errors.New("reload " + strings.Join(unknown, ", ") + ": there is no plugin of that name: see holdfast status")
	}
	return kept, nil
}

func (s *Set) apply(ctx context.Context, step *Step, later []Step, o ReloadOptions) {
	var out outcome
	switch {
	case step.staged.err != nil:
		out = outcome{result: Refused, err: step.staged.err}
	case step.Action == Remove:
		out = s.remove(ctx, step.plugin, o)
	default:
		out = s.bringIn(ctx, step, later, o)
	}
	step.tell(out)
	if out.err != nil && step.plugin == nil { // as at the host's start
		step.plugin = s.keepFailed(step)
	}
	step.plugin.noteReload(step, s.now())
	level := hclog.Info
	if out.err != nil {
		level = hclog.Warn
	}
	s.config.Log.Log(level, "reload", "plugin", step.Plugin, "action", string(step.Action), "result", string(step.Result),
		"pause", rounded(step.Pause).String(), "detail", step.Detail)
}

// bringIn starts a build, checks it, and gives it its place.
func (s *Set) bringIn(ctx context.Context, step *Step, later []Step, o ReloadOptions) outcome {
	old := step.plugin
	p := old
	if old == nil || !old.lives() {
		p = s.newPlugin(step.staged.file)
	}
	in, err := p.up(ctx, step.staged.file)
	if err != nil {
		return outcome{result: Refused, err: err}
	}
	if old == nil {
		if old = renamed(in.manifest.GetName(), later); old != nil {
			p, step.plugin, step.Action = old, old, Replace
		}
	}
	if err := s.admit(old, in.manifest, s.others(old, nil), o); err != nil {
		in.stop()
		return outcome{result: Refused, err: err}
	}
	if p == old {
		return p.ask(ctx, &swap{
			file: step.staged.file, next: in, force: o.Force, drain: o.Drain,
			switching: o.Changed, done: make(chan outcome, 1),
		})
	}
	p.adopt(step.staged.file, in.manifest)
	step.plugin, step.Plugin = p, in.manifest.GetName()
	if !s.take(p, old, in) {
		in.stop()
		return outcome{result: NotDone, err: errors.New("the host stops")}
	}
	o.Changed()
	if err := <-p.begun; err != nil {
		return outcome{result: NotDone, err: fmt.Errorf("%w; it is tried again, longer and longer apart", err)}
	}
	return outcome{result: Done}
}

// renamed finds the plugin of this name whose file is gone: then the file that
// calls itself so is the same one under another name.
func renamed(name string, later []Step) *Plugin {
	for n := range later {
		if step := &later[n]; step.Action == Remove && step.plugin.Name() == name && step.plugin.lives() {
			step.moved = true
			return step.plugin
		}
	}
	return nil
}

// take lets a plugin run that did not before, in the place of one that failed
// if there is such a one.
func (s *Set) take(p, failed *Plugin, in *instance) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.enter == nil || !s.enter(p, in) {
		return false
	}
	s.plugins = slices.DeleteFunc(slices.Clone(s.plugins), func(o *Plugin) bool { return o == failed })
	s.plugins = append(s.plugins, p)
	return true
}

// admit checks a manifest against those of the other plugins.
func (s *Set) admit(p *Plugin, m *wire.Manifest, others []*wire.Manifest, o ReloadOptions) error {
	if p != nil && p.lives() && p.Name() != m.GetName() {
		return errors.New("it calls itself " + m.GetName() + " now, and " + p.Name() + " before: give its file another name, too")
	}
	for _, other := range others {
		if other.GetName() == m.GetName() {
			return errors.New("another plugin is called " + m.GetName() + " already: rename one of them in its sdk.New")
		}
	}
	return o.Check(others, m)
}

// remove ends a plugin whose file is gone.
func (s *Set) remove(ctx context.Context, p *Plugin, o ReloadOptions) outcome {
	if !p.lives() {
		s.forget(p)
		return outcome{result: Done}
	}
	out := p.ask(ctx, &swap{
		force: o.Force, drain: o.Drain, done: make(chan outcome, 1),
		switching: func() {
			s.forget(p)
			o.Changed()
		},
	})
	if out.result == Done {
		<-p.ended // its cursor is gone, too: the same name may come again
	}
	return out
}

// ask hands a swap to the plugin's goroutine and waits for what comes of it.
func (p *Plugin) ask(ctx context.Context, s *swap) outcome {
	s.patience = p.set.config.stateTimeout
	if err := p.hand(ctx, s); err != nil {
		if s.next != nil {
			s.next.stop()
		}
		return outcome{result: NotDone, err: err}
	}
	defer func() { <-p.changing }()
	select {
	case out := <-s.done:
		return out
	case <-p.ended:
	}
	select {
	case out := <-s.done: // answered last of all
		return out
	default:
		return outcome{result: NotDone, err: errors.New("the plugin ended meanwhile: the host stops")}
	}
}

// hand takes the place in p.changing, which the caller gives back, and hands the
// swap over.
func (p *Plugin) hand(ctx context.Context, s *swap) error {
	errEnded := errors.New("the plugin has ended: the host stops")
	select {
	case p.changing <- struct{}{}:
	case <-p.ended:
		return errEnded
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case p.swaps <- s:
		return nil
	case <-p.ended:
		<-p.changing
		return errEnded
	case <-ctx.Done():
		<-p.changing
		return ctx.Err()
	}
}

// lives says whether the plugin has a goroutine that takes swaps.
func (p *Plugin) lives() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.state == Running || p.state == Starting || p.state == Waiting
}

// hasBegun says whether a build of it runs, or has run since the host started.
func (p *Plugin) hasBegun() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.state == Starting || p.state != Failed && p.generation > 0
}

func (p *Plugin) current() File {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.file
}
