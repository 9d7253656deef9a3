package host_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/holdfast-bot/holdfast/host/control"
	"github.com/holdfast-bot/holdfast/host/simulator"
)

const (
	guildRate, guildBurst = 5, 10 // the guard's defaults
	// deliveredWithin is what is promised of an event that wants its guild.
	deliveredWithin = 4 * time.Second
	// calm is how late an event may be that need not wait for its guild. If it is
	// later, the machine does not keep up with so many events, and its times say
	// nothing.
	calm = 500 * time.Millisecond
)

// farewells are options for the plugin that wants the guild of who leaves.
func farewells(t testing.TB) (o options, file string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "farewell")
	o.plugins = map[string]string{"farewell": "./host/testdata/farewell"}
	o.env = map[string]map[string]string{"farewell": {"FILE": file}}
	return o, file
}

// farewell is a line of the plugin.
type farewell struct {
	event, guild, user string
	took               time.Duration
	outcome            string // found, unasked, or why there was no guild
}

func farewellsIn(t testing.TB, file string) []farewell {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil // nothing written yet
	}
	var out []farewell
	for line := range strings.Lines(string(raw)) {
		fields := strings.SplitN(line, " ", 5)
		if len(fields) != 5 || !strings.HasSuffix(line, "\n") {
			continue // being written
		}
		ms, err := strconv.Atoi(fields[3])
		if err != nil {
			t.Fatalf("written line %q", line)
		}
		out = append(out, farewell{fields[0], fields[1], fields[2], time.Duration(ms) * time.Millisecond, strings.TrimSpace(fields[4])})
	}
	return out
}

// judged holds the farewells of one event against what was sent, n of them round
// the guilds, and returns the longest way and how often the guild was found.
func judged(t *testing.T, all []farewell, event string, guilds, n int) (longest time.Duration, found int) {
	t.Helper()
	seen, byGuild := make(map[string]bool), make(map[string]int)
	for _, f := range all {
		if f.event != event {
			continue
		}
		if seen[f.guild+" "+f.user] {
			t.Errorf("%s of %s in %s came twice", event, f.user, f.guild)
		}
		seen[f.guild+" "+f.user] = true
		byGuild[f.guild]++
		longest = max(longest, f.took)
		if f.outcome == "found" {
			found++
		}
	}
	for guild, here := range byGuild {
		if here != n/guilds && here != n/guilds+1 {
			t.Errorf("%s: %d in guild %s, want %d, or one more", event, here, guild, n/guilds)
		}
	}
	if len(byGuild) != guilds || len(seen) != n {
		t.Errorf("%s: %d in %d guilds, want %d in %d", event, len(seen), len(byGuild), n, guilds)
	}
	return longest, found
}

// loadsOf lists when Discord was asked for guilds since then: each load begins
// so.
func loadsOf(sim *simulator.Server, since time.Time) (at []time.Time, requests int) {
	for _, r := range sim.Requests() {
		if !strings.HasPrefix(r.Route, "GET /guilds/") || r.Time.Before(since) {
			continue
		}
		requests++
		if r.Route == "GET /guilds/{guild}" {
			at = append(at, r.Time)
		}
	}
	return at, requests
}

// withinBudget checks that at no time since began more guilds had been asked for
// than the guard has tokens for.
func withinBudget(t *testing.T, sim *simulator.Server, began time.Time) (loads int) {
	t.Helper()
	at, requests := loadsOf(sim, began)
	for i, when := range at {
		if budget := guildBurst + guildRate*when.Sub(began).Seconds(); float64(i+1) > budget+1 {
			t.Errorf("load %d after %v: the budget is %.1f", i+1, when.Sub(began), budget)
		}
	}
	if requests > 4*len(at) {
		t.Errorf("%d requests for %d loads", requests, len(at))
	}
	return len(at)
}

// wrote waits until the plugin has written n lines of an event.
func (r *running) wrote(file, event string, n int) {
	r.t.Helper()
	r.await(fmt.Sprintf("%d of %s handled", n, event), func(control.Status) bool {
		raw, err := os.ReadFile(file)
		return err == nil && strings.Count("\n"+string(raw), "\n"+event+" ") >= n
	})
}

// interactionWithin is how long an interaction may wait for its guild.
const interactionWithin = time.Second

