package gateway

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// handed is a handover from any sessions to one session, told at given seconds.
type handed struct {
	t *testing.T
	h *Handover
}

func newHanded(t *testing.T) handed { return handed{t, NewHandover(1, 0, 10*time.Second)} }

func moment(second float64) time.Time {
	return time.Unix(1_700_000_000, 0).Add(time.Duration(second * float64(time.Second)))
}

// like is an event that looks like any other of the same text.
func like(second float64, text string) *Event {
	return &Event{Name: "MESSAGE_REACTION_ADD", Guild: 1, Received: moment(second), Data: []byte(text)}
}

func guildEvent(second float64, name string, guild uint64) *Event {
	return &Event{Name: name, Guild: guild, ID: guild, Received: moment(second), Data: []byte(`{}`)}
}

func (x handed) ready(second float64, guilds ...uint64) {
	x.t.Helper()
	data := []byte(`{"guilds":[{"id":"0"}`)
	for _, g := range guilds {
		data = fmt.Appendf(data, `,{"id":"%d","unavailable":true}`, g)
	}
	x.fresh(false, &Event{Name: nameReady, Received: moment(second), Took: 300 * time.Millisecond, Data: append(data, "]}"...)})
}

func (x handed) old(want bool, e *Event) {
	x.t.Helper()
	if got, err := x.h.Old(e); got != want || err != nil {
		x.t.Errorf("old set, %s at %s: delivered %v, want %v (%v)", e.Name, e.Received.Sub(moment(0)), got, want, err)
	}
}

func (x handed) fresh(want bool, e *Event) {
	x.t.Helper()
	if got, err := x.h.New(e); got != want || err != nil {
		x.t.Errorf("new set, %s at %s: delivered %v, want %v (%v)", e.Name, e.Received.Sub(moment(0)), got, want, err)
	}
}

// switched switches and demands what only the new set had.
func (x handed) switched(want ...*Event) {
	x.t.Helper()
	got := x.h.Switch(anything)
	if !slices.EqualFunc(got, want, func(a Event, b *Event) bool { return a.Received.Equal(b.Received) && a.Name == b.Name }) {
		x.t.Errorf("only the new set had %v, want %v", got, want)
	}
}

// TestHandoverOfGuildThatIsDown: READY names it, too, but its GUILD_CREATE is news.
func TestHandoverOfGuildThatIsDown(t *testing.T) {
	x := newHanded(t)
	x.ready(1, 1, 2, 3)
	x.fresh(false, guildEvent(2, nameGuildCreate, 1))
	// 2 comes back before the switch, 3 after it.
	x.old(true, guildEvent(5, nameGuildCreate, 2))
	x.fresh(false, guildEvent(5.1, nameGuildCreate, 2))
	x.switched()
	x.old(false, guildEvent(16, nameGuildCreate, 3))
	x.fresh(true, guildEvent(16.1, nameGuildCreate, 3))
}

// TestHandoverAcrossTheReturnOfAGuild: the old set shows it before the switch, the new one after.
func TestHandoverAcrossTheReturnOfAGuild(t *testing.T) {
	x := newHanded(t)
	x.ready(1, 1)
	x.old(true, guildEvent(10.5, nameGuildCreate, 1))
	x.switched()
	x.fresh(false, guildEvent(11.5, nameGuildCreate, 1))
	x.fresh(true, guildEvent(300, nameGuildCreate, 1)) // another outage
}

// TestHandoverDue: not before every guild that comes has come; those that are down do not come.
func TestHandoverDue(t *testing.T) {
	x := newHanded(t)
	due := func(want float64) {
		t.Helper()
		if got := x.h.Due(); !got.Equal(moment(want)) {
			t.Errorf("due at %s, want %gs", got.Sub(moment(0)), want)
		}
	}
	if !x.h.Due().IsZero() {
		t.Error("due before READY")
	}
	guilds := []uint64{1, 2, 3, 4}
	for n := range uint64(100) {
		guilds = append(guilds, 5+n)
	}
	x.ready(1, guilds...)
	due(11)
	x.fresh(false, guildEvent(7, nameGuildCreate, 1))
	due(17)
	x.fresh(false, guildEvent(9, nameGuildDelete, 2)) // it goes down, or is gone
	due(17)
	x.fresh(false, guildEvent(10, nameGuildCreate, 2)) // an event like any other
	x.fresh(false, like(12, "x"))
	x.old(true, guildEvent(13, nameGuildCreate, 3)) // it was down
	x.fresh(false, guildEvent(13, nameGuildCreate, 3))
	due(17)
	x.fresh(false, guildEvent(14, nameGuildCreate, 4))
	due(24)
	for n := range 100 {
		x.fresh(false, guildEvent(20+float64(n), nameGuildCreate, 5+uint64(n)))
	}
	due(61)
	x.switched(guildEvent(9, nameGuildDelete, 2), guildEvent(10, nameGuildCreate, 2), like(12, "x"))
}

