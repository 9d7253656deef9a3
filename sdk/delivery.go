package sdk

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/holdfast-bot/holdfast/sdk/wire"
)

const (
	defaultTimeout = 30 * time.Second
	// handlerGrace is how long a handler may go on after its context has ended.
	handlerGrace = 5 * time.Second
	// watchEvery is how often the watch looks for handlers beyond that.
	watchEvery = time.Second
)

// States of a job. Who changes it from running owns its end.
const (
	running uint32 = iota
	finished
	abandoned // its handler did not end; the watch has acknowledged it
)

// job is one event on its way through its handlers. It is one allocation, and
// is never used again: a handler may keep its bot.
type job struct {
	event   wire.Event
	route   *route
	bot     Bot
	client  clientParts
	ctx     eventContext
	log     eventLog
	decoded []any // by slot: the value, or *unreadableError
	failure *wire.Failure
	started time.Time
	state   atomic.Uint32

	detached atomic.Bool // a handler took a bot that outlives it
}

func (j *job) end(state uint32) bool { return j.state.CompareAndSwap(running, state) }

// lane keeps the order of one guild (or channel, or shard). It has a goroutine
// only while it has events; an interaction is a lane of its own.
type lane struct {
	key     uint64
	single  bool                // an interaction: not in delivery.lanes
	queue   []*job              // arrived; guarded by delivery.mu
	work    []*job              // taken from queue; of the lane's goroutine
	next    int                 // in work
	current atomic.Pointer[job] // for the watch
}

// delivery is the life of one event stream: events go into lanes, through
// their handlers and into acknowledgements.
type delivery struct {
	routes   map[string]*route
	names    map[string]string // the routes' names, interned
	commands map[commandKey]*command
	plugin   *Plugin
	line     *line
	log      hclog.Logger
	timeout  time.Duration
	late     error // cause of contexts at their deadline
	acks     *acks
	leaked   atomic.Int64 // abandoned handlers that have not ended

	mu      sync.Mutex
	lanes   map[uint64]*lane
	singles map[*lane]struct{}
	spare   []*lane
	refused bool          // nothing new is begun
	active  int           // goroutines of lanes, without abandoned ones
	idle    chan struct{} // closed when none is left, nil when nobody waits
}

func newDelivery(p *Plugin, l *line, log hclog.Logger, timeout time.Duration) *delivery {
	d := &delivery{
		routes:   p.routes,
		names:    make(map[string]string),
		commands: make(map[commandKey]*command),
		plugin:   p,
		line:     l,
		log:      log,
		timeout:  timeout,
		late:     fmt.Errorf("the handler's deadline of %s has passed", timeout),
		acks:     newAcks(),
		lanes:    make(map[uint64]*lane),
		singles:  make(map[*lane]struct{}),
	}
	for name := range p.routes {
		d.names[name] = name
	}
	for _, c := range p.commands {
		d.commands[c.commandKey] = c
	}
	return d
}

// refuse lets push begin nothing more.
func (d *delivery) refuse() {
	d.mu.Lock()
	d.refused = true
	d.mu.Unlock()
}

// push hands events to their lanes and starts goroutines for those that had
// none. How many can be here is bounded by the host's credit.
func (d *delivery) push(ctx context.Context, jobs []*job) {
	var starting []*lane
	d.mu.Lock()
	if d.refused {
		d.mu.Unlock()
		return // not begun and not acknowledged: the host delivers it again
	}
	for _, j := range jobs {
		l, ok := d.lanes[j.event.Lane]
		if j.event.Name == interactionCreate {
			l, ok = d.newLane(), false
			l.single = true
			d.singles[l] = struct{}{}
		} else if !ok {
			l = d.newLane()
			l.key = j.event.Lane
			d.lanes[l.key] = l
		}
		l.queue = append(l.queue, j)
		if !ok {
			d.active++
			starting = append(starting, l)
		}
	}
	d.mu.Unlock()
	for _, l := range starting {
		go d.run(ctx, l) // waitIdle waits for it
	}
}

