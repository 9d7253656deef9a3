package router

import (
	"context"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/holdfast-bot/holdfast/sdk/wire"
)

// Times of an interaction, from Discord's documentation ("Receiving and
// Responding"), and what the host makes of them.
const (
	// answerWithin is Discord's limit for the first answer.
	answerWithin = 3 * time.Second
	// deferAfter is when the host defers: late enough for most handlers, early
	// enough to arrive.
	deferAfter = 2 * time.Second
	// tokenLife is how long a deferred interaction can be answered.
	tokenLife = 15 * time.Minute
	// lastWord is when the host stops waiting for an answer.
	lastWord = 14 * time.Minute
	// closeWithin is what is under way gets when the host stops.
	closeWithin = 2 * time.Second
	// lookEvery is how often it looks whether one can still come.
	lookEvery = 30 * time.Second
)

const (
	// maxInteractions bounds how many are remembered; the oldest go first.
	maxInteractions = 1 << 16
	// maxAnswers bounds the host's own answers under way, maxWaiting those that
	// wait for their turn.
	maxAnswers, maxWaiting = 64, 4096
)

// Carry takes a request to Discord for a caller. Its error is one about the way
// there; Discord's own answers are responses.
type Carry func(ctx context.Context, caller string, r *wire.RestRequest) (*wire.RestResponse, error)

// InteractionsConfig of Interactions. Carry and Log are needed.
type InteractionsConfig struct {
	Carry Carry
	// Application is the id of the bot's application.
	Application uint64
	// Available says whether a plugin takes events, or is about to; nil: each does.
	// It must not wait.
	Available func(plugin string) bool
	// Known are the last steps of interactions in the host's earlier lives, and
	// Remember keeps them for the next one. Both may be nil.
	Known    map[uint64]byte
	Remember func(id uint64, step byte) error
	Log      hclog.Logger
}

// phase of an interaction. The numbers are kept over restarts.
type phase byte

const (
	phaseOpen      phase = 1 + iota // nobody has answered
	phaseMessage                    // deferred by the host: type 5
	phaseEphemeral                  // the same, for the user alone
	phaseUpdate                     // deferred by the host: type 6
	phaseAnswered                   // by a plugin
	phaseTold                       // by the host: no plugin answers
	phaseExpired                    // nobody answered in time
)

// The step of a plugin's own deferral is its type with these bits: the next host's
// plugin sends it again. They are kept over restarts.
const (
	ownStep      = 1 << 4
	ownEphemeral = 1 << 5
	ownPromised  = 1 << 6 // the host had deferred as an update before
	ownKind      = ownStep - 1
)

func (p phase) deferred() bool { return p == phaseMessage || p == phaseEphemeral || p == phaseUpdate }

// inHand is one interaction from its arrival until its token ends.
type inHand struct {
	arrival

	number uint64 // the id
	due    time.Time
	until  time.Time     // from here on it is too late for a first answer
	turn   chan struct{} // a place for who answers; capacity 1
	timer  *time.Timer   // guarded by Interactions.mu; nil when nothing is left to do

	// Guarded by Interactions.mu, and changed by who has the turn.
	phase    phase
	handed   int    // how many processes have it, or had it
	own      int    // type of the plugin's own deferral, 0 for none
	ownAt    int    // handed, when it came
	ownFlags int    // of its message
	deferred bool   // by the host or a plugin: @original may be another message
	open     int    // plugins that may still answer
	worst    ending // of those that will not
	ended    ending // when none is left
	used     bool   // the plugin uses the deferred message by itself, or it is taken back
	original string // id of the message that the plugin takes for @original, if it is another one
	promised *int   // flags of the message that an edit of @original makes: it is not there
}

// Interactions keeps one state for each interaction:
//
//	open ──> answered                     a plugin's callback, as it is
//	  └────> deferred ──> answered        by the host at 2 s; then rewritten
//	  └────> told                         the host: nobody answers
//	  └────> expired                      too late
//
// A deferral to which nothing was said when all handlers have ended is taken back.
// Every callback passes here: who comes first takes the turn, the next finds what
// he did. Its methods are for any goroutine; Close waits for what the host
// itself sends. What is remembered is bounded by age, 15 min, and by number, 65,536.
type Interactions struct {
	config  InteractionsConfig
	ctx     context.Context //nolint:containedctx // its own life, until Close
	cancel  context.CancelFunc
	running sync.WaitGroup // of answers under way
	places  chan struct{}  // for those under way

	mu      sync.Mutex
	closed  bool
	waiting int // of the host's own answers, under way ones among them
	byID    map[uint64]*inHand
	byToken map[string]*inHand
	oldest  []*inHand // all, as they came
	skew    skew
	count   InteractionStatus
}

// InteractionStatus counts interactions since the start.
type InteractionStatus struct {
	// Waiting is how many have no answer now, deferred or not, and may still get one.
	Waiting int
	// Deferred is how many the host has deferred, Late how many of these a plugin
	// has answered then.
	Deferred, Late uint64
	// Unavailable is how many the host has answered, because no plugin takes them or
	// theirs is not there.
	Unavailable uint64
	// Silent is how many ended without an answer, because no handler returned one.
	Silent uint64
	// Refused counts second answers of plugins, and those that came too late.
	Refused uint64
	// Expired is how many nobody could answer in time.
	Expired uint64
}

