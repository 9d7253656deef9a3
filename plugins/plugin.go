package plugins

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/holdfast-bot/holdfast/sdk/wire"
)

// State of a plugin.
type State string

const (
	// Starting says that its process is being brought up.
	Starting State = "starting"
	// Running says that it takes events.
	Running State = "running"
	// Waiting says that it crashed and is started again after a pause.
	Waiting State = "waiting"
	// Failed says that it could not be started and is left alone.
	Failed State = "failed"
	// Stopped says that it was asked to stop.
	Stopped State = "stopped"
)

const (
	firstPause = 100 * time.Millisecond
	lastPause  = 30 * time.Second
	// healthy is how long an instance must have run for the pauses to start
	// from the beginning.
	healthy = time.Minute
)

// Plugin is one program of the folder over all its instances.
type Plugin struct {
	set      *Set
	file     File
	log      hclog.Logger
	prints   *outputLimit
	queue    *queue
	swaps    chan *swap    // taken by run
	changing chan struct{} // a place for a swap, or for saving the state; capacity 1
	begun    chan error    // how the first instance began; capacity 1
	ended    chan struct{} // closed when run has returned

	mu          sync.Mutex
	state       State
	manifest    *wire.Manifest
	instance    *instance
	generation  uint64
	restarts    int
	lastError   string
	lastErrorAt time.Time
	lastReload  reloadFault
	slowMemory  int // instances that have not taken the state of before in time
}

// Name is the manifest's name, or the file's before there is a manifest.
func (p *Plugin) Name() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.manifest != nil {
		return p.manifest.GetName()
	}
	return p.file.Name
}

// Manifest is what the plugin said of itself. Do not change it.
func (p *Plugin) Manifest() *wire.Manifest {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.manifest
}

// Deliver queues e for the plugin, or leaves it to the journal while the plugin
// is behind; the bytes of e are shared from now on. It never waits. Events come
// in the order of their indexes. Deliver and Passed are for one goroutine.
func (p *Plugin) Deliver(e *wire.Event) { p.queue.push(e) }

// Passed says that all events up to index that were not delivered are not for
// this plugin.
func (p *Plugin) Passed(index uint64) { p.queue.passed(index) }

// up brings up a new instance of f as far as its manifest.
func (p *Plugin) up(ctx context.Context, f File) (*instance, error) {
	if f.Staged == "" { // why has been told
		return nil, fmt.Errorf("start plugin %s: its file could not be taken from the folder: mend it, then holdfast reload", f.Name)
	}
	in := &instance{started: p.set.now()}
	var err error
	c := &p.set.config
	in.link, err = launch(ctx, f, p.set.environment(f.Name), c.Sockets, c.StartTimeout, p.set.starter, p.set.guardian, p.prints, p.log)
	if err != nil {
		return nil, err
	}
	if in.manifest, err = in.describe(ctx); err != nil {
		return nil, fmt.Errorf("start plugin %s: %w: rebuild it with this host's SDK", f.Name, in.crashed(err))
	}
	return in, nil
}

// begin gives an instance that is up its services, the state that the last host
// has left, and its start. What this host leaves to the next one it lets alone.
// An instance that does not begin is no generation.
func (p *Plugin) begin(ctx context.Context, in *instance) error {
	name, left := p.Name(), p.queue.hasEnded()
	p.mu.Lock()
	in.generation = p.generation + 1
	p.mu.Unlock()
	var err error
	if !left {
		err = p.restoreSaved(ctx, in)
	}
	if err == nil {
		in.services, err = serveInstance(p.set.config.Sockets, name, p.set.nextNumber(), p.set.config.REST, p.set.config.Guilds, p.set.config.Gateway)
	}
	if err == nil {
		err = in.begin(ctx, &p.set.config)
	}
	if err != nil {
		return fmt.Errorf("start plugin %s: %w", name, in.crashed(err))
	}
	p.mu.Lock()
	saved := p.savedPath()
	p.mu.Unlock()
	if !left {
		p.set.forgetSaved(saved) // before this instance may be asked for its own
	}
	p.mu.Lock()
	p.instance, p.state, p.generation = in, Running, in.generation
	p.mu.Unlock()
	p.log.Info("plugin started", "generation", in.generation, "pid", in.link.process.number())
	return nil
}

// run serves the plugin until ctx ends or the plugin is removed, and leaves
// nothing behind but what the journal keeps. in is up already, or nil: then the plugin
// is one that did not come up, and is tried again.
func (p *Plugin) run(ctx context.Context, in *instance) {
	defer close(p.ended)
	refilling, stop := context.WithCancel(context.WithoutCancel(ctx))
	var refilled sync.WaitGroup
	refilled.Go(func() { p.queue.refill(refilling, p.claims) })
	removed := p.live(ctx, in)
	p.queue.setAway(true)
	stop()
	refilled.Wait()
	p.queue.close()
	if removed {
		p.mu.Lock()
		saved := p.savedPath()
		p.mu.Unlock()
		p.set.forgetSaved(saved)
		p.set.forgetCursor(p.Name())
		p.set.disremember(p.current().Name)
	}
}

