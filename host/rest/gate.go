package rest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
)

// Gate carries requests to Discord and obeys its limits. Its methods are safe for concurrent use.
type Gate struct {
	cfg    Config
	log    hclog.Logger
	base   *url.URL
	client *http.Client
	own    bool          // the client's connections are the gate's to close
	halt   chan struct{} // closed when nothing more is sent
	timer  *time.Timer   // fires when something that waits may go

	mu          sync.Mutex
	cause       error // why halt is closed
	application string
	armed       time.Time // when the timer fires, or zero
	age         uint64    // of the newest ticket
	buckets     map[bucketKey]*bucket
	routes      map[string]learned // by template
	wakes       wakes
	normal      *turns
	express     *turns
	pace        *pace
	ledger      *ledger
	gone        *gone
	banned      time.Time     // Cloudflare's ban lasts until then
	doubted     bool          // no answer has shown since that the ban has ended
	ahead       time.Duration // Discord's clock, of this machine's
	aheadTold   bool
	room        room
	counts      counts
}

// New makes a gate; it sends nothing yet.
func New(cfg Config) (*Gate, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	base, err := url.Parse(cfg.BaseURL)
	if err != nil {
		return nil, fmt.Errorf("API address: %w", err)
	}
	g := &Gate{
		cfg: cfg, log: cfg.Log, base: base, halt: make(chan struct{}),
		buckets: make(map[bucketKey]*bucket), routes: make(map[string]learned),
		normal: newTurns(), express: newTurns(),
		pace: newPace(cfg.Global), ledger: newLedger(cfg.Invalid, time.Now()), gone: newGone(),
		room: room{normal: newShare(), express: newShare()},
	}
	g.client, g.own = cfg.client()
	g.timer = time.AfterFunc(time.Hour, g.wake)
	g.timer.Stop()
	g.recall(cfg.Remembered, time.Now())
	return g, nil
}

// recall takes over what a gate before this one has known.
func (g *Gate) recall(all []Record, now time.Time) {
	for _, r := range all {
		switch r.Kind {
		case RecordInvalid:
			at := r.At
			if at.After(now) { // the clock has been set back: Discord's has not
				at = now
			}
			if now.Sub(at) < ledgerWindow+ledgerGrain {
				g.ledger.enter(r.Caller, r.Mark, at, now)
			}
		case RecordWebhook:
			g.gone.add(r.Mark)
		case RecordBan:
			if r.At.After(now) {
				g.banned, g.doubted = later(g.banned, now.Add(min(r.At.Sub(now), maxWait))), true
			}
		}
	}
}

// SetApplication tells the gate the application's id, by which it knows the webhooks of interactions: they are free of
// the global limit. Until it is told, they share it.
func (g *Gate) SetApplication(id uint64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.application = strconv.FormatUint(id, 10)
}

// Do carries one request and returns Discord's answer, whatever its status. It waits for the request's turn, waits out
// every 429, and repeats what failed if it may be repeated: reads, PUT and DELETE after a 5xx or a broken connection, a
// message with an enforced nonce likewise for two minutes, other POSTs and PATCHes only when nothing was sent. It ends
// with ctx at every point, and at the latest after [Config.Wait].
func (g *Gate) Do(ctx context.Context, r *Request) (*Response, error) {
	if err := g.check(r); err != nil {
		return nil, err
	}
	t, err := g.ticket(r)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, g.cfg.Wait, ErrWaited)
	defer cancel()
	if g.isGone(t.route) {
		return answerGone(), nil
	}
	response, err := g.carry(ctx, t)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", t.route.template, err)
	}
	return response, nil
}

