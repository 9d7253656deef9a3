package host

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/holdfast-bot/holdfast/host/gateway"
)

// sessionSet is a set of sessions that runs, and what is known of it.
type sessionSet struct {
	number  int // of this host's sets
	count   int // shards of the bot
	intents uint64
	set     *gateway.Set
	saved   *savedSessions
	timeout time.Duration // for all of it to be ready, beside another
	cancel  context.CancelFunc
	done    chan struct{} // closed when it has ended, with err
	err     error
}

// sessionSets are the sessions that deliver, and for a while those that replace
// them: another number of shards or other intents need other sessions.
//
//	run ── one set ── replace ──> two sets, the newer muted ─┬─ switch ──> the newer one
//	                                                         └─ roll back ──> the older one
//
// run owns the goroutine of each set, and closes events when all have ended; it
// waits for replace, of which one runs at a time. admit and handled belong to the
// router's goroutine: so what an event counts for is decided at one place in
// their order. replace tells that goroutine what to do by marks among the events.
type sessionSets struct {
	events chan gateway.Event
	calls  *gatewayCalls
	log    hclog.Logger
	routed <-chan struct{} // closed when the router has ended
	urgent chan struct{}   // more shards are needed; capacity 1
	skew   time.Duration   // see gateway.HandoverSkew
	// renewed is called, in the router's goroutine, when another set delivers from now
	// on; expects tells which guilds that has not introduced yet.
	renewed func(expects func(guild uint64) bool)
	// handing is called, in the router's goroutine, before another set delivers, and
	// handed when it is known of all events which both have shown.
	handing, handed func()
	// patience is how long a host that stops waits for sessions that have just taken over.
	patience time.Duration

	replacing sync.Mutex     // held by replace
	running   sync.WaitGroup // the sets

	mu      sync.Mutex
	closed  bool
	last    int         // number of the newest set
	current *sessionSet // delivers
	next    *sessionSet // muted, nil most of the time
	changed chan struct{}

	// The router's:
	sets     map[int]*sessionSet // by number, those whose events count
	heard    int                 // number of the set that delivers
	old      int                 // of the set that delivers, or did until a moment ago, while there are two
	handover *gateway.Handover   // nil most of the time
	syncing  *syncing            // the same
	due      chan struct{}       // capacity 1: a session of the new set is ready
	broken   chan error          // capacity 1: the handover cannot go on
	marks    chan mark           // capacity 1
	passing  mark                // is on its way to handled
}

func newSessionSets(events chan gateway.Event, calls *gatewayCalls, skew time.Duration, log hclog.Logger) *sessionSets {
	return &sessionSets{
		events: events, calls: calls, skew: skew, patience: 2 * skew, log: log, urgent: make(chan struct{}, 1),
		changed: make(chan struct{}), sets: make(map[int]*sessionSet),
		renewed: func(func(uint64) bool) {}, handing: func() {}, handed: func() {},
		due: make(chan struct{}, 1), broken: make(chan error, 1), marks: make(chan mark, 1),
	}
}

// begin takes the first set, before anything runs.
func (s *sessionSets) begin(first *sessionSet) {
	s.current, s.heard = first, first.number
	s.sets[first.number] = first
}

// run keeps the sessions until ctx ends, or the set that delivers is refused by
// Discord; then it ends all. more is called when Discord wants more shards.
func (s *sessionSets) run(ctx context.Context, more func(context.Context)) error {
	defer close(s.events)
	defer s.calls.stop()
	ctx, cancel := context.WithCancel(ctx)
	s.mu.Lock()
	s.start(ctx, s.current)
	s.mu.Unlock()
	err := s.watch(ctx, more)
	cancel()
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.replacing.Lock() // until replace has ended
	defer s.replacing.Unlock()
	s.delivering().cancel()
	s.running.Wait()
	return err
}

// start runs a set until it is cancelled; the lock is held.
func (s *sessionSets) start(ctx context.Context, set *sessionSet) {
	ctx, set.cancel = context.WithCancel(context.WithoutCancel(ctx))
	set.done = make(chan struct{})
	s.running.Go(func() {
		defer close(set.done)
		set.err = set.set.Run(ctx)
	})
}