// TestHandoverOfLookAlikes: what the old set has shown and the new one never will
// hides nothing that looks like it.
func TestHandoverOfLookAlikes(t *testing.T) {
	t.Run("shown before the new session was there", func(t *testing.T) {
		x := newHanded(t)
		x.old(true, like(0.5, "x"))
		x.ready(1)
		x.switched()
		x.fresh(true, like(12, "x"))
	})
	t.Run("and once more by both", func(t *testing.T) {
		x := newHanded(t)
		x.old(true, like(0.5, "x"))
		x.ready(1)
		x.old(true, like(9, "x"))
		x.fresh(false, like(9.1, "x"))
		x.switched()
		x.fresh(true, like(12, "x"))
	})
	t.Run("as often as the old set, in any order", func(t *testing.T) {
		x := newHanded(t)
		x.ready(1)
		x.fresh(false, like(5, "x"))
		x.old(true, like(5.1, "x"))
		x.old(true, like(6, "x"))
		x.old(true, like(6.5, "x"))
		x.fresh(false, like(7, "x"))
		last := like(8, "x")
		x.fresh(false, last)
		x.fresh(false, last)
		x.switched(last)
		x.old(false, like(12, "x"))
		x.fresh(true, like(12.1, "x"))
	})
	t.Run("that the new session was told late, after it was away", func(t *testing.T) {
		x := newHanded(t)
		x.ready(1)
		x.old(true, like(2, "x"))
		x.switched()
		late := like(60, "x")
		late.Replayed = true
		x.fresh(false, late)
		x.fresh(true, late)
	})
	t.Run("which a message with an id is not", func(t *testing.T) {
		x := newHanded(t)
		x.ready(1)
		x.old(true, once(2, 9))
		x.switched()
		x.fresh(false, once(60, 9))
	})
}

// TestHandoverOfLookAlikesNearby: such as were shown a moment before the new
// session was there, where time does not tell them apart.
func TestHandoverOfLookAlikesNearby(t *testing.T) {
	t.Run("before IDENTIFY", func(t *testing.T) {
		x := newHanded(t)
		x.old(true, like(9.6, "x"))
		x.ready(10)                   // asked for at 9.7
		x.fresh(false, like(12, "x")) // before the old one: it is not that of 7
		x.old(true, like(12.1, "x"))
		x.switched()
		x.fresh(true, like(21, "x"))
	})
	t.Run("after IDENTIFY, but a message came in between", func(t *testing.T) {
		x := newHanded(t)
		x.old(true, like(9.8, "x"))
		x.ready(10)
		x.old(true, once(11, 1))
		x.fresh(false, once(11.1, 1))
		x.fresh(false, like(12, "x"))
		x.switched(like(12, "x"))
	})
	t.Run("and the message came by the new session first", func(t *testing.T) {
		x := newHanded(t)
		x.old(true, like(9.8, "x"))
		x.ready(10)
		x.fresh(false, once(11, 1))
		x.old(true, once(11.1, 1))
		x.fresh(false, like(12, "x"))
		x.switched(like(12, "x"))
	})
}

// TestHandoverKeepsLookAlikesInOrder: a message between two of them is between them for
// both sets, however late the new one is.
func TestHandoverKeepsLookAlikesInOrder(t *testing.T) {
	x := newHanded(t)
	x.ready(1)
	x.old(true, like(2, "x"))
	x.old(true, once(3, 1))
	x.old(true, like(4, "x"))
	x.switched()
	x.fresh(false, like(5, "x"))
	x.fresh(false, once(5.1, 1))
	x.fresh(false, like(5.2, "x"))
	x.fresh(true, like(5.3, "x"))
}

func once(second float64, id uint64) *Event {
	return &Event{Name: "MESSAGE_CREATE", Guild: 1, ID: id, Received: moment(second), Data: []byte(`{}`)}
}

// TestHandoverForgets: while a new session is not ready, the old one's events are
// kept only as long as two sessions may lie apart.
func TestHandoverForgets(t *testing.T) {
	x := newHanded(t)
	for n := range 100_000 {
		x.old(true, like(float64(n)/10, fmt.Sprint(n)))
	}
	if x.h.kept > 1000 || x.h.kept < 100 {
		t.Errorf("%d events of the last 10 s kept, of 100 in that time", x.h.kept)
	}
	x.ready(10_000)
	x.fresh(false, like(10_000, "99998")) // of 0.2 s ago
	x.switched()
}
