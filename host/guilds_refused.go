package host

import (
	"errors"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/holdfast-bot/holdfast/cache"
)

const (
	// refusalPause is how often the refusals of the guard are looked at. A pause of
	// that length without one ends the story that the log tells.
	refusalPause = 10 * time.Second
	// refusalReport is how often the log says that they go on.
	refusalReport = time.Minute
)

// refusals tells the operator that the guard refuses loads: one line when that
// begins, one a minute while it goes on, and one when it has ended. It has no
// goroutine but the timer's, and that only while something is refused.
type refusals struct {
	log hclog.Logger

	mu       sync.Mutex
	timer    *time.Timer // nil: nothing is refused
	began    time.Time
	last     time.Time // when something was refused
	reported time.Time
	all, now refused // since it began, since the last line
	closed   bool
}

// refused counts what went on without its guild.
type refused struct{ events, reads uint64 }

func (r *refused) add(read bool) {
	if read {
		r.reads++
	} else {
		r.events++
	}
}

func newRefusals(log hclog.Logger) *refusals {
	if log == nil {
		log = hclog.NewNullLogger()
	}
	return &refusals{log: log}
}

// note takes note of what came of a guild that was wanted: before a handler, or
// read by one. All but a refusal of the guard says nothing.
func (r *refusals) note(err error, read bool) {
	missing, ok := errors.AsType[*cache.MissingError](err)
	if !ok || missing.Reason != cache.Refused && missing.Reason != cache.GuardOpen {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return
	}
	now := time.Now()
	if r.timer == nil {
		r.began, r.reported, r.all, r.now = now, now, refused{}, refused{}
		r.timer = time.AfterFunc(refusalPause, r.look) // close stops it
		r.log.Warn("guard: more guilds are wanted than may be loaded, so events go on without theirs", "reason", string(missing.Reason))
	}
	r.last = now
	r.all.add(read)
	r.now.add(read)
}

// look is what the timer runs.
func (r *refusals) look() {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	switch {
	case r.closed:
		return
	case now.Sub(r.last) >= refusalPause:
		r.end()
		return
	case now.Sub(r.reported) >= refusalReport:
		r.log.Warn("guard: events were delivered without their guild", "events", r.now.events, "reads", r.now.reads, "took", now.Sub(r.reported).Round(time.Second))
		r.reported, r.now = now, refused{}
	}
	r.timer.Reset(refusalPause)
}

// end tells that it is over; the lock is held.
func (r *refusals) end() {
	r.timer = nil
	r.log.Info("guard: nothing is refused any more", "events", r.all.events, "reads", r.all.reads, "took", r.last.Sub(r.began).Round(time.Second))
}

func (r *refusals) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.timer != nil {
		r.timer.Stop()
		r.end()
	}
	r.closed = true
}
