package gateway

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"
)

const (
	// HandoverSkew is how far apart two sessions may be told of the same event.
	HandoverSkew = 10 * time.Second
	// handoverEvents and handoverBytes bound what waits for the switch, and what is
	// remembered of the old sessions.
	handoverEvents = 1 << 20
	handoverBytes  = 256 << 20
	// handoverGuilds is how many times the skew the switch waits, at most, for the
	// guilds that come after READY.
	handoverGuilds = 6
)

// ErrHandoverFull ends a handover that took too long for the traffic.
var ErrHandoverFull = errors.New("too many events came before every new session was ready: try again at a quieter time")

// Handover recognises events while the sessions of a bot are replaced by others,
// with another number of shards or other intents, side by side.
//
//	         new set begins     all new sessions are ready and know their guilds    + 10 s
//	old set  delivers, is counted ─────────────────> switch ── ignored ───────────────> closed
//	new set  ···· waits, in memory ────────────────> what the old has not shown, in order;
//	                                                 then delivers, but for what the old has shown before
//
// The two number events differently, so they are told apart by fingerprints,
// counted for each lane (guild, else channel, else none): what one has shown waits
// for the other to show it. It belongs to one goroutine; times are those at which
// events were received.
type Handover struct {
	prints   fingerprints
	count    int // shards of the new set
	skew     time.Duration
	lanes    map[uint64]*handoverLane
	ready    map[int]bool            // of the new sessions
	expected map[int]map[uint64]bool // guilds whose GUILD_CREATE belongs to a READY
	readied  time.Time               // when the last READY came
	begun    time.Time               // when the last READY or GUILD_CREATE of those came
	lag      map[int]time.Duration   // of a new session behind the old ones, the last that was seen
	switched bool
	kept     int // events in lanes
	bytes    int
}

// NewHandover begins when the new set, of so many shards, is about to connect:
// earlier events it cannot show. Some intents only one of the sets has. Two
// sessions may be told of the same event as far apart as skew, which is
// [HandoverSkew] but for tests.
func NewHandover(count int, differ uint64, skew time.Duration) *Handover {
	return &Handover{
		prints: newFingerprints(differ), count: count, skew: skew, lanes: make(map[uint64]*handoverLane),
		ready: make(map[int]bool), lag: make(map[int]time.Duration), expected: make(map[int]map[uint64]bool),
	}
}

// Old takes an event of the old set and says whether it is delivered.
func (h *Handover) Old(e *Event) (deliver bool, err error) {
	if h.switched {
		return false, nil
	}
	if OfOneSession(e.Name) {
		return true, nil
	}
	l, mark := h.lane(e), h.prints.of(e)
	if h.takeRecorded(l, mark) {
		if madeOnce(e) {
			h.passed(l, e.Received)
		}
		return true, nil
	}
	if h.kept >= handoverEvents {
		return true, ErrHandoverFull
	}
	h.kept++
	if madeOnce(e) {
		l.once[mark] = e.Received
	} else {
		l.shown[mark] = append(l.shown[mark], e.Received)
	}
	if l.room--; l.room <= 0 && !h.ready[l.shard] {
		// What the new session of the shard will show comes later than now.
		h.forget(l, e.Received.Add(-h.skew))
		l.room = len(l.once) + len(l.shown) + leastRoom
	}
	return true, nil
}

// New takes an event of the new set and says whether it is delivered now. Until
// the switch none is.
func (h *Handover) New(e *Event) (deliver bool, err error) {
	switch {
	case e.Name == nameReady && h.switched:
		h.forgetBefore(e) // its GUILD_CREATEs are news
		return true, nil
	case e.Name == nameReady:
		return false, h.begin(e)
	case OfOneSession(e.Name):
		return h.switched, nil
	}
	introduced := h.introduced(e)
	l, mark := h.lane(e), h.prints.of(e)
	switch {
	case h.takeShown(l, mark, e):
		return false, nil
	case h.switched:
		return true, nil
	case introduced: // news to nobody
		h.begun = e.Received
		return false, nil
	case h.kept >= handoverEvents || h.bytes+len(e.Data) > handoverBytes:
		return false, ErrHandoverFull
	}
	h.kept++
	h.bytes += len(e.Data)
	l.record = append(l.record, recorded{mark, *e})
	l.wait[mark]++
	return false, nil
}

