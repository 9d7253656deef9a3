package host

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/holdfast-bot/holdfast/host/control"
	"github.com/holdfast-bot/holdfast/host/gateway"
	"github.com/holdfast-bot/holdfast/host/state"
)

const (
	// besideTimeout is how long the sessions of a new set have to be ready, beside
	// the turns in which they identify.
	besideTimeout = 120 * time.Second
	// outgrownPause is how long after a new number of shards could not be had the
	// host tries again; each time it waits twice as long, up to an hour.
	outgrownPause = 5 * time.Minute
	outgrownMost  = time.Hour
)

// Reshard replaces the sessions by others with another number of shards, side by
// side: no event is lost or comes twice, and no plugin notices. It returns when
// the old ones are closed, or why they go on. tell gets a line for each step. It
// goes on when ctx ends: whoever asked may leave.
func (h *Host) Reshard(_ context.Context, to control.Reshard, tell func(line string)) error {
	h.mu.Lock()
	l, phase := h.live, h.phase
	h.mu.Unlock()
	if l == nil || phase != "running" {
		return fmt.Errorf("nothing changed: the host is not up (%s): try again when it runs", cmp.Or(phase, "not started"))
	}
	return h.replace(l.ctx, l, wantedSessions{count: to.Shards, auto: to.Shards == 0}, tell)
}

// wantedSessions are what shall replace the sessions that run.
type wantedSessions struct {
	count    int  // of shards; 0: as many as now
	auto     bool // as many as Discord recommends
	outgrown bool // Discord wants more than there are
	needed   bool // and the bot's last identifies are for it
	reloads  bool // a reload wants them
}

// outgrown replaces the sessions when Discord takes no more guilds for a shard.
func (h *Host) outgrown(ctx context.Context) {
	log := h.log.Named("gateway")
	want := wantedSessions{auto: true, outgrown: true, needed: true}
	for pause := outgrownPause; ctx.Err() == nil; pause = min(2*pause, outgrownMost) {
		h.mu.Lock()
		l := h.live
		h.mu.Unlock()
		if l == nil || !l.sessions.refused() {
			return // it stops, or an operator has helped
		}
		err := h.replace(ctx, l, want, func(line string) { log.Info(line) })
		if err == nil || ctx.Err() != nil {
			return
		}
		log.Error("a shard has more guilds than Discord allows and is closed until there are more shards", "error", err, "again", pause.String())
		want.needed = false // what fails may not spend what a start needs
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
	}
}

var errNothingToChange = errors.New("nothing to change")

// replace brings up new sessions beside those that run, and lets them take over.
func (h *Host) replace(ctx context.Context, l *live, want wantedSessions, tell func(line string)) error {
	s := l.sessions
	if want.outgrown {
		s.replacing.Lock() // a shard is closed until there are more
	} else if !s.replacing.TryLock() {
		return errors.New("nothing changed: the sessions are being replaced, or the host stops: try again later")
	}
	defer s.replacing.Unlock()
	if s.ended() {
		return fmt.Errorf("nothing changed: %w", errHostStops)
	}
	if want.outgrown && !s.refused() {
		return nil // those of a moment ago have been replaced
	}
	old := s.delivering()
	next, err := h.begin(ctx, l, want, tell)
	if errors.Is(err, errNothingToChange) {
		return nil
	}
	if err != nil {
		return err
	}
	for err = errNotDue; errors.Is(err, errNotDue); {
		err = s.awaitReady(ctx, next, tell)
		if err == nil {
			// Guilds that a new session was told of, but has not read, would be news after the switch.
			err = s.sync(ctx, next, l.discord.bot.id)
		}
		if err == nil {
			// What Discord emitted before a new session was there only the old ones show.
			err = s.sync(ctx, old, l.discord.bot.id)
		}
		if err == nil {
			err = s.switchTo(next)
		}
	}
	if err != nil {
		s.rollBack(next)
		l.budget.drop(next.number)
		return explainIntents(fmt.Errorf("the sessions of before go on: %w", err), manifests(l.set), l.people)
	}
	l.budget.resize(next.count)
	tell(fmt.Sprintf("%d sessions have taken over; those of before are closed in %s", next.count, s.skew))
	s.retire(ctx, old, l.discord.bot.id)
	l.budget.drop(old.number)
	return nil
}

