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
	// quickPause is the longest pause for which events wait for the plugin even
	// when its queue is full: four crashes in a row. One that goes on crashing,
	// or does not start, is away.
	quickPause = 800 * time.Millisecond
	// healthy is how long an instance must have run for the pauses to start
	// from the beginning.
	healthy = time.Minute
)

// Plugin is one program of the folder over all its instances.
type Plugin struct {
	set   *Set
	file  File
	log   hclog.Logger
	queue *queue

	mu          sync.Mutex
	state       State
	manifest    *wire.Manifest
	instance    *instance
	generation  uint64
	restarts    int
	lastError   string
	lastErrorAt time.Time
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

// Deliver queues e for the plugin; the bytes of e are shared from now on. It
// is for one goroutine. While a running plugin is 64 MiB behind it waits, and
// returns ctx's error if ctx ends first; events for a plugin that stays away
// push out the oldest, counted by name.
func (p *Plugin) Deliver(ctx context.Context, e *wire.Event) error {
	return p.queue.push(ctx, e)
}

// up brings up a new instance as far as its manifest.
func (p *Plugin) up(ctx context.Context) (*instance, *wire.Manifest, error) {
	p.mu.Lock()
	p.state = Starting
	p.generation++
	in := &instance{generation: p.generation, started: p.set.now()}
	p.mu.Unlock()
	var err error
	c := &p.set.config
	in.link, err = launch(ctx, p.file, p.set.environment(p.file.Name), c.Sockets, c.StartTimeout, p.set.starter, p.set.guardian, p.log)
	if err != nil {
		return nil, nil, err
	}
	m, err := in.describe(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("start plugin %s: %w: rebuild it with this host's SDK", p.file.Name, in.crashed(err))
	}
	return in, m, nil
}

// begin gives an instance that is up its services and its start.
func (p *Plugin) begin(ctx context.Context, in *instance) error {
	name := p.Name()
	var err error
	in.services, err = serveInstance(p.set.config.Sockets, name, p.set.nextNumber(), p.set.config.REST)
	if err == nil {
		err = in.begin(ctx, &p.set.config)
	}
	if err != nil {
		return fmt.Errorf("start plugin %s: %w", name, in.crashed(err))
	}
	p.mu.Lock()
	p.instance, p.state = in, Running
	p.mu.Unlock()
	p.log.Info("plugin started", "generation", in.generation, "pid", in.link.process.number())
	return nil
}

// run serves the plugin with one instance after another until ctx ends, and
// leaves no process behind. in is up already.
func (p *Plugin) run(ctx context.Context, in *instance) {
	pause := firstPause
	for {
		err := p.begin(ctx, in)
		if err == nil {
			err = in.serve(ctx, p.queue, p.set.config.HandlerTimeout+p.set.config.hangMargin)
			if errors.Is(err, errStopped) {
				in.stop()
				p.setState(Stopped, "")
				p.log.Info("plugin stopped", "generation", in.generation)
				return
			}
			if p.set.now().Sub(in.started) >= healthy {
				pause = firstPause
			}
			err = in.crashed(err)
		}
		if ctx.Err() != nil {
			p.setState(Stopped, "")
			return
		}
		p.crashed(err)
		p.queue.setAway(pause > quickPause)
		if in, pause = p.again(ctx, pause); in == nil {
			p.setState(Stopped, "")
			return
		}
	}
}

// crashed takes back what was in flight and tells what happened.
func (p *Plugin) crashed(err error) {
	for _, e := range p.queue.crashed() {
		p.log.Error("event dropped: the plugin crashed each time it was alone with it",
			"event", e.Name, "guild", e.Guild, "shard", e.Shard, "seq", e.Seq)
	}
	p.setState(Waiting, err.Error())
	p.log.Error("plugin crashed and is started again", "error", err)
}

// again brings up the next instance, after longer and longer pauses. It
// returns nil when ctx ends.
func (p *Plugin) again(ctx context.Context, pause time.Duration) (*instance, time.Duration) {
	for {
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil, pause
		}
		pause = min(2*pause, lastPause)
		in, m, err := p.up(ctx)
		switch {
		case err != nil && ctx.Err() != nil:
			return nil, pause
		case err != nil:
			p.queue.setAway(true)
			p.setState(Waiting, err.Error())
			p.log.Error("plugin not started", "error", err, "again_in", pause)
			continue
		case m.GetName() != p.Name():
			in.stop()
			p.queue.setAway(true)
			err := fmt.Errorf("start plugin %s: its manifest names it %q now: stop the host to take it as another plugin", p.Name(), m.GetName())
			p.setState(Waiting, err.Error())
			p.log.Error("plugin not started", "error", err, "again_in", pause)
			continue
		}
		p.mu.Lock()
		p.restarts++
		p.mu.Unlock()
		return in, pause
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
