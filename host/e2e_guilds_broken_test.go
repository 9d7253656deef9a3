package host_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-bot/holdfast/host/control"
	"github.com/holdfast-bot/holdfast/host/simulator"
)

const (
	guardOpensAt = 10 // failures
	massLine     = 3  // loads that run at once for events which come in masses
	guardOpenFor = 10 * time.Second
)

// TestBrokenDiscordIsLeftAlone: members leave forty cold guilds again and
// again, and whatever guild is asked for is refused, or comes broken, slowly or not
// at all: events are delivered in time, Discord is left alone, and all is well
// again, by itself, when it answers.
func TestBrokenDiscordIsLeftAlone(t *testing.T) {
	t.Parallel() // most of its time is waiting
	faults := []brokenDiscord{
		{name: "403", failure: simulator.Failure{Status: http.StatusForbidden}, opens: true, remembered: true},
		{name: "404", failure: simulator.Failure{Status: http.StatusNotFound}, opens: true, remembered: true},
		{name: "500", failure: simulator.Failure{Status: http.StatusInternalServerError}, opens: true, twice: true},
		{name: "garbage", failure: simulator.Failure{Garbage: true}, opens: true},
		{name: "cut off", failure: simulator.Failure{CloseConn: true}, opens: true},
		{name: "slow", failure: simulator.Failure{Delay: 2 * time.Second}, loads: true}, // for each of two rounds of requests
		{name: "nothing", failure: simulator.Failure{Delay: time.Hour}},                 // until a load gives up after 10 s
	}
	if !full() {
		faults = faults[:1] // the guard stays open for 10 s
	}
	for _, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			f.test(t)
		})
	}
}

// brokenDiscord is one way to be broken.
type brokenDiscord struct {
	name       string
	failure    simulator.Failure
	opens      bool // the guard, so that none is loaded
	twice      bool // it is broken for so long that the guard opens again
	remembered bool // what was refused is not asked for again until it is back
	loads      bool // guilds are loaded all the same
}

func (f *brokenDiscord) test(t *testing.T) {
	const guilds = 40
	sim := discord(t, simulator.Config{World: simulator.World{Guilds: guilds, MembersPerGuild: 90, ChannelsPerGuild: 1, RolesPerGuild: 1}})
	sim.FailREST("GET /guilds/**", f.failure, 0)
	m := newMass(t, sim)

	began := time.Now()
	if f.opens {
		f.untilItIsOpen(m, began)
	} else {
		m.until("loads take their time", func() bool { return time.Since(began) > 12*time.Second })
		at := asked(sim, began)
		for i := massLine; i < len(at); i++ {
			if gap := at[i].Sub(at[i-massLine]); gap < 3*time.Second {
				t.Errorf("%d loads within %v, though none can have ended", massLine+1, gap)
			}
		}
		if len(at) < massLine || m.guard() != "closed" {
			t.Errorf("%d loads, the guard is %s", len(at), m.guard())
		}
	}
	counts := sim.Counts()
	if invalid := counts.Statuses[401] + counts.Statuses[403] + counts.Statuses[429]; invalid > guardOpensAt+massLine {
		t.Errorf("%d invalid requests", invalid)
	}
	if f.loads != (m.found() > 0) {
		t.Errorf("%d guilds were found", m.found())
	}

	// Discord mends. Each guild is found again without a further word, but for those
	// that it has refused: they come back with a GUILD_CREATE.
	sim.ClearFailures()
	if f.remembered {
		for _, g := range m.guilds {
			sim.Outage(g.ID)
			sim.Restore(g.ID)
		}
	}
	m.until("every guild is found", func() bool {
		lines := farewellsIn(t, m.file)
		for _, f := range lines[max(0, len(lines)-guilds):] {
			if f.outcome != "found" {
				return false
			}
		}
		return m.guard() == "closed"
	})
	m.judge()
}

