package plugins

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/holdfast-bot/holdfast/sdk/wire"
)

// Config of a Set. Dir, Staging, Sockets, REST and Log are needed.
type Config struct {
	// Dir is the folder into which the operator drops plugins.
	Dir string
	// Staging is the private folder of the copies that run.
	Staging string
	// Saved is the private folder of what plugins have in memory while no host
	// runs; "" for no such folder.
	Saved string
	// Sockets is a private folder with a short path (a unix socket's path has
	// at most 104 bytes, of which the names inside take up to 40).
	Sockets string
	// Env is the environment of each plugin, by file name without extension,
	// beside the few variables that every program needs.
	Env map[string][]string
	// ApplicationID and BotUserID are told to the plugins.
	ApplicationID, BotUserID uint64
	// HandlerTimeout is a handler's deadline. Default 30 s.
	HandlerTimeout time.Duration
	// StartTimeout is how long a process may take for its handshake. Default 10 s.
	StartTimeout time.Duration
	// Known is where the host keeps what plugins declare, for a start at which one does
	// not come up; "" for nowhere.
	Known string
	// REST carries the plugins' requests to Discord.
	REST REST
	// Guilds may be nil: then plugins get no guilds from the host.
	Guilds Guilds
	// GuildWait is how long an event waits for its guild, counted from when the
	// host read it; an interaction waits at most 1 s. Default 3 s.
	GuildWait time.Duration
	// Gateway may be nil: then plugins reach the gateway by events only.
	Gateway Gateway
	// Journal and Cursors keep what plugins have not handled, and what they have.
	// Without them events live in memory: those that find no room are dropped,
	// counted by name.
	Journal Journal
	Cursors Cursors
	// Claims says whether an interaction is for the plugin of this name; nil: it
	// is for every plugin that takes interactions. It is asked only about those
	// that waited in the journal.
	Claims func(plugin string, e *wire.Event) bool
	// Interactions may be nil: then each goes to its plugin as long as its token
	// works.
	Interactions Interactions
	Log          hclog.Logger

	hangMargin, stateTimeout time.Duration // tests have less patience
}

// Set is all plugins of the folder.
type Set struct {
	config   Config
	now      func() time.Time
	starter  *starter
	guardian *guardian
	numbers  atomic.Uint64

	reloading sync.Mutex      // one reload at a time
	strange   map[string]bool // settings for no plugin that were told; of Load and Reload, one after another

	mu      sync.Mutex
	plugins []*Plugin
	pending map[*Plugin]*instance // loaded, not yet running
	skipped map[string]bool       // names of files that are not executable
	running sync.WaitGroup
	cancel  context.CancelFunc
	enter   func(p *Plugin, in *instance) bool // starts a plugin's run; false when the set is closed
	closed  sync.Once
}

// Available says whether the plugin of this name takes events, or will in a
// moment.
func (s *Set) Available(name string) bool {
	return slices.ContainsFunc(s.Plugins(), func(p *Plugin) bool { return p.Name() == name && p.Available() })
}

// New prepares a Set. Close it.
func New(c Config) (*Set, error) {
	if c.HandlerTimeout <= 0 {
		c.HandlerTimeout = 30 * time.Second
	}
	if c.StartTimeout <= 0 {
		c.StartTimeout = 10 * time.Second
	}
	if c.GuildWait <= 0 {
		c.GuildWait = defaultGuildWait
	}
	if c.hangMargin <= 0 {
		c.hangMargin = hangMargin
	}
	if c.stateTimeout <= 0 {
		c.stateTimeout = stateTimeout
	}
	for _, dir := range []*string{&c.Dir, &c.Staging, &c.Saved, &c.Known, &c.Sockets} {
		if *dir == "" {
			continue
		}
		absolute, err := filepath.Abs(*dir)
		if err != nil {
			return nil, fmt.Errorf("find folder %s: %w", *dir, err)
		}
		*dir = absolute
	}
	if err := apart(c.Dir, c.Staging); err != nil {
		return nil, err
	}
	s := &Set{config: c, now: time.Now, starter: newStarter(), pending: make(map[*Plugin]*instance), strange: make(map[string]bool)}
	var err error
	if s.guardian, err = startGuardian(s.starter.start); err != nil {
		// Without a shell the plugins still die with the host on Linux; only
		// what they fork could outlive a killed host.
		c.Log.Warn("no guardian: what plugins fork may outlive a killed host", "error", err)
	}
	return s, nil
}