// NewInteractions makes it; nothing is sent before an interaction comes.
func NewInteractions(c InteractionsConfig) *Interactions {
	ctx, cancel := context.WithCancel(context.Background())
	return &Interactions{
		config: c, ctx: ctx, cancel: cancel, places: make(chan struct{}, maxAnswers),
		byID: make(map[uint64]*inHand), byToken: make(map[string]*inHand),
	}
}

// Close waits up to 2 s for what is under way, such as the excuse for an answer that
// has ended with its plugin, and ends it then. The plugins have ended.
func (n *Interactions) Close() {
	n.mu.Lock()
	n.closed = true
	for _, h := range n.byID {
		h.stop()
	}
	n.mu.Unlock()
	defer n.running.Wait()
	defer n.cancel()
	ended := make(chan struct{})
	go func() { // until the wait above has an end, too
		n.running.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-time.After(closeWithin):
	}
}

// Status returns the counters.
func (n *Interactions) Status() InteractionStatus {
	n.mu.Lock()
	defer n.mu.Unlock()
	out := n.count
	now := time.Now()
	for _, h := range n.byID {
		if h.pending() || h.phase == phaseOpen && now.Before(h.until) {
			out.Waiting++
		}
	}
	return out
}

// open takes an interaction in hand. It is false for one that no plugin shall
// get: it is too old.
func (n *Interactions) open(a *arrival) bool {
	id := a.snowflake()
	if id == 0 || a.Token == "" || !a.replayed && a.received.Sub(createdAt(id)) > tokenLife {
		return true // nobody can answer it: whoever takes it sees it as it is
	}
	now := time.Now()
	n.mu.Lock()
	defer n.mu.Unlock()
	if h := n.byID[id]; h != nil {
		return h.phase != phaseTold && h.phase != phaseExpired
	}
	if n.closed {
		return true
	}
	h := &inHand{arrival: *a, number: id, turn: make(chan struct{}, 1), phase: phaseOpen, open: len(a.plugins)}
	h.goOn(n.config.Known[id])
	h.due, h.until = n.skew.times(id, a.received, a.replayed, now)
	n.forgetOld(now)
	n.byID[id], n.byToken[a.Token] = h, h
	n.oldest = append(n.oldest, h)
	switch {
	case h.phase == phaseOpen && !now.Before(h.until):
		n.expire(h)
		return false
	case h.phase == phaseOpen:
		n.wakeAt(h, h.due)
	case h.phase == phaseTold || h.phase == phaseExpired:
		return false
	case h.phase.deferred(): // by the host, in an earlier life
		h.deferred = true
		n.wakeAt(h, now.Add(lookEvery))
	}
	return true
}

// goOn takes the last step of an earlier life. What a plugin has made of its own
// deferral since is not known: the host leaves that message alone.
func (h *inHand) goOn(step byte) {
	switch {
	case step&ownStep != 0:
		h.phase, h.own, h.deferred, h.used = phaseAnswered, int(step&ownKind), true, true
		if step&ownEphemeral != 0 {
			h.ownFlags = flagEphemeral
		}
		if step&ownPromised != 0 {
			h.promised = &h.ownFlags
		}
	case phase(step) > phaseOpen && phase(step) <= phaseExpired:
		h.phase = phase(step)
	}
}

// forgetOld keeps what is remembered within its bounds.
func (n *Interactions) forgetOld(now time.Time) {
	for len(n.oldest) > 0 && (len(n.oldest) >= maxInteractions || now.Sub(n.oldest[0].received) > tokenLife) {
		h := n.oldest[0]
		n.oldest[0] = nil
		n.oldest = n.oldest[1:]
		h.stop()
		delete(n.byID, h.number)
		delete(n.byToken, h.Token)
	}
}

// expire ends an interaction that nobody can answer any more.
func (n *Interactions) expire(h *inHand) {
	n.count.Expired++
	n.move(h, phaseExpired)
	n.config.Log.Debug("interaction expired: no answer within 3 s", h.facts()...)
}

// move changes the phase. What is remembered of it comes first: a host that is
// killed in between has rather not answered than answered twice.
func (n *Interactions) move(h *inHand, to phase) {
	if h.phase == to {
		return
	}
	h.phase = to
	if !to.deferred() && to != phaseOpen {
		h.stop()
	}
	n.remember(h, byte(to))
}

func (n *Interactions) remember(h *inHand, step byte) {
	if n.config.Remember == nil {
		return
	}
	if err := n.config.Remember(h.number, step); err != nil {
		n.config.Log.Warn("interaction not remembered: after a kill of the host it may be answered twice", "error", err)
	}
}

func (h *inHand) stop() {
	if h.timer != nil {
		h.timer.Stop()
		h.timer = nil
	}
}

// facts are for a log line. A token never is.
func (h *inHand) facts() []any {
	name := h.Data.Name
	if name == "" {
		name = h.Data.CustomID
	}
	return []any{"interaction", h.ID, "type", h.Type, "name", name, "plugins", h.plugins}
}

// find returns the interaction of an id, nil if it is not in hand.
func (n *Interactions) find(id uint64) *inHand {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.byID[id]
}

// take takes the turn, unless ctx ends before.
func (h *inHand) take(ctx context.Context) error {
	select {
	case h.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (h *inHand) give() { <-h.turn }
