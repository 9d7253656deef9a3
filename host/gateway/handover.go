package gateway

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
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
)

// ErrHandoverFull ends a handover that took too long for the traffic.
var ErrHandoverFull = errors.New("too many events came before every new session was ready: try again at a quieter time")

// Handover recognises events while the sessions of a bot are replaced by others,
// with another number of shards or other intents, side by side.
//
//	         new set begins        every new session is ready          + 10 s
//	old set  delivers, is counted ──────────> switch ── ignored ──────────> closed
//	new set  ···· waits, in memory ─────────> what the old has not shown, in order;
//	                                          then delivers, but for what the old has shown once more often
//
// The two number events differently, so they are told apart by fingerprints,
// counted for each lane (guild, else channel, else none). It belongs to one
// goroutine; times are those at which events were received.
type Handover struct {
	prints   fingerprints
	count    int // shards of the new set
	skew     time.Duration
	lanes    map[uint64]*handoverLane
	ready    map[int]time.Time       // of the new sessions
	expected map[int]map[uint64]bool // guilds whose GUILD_CREATE belongs to a READY
	switched bool
	events   int
	bytes    int
}

type handoverLane struct {
	shard  int // of the new set
	shown  map[fingerprint]int
	since  []shownAt // in the order of time, to forget the oldest
	record []Event   // of the new set, until the switch
}

type shownAt struct {
	mark fingerprint
	at   time.Time
}

// NewHandover begins when the new set, of so many shards, is about to connect:
// earlier events it cannot show. Two sessions may be told of the same event as far
// apart as skew, which is [HandoverSkew] but for tests.
func NewHandover(count int, skew time.Duration) *Handover {
	return &Handover{
		prints: newFingerprints(), count: count, skew: skew, lanes: make(map[uint64]*handoverLane),
		ready: make(map[int]time.Time), expected: make(map[int]map[uint64]bool),
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
	if h.events >= handoverEvents {
		return true, ErrHandoverFull
	}
	h.events++
	l := h.lane(e)
	mark := h.prints.of(e)
	l.shown[mark]++
	l.since = append(l.since, shownAt{mark, e.Received})
	return true, nil
}

// New takes an event of the new set and says whether it is delivered now. Until
// the switch none is.
func (h *Handover) New(e *Event) (deliver bool, err error) {
	switch {
	case e.Name == nameReady && h.switched:
		return true, nil
	case e.Name == nameReady:
		return false, h.begun(e)
	case e.Name == nameGuildCreate && h.expected[e.Shard][e.Guild]:
		delete(h.expected[e.Shard], e.Guild)
		return false, nil
	case OfOneSession(e.Name):
		return h.switched, nil
	case h.switched:
		return !h.takeShown(h.lane(e), h.prints.of(e)), nil
	case h.events >= handoverEvents || h.bytes+len(e.Data) > handoverBytes:
		return false, ErrHandoverFull
	}
	h.events++
	h.bytes += len(e.Data)
	l := h.lane(e)
	l.record = append(l.record, *e)
	return false, nil
}

// begun takes the READY of a new session: the guilds that it names come next, and
// are news to nobody.
func (h *Handover) begun(e *Event) error {
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
	h.expected[e.Shard] = guilds
	h.ready[e.Shard] = e.Received
	return nil
}

// Due is when the switch may come, zero while a new session is not ready:
// so long as two sessions may lie apart after the last READY. What was emitted before that only the old set shows, and it may be late.
func (h *Handover) Due() time.Time {
	if len(h.ready) < h.count {
		return time.Time{}
	}
	return slices.MaxFunc(slices.Collect(maps.Values(h.ready)), time.Time.Compare).Add(h.skew)
}

// Ready is how many of the new sessions are.
func (h *Handover) Ready() int { return len(h.ready) }

// Switch lets the new set deliver from now on. It returns what that has shown and
// the old one has not, to be delivered first: by time, in the order of each lane.
func (h *Handover) Switch() []Event {
	h.switched = true
	var rest []Event
	for _, l := range h.lanes {
		h.forget(l, h.ready[l.shard].Add(-h.skew))
		for n := range l.record {
			if !h.takeShown(l, h.prints.of(&l.record[n])) {
				rest = append(rest, l.record[n])
			}
		}
		l.record = nil
	}
	h.bytes = 0
	slices.SortStableFunc(rest, func(a, b Event) int { return a.Received.Compare(b.Received) })
	return rest
}

// forget takes back what the old set has shown before a time: the new one cannot
// show it any more, and something later may look like it.
func (h *Handover) forget(l *handoverLane, before time.Time) {
	n := 0
	for n < len(l.since) && l.since[n].at.Before(before) {
		h.takeShown(l, l.since[n].mark)
		n++
	}
	l.since = nil // the counts are all that is needed now
}

func (h *Handover) takeShown(l *handoverLane, mark fingerprint) bool {
	left, ok := l.shown[mark]
	switch {
	case !ok:
		return false
	case left == 1:
		delete(l.shown, mark)
	default:
		l.shown[mark] = left - 1
	}
	return true
}

func (h *Handover) lane(e *Event) *handoverLane {
	key := e.Guild
	if key == 0 {
		key = e.Channel
	}
	l := h.lanes[key]
	if l == nil {
		// Discord's documentation, "Sharding"; what belongs to no guild comes by shard 0.
		l = &handoverLane{shard: int(e.Guild >> 22 % uint64(h.count)), shown: make(map[fingerprint]int)}
		h.lanes[key] = l
	}
	return l
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
