package plugins

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/holdfast-bot/holdfast/sdk/wire"
)

// stateTimeout bounds saving and restoring a state, each.
const stateTimeout = 10 * time.Second

// swap puts another instance in the place of a plugin's running one, or none.
// Plugin.run takes it from Plugin.swaps and answers on done, once.
type swap struct {
	file  File
	next  *instance // up, not begun; nil removes the plugin
	force bool
	drain time.Duration
	// patience bounds saving and restoring the state, each.
	patience time.Duration
	// switching is called at the barrier, when nothing can call the swap off but
	// a failing Start: from here on events are for the new manifest.
	switching func()
	done      chan outcome

	began  time.Time // of the barrier
	state  *wire.State
	forced bool   // events were in flight when the old instance was ended
	note   string // what a swap that is done has cost
}

// Error makes a swap a reason for the end of an instance.
func (s *swap) Error() string { return "swapped" }

// outcome of a swap.
type outcome struct {
	result Result
	err    error
	note   string        // for a person, if there is no err
	pause  time.Duration // how long the plugin got no events
}

func (s *swap) answer(r Result, err error) {
	o := outcome{result: r, err: err, note: s.note}
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
		event, guild, since := q.slowest()
		switch {
		case ctx.Err() != nil:
			return NotDone, errInterrupted
		case s.force:
			s.forced = true // its handlers still use the state: it stays with them
			s.note = fmt.Sprintf("handlers did not end within %s and were cut off; what they had is delivered again", s.drain) + in.dropped(s)
			return Done, nil
		case in.silent(ctx):
			return CalledOff, in.mute()
		}
		return CalledOff, fmt.Errorf("a handler of %s%s has been running for %s: wait for it, or reload with --force",
			event, where(guild), rounded(time.Since(since)))
	}
	if s.next == nil || !in.manifest.GetHasState() || !s.next.manifest.GetHasState() {
		return Done, nil
	}
	return in.moveState(ctx, s)
}

// moveState asks for the state of the running instance and gives it to the next.
func (in *instance) moveState(ctx context.Context, s *swap) (Result, error) {
	saving, cancelSave := context.WithTimeout(ctx, s.patience)
	defer cancelSave()
	state, err := in.link.plugin.SaveState(saving, new(wire.SaveStateRequest))
	switch {
	case err == nil:
	case ctx.Err() != nil:
		return NotDone, errInterrupted
	case s.force:
		s.note = fmt.Sprintf("the running instance did not save its state: %s", answered(err, s.patience)) + in.dropped(s)
		return Done, nil
	case in.silent(ctx):
		return CalledOff, in.mute()
	default:
		return NotDone, fmt.Errorf("save the state of the running instance: %w: mend its saving, or drop the state: reload with --force", answered(err, s.patience))
	}
	restoring, cancelRestore := context.WithTimeout(ctx, s.patience)
	defer cancelRestore()
	if _, err := s.next.link.plugin.RestoreState(restoring, state); err != nil {
		if ctx.Err() != nil {
			return NotDone, errInterrupted
		}
		return Refused, fmt.Errorf("the new build refuses the state of the old one: %w: let it read the old schema", answered(err, s.patience))
	}
	s.state = state
	return Done, nil
}

// errInterrupted ends a swap that is nobody's fault.
var errInterrupted = errors.New("the running instance ended meanwhile, or the host stops: reload again")

// dropped says that the state does not move, if there is one.
func (in *instance) dropped(s *swap) string {
	if s.next == nil || !in.manifest.GetHasState() {
		return ""
	}
	return "; what it kept in memory is dropped"
}

// mute says why an instance that answers nothing is not replaced.
func (in *instance) mute() error {
	pid := in.link.process.number()
	return fmt.Errorf("the running instance (process %d) answers nothing: it was stopped (kill -CONT %d lets it go on), or hangs: reload with --force ends it", pid, pid)
}

// where names a guild; events of no guild have none.
func where(guild uint64) string {
	if guild == 0 {
		return ""
	}
	return fmt.Sprintf(" in guild %d", guild)
}

// rounded is a duration that a person reads.
func rounded(d time.Duration) time.Duration {
	if d >= time.Second {
		return d.Round(100 * time.Millisecond)
	}
	return d.Round(time.Millisecond)
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
		restoring, cancel := context.WithTimeout(ctx, p.set.config.stateTimeout)
		defer cancel()
		if _, err := in.link.plugin.RestoreState(restoring, state); err != nil {
			p.log.Error("the old build does not take back the state that it saved", "error", answered(err, p.set.config.stateTimeout))
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
	before := p.current().Name
	p.adopt(s.file, s.next.manifest)
	s.switching()
	s.answer(Done, nil)
	p.remember()
	if before != s.file.Name {
		p.set.disremember(before)
	}
}

// adopt makes a build the plugin's.
func (p *Plugin) adopt(f File, m *wire.Manifest) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.file, p.manifest = f, m
}