// watch returns when the set that delivers has ended, or ctx.
func (s *sessionSets) watch(ctx context.Context, more func(context.Context)) error {
	asked := make(chan struct{}, 1) // holds something while more runs
	for {
		s.mu.Lock()
		current, changed := s.current, s.changed
		s.mu.Unlock()
		select {
		case <-current.done:
			if s.delivering() == current {
				return current.err
			}
		case <-changed:
		case <-ctx.Done():
			return nil
		case <-s.urgent:
			select {
			case asked <- struct{}{}:
				s.running.Go(func() {
					more(ctx)
					<-asked
					s.wantMore(ctx)
				})
			default: // it looks again at its end
			}
		}
	}
}

// ended says whether no set may begin any more.
func (s *sessionSets) ended() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}

// delivering is the set that does.
func (s *sessionSets) delivering() *sessionSet {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.current
}

// intents are those that the sessions have and keep, if others take over.
func (s *sessionSets) intents() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.next != nil {
		return s.current.intents & s.next.intents
	}
	return s.current.intents
}

// refused says whether Discord wants more shards for one that delivers.
func (s *sessionSets) refused() bool {
	return slices.ContainsFunc(s.delivering().set.Status(), func(s gateway.ShardStatus) bool { return s.State == gateway.StateRefused })
}

// wantMore asks for more shards if Discord wants them.
func (s *sessionSets) wantMore(ctx context.Context) {
	if ctx.Err() == nil && s.refused() {
		s.ask()
	}
}

func (s *sessionSets) ask() {
	select {
	case s.urgent <- struct{}{}:
	default:
	}
}

// beside is the set that is to replace it, nil most of the time.
func (s *sessionSets) beside() *sessionSet {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.next
}

// admit says for the router what is to be routed for an event that came.
func (s *sessionSets) admit(e *gateway.Event, out []gateway.Event) []gateway.Event {
	if s.answer(e) {
		return append(out, passedOver(e))
	}
	if s.handover == nil && e.Set == s.heard {
		return append(out, *e)
	}
	if e.Set == markSet {
		s.passing = <-s.marks // it was put there first
		return append(s.passing.admitted(out), *e)
	}
	set := s.sets[e.Set]
	switch {
	case set == nil || s.handover == nil: // late, of a set that is gone
		return out
	case e.Set != s.old:
		return s.admitNew(set, e, out)
	}
	deliver, err := s.handover.Old(e)
	if err != nil {
		s.fail(err)
	}
	if deliver {
		return append(out, *e)
	}
	if gateway.OfOneSession(e.Name) {
		s.calls.see(e) // the answer to a request of before the switch
	}
	return out
}

// admitNew takes an event of the set that is to deliver, or does since a moment.
func (s *sessionSets) admitNew(set *sessionSet, e *gateway.Event, out []gateway.Event) []gateway.Event {
	muted := s.heard != set.number
	deliver, err := s.handover.New(e)
	if err != nil {
		s.fail(err)
	}
	if !muted {
		if deliver {
			return append(out, *e)
		}
		// Nobody gets it, but that it came is saved in its place.
		set.saved.guilds.apply(e)
		return append(out, passedOver(e))
	}
	set.saved.guilds.apply(e)
	if e.Name == eventReady {
		set.saved.ready(e)
		select {
		case s.due <- struct{}{}:
		default:
		}
	}
	set.handled(e)
	return out
}

// passedOver stands for an event that nobody gets: that it came is noted in its place.
func passedOver(e *gateway.Event) gateway.Event {
	return gateway.Event{Set: e.Set, Shard: e.Shard, Seq: e.Seq, Received: e.Received}
}

func (s *sessionSets) fail(err error) {
	select {
	case s.broken <- err:
	default:
	}
}

// handled notes for the router that an event is journaled, or wanted by nobody.
func (s *sessionSets) handled(e *gateway.Event) {
	if e.Set == markSet {
		s.passing.handled()
		close(s.passing.done)
		s.passing = mark{}
		return
	}
	if set := s.sets[e.Set]; set != nil {
		set.handled(e)
	}
}

func (s *sessionSet) handled(e *gateway.Event) {
	s.saved.handled(e)
	s.set.Handled(e.Shard, e.Seq)
}

// ready notes for the router that a session has begun.
func (s *sessionSets) ready(e *gateway.Event) {
	if set := s.sets[e.Set]; set != nil {
		set.saved.ready(e)
	}
}

// apply notes an event for the router before it is delivered.
func (s *sessionSets) apply(e *gateway.Event) {
	if set := s.sets[e.Set]; set != nil {
		set.saved.guilds.apply(e)
	}
	s.calls.see(e)
}