// Load stages and starts every plugin of the folder, side by side, and asks
// each for its manifest. check is then called for one after another in the
// order of their file names; a plugin that it refuses is ended. A plugin that
// fails is kept as Failed and told in the log, and the others go on: the error
// is about the folder only.
func (s *Set) Load(ctx context.Context, check func(*wire.Manifest) error) error {
	files, err := s.stageAll(ctx)
	if err != nil {
		return err
	}
	type result struct {
		plugin   *Plugin
		instance *instance
		err      error
	}
	s.config.Log.Info("starting plugins", "count", len(files), "folder", s.config.Dir)
	results := make([]result, len(files))
	var wait sync.WaitGroup
	for n, f := range files {
		p := s.newPlugin(f.file)
		if f.err != nil {
			results[n] = result{plugin: p, err: fmt.Errorf("start plugin %s: %w", f.file.Name, f.err)}
			continue
		}
		wait.Go(func() {
			in, err := p.up(ctx, f.file)
			results[n] = result{p, in, err}
		})
	}
	wait.Wait()
	defer s.sweepStaged()
	defer s.strangers()
	s.mu.Lock()
	defer s.mu.Unlock()
	names := make(map[string]string)
	var absent []*Plugin
	for _, r := range results {
		s.plugins = append(s.plugins, r.plugin)
		if r.err == nil {
			name := r.instance.manifest.GetName()
			if other, taken := names[name]; taken {
				r.err = fmt.Errorf("start plugin %s: it is called %q like %s: rename one of them in its sdk.New", r.plugin.file.Name, name, other)
			} else if err := check(r.instance.manifest); err != nil {
				r.err = fmt.Errorf("start plugin %s: %w", r.plugin.file.Name, err)
			}
			if r.err != nil {
				r.instance.stop()
			}
		}
		if r.err != nil {
			r.plugin.setState(Failed, r.err.Error())
			if ctx.Err() != nil {
				continue // nobody asks any more why it is not up
			}
			if r.instance == nil {
				absent = append(absent, r.plugin)
				continue
			}
			s.config.Log.Error("plugin left out", "file", r.plugin.file.Path, "error", r.err)
			continue
		}
		names[r.instance.manifest.GetName()] = r.plugin.file.Path
		r.plugin.adopt(r.plugin.current(), r.instance.manifest)
		s.pending[r.plugin] = r.instance
	}
	for _, p := range absent { // last, as they are not to keep out what runs
		s.await(p, names, check)
	}
	return ctx.Err()
}

// await takes a plugin that has not come up for the one that its file was before, which
// is tried again; one that nobody knows, or that is refused, is left out. The caller
// holds s.mu.
func (s *Set) await(p *Plugin, names map[string]string, check func(*wire.Manifest) error) {
	reason := p.status().LastError
	m := s.recall(p.file.Name)
	if m == nil || names[m.GetName()] != "" || check(m) != nil {
		s.config.Log.Error("plugin left out", "file", p.file.Path, "error", reason)
		return
	}
	names[m.GetName()] = p.file.Path
	p.adopt(p.current(), m)
	p.setState(Waiting, "")
	s.pending[p] = nil
	s.config.Log.Error("plugin does not come up: what is for it waits, and it is tried again", "plugin", m.GetName(), "file", p.file.Path, "error", reason)
}

// Run starts the handlers of the plugins that Load brought up. They run until
// Close.
func (s *Set) Run() {
	ctx, cancel := context.WithCancel(context.Background())
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cancel = cancel
	s.enter = func(p *Plugin, in *instance) bool {
		if ctx.Err() != nil {
			return false
		}
		p.open()
		s.running.Go(func() { p.run(ctx, in) })
		return true
	}
	s.forgetStrangers()
	for p, in := range s.pending {
		delete(s.pending, p)
		s.enter(p, in)
	}
}