// TestMassEventOverColdGuilds: members leave twenty thousand guilds at once, none
// of which is in the cache, and a plugin wants the guild for each; meanwhile users
// of other guilds, cold ones too, call a command that needs theirs.
func TestMassEventOverColdGuilds(t *testing.T) {
	const askers, shards = 50, 16
	guilds, rate := size(2000, 20_000), 5000.0
	if raceDetector {
		guilds, rate = size(400, 2000), 500 // and it does not keep up even so when others work beside it
	}
	n := guilds * 5 / 2
	sim := discord(t, simulator.Config{
		Shards: shards, ReplayBytes: 8 << 20, // 20,000 times GUILD_CREATE are not worth keeping
		World: simulator.World{Guilds: guilds + askers, ChannelsPerGuild: 1, RolesPerGuild: 1, MembersPerGuild: 5},
	})
	var ids []uint64
	all := sim.Guilds()
	for _, g := range all[:guilds] {
		ids = append(ids, g.ID)
	}
	o, file := farewells(t)
	h := start(t, sim, o)

	// As many events that need not wait for their guild come first: they show what
	// the machine does.
	err := sim.Run(t.Context(), simulator.Rate{PerSecond: rate, Count: n}, func(i int) bool { return sim.Join(ids[i%guilds], 0) != 0 })
	if err != nil {
		t.Fatal(err)
	}
	h.wrote(file, "GUILD_MEMBER_ADD", n)
	if at, _ := loadsOf(sim, time.Time{}); len(at) != 0 {
		t.Fatalf("%d loads, though only one guild was read, and the bot is not in it", len(at))
	}
	before, _ := judged(t, farewellsIn(t, file), "GUILD_MEMBER_ADD", guilds, n)
	keepsUp := before <= calm && !raceDetector
	if !keepsUp {
		t.Logf("%.0f events a second take up to %v here without waiting for guilds: times are not judged, and commands not sent", rate, before)
	}

	began := time.Now()
	var leaving sync.WaitGroup
	left, gone := 0, make(chan struct{})
	leaving.Go(func() {
		defer close(gone)
		left = sim.MassLeave(t.Context(), ids, n, rate)
	})
	named := 0
	if keepsUp {
		named = askWhere(t, sim, all[guilds:], gone)
	}
	leaving.Wait()
	if left != n {
		t.Fatalf("%d left, want %d", left, n)
	}
	h.wrote(file, "GUILD_MEMBER_REMOVE", n)
	loads := withinBudget(t, sim, began)

	lines := farewellsIn(t, file)
	longest, found := judged(t, lines, "GUILD_MEMBER_REMOVE", guilds, n)
	asked := slowestOf(lines, "INTERACTION_CREATE")
	s, _ := h.status()
	t.Logf("%d events over %d guilds: %d loads, %d with their guild, longest way %v (%v without waiting for guilds), %d commands answered, with their guild after %v at most; cache %+v",
		n, guilds, loads, found, longest, before, named, asked, s.Cache)
	if limited := sim.Counts().Limited; limited != 0 {
		t.Errorf("%d answers of 429", limited)
	}
	if found == 0 {
		t.Error("no event found its guild: nothing was loaded")
	}
	if p := h.plugin("farewell"); p.Dropped+p.Redelivered+p.Errors > 0 || p.Restarts > 0 {
		t.Errorf("plugin %+v", p)
	}
	if n := strings.Count(h.log.String(), "guard: more guilds are wanted"); n != 1 {
		t.Errorf("the log tells %d times that guilds are refused", n)
	}
	if keepsUp && (longest > deliveredWithin || asked > interactionWithin) {
		t.Errorf("an event was delivered after %v, promised are %v; an interaction had its guild after %v, promised are %v",
			longest, deliveredWithin, asked, interactionWithin)
	}
	h.stop()
}

// slowestOf is the longest way of an event of this name.
func slowestOf(lines []farewell, event string) (longest time.Duration) {
	for _, f := range lines {
		if f.event == event {
			longest = max(longest, f.took)
		}
	}
	return longest
}

// askWhere has users of other guilds, each a cold one, call a command that needs
// its guild, until the mass event is over. It returns how many there were; each
// is to be answered within Discord's 3 s, with the guild's name.
func askWhere(t *testing.T, sim *simulator.Server, guilds []simulator.Guild, over <-chan struct{}) (named int) {
	t.Helper()
	err := sim.Run(t.Context(), simulator.Rate{PerSecond: 4, Count: len(guilds)}, func(i int) bool {
		g := guilds[i]
		answer, err := sim.Slash(g.ID, g.Channels[0], g.Members[0], "where").Wait(t.Context())
		if err != nil || answer.Content != g.Name {
			t.Errorf("/where in %s answered %q: %v", g.Name, answer.Content, err)
		}
		named++
		select {
		case <-over:
			return false
		default:
			return true
		}
	})
	if err != nil {
		t.Error(err)
	}
	return named
}