// begin brings up the new sessions. No reload changes what intents are needed until
// it can see which they have.
func (h *Host) begin(ctx context.Context, l *live, want wantedSessions, tell func(string)) (*sessionSet, error) {
	if !want.reloads {
		select {
		case h.reloading <- struct{}{}:
			defer func() {
				h.does("")
				<-h.reloading
			}()
			h.does("new sessions are being made to take the place of those that run")
		case <-ctx.Done():
			return nil, fmt.Errorf("nothing changed: %w", errHostStops)
		}
	}
	next, err := h.prepare(ctx, l, want, tell)
	if err == nil {
		err = l.sessions.bringUp(ctx, next)
	}
	if err != nil && next != nil {
		l.budget.drop(next.number)
	}
	return next, err
}

// prepare makes the new set.
func (h *Host) prepare(ctx context.Context, l *live, want wantedSessions, tell func(line string)) (*sessionSet, error) {
	configured, old := h.config.Settings.Shards, l.sessions.delivering()
	if configured.Until != 0 {
		return nil, fmt.Errorf("nothing changed: this host runs the shards %s and others the rest, which cannot change one by one: stop them all and start them with other ranges", configured)
	}
	var info gatewayInfo
	if err := get(ctx, l.gate, gatewayPath, &info); err != nil {
		if ctx.Err() != nil {
			err = errHostStops
		}
		return nil, fmt.Errorf("nothing changed: what Discord says of how many sessions it allows is not known: %w", err)
	}
	l.budget.hear(info.SessionStartLimit)
	switch {
	case want.outgrown:
		want.count = max(info.Shards, old.count+1)
	case want.auto:
		want.count = info.Shards
	case want.count == 0:
		want.count = old.count
	}
	if want.count < 1 || want.count > maxShards {
		return nil, fmt.Errorf("nothing changed: %d shards: give a number from 1 to %d", want.count, maxShards)
	}
	intents := intentsFor(manifests(l.set), l.people, l.denied)
	if want.count == old.count && intents == old.intents {
		tell(fmt.Sprintf("nothing to change: there are %d shards with these intents", old.count))
		return nil, errNothingToChange
	}
	number := l.sessions.number()
	if err := l.budget.admitBeside(number, want.count, want.needed); err != nil {
		return nil, fmt.Errorf("nothing changed: %w", err)
	}
	tell(fmt.Sprintf("bringing up %d sessions beside the %d that run", want.count, old.count))
	return h.newSet(l, &info, number, want.count, intents)
}

func (h *Host) newSet(l *live, info *gatewayInfo, number, count int, intents uint64) (*sessionSet, error) {
	saved := h.savedFor(l.rooms, intents)
	saved.count, saved.muted = count, make(map[int]state.SessionValues, count)
	next := &sessionSet{number: number, count: count, intents: intents, saved: saved}
	next.timeout = h.besideTimeout(next, max(1, info.SessionStartLimit.MaxConcurrency))
	c := h.sessionConfig(l.rooms, info, saved)
	c.Number, c.Beside = number, l.sessions.delivering().set
	c.Events, c.Permits = l.sessions.events, l.budget.of(number)
	c.Log = saved.log.With("set", number)
	c.TooFewShards = l.sessions.tooFew(number)
	for shard := range count {
		c.Shards = append(c.Shards, shard)
	}
	var err error
	if next.set, err = gateway.NewSet(c); err != nil {
		err = fmt.Errorf("nothing changed: %w", err)
	}
	return next, err
}

// besideTimeout is how long all of the new sessions have: they identify in turn.
func (h *Host) besideTimeout(next *sessionSet, concurrency int) time.Duration {
	interval := cmp.Or(h.config.IdentifyInterval, gateway.DefaultIdentifyInterval)
	turns := (next.count + concurrency - 1) / concurrency
	return cmp.Or(h.config.BesideTimeout, besideTimeout) + time.Duration(turns)*interval
}