// begin takes the READY of a new session: the guilds that it names come next.
func (h *Handover) begin(e *Event) error {
	var d struct {
		Guilds []struct {
			ID string `json:"id"`
		} `json:"guilds"`
	}
	if err := json.Unmarshal(e.Data, &d); err != nil {
		return fmt.Errorf("read READY of shard %d: %w", e.Shard, err)
	}
	guilds := make(map[uint64]bool, len(d.Guilds))
	for _, g := range d.Guilds {
		if id, err := strconv.ParseUint(g.ID, 10, 64); err == nil {
			guilds[id] = true
		}
	}
	h.forgetBefore(e)
	h.expected[e.Shard] = guilds
	h.ready[e.Shard] = true
	h.readied, h.begun = e.Received, e.Received
	return nil
}

// forgetBefore drops what the old set has shown before the IDENTIFY of a new session
// that is ready: it never will.
func (h *Handover) forgetBefore(ready *Event) {
	for _, l := range h.lanes {
		if l.shard == ready.Shard {
			h.forget(l, ready.Received.Add(-ready.Took))
		}
	}
}

// Expects says whether a new session has named a guild in its READY and not
// introduced it yet.
func (h *Handover) Expects(guild uint64) bool {
	for _, expected := range h.expected {
		if expected[guild] {
			return true
		}
	}
	return false
}

// introduced says whether this is the GUILD_CREATE of a guild that READY named.
// Guilds that are down are named, too; theirs comes when the outage ends.
func (h *Handover) introduced(e *Event) bool {
	expected := h.expected[e.Shard]
	if e.Name != nameGuildCreate && e.Name != nameGuildDelete || !expected[e.Guild] {
		return false
	}
	delete(expected, e.Guild)
	return e.Name == nameGuildCreate
}

// Due is when the switch may come, zero while a new session is not ready: so long
// as two sessions may lie apart after the last READY, or the last GUILD_CREATE that
// belongs to one. What was emitted before that only the old set shows, and it may
// be late. Each such GUILD_CREATE moves it, within bounds; guilds that are down hold
// nobody up.
func (h *Handover) Due() time.Time {
	if len(h.ready) < h.count {
		return time.Time{}
	}
	due, last := h.begun.Add(h.skew), h.readied.Add(handoverGuilds*h.skew)
	if due.After(last) {
		return last
	}
	return due
}

// Ready is how many of the new sessions are.
func (h *Handover) Ready() int { return len(h.ready) }

// Switch lets the new set deliver from now on. It returns what that has shown and
// the old one has not, to be delivered first: by time, in the order of each lane.
// Events that the old set cannot bring, for want of intents, begin with the switch:
// what came of them before would be late, behind newer ones of its lane.
func (h *Handover) Switch(brings func(event string) bool) []Event {
	h.switched = true
	var rest []Event
	for _, l := range h.lanes {
		for n := range l.record {
			if e := &l.record[n].event; brings(e.Name) {
				rest = append(rest, *e)
			}
		}
		h.kept -= len(l.record)
		l.record, l.wait = nil, nil
	}
	h.bytes = 0
	slices.SortStableFunc(rest, func(a, b Event) int { return a.Received.Compare(b.Received) })
	return rest
}

// OfOneSession names events that answer one session, or speak of it: another
// one beside it has no such.
func OfOneSession(name string) bool {
	switch name {
	case nameReady, nameResumed, "GUILD_MEMBERS_CHUNK", "VOICE_SERVER_UPDATE", "SOUNDBOARD_SOUNDS", "CHANNEL_INFO", "RATE_LIMITED":
		return true
	}
	return false
}