// maxSpareLanes bounds the empty lanes that are kept for the next guild.
const maxSpareLanes = 64

func (d *delivery) newLane() *lane {
	if n := len(d.spare); n > 0 {
		l := d.spare[n-1]
		d.spare = d.spare[:n-1]
		return l
	}
	return new(lane)
}

// run handles a lane's events until there are none. An event whose handler
// was abandoned is not its business any more, and neither is the lane: the
// watch has given it another goroutine.
func (d *delivery) run(ctx context.Context, l *lane) {
	returned := false
	var mine *job // l.current may be another goroutine's when mine was abandoned
	defer func() {
		if !returned {
			d.survive(ctx, l, mine)
		}
	}()
	for {
		for l.next < len(l.work) {
			j := l.work[l.next]
			l.work[l.next] = nil
			l.next++
			if ctx.Err() != nil {
				continue // as for refused ones
			}
			j.started = time.Now()
			mine = j
			l.current.Store(j)
			d.handle(ctx, j)
			if !j.end(finished) {
				d.leaked.Add(-1)
				returned = true
				return
			}
			d.acks.add(j, j.failure)
		}
		if !d.refill(l) {
			returned = true
			return
		}
	}
}

// survive goes on with a lane whose handler ended its goroutine with
// runtime.Goexit, as testing's FailNow does.
func (d *delivery) survive(ctx context.Context, l *lane, j *job) {
	if !j.end(finished) {
		d.leaked.Add(-1)
		return
	}
	d.acks.add(j, failureOf(j, wire.Failure_ERROR, "a handler ended its goroutine"))
	go d.run(ctx, l) // counted in active already
}

// refill takes what has arrived for the lane, or ends it.
func (d *delivery) refill(l *lane) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	l.work, l.queue, l.next = l.queue, l.work[:0], 0
	if len(l.work) > 0 {
		return true
	}
	if l.single {
		delete(d.singles, l)
	} else {
		delete(d.lanes, l.key)
	}
	l.current.Store(nil)
	l.single = false
	if len(d.spare) < maxSpareLanes {
		d.spare = append(d.spare, l)
	}
	if d.active--; d.active == 0 && d.idle != nil {
		close(d.idle)
		d.idle = nil
	}
	return false
}

// waitIdle waits until no lane has work, abandoned handlers aside, or ctx ends.
func (d *delivery) waitIdle(ctx context.Context) error {
	d.mu.Lock()
	if d.active == 0 {
		d.mu.Unlock()
		return nil
	}
	if d.idle == nil {
		d.idle = make(chan struct{})
	}
	idle := d.idle
	d.mu.Unlock()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// watch gives up on handlers that have not ended when their deadline and the
// grace have passed: the event is acknowledged as failed and its lane goes on,
// so that one hung handler does not stop a guild. The handler's goroutine
// stays until it ends by itself. It runs until ctx ends.
func (d *delivery) watch(ctx context.Context) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			for _, l := range d.overdue(time.Now().Add(-d.timeout - handlerGrace)) {
				d.abandon(ctx, l)
			}
		case <-ctx.Done():
			return
		}
	}
}

// overdue takes the lanes whose handler began before the given time away from
// their goroutines.
func (d *delivery) overdue(before time.Time) []*lane {
	d.mu.Lock()
	defer d.mu.Unlock()
	var taken []*lane
	look := func(l *lane) {
		if j := l.current.Load(); j != nil && j.started.Before(before) && j.end(abandoned) {
			taken = append(taken, l)
		}
	}
	for _, l := range d.lanes {
		look(l)
	}
	for l := range d.singles {
		look(l)
	}
	return taken
}

func (d *delivery) abandon(ctx context.Context, l *lane) {
	j := l.current.Load()
	message := "a handler was still running " + (d.timeout + handlerGrace).String() + " after it began"
	d.log.Error("handler abandoned: it goes on when its context has ended", append(factsOf(j), "abandoned", d.leaked.Add(1))...)
	d.acks.add(j, failureOf(j, wire.Failure_DEADLINE, message))
	go d.run(ctx, l) // counted in active already
}
