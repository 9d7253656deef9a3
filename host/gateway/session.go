package gateway

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"
	"github.com/hashicorp/go-hclog"
)

const (
	// openTimeout bounds dialing up to HELLO.
	openTimeout = 30 * time.Second
	// answerTimeout bounds the silence after IDENTIFY or RESUME; every event starts it again.
	answerTimeout = 60 * time.Second
	// writeTimeout bounds one write to a peer that takes nothing.
	writeTimeout = 5 * time.Second
	// resumeReach is how long an address for RESUME may be out of reach before the session is
	// given up: Discord keeps it for minutes only. A session of an earlier process
	// has as long to be resumed, whatever the reason that it is not.
	resumeReach = 5 * time.Minute
	// settled is how long a session must have lived not to count as short-lived.
	settled = time.Minute
)

// Why a session ended its connection itself.
var (
	errReconnect = errors.New("discord asked for a new connection")
	errZombie    = errors.New("no heartbeat ACK since the last heartbeat")
	errSilent    = errors.New("no answer in time")
	errResumable = errors.New("session invalid, resumable")
	errInvalid   = errors.New("session invalid")
)

// session is one shard's session. Its goroutine is in run and owns every field
// but progress and gauges.
type session struct {
	cfg   *Config
	known names
	queue *identifyQueue
	end   *atomic.Bool // of the set: the session shall not be resumed
	shard int
	log   hclog.Logger

	progress progress
	gauges   gauges
	requests chan request // from Set.Send
	restarts chan restart // from Set.Restart

	// What a RESUME needs. id is empty while there is no session.
	id, resumeURL string
	seq           uint64    // the last event received
	asked, born   time.Time // when IDENTIFY was sent, and READY came
	whole         time.Time // until when nothing can be missing
	adopted       *Saved    // what it was taken over by, until RESUMED or lost
	missed        *Saved    // the session before, of which events are missed, until the next READY

	// The connection.
	link       *link
	opened     bool      // link.conn may be written to
	reachedAt  time.Time // when Discord was last known to answer, or when we began to ask
	interval   time.Duration
	acked      bool
	beatAt     time.Time
	held       bool // reading was held back since the last heartbeat
	sent       sendTimes
	turn       *turn
	identified bool // an IDENTIFY of this turn may have reached Discord

	restarting chan<- restarted // answered when the session is ready again, or has ended

	failures   int // connections in a row that brought nothing
	shortLived int // sessions in a row that did not settle

	pending Event // waits for room in cfg.Events
	waiting bool  // pending is set

	retry, answer, beat, room, young alarm
}

func newSession(cfg *Config, known names, queue *identifyQueue, end *atomic.Bool, shard int) *session {
	s := &session{
		cfg: cfg, known: known, queue: queue, end: end, shard: shard,
		log:      cfg.Log.With("shard", shard),
		requests: make(chan request), restarts: make(chan restart),
		retry: newAlarm(), answer: newAlarm(), beat: newAlarm(), room: newAlarm(), young: newAlarm(),
	}
	if v, ok := cfg.Resume[shard]; ok {
		s.adopt(v)
	} else if !cfg.MissedSince.IsZero() {
		s.missed = &Saved{Since: cfg.MissedSince}
	}
	return s
}

// run keeps the session until ctx ends, then returns nil, or until Discord
// refuses it for good, then returns a *CloseError.
func (s *session) run(ctx context.Context) error {
	defer s.stop()
	s.reachedAt = time.Now()
	s.plan(0)
	for {
		in, out, requests := s.channels()
		var cause error
		select {
		case <-ctx.Done():
			return nil
		case <-s.retry.C:
			s.proceed(ctx)
		case <-s.granted():
			s.open(ctx, s.cfg.URL)
		case f, ok := <-in:
			cause = s.read(in, f, ok)
		case out <- s.pending:
			s.pending, s.waiting = Event{}, false
		case <-s.beat.C:
			cause = s.heartbeat()
		case <-s.answer.C:
			cause = s.late()
		case r := <-requests:
			cause = s.send(r)
		case r := <-s.restarts:
			s.restart(r)
		case <-s.room.C:
		case <-s.young.C:
			if s.cfg.Permits != nil {
				s.cfg.Permits.Settled(s.shard)
			}
		}
		if cause != nil {
			if err := s.lose(cause); err != nil {
				return err
			}
		}
	}
}

// channels says what the session is ready for: it reads only when the last event has
// found room, and takes requests only when it may send. A new connection is read up to
// HELLO in any case, for it must beat and resume while an event waits.
func (s *session) channels() (in <-chan frame, out chan<- Event, requests <-chan request) {
	if s.waiting {
		out = s.cfg.Events
	}
	if s.link != nil && (!s.waiting || s.state() == StateConnecting) {
		in = s.link.frames
	}
	if s.state() == StateReady {
		if wait := s.sent.wait(time.Now(), reserved(s.interval)); wait == 0 {
			requests = s.requests
		} else {
			s.room.set(wait)
		}
	}
	return in, out, requests
}