// carry takes a ticket through the gate: admit, await, attempt, settle, and once more if that is the verdict.
func (g *Gate) carry(ctx context.Context, t *ticket) (*Response, error) {
	if err := g.admit(t); err != nil {
		return nil, err
	}
	defer g.leave(t)
	for {
		if err := g.await(ctx, t); err != nil {
			return nil, err
		}
		if g.isGone(t.route) { // another has been told so while this one waited
			return answerGone(), nil
		}
		began := time.Now()
		if t.began.IsZero() {
			t.began = began
		}
		o := g.attempt(ctx, t)
		t.safe = t.safe || o.fault() && !t.route.repeat && t.nonced()
		verdict := g.settle(t, o)
		g.report(verdict)
		g.tell(t, o, time.Since(began))
		switch {
		case ctx.Err() != nil && o.response == nil:
			return nil, broken(t, o, ended(ctx))
		case !verdict.again:
			return o.response, verdict.err
		}
		if err := g.pause(ctx, verdict.pause); err != nil {
			return nil, afterFault(err, o)
		}
		if err := g.requeue(t); err != nil {
			return nil, err
		}
	}
}

// await returns when the ticket's turn has come.
func (g *Gate) await(ctx context.Context, t *ticket) error {
	select {
	case <-t.ready:
	case <-ctx.Done():
	case <-g.halt:
	}
	if ctx.Err() != nil {
		return ended(ctx)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.cause != nil {
		return g.cause
	}
	return g.ledger.allows(t, time.Now()) // others may have been refused since it was queued
}

// pause lets time pass between two attempts.
func (g *Gate) pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ended(ctx)
	case <-g.halt:
		return g.halted()
	}
}

// Close ends the gate: who waits gets ErrClosed, what is under way may end. It is safe to call twice.
func (g *Gate) Close() {
	g.mu.Lock()
	g.stop(ErrClosed)
	g.mu.Unlock()
	if g.own {
		g.client.CloseIdleConnections()
	}
}

// stop lets nothing more be sent. The gate's lock is held.
func (g *Gate) stop(cause error) {
	if g.cause != nil {
		return
	}
	g.cause = cause
	g.timer.Stop()
	close(g.halt)
}

func (g *Gate) halted() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.cause
}

// ended says why a context did: by the gate's own bound, or by the caller's will.
func ended(ctx context.Context) error {
	if cause := context.Cause(ctx); errors.Is(cause, ErrWaited) {
		return ErrWaited
	}
	return ctx.Err()
}

// broken is the error of an attempt that is not repeated.
func broken(t *ticket, o *outcome, err error) error {
	if o.unsent || t.route.repeat {
		return err
	}
	return fmt.Errorf("%w (%w)", ErrUncertain, err)
}

// afterFault says also what went wrong before the wait was cut short.
func afterFault(err error, o *outcome) error {
	if o.err != nil {
		return fmt.Errorf("%w (the last attempt: %w)", err, o.err)
	}
	return fmt.Errorf("%w (the last answer: %d)", err, o.status)
}

// report tells the operator of the ledger, and lets be kept what must outlive the gate. It runs outside of the lock, too.
func (g *Gate) report(v verdict) {
	for _, n := range v.news {
		g.announce(n)
	}
	if v.ahead != 0 {
		g.log.Warn("this machine's clock and Discord's differ: set it by NTP, or interactions may look too old", "discord_ahead", v.ahead)
	}
	if g.cfg.Remember == nil {
		return
	}
	for _, r := range v.records {
		g.cfg.Remember(r)
	}
}

// tell logs what an operator may have to act on. It runs outside of the lock: a log may block.
func (g *Gate) tell(t *ticket, o *outcome, took time.Duration) {
	at := []any{"plugin", t.caller, "route", t.route.template, "took", took.Round(time.Millisecond).String()}
	switch {
	case o.said.scope == scopeCloudflare:
		g.log.Error("Cloudflare has banned this address for a while; everything waits", append(at, "wait", o.said.wait)...)
	case o.status == http.StatusTooManyRequests:
		g.log.Warn("rate limit hit", append(at, "scope", o.said.scope.String(), "wait", o.said.wait)...)
	case o.refusesToken(t):
		g.log.Error("Discord refused the token; nothing more is sent", at...)
	case o.err != nil:
		g.log.Debug("attempt broke off", append(at, "error", o.err)...)
	default:
		g.log.Trace("request answered", append(at, "status", o.status)...)
	}
}