// live serves the plugin with one instance after another until ctx ends or the
// plugin is removed, and leaves no process behind.
func (p *Plugin) live(ctx context.Context, in *instance) (removed bool) {
	pause := firstPause
	err := p.first(ctx, in)
	p.begun <- err
	for {
		if err == nil {
			err = in.serve(ctx, p.queue, p.swaps, p.set.config.HandlerTimeout+p.set.config.hangMargin)
			if s, swapped := errors.AsType[*swap](err); swapped {
				pause = firstPause
				if in, err = p.swapped(ctx, in, s); errors.Is(err, errRemoved) {
					return true
				}
				continue
			}
			if errors.Is(err, errStopped) {
				in.stop()
				p.queue.left()
				p.setState(Stopped, "")
				p.log.Info("plugin stopped", "generation", in.generation)
				return false
			}
			if p.set.now().Sub(in.started) >= healthy {
				pause = firstPause
			}
			err = in.crashed(err)
		}
		if ctx.Err() != nil {
			p.setState(Stopped, "")
			return false
		}
		if !errors.Is(err, errAbsent) {
			p.crashed(err)
		}
		if in, pause, err = p.again(ctx, pause); errors.Is(err, errStopped) || errors.Is(err, errRemoved) {
			p.setState(Stopped, "")
			return errors.Is(err, errRemoved)
		}
	}
}

// first begins the first instance, if there is one.
func (p *Plugin) first(ctx context.Context, in *instance) error {
	if in == nil {
		p.queue.setAway(true)
		return errAbsent
	}
	if err := p.begin(ctx, in); err != nil {
		return err
	}
	p.remember()
	return nil
}

// open gives the plugin its place in the journal: what comes from now on, and
// what it has missed. It comes before run.
func (p *Plugin) open() {
	p.queue.asked = p.set.config.Interactions
	p.queue.guilds, p.queue.guildWait = p.set.config.Guilds, p.set.config.GuildWait
	p.queue.keep(wants(p.Manifest()))
	p.queue.kept.fault = p.fault()
	c := &p.set.config
	if c.Journal == nil || c.Cursors == nil {
		return
	}
	cursor, err := c.Cursors.Cursor(p.Name())
	if err != nil {
		p.log.Error("what the plugin handles is not remembered: after a restart of the host it misses events, or gets them again", "error", err)
	}
	p.queue.open(c.Journal, cursor)
}

// fault tells what goes wrong with the plugin's place in the journal, a kind of
// fault at most once a minute: it may come with each event.
func (p *Plugin) fault() func(what string, err error) {
	last := make(map[string]time.Time)
	var mu sync.Mutex
	return func(what string, err error) {
		mu.Lock()
		defer mu.Unlock()
		if now := p.set.now(); now.Sub(last[what]) >= time.Minute {
			last[what] = now
			p.log.Error("journal: "+what, "error", err)
		}
	}
}

// claims says whether an interaction that waited in the journal is for this
// plugin.
func (p *Plugin) claims(e *wire.Event) bool {
	return p.set.config.Claims == nil || p.set.config.Claims(p.Name(), e)
}

// crashed takes back what was in flight and tells what happened.
func (p *Plugin) crashed(err error) {
	p.queue.setAway(true)
	p.queue.left()
	p.takeBack()
	p.setState(Waiting, err.Error())
	p.log.Error("plugin crashed and is started again", "error", err)
}

// takeBack puts what was in flight first in the queue again.
func (p *Plugin) takeBack() {
	for _, e := range p.queue.crashed() {
		p.log.Error("event dropped: the plugin crashed each time it was alone with it"+where(e.Guild), "event", e.Name, "shard", e.Shard, "seq", e.Seq)
	}
}

// again brings up the next instance, after longer and longer pauses, and
// begins it; the error says why it has not begun: errStopped when ctx has
// ended, errRemoved when the plugin's file is gone.
func (p *Plugin) again(ctx context.Context, pause time.Duration) (*instance, time.Duration, error) {
	for {
		select {
		case <-time.After(pause):
		case s := <-p.swaps: // nothing runs: the new build takes the place at once
			in, err := p.replaceAbsent(ctx, s)
			return in, firstPause, err
		case <-ctx.Done():
			return nil, pause, errStopped
		}
		pause = min(2*pause, lastPause)
		in, err := p.up(ctx, p.current())
		if err == nil && in.manifest.GetName() != p.Name() {
			err = fmt.Errorf("start plugin %s: its manifest names it %q now: reload to take it as another plugin", p.Name(), in.manifest.GetName())
			in.stop()
		} else if err == nil {
			if err = p.asBefore(in.manifest); err != nil {
				in.stop()
			}
		}
		switch {
		case err != nil && ctx.Err() != nil:
			return nil, pause, errStopped
		case err != nil:
			p.setState(Waiting, err.Error())
			p.log.Error("plugin not started", "error", err, "again_in", pause.String())
			continue
		}
		p.mu.Lock()
		p.restarts++
		p.mu.Unlock()
		return in, pause, p.begin(ctx, in)
	}
}

func (p *Plugin) setState(s State, lastError string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.state = s
	if s != Running {
		p.instance = nil
	}
	if lastError != "" {
		p.lastError, p.lastErrorAt = lastError, p.set.now()
	}
}