func (s *session) granted() <-chan struct{} {
	if s.turn == nil || s.link != nil {
		return nil
	}
	return s.turn.granted
}

// plan sets when the next connection is tried.
func (s *session) plan(delay time.Duration) {
	if s.turn != nil { // entered by the set, in the order of the shards that must identify
		s.become(StateQueued)
		return
	}
	s.become(StateWaiting)
	s.retry.set(delay)
}

// proceed connects to resume, or takes its place among those that identify.
func (s *session) proceed(ctx context.Context) {
	if s.id != "" {
		s.open(ctx, s.resumeURL)
		return
	}
	s.become(StateQueued)
	s.turn = s.queue.enter(s.shard, s.cfg.Permits)
}

func (s *session) open(ctx context.Context, address string) {
	s.become(StateConnecting)
	s.answer.set(openTimeout)
	s.link = openLink(ctx, s.cfg, s.known, s.shard, address)
}

// late ends a connection that does not answer. Silence is ours, not Discord's,
// while an event waits for room.
func (s *session) late() error {
	if s.waiting && s.state() != StateConnecting {
		s.answer.set(answerTimeout)
		return nil
	}
	return fmt.Errorf("%s: %w", s.state(), errSilent)
}

// lose ends the connection and does what follows from why. It returns an error
// only when nothing more may be tried.
func (s *session) lose(cause error) error {
	was := s.state()
	s.reached()
	s.proveEnd(cause)
	s.drop()
	then := resume
	var closed *websocket.CloseError
	switch {
	case errors.As(cause, &closed):
		var refusal *CloseError
		if then, refusal = judge(s.shard, s.cfg.Intents, closed); refusal != nil {
			return s.refused(refusal)
		}
	case errors.Is(cause, errInvalid):
		then = renew
	}
	if time.Since(s.reachedAt) > resumeReach {
		then = renew
	}
	delay := backoff(s.failures, s.cfg.random())
	s.failures++
	if errors.Is(cause, errInvalid) { // Discord's rule: one to five seconds
		delay = max(delay, time.Second+time.Duration(s.cfg.random()*float64(4*time.Second)))
	}
	if then == renew && s.id != "" {
		delay = max(delay, s.forget())
	}
	s.log.Warn("connection lost", "state", was.String(), "seq", s.seq, "resumes", s.id != "", "retry", delay, "error", cause)
	s.plan(delay)
	return nil
}

// refused is what Discord does not take back: it ends the set, unless that can do with one shard less until
// there are more of them.
func (s *session) refused(e *CloseError) error {
	if e.Code != codeTooFewShards || s.cfg.TooFewShards == nil {
		return e
	}
	if s.id != "" {
		s.forget()
	}
	s.become(StateRefused)
	s.answerRestart(restarted{err: e})
	s.cfg.TooFewShards(e)
	return nil
}

// forget gives the session up and says how long to wait before the next, so
// that sessions that die young do not eat up the day's identifies.
func (s *session) forget() time.Duration {
	if time.Since(s.born) < settled {
		s.shortLived++
	} else {
		s.shortLived = 0
	}
	if s.adopted != nil {
		// How much of it was repeated before the end nobody can say in time: the whole span is told.
		since, took := s.adopted.span()
		s.log.Warn("session could not be resumed after the restart, events until the next READY are missed",
			"seq", s.seq, "since", since, "took", took)
		s.missed = s.adopted
	} else {
		s.log.Warn("session lost, events until the next READY are missed", "seq", s.seq, "since", stamp(s.whole))
		s.missed = &Saved{Since: s.whole}
	}
	s.gauges.lost.Add(1)
	s.clear()
	return backoff(s.shortLived-2, s.cfg.random())
}

// clear leaves nothing to resume.
func (s *session) clear() {
	s.young.stop()
	s.id, s.resumeURL, s.adopted = "", "", nil
}

// drop closes the connection and gives the turn back.
func (s *session) drop() {
	if s.link != nil {
		s.link.close(s.opened, s.closeCode())
	}
	s.link, s.opened = nil, false
	s.beat.stop()
	s.answer.stop()
	s.room.stop()
	s.giveBack()
}

// closeCode is what a connection is closed with.
func (s *session) closeCode() int {
	if s.end.Load() {
		return websocket.CloseNormalClosure
	}
	return codeKeep
}

func (s *session) giveBack() {
	if s.turn != nil {
		s.queue.leave(s.turn, s.identified)
	}
	s.turn, s.identified = nil, false
}

func (s *session) stop() {
	s.drop()
	s.retry.stop()
	s.young.stop()
	s.become(StateStopped)
	s.answerRestart(restarted{err: ErrStopped})
}

func (s *session) state() State { return State(s.gauges.state.Load()) }

func (s *session) become(to State) { s.gauges.state.Store(int64(to)) }