func (s *Set) newPlugin(f File) *Plugin {
	log := s.config.Log.Named(f.Name)
	return &Plugin{
		set: s, file: f, state: Starting, log: log, prints: newOutputLimit(s.now, log), queue: newQueue(defaultLimits(), s.now),
		swaps: make(chan *swap), changing: make(chan struct{}, 1), begun: make(chan error, 1), ended: make(chan struct{}),
	}
}

func (s *Set) all() []*Plugin {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.plugins)
}

func (s *Set) forget(p *Plugin) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.plugins = slices.DeleteFunc(slices.Clone(s.plugins), func(o *Plugin) bool { return o == p })
}

// Plugins returns the plugins that Load accepted, in the order of their file
// names.
func (s *Set) Plugins() []*Plugin {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []*Plugin
	for _, p := range s.plugins {
		if p.Manifest() != nil {
			out = append(out, p)
		}
	}
	return out
}

// Drain waits until every running plugin has acknowledged what it was given, or
// ctx ends; the error names who has not. If kept, what waits in the host stays in
// the journal, and what plugins have in memory is saved, for the next start;
// else what waits is drained, too.
func (s *Set) Drain(ctx context.Context, kept bool) error {
	all := s.Plugins()
	if kept {
		for _, p := range all {
			p.queue.end()
		}
	}
	errs := make([]error, len(all))
	var drained sync.WaitGroup
	for n, p := range all {
		drained.Go(func() { errs[n] = p.drain(ctx, kept) })
	}
	drained.Wait()
	return errors.Join(errs...)
}

func (p *Plugin) drain(ctx context.Context, kept bool) error {
	wait := p.queue.waitIdle
	if kept {
		wait = p.queue.waitLanded
	}
	if err := wait(ctx); err != nil {
		c, inFlight, behind := p.queue.snapshot()
		lost := ""
		if kept && p.Manifest().GetHasState() {
			lost = "; what it has in memory is not saved, its handlers still use it: allow a longer drain_timeout"
		}
		return fmt.Errorf("drain plugin %s: %w: %d events in handlers, %d waiting%s", p.Name(), err, inFlight, uint64(c.queued)+behind, lost)
	}
	if !kept {
		return nil
	}
	select {
	case p.changing <- struct{}{}: // the instance stays the same meanwhile
		defer func() { <-p.changing }()
	case <-ctx.Done():
		return fmt.Errorf("save the state of plugin %s: its reload has not ended: %w: it begins anew with the next start", p.Name(), ctx.Err())
	}
	return p.save(ctx)
}

// Close stops all plugins: handlers get 2 s, processes 2 s more, then their
// groups are killed. Nothing is left when it returns. Further calls do nothing.
func (s *Set) Close() error {
	s.closed.Do(s.close)
	return nil
}

func (s *Set) close() {
	s.mu.Lock()
	if s.cancel != nil {
		s.cancel()
	}
	pending := s.pending
	s.pending = nil
	s.mu.Unlock()
	for p, in := range pending {
		if in != nil {
			in.stop()
		}
		p.setState(Stopped, "")
	}
	s.running.Wait()
	s.guardian.close()
	s.starter.close()
}

func (s *Set) nextNumber() uint64 { return s.numbers.Add(1) }

// environment of the plugin whose file is called name: its own, and the
// variables that every program needs to find its way. All else of the host's
// environment stays with the host, the token first of all.
func (s *Set) environment(name string) []string {
	var env []string
	for _, key := range []string{"PATH", "HOME", "TMPDIR", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR"} {
		if value, ok := os.LookupEnv(key); ok {
			env = append(env, key+"="+value)
		}
	}
	for _, pair := range s.config.Env[name] {
		if !strings.HasPrefix(pair, wire.CookieKey+"=") {
			env = append(env, pair)
		}
	}
	return env
}