// untilItIsOpen lets loads fail until the guard opens, and holds how many there
// were against what is promised.
func (f *brokenDiscord) untilItIsOpen(m *mass, began time.Time) {
	t := m.t
	t.Helper()
	eventually(t, "the guard opens", func() bool {
		m.leave()
		return m.guard() == "open"
	})
	opened, atOnce := time.Now(), len(asked(m.sim, began))
	if atOnce < guardOpensAt || atOnce > guardOpensAt+massLine-1 {
		t.Errorf("%d loads until the guard opened, want %d, and those under way", atOnce, guardOpensAt)
	}
	if !f.twice {
		m.until("nothing is asked for meanwhile", func() bool { return time.Since(opened) > guardOpenFor/2 })
		if n := len(asked(m.sim, began)); n != atOnce || m.guard() != "open" {
			t.Errorf("%d loads while the guard is %s", n-atOnce, m.guard())
		}
		return
	}
	m.until("one load tries again", func() bool { return len(asked(m.sim, began)) > atOnce })
	all := asked(m.sim, began)
	if since := all[atOnce].Sub(all[guardOpensAt-1]); since < guardOpenFor-time.Second {
		t.Errorf("tried again after %v, want %v", since, guardOpenFor)
	}
	m.until("the guard is open again", func() bool { return m.guard() == "open" })
	if n := len(asked(m.sim, began)); n != atOnce+1 {
		t.Errorf("%d loads tried whether Discord answers again, want one", n-atOnce)
	}
	if n := strings.Count(m.log.String(), "guild loads stop: too many fail"); n != 2 {
		t.Errorf("the log tells %d times that loads stop, want 2", n)
	}
	t.Logf("%d loads until the guard opened; one more %v later", atOnce, all[atOnce].Sub(opened).Round(time.Second))
}

// mass lets members leave guilds all the time.
type mass struct {
	*running
	sim    *simulator.Server
	guilds []simulator.Guild
	file   string
	next   []int
	sent   int
}

func newMass(t *testing.T, sim *simulator.Server) *mass {
	t.Helper()
	o, file := farewells(t)
	o.args = []string{"--guard-rate", "20"} // what was refused is loaded soon
	m := &mass{sim: sim, guilds: sim.Guilds(), file: file}
	m.running, m.next = start(t, sim, o), make([]int, len(m.guilds))
	return m
}

// leave lets one member leave each guild, and waits until the plugin knows.
func (m *mass) leave() {
	m.t.Helper()
	for i, g := range m.guilds {
		m.next[i]++
		m.sim.Leave(g.ID, g.Members[m.next[i]%len(g.Members)])
		m.sent++
	}
	m.wrote(m.file, "GUILD_MEMBER_REMOVE", m.sent)
}

// until lets members leave twice a second until it is as wanted.
func (m *mass) until(what string, done func() bool) {
	m.t.Helper()
	var next time.Time
	eventually(m.t, what, func() bool {
		if time.Now().After(next) {
			next = time.Now().Add(500 * time.Millisecond)
			m.leave()
		}
		return done()
	})
}

func (m *mass) guard() string {
	s, ok := m.status()
	if !ok || s.Cache == nil {
		return ""
	}
	return s.Cache.Guard
}

// found counts the events that had their guild.
func (m *mass) found() (n int) {
	for _, f := range farewellsIn(m.t, m.file) {
		if f.outcome == "found" {
			n++
		}
	}
	return n
}

// judge checks that every event was delivered once and in time, and no limit
// exceeded.
func (m *mass) judge() {
	m.t.Helper()
	lines := farewellsIn(m.t, m.file)
	longest := slowestOf(lines, "GUILD_MEMBER_REMOVE")
	m.t.Logf("%d events, %d with their guild, longest way %v", m.sent, m.found(), longest)
	if longest > deliveredWithin && !raceDetector {
		m.t.Errorf("an event was delivered after %v, promised are %v", longest, deliveredWithin)
	}
	var p control.Plugin
	m.await("all acknowledged", func(control.Status) bool {
		p = m.plugin("farewell")
		return int(p.Acked) == m.sent
	})
	if len(lines) != m.sent || p.Dropped+p.Redelivered+p.Errors > 0 {
		m.t.Errorf("%d events were sent, %d handled, plugin %+v", m.sent, len(lines), p)
	}
	if limited := m.sim.Counts().Limited; limited != 0 {
		m.t.Errorf("%d answers of 429", limited)
	}
	m.stop()
}

// asked lists when Discord was asked for a guild since then, by those that have
// their answer or have given up.
func asked(sim *simulator.Server, since time.Time) (at []time.Time) {
	for _, r := range sim.Requests() {
		if r.Route == "GET /guilds/{guild}" && !r.Time.Before(since) {
			at = append(at, r.Time)
		}
	}
	slices.SortFunc(at, time.Time.Compare)
	return at
}
