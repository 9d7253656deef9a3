package plugins

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/holdfast-bot/holdfast/sdk/wire"
)

// stateTimeout bounds saving and restoring a state.
const stateTimeout = 10 * time.Second

// swap puts another instance in the place of a plugin's running one, or none.
// Plugin.run takes it from Plugin.swaps and answers on done, once.
type swap struct {
	file  File
	next  *instance // up, not begun; nil removes the plugin
	force bool
	drain time.Duration
	// switching is called at the barrier, when nothing can call the swap off but
	// a failing Start: from here on events are for the new manifest.
	switching func()
	done      chan outcome

	began  time.Time // of the barrier
	state  *wire.State
	forced bool // events were in flight when the old instance was ended
}

// Error makes a swap a reason for the end of an instance.
func (s *swap) Error() string { return "swapped" }

// outcome of a swap.
type outcome struct {
	result Result
	err    error
	pause  time.Duration // how long the plugin got no events
}

func (s *swap) answer(r Result, err error) {
	o := outcome{result: r, err: err}
	if !s.began.IsZero() {
		o.pause = time.Since(s.began)
	}
	s.done <- o
}

// handOver drains the running instance and moves its state into the next one.
// If that cannot be done the barrier is lifted as if nothing had happened, and
// the next instance is ended.
func (in *instance) handOver(ctx, inner context.Context, q *queue, s *swap) bool {
	inner, cancel := context.WithCancel(inner)
	defer cancel()
	defer context.AfterFunc(ctx, cancel)() // the host stops: no time for a reload
	s.began = time.Now()
	q.pause()
	result, err := in.drainAndMove(inner, q, s)
	if err == nil {
		return true
	}
	q.resume()
	if s.next != nil {
		s.next.stop()
	}
	s.answer(result, err)
	return false
}

func (in *instance) drainAndMove(ctx context.Context, q *queue, s *swap) (Result, error) {
	draining, cancel := context.WithTimeout(ctx, s.drain)
	defer cancel()
	if err := q.waitLanded(draining); err != nil {
		name, guild, since := q.slowest()
		switch {
		case ctx.Err() != nil:
			return NotDone, errors.New("the running instance ended meanwhile, or the host stops: reload again")
		case !s.force:
			return CalledOff, fmt.Errorf("a handler of %s in guild %d has been running for %s: wait for it, or reload with --force", name, guild, time.Since(since).Round(time.Millisecond))
		}
		s.forced = true
		return Done, nil // its handlers still use the state: it stays with them
	}
	if s.next == nil || !in.manifest.GetHasState() || !s.next.manifest.GetHasState() {
		return Done, nil
	}
	saving, cancelSave := context.WithTimeout(ctx, stateTimeout)
	defer cancelSave()
	state, err := in.link.plugin.SaveState(saving, new(wire.SaveStateRequest))
	if err != nil {
		return NotDone, fmt.Errorf("save the state of the running instance: %s: mend its saving, or restart the host", rpcText(err))
	}
	if _, err := s.next.link.plugin.RestoreState(saving, state); err != nil {
		return Refused, fmt.Errorf("the new build refuses the state of the old one: %s: let it read the old schema", rpcText(err))
	}
	s.state = state
	return Done, nil
}

// swapped ends the old instance of a swap and begins the next. If that does
// not start, the old build is brought up again. errRemoved says that there is
// no next.
func (p *Plugin) swapped(ctx context.Context, in *instance, s *swap) (*instance, error) {
	in.stop()
	p.queue.left()
	if s.forced {
		p.takeBack()
	}
	if s.next == nil {
		p.setState(Stopped, "")
		p.log.Info("plugin removed", "generation", in.generation)
		s.switching()
		s.answer(Done, nil)
		return nil, errRemoved
	}
	old := p.current()
	err := p.begin(ctx, s.next) // nothing is sent to it before it is served
	if err == nil {
		p.settle(s)
		return s.next, nil
	}
	p.log.Error("the new build does not start, the old one is brought back", "error", err)
	back, upErr := p.bringBack(ctx, old, s.state)
	if upErr != nil {
		s.answer(NotDone, fmt.Errorf("%w; and the old build does not start either: %w", err, upErr))
	} else {
		s.answer(NotDone, fmt.Errorf("%w; the old build runs again", err))
	}
	return back, upErr
}

// bringBack starts the old build once more, with the state that it had saved.
func (p *Plugin) bringBack(ctx context.Context, old File, state *wire.State) (*instance, error) {
	in, err := p.up(ctx, old)
	if err != nil {
		return nil, err
	}
	if state != nil {
		restoring, cancel := context.WithTimeout(ctx, stateTimeout)
		defer cancel()
		if _, err := in.link.plugin.RestoreState(restoring, state); err != nil {
			p.log.Error("the old build does not take back the state that it saved", "error", rpcText(err))
		}
	}
	return in, p.begin(ctx, in)
}

// replaceAbsent puts a build in the place of one that is between two crashes.
func (p *Plugin) replaceAbsent(ctx context.Context, s *swap) (*instance, error) {
	if s.next == nil {
		s.switching()
		s.answer(Done, nil)
		return nil, errRemoved
	}
	if err := p.begin(ctx, s.next); err != nil {
		s.answer(NotDone, err)
		return nil, err
	}
	p.settle(s)
	return s.next, nil
}

// settle makes the next build of a swap, which has begun, the plugin's. The queue
// comes first: what is routed to the new build it must not take for another's.
func (p *Plugin) settle(s *swap) {
	p.queue.widen(wants(s.next.manifest))
	p.queue.keep(wants(s.next.manifest))
	p.adopt(s.file, s.next.manifest)
	s.switching()
	s.answer(Done, nil)
}

// adopt makes a build the plugin's.
func (p *Plugin) adopt(f File, m *wire.Manifest) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.file, p.manifest = f, m
}
