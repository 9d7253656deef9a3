package plugins

import (
	"time"

	"github.com/holdfast-bot/holdfast/sdk/wire"
)

const (
	// defaultGuildWait is how long an event waits for its guild, counted from
	// when the host read it.
	defaultGuildWait = 3 * time.Second
	// interactionGuildWait is the same for an interaction: Discord wants an answer
	// to it within 3 s.
	interactionGuildWait = time.Second
)

// guildState is what is known of an item's guild.
type guildState uint8

const (
	guildUnwanted guildState = iota
	guildWanted
	guildLooked // it is there, cannot be had, or took too long
)

// guildWish is what an event of a kind wants of its guild beforehand.
type guildWish struct {
	any   bool
	parts uint32 // as in wire.Subscription; 0: all
}

// and is both wishes.
func (w guildWish) and(other guildWish) guildWish {
	switch {
	case !w.any:
		return other
	case !other.any:
		return w
	case w.parts == 0 || other.parts == 0:
		return guildWish{any: true}
	}
	return guildWish{any: true, parts: w.parts | other.parts}
}

// wanted is what the plugin's present build asks for. The zero value takes all,
// without guilds.
type wanted struct {
	kinds map[string]guildWish
	since map[string]uint64 // the first event of a kind that was not asked for from the start
}

// wants is what a build asks for. Interactions reach also those that only have
// commands.
func wants(m *wire.Manifest) wanted {
	kinds := map[string]guildWish{interactionCreate: {}}
	for _, s := range m.GetEvents() {
		wish := guildWish{any: s.GetWithGuild(), parts: s.GetGuildParts()}
		kinds[s.GetEvent()] = kinds[s.GetEvent()].and(wish)
	}
	return wanted{kinds: kinds}
}

func (w *wanted) names(name string) bool {
	_, named := w.kinds[name]
	return named || w.kinds == nil
}

func (w *wanted) takes(e *wire.Event) bool {
	return w.names(e.Name) && e.Index >= w.since[e.Name]
}

func (w *wanted) begin(name string, index uint64) {
	if w.since == nil {
		w.since = make(map[string]uint64)
	}
	w.since[name] = index
}

func (w *wanted) guildState(e *wire.Event) guildState {
	if e.Guild != 0 && w.kinds[e.Name].any {
		return guildWanted
	}
	return guildUnwanted
}

// awaitsGuild looks for the guild of an event that may go now, if the plugin
// wants it: also when the event came with a version, as the guild may lack parts.
// It is true while they are on their way and the event may wait.
func (q *queue) awaitsGuild(i *item) bool {
	if i.guild != guildWanted || q.guilds == nil {
		return false
	}
	if i.lane == nil && q.held >= q.limits.interactions {
		return false // so many wait already that this one shall not
	}
	i.guild = guildLooked
	pending := q.look(i)
	if pending == nil {
		return false
	}
	limit := q.guildWait
	if i.lane == nil {
		limit = min(limit, interactionGuildWait)
	}
	left := limit - q.taken.Sub(time.Unix(0, i.event.Received))
	if left <= 0 {
		return false // it is late already: its handler may still wait, if it likes
	}
	q.waiting = wait{pending: pending, left: left}
	return true
}

// wait is for a guild that is on its way.
type wait struct {
	pending <-chan struct{}
	left    time.Duration
}

// park takes a lane out of the ring until its first event's guild is there. Other
// lanes flow meanwhile.
func (q *queue) park(l *lane) {
	w, i := q.waiting, l.head
	l.parked = true
	q.parked.Go(func() { // close waits; at most one a lane, and as many guilds as the cache loads at once
		q.await(w)
		q.mu.Lock()
		defer q.mu.Unlock()
		l.parked = false
		if l.head == i {
			q.look(i)
		}
		q.makeReady(l)
		q.retire(l)
		q.signal(q.wake)
		q.checkIdle()
	})
}

// hold keeps an interaction back until its guild is there. It is in no lane, so
// nothing waits for it.
func (q *queue) hold(i *item) {
	w := q.waiting
	q.held++
	q.parked.Go(func() { // close waits; at most as many as there may be in flight
		q.await(w)
		q.mu.Lock()
		defer q.mu.Unlock()
		q.held--
		q.look(i)
		q.append(i)
		q.signal(q.wake)
	})
}

// look takes the guild's version if it has arrived. An event that came with one
// keeps it: what its handler needs is not newer.
func (q *queue) look(i *item) (pending <-chan struct{}) {
	if i.event == nil {
		return nil // the plugin has ended
	}
	version, pending := q.guilds.Want(i.event.Guild, q.wanted.kinds[i.event.Name].parts, i.event.Name)
	if i.event.GuildVersion == 0 {
		i.version = version
	}
	return pending
}

func (q *queue) await(w wait) {
	timer := time.NewTimer(w.left)
	defer timer.Stop()
	select {
	case <-w.pending:
	case <-timer.C:
	case <-q.closing:
	}
}
