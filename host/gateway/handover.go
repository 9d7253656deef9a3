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
	begun    time.Time               // when the last of these came
	switched bool
	kept     int // events in lanes
	bytes    int
}

// handoverLane holds what one set has shown and the other has not.
type handoverLane struct {
	shard  int                         // of the new set
	shown  map[fingerprint][]time.Time // by the old set, and when, ascending
	size   int                         // of shown
	room   int                         // how large that may grow before the oldest are looked for
	record []recorded                  // by the new set, until the switch
	wait   map[fingerprint]int         // how many of each mark are in record
}

type recorded struct {
	mark  fingerprint
	event Event
}

// NewHandover begins when the new set, of so many shards, is about to connect:
// earlier events it cannot show. Some intents only one of the sets has. Two
// sessions may be told of the same event as far apart as skew, which is
// [HandoverSkew] but for tests.
func NewHandover(count int, differ uint64, skew time.Duration) *Handover {
	return &Handover{
		prints: newFingerprints(differ), count: count, skew: skew, lanes: make(map[uint64]*handoverLane),
		ready: make(map[int]bool), expected: make(map[int]map[uint64]bool),
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
		return true, nil
	}
	if h.kept >= handoverEvents {
		return true, ErrHandoverFull
	}
	h.kept++
	l.shown[mark] = append(l.shown[mark], e.Received)
	if l.size++; l.size > l.room && !h.ready[l.shard] {
		// What the new session of the shard will show comes later than now.
		h.forget(l, e.Received.Add(-h.skew))
		l.room = 2*l.size + 16
	}
	return true, nil
}

// New takes an event of the new set and says whether it is delivered now. Until
// the switch none is.
func (h *Handover) New(e *Event) (deliver bool, err error) {
	switch {
	case e.Name == nameReady && h.switched:
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
	h.expected[e.Shard] = guilds
	h.ready[e.Shard] = true
	h.begun = e.Received
	return nil
}

// introduced says whether this is the GUILD_CREATE of a guild that READY named.
// Guilds that are down are named, too; theirs comes when the outage ends.
func (h *Handover) introduced(e *Event) bool {
	expected := h.expected[e.Shard]
	if e.Name != nameGuildCreate && e.Name != nameGuildDelete || !expected[e.Guild] {
		return false
	}
	delete(expected, e.Guild)
	h.begun = e.Received
	return e.Name == nameGuildCreate
}

// Due is when the switch may come, zero while a new session is not ready: so long
// as two sessions may lie apart after the last READY, or the last GUILD_CREATE that
// belongs to one. What was emitted before that only the old set shows, and it may
// be late. Each such GUILD_CREATE moves it; guilds that are down hold nobody up.
func (h *Handover) Due() time.Time {
	if len(h.ready) < h.count {
		return time.Time{}
	}
	return h.begun.Add(h.skew)
}

// Ready is how many of the new sessions are.
func (h *Handover) Ready() int { return len(h.ready) }

// Switch lets the new set deliver from now on. It returns what that has shown and
// the old one has not, to be delivered first: by time, in the order of each lane.
func (h *Handover) Switch() []Event {
	h.switched = true
	var rest []Event
	for _, l := range h.lanes {
		for n := range l.record {
			rest = append(rest, l.record[n].event)
		}
		h.kept -= len(l.record)
		l.record, l.wait = nil, nil
	}
	h.bytes = 0
	slices.SortStableFunc(rest, func(a, b Event) int { return a.Received.Compare(b.Received) })
	return rest
}

// takeRecorded says whether the new set has shown an event before the old one, and
// notes that now both have: of those that look alike the first.
func (h *Handover) takeRecorded(l *handoverLane, mark fingerprint) bool {
	if l.wait[mark] == 0 {
		return false
	}
	n := slices.IndexFunc(l.record, func(r recorded) bool { return r.mark == mark })
	h.kept--
	h.bytes -= len(l.record[n].event.Data)
	l.record = slices.Delete(l.record, n, n+1)
	if l.wait[mark]--; l.wait[mark] == 0 {
		delete(l.wait, mark)
	}
	return true
}

// takeShown says whether the old set has shown an event before the new one, and
// notes that now both have: of those that look alike the last, because the first
// may be of before the new session was there. What was shown longer ago than two
// sessions are apart is not the same event, unless none looks like it, or the new
// session was away meanwhile.
func (h *Handover) takeShown(l *handoverLane, mark fingerprint, e *Event) bool {
	times := l.shown[mark]
	if len(times) == 0 {
		return false
	}
	if !e.Replayed && !madeOnce(e) {
		times = since(times, e.Received.Add(-h.skew))
	}
	found := len(times) > 0
	if found {
		times = times[:len(times)-1]
	}
	h.show(l, mark, times)
	return found
}

// forget drops what the old set has shown before a time.
func (h *Handover) forget(l *handoverLane, before time.Time) {
	for _, mark := range slices.Collect(maps.Keys(l.shown)) {
		h.show(l, mark, since(l.shown[mark], before))
	}
}

// since is the part of ascending times that is not before t.
func since(times []time.Time, t time.Time) []time.Time {
	n := 0
	for n < len(times) && times[n].Before(t) {
		n++
	}
	return times[n:]
}

// show sets when the old set has shown those that look alike.
func (h *Handover) show(l *handoverLane, mark fingerprint, times []time.Time) {
	fewer := len(l.shown[mark]) - len(times)
	h.kept -= fewer
	l.size -= fewer
	if l.shown[mark] = times; len(times) == 0 {
		delete(l.shown, mark)
	}
}

func (h *Handover) lane(e *Event) *handoverLane {
	key := e.Guild
	if key == 0 {
		key = e.Channel
	}
	l := h.lanes[key]
	if l == nil {
		// Discord's documentation, "Sharding"; what belongs to no guild comes by shard 0.
		shard := int(e.Guild >> 22 % uint64(h.count))
		l = &handoverLane{shard: shard, shown: make(map[fingerprint][]time.Time), wait: make(map[fingerprint]int), room: 16}
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