// TestGuildsThatCannotBeLoaded: Discord refuses guilds, breaks, or says nothing;
// events go on without their guild, Discord is asked rarely, and what comes back
// is found again.
func TestGuildsThatCannotBeLoaded(t *testing.T) {
	t.Parallel() // most of its time is waiting
	faults := []struct {
		name    string
		failure simulator.Failure
		gap     time.Duration // least time between two attempts; 0: there is only one
	}{
		// A first back-off is 5 s less a quarter.
		{"403", simulator.Failure{Status: 403}, 0},
		{"404", simulator.Failure{Status: 404}, 0},
		{"500", simulator.Failure{Status: 500}, 3750 * time.Millisecond},
		{"garbage", simulator.Failure{Garbage: true}, 3750 * time.Millisecond},
		{"nothing", simulator.Failure{Delay: time.Hour}, 3750 * time.Millisecond},
	}
	if !full() {
		faults = faults[:4] // a load gives up after 10 s
	}
	sim := discord(t, simulator.Config{World: simulator.World{Guilds: len(faults) + 1, MembersPerGuild: 1000}})
	guilds := sim.Guilds()
	for i, fault := range faults {
		sim.FailREST(fmt.Sprintf("GET /guilds/%d", guilds[i].ID), fault.failure, 0)
	}
	o, file := farewells(t)
	h := start(t, sim, o)

	sent, next := 0, make([]int, len(guilds))
	leave := func(i int) {
		next[i]++
		sim.Leave(guilds[i].ID, guilds[i].Members[next[i]%len(guilds[i].Members)])
		sent++
	}
	attempts := func(i int) (at []time.Time) {
		for _, r := range sim.Requests() {
			if r.Method == "GET" && strings.HasPrefix(r.Path, fmt.Sprintf("/guilds/%d?", guilds[i].ID)) {
				at = append(at, r.Time)
			}
		}
		return at
	}
	last := func(i int) string { // what became of the guild at its last event
		out := ""
		for _, f := range farewellsIn(t, file) {
			if f.guild == strconv.FormatUint(guilds[i].ID, 10) {
				out = f.outcome
			}
		}
		return out
	}
	// Members leave every guild until each was asked for, in the whole size until
	// each fault that is tried again was tried again: back-offs take their time.
	eventually(t, "every guild is asked for", func() bool {
		for i := range guilds {
			leave(i)
		}
		h.wrote(file, "GUILD_MEMBER_REMOVE", sent)
		asked := true
		for i, fault := range faults {
			want := 1
			if fault.gap > 0 && fault.failure.Delay == 0 {
				want = size(1, 2)
			}
			asked = asked && len(attempts(i)) >= want
		}
		return asked && last(len(faults)) == "found"
	})
	for i, fault := range faults {
		at := attempts(i)
		if fault.gap == 0 && len(at) != 1 {
			t.Errorf("%s: asked %d times, and it was no use", fault.name, len(at))
		}
		for n := 1; n < len(at); n++ {
			if gap := at[n].Sub(at[n-1]); gap < fault.gap {
				t.Errorf("%s: asked again after %v, want %v at least", fault.name, gap, fault.gap)
			}
		}
		if what := last(i); what == "found" || what == "" {
			t.Errorf("%s: the guild was %q", fault.name, what)
		}
	}
	before, _ := h.status()
	if c := before.Cache; c == nil || c.Failed == 0 || c.Failed > c.Loads || c.Guard != "closed" {
		t.Errorf("cache %+v", c)
	}

	// Discord mends. What it refused comes back with a GUILD_CREATE, all else after
	// its back-off.
	sim.ClearFailures()
	for i, fault := range faults {
		if fault.gap == 0 {
			sim.Outage(guilds[i].ID)
			sim.Restore(guilds[i].ID)
		}
	}
	eventually(t, "every guild is found again", func() bool {
		found := true
		for i := range guilds {
			leave(i)
		}
		h.wrote(file, "GUILD_MEMBER_REMOVE", sent)
		for i := range guilds {
			found = found && last(i) == "found"
		}
		return found
	})
	if p := h.plugin("farewell"); int(p.Acked) != sent || p.Dropped+p.Redelivered+p.Errors > 0 {
		t.Errorf("%d events were sent, plugin %+v", sent, p)
	}
	if limited := sim.Counts().Limited; limited != 0 {
		t.Errorf("%d answers of 429", limited)
	}
	h.stop()
}
