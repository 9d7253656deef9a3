package host_test

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-bot/holdfast/host/simulator"
)

// listed is a model's list of objects.
func listed(all map[string]object) []object {
	out := []object{}
	for _, id := range slices.Sorted(maps.Keys(all)) {
		out = append(out, all[id])
	}
	return out
}

// faultless are the lines of a watcher before which nothing is wrong: each event
// with its guild as it was then.
func faultless(t *testing.T, guild, bot uint64, happened []deed) (lines []*sight) {
	t.Helper()
	m := newModel(guild, bot)
	for i, d := range happened {
		m.apply(d.name, d.data)
		s := &sight{Event: d.name, Guild: strconv.FormatUint(guild, 10), Data: sumOf(d.data), At: d.at.UnixNano() + 1, Version: uint64(i + 1)}
		if s.show(m); !m.up {
			s.Reason = "outage"
		}
		lines = append(lines, s)
	}
	return lines
}

// show lets a line have the model's guild.
func (s *sight) show(m *model) {
	encode := func(v any) json.RawMessage {
		raw, err := json.Marshal(v)
		if err != nil {
			panic(err)
		}
		return raw
	}
	s.Content = &parts{encode(m.guild), encode(listed(m.channels)), encode(listed(m.threads)), encode(m.member)}
	s.Sum = sumOf(slices.Concat(s.Content.Guild, s.Content.Channels, s.Content.Threads, s.Content.Member))
}

// tellings are the GUILD_CREATEs of what happened, in the words of a session.
func tellings(happened []deed) (told []telling) {
	for i, d := range happened {
		if d.name == "GUILD_CREATE" {
			told = append(told, telling{session: "one", after: i + 1, data: d.data, sum: sumOf(d.data)})
		}
	}
	return told
}

// introducing is how a session is told of the model's guild.
func introducing(m *model, after int) telling {
	d := maps.Clone(m.guild)
	d["channels"], d["threads"], d["members"] = listed(m.channels), listed(m.threads), []object{m.member}
	data, err := json.Marshal(d)
	if err != nil {
		panic(err)
	}
	return telling{session: "another", after: after, data: data, sum: sumOf(data)}
}

// TestTheJudgeOfGuilds: what is true has no fault, and each kind of untruth is found.
func TestTheJudgeOfGuilds(t *testing.T) {
	t.Parallel() // while others wait
	seed := seedOf(t)
	var told chronicle
	sim := discord(t, simulator.Config{Seed: seed, Emitted: told.note, World: simulator.World{Guilds: 1, MembersPerGuild: 3}})
	a := newActor(sim, seed)
	guild := a.guilds[0]
	sim.Restore(guild)
	acts := 100
	if raceDetector {
		acts = 60
	}
	for range acts {
		a.act()
	}
	a.mend()
	if a.stands[0] == outOfGuild {
		sim.Return(guild)
	}
	g, _ := sim.Guild(guild)
	role := sim.CreateRole(guild, "before", 8)
	sim.ChangeRole(guild, role, "after", 8)
	extra := sim.CreateChannel(guild, "extra")
	sim.ChangeChannel(guild, g.Channels[0], "one", "two")
	sim.DeleteChannel(guild, extra)
	happened := told.all[guild]
	last := len(happened)

	// at is the model after the first n events.
	at := func(n int) *model {
		m := newModel(guild, sim.Bot())
		for _, d := range happened[:n] {
			m.apply(d.name, d.data)
		}
		return m
	}
	// A session that does not know the guild is told of it because of the last event.
	ahead := introducing(at(last), last-1)
	p := newPast(t, guild, sim.Bot(), happened, append(tellings(happened), ahead))
	right, contents := faultless(t, guild, sim.Bot(), happened), make(map[uint64]flat)
	// introduced is right with what that session is told at a place.
	introduced := func(lines []*sight, place int, m *model) []*sight {
		s := &sight{Event: "GUILD_CREATE", Guild: strconv.FormatUint(guild, 10), Data: ahead.sum, At: time.Now().UnixNano()}
		s.show(m)
		lines = slices.Insert(lines, place, s)
		for i := range lines {
			lines[i].Version = uint64(i + 1)
		}
		return lines
	}
	judged := func(change func(lines []*sight) []*sight, answered ...time.Time) []string {
		p.answered = answered
		v := newJudgement(map[uint64]*past{guild: p})
		v.contents = contents // which are known by their sums
		var lines []*sight
		for _, s := range right {
			again := *s
			lines = append(lines, &again)
		}
		for _, s := range change(lines) {
			v.one(s)
		}
		return v.faults
	}
	// shows lets the line of event n have the guild as it was after event m.
	shows := func(n, m int) func([]*sight) []*sight {
		return func(lines []*sight) []*sight {
			lines[n-1].show(at(m))
			return lines
		}
	}
	for _, wrong := range []struct {
		name   string
		change func(lines []*sight) []*sight
		fault  string
	}{
		{"nothing", func(lines []*sight) []*sight { return lines }, ""},
		{"a guild of later is none", shows(last-4, last), ""},
		{"events that were missed are none", func(lines []*sight) []*sight { return slices.Delete(lines, 10, 30) }, ""},
		{"before the role was renamed", shows(last-3, last-4), `name is "before"`},
		{"before the channel was made", shows(last-2, last-3), "none that there was"},
		{"before the topic", shows(last-1, last-2), "older than event"},
		{"before the channel was deleted", shows(last, last-1), "older than event"},
		{"a field", func(lines []*sight) []*sight {
			m := at(last)
			m.guild["verification_level"] = 3.0
			lines[last-1].show(m)
			return lines
		}, "verification_level"},
		{"a channel too many", func(lines []*sight) []*sight {
			m := at(last)
			m.channels["5"] = object{"id": "5", "name": "nowhere"}
			lines[last-1].show(m)
			return lines
		}, "never was there"},
		{"parts of two states", func(lines []*sight) []*sight {
			m := at(last - 1)
			m.guild = at(last - 4).guild // with the role's name of before event last-3
			m.channels = at(last).channels
			lines[last-5].show(m)
			return lines
		}, "none that there was"},
		{"an event twice", func(lines []*sight) []*sight { return append(lines, lines[last-1]) }, "came twice"},
		{"out of order", func(lines []*sight) []*sight {
			lines[last-1], lines[last-3] = lines[last-3], lines[last-1]
			return lines
		}, "out of order"},
		{"an event that never was", func(lines []*sight) []*sight { lines[last-1].Data++; return lines }, "never happened"},
		{"an introduction", func(lines []*sight) []*sight { return introduced(lines, last-1, at(last)) }, ""},
		{"an introduction alone", func(lines []*sight) []*sight { return introduced(lines, last-1, at(last))[last-1:] }, ""},
		{"an introduction twice", func(lines []*sight) []*sight {
			return introduced(introduced(lines, last-1, at(last)), last-1, at(last))
		}, "came twice"},
		{"an introduction behind its event", func(lines []*sight) []*sight { return introduced(lines, last, at(last)) }, "out of order"},
		{"an introduction before the event of before", func(lines []*sight) []*sight { return introduced(lines, last-2, at(last)) }, "out of order"},
		{"an introduction with the guild of before", func(lines []*sight) []*sight { return introduced(lines, last-1, at(last-1)) }, "older than event"},
		{"an introduction that nobody was told", func(lines []*sight) []*sight {
			lines = introduced(lines, last-1, at(last))
			lines[last-1].Data++
			return lines
		}, "never happened"},
		{"a version of before", func(lines []*sight) []*sight {
			lines[last-2].Version, lines[last-1].Version = lines[last-1].Version, lines[last-2].Version
			return lines
		}, "for an event before"},
		{"a version twice", func(lines []*sight) []*sight { lines[last-1].Version--; return lines }, "two contents"},
		{"removed, it is said", func(lines []*sight) []*sight { lines[last-1].Reason = "removed"; return lines }, "though it was there"},
		{"an unknown reason", func(lines []*sight) []*sight { lines[last-1].Reason = "mood"; return lines }, "mood"},
	} {
		faults := judged(wrong.change)
		if wrong.fault == "" && len(faults) > 0 || wrong.fault != "" && !strings.Contains(strings.Join(faults, "\n"), wrong.fault) {
			t.Errorf("%s: found %q", wrong.name, faults)
		}
	}
	// What a load has mixed is no fault: there the fields are judged alone.
	mixed := func(lines []*sight) []*sight {
		m := at(last - 1)
		m.guild, m.channels = at(last-4).guild, at(last).channels
		lines[last-5].show(m)
		lines[last-5].At = time.Now().UnixNano()
		return lines[:last-4]
	}
	if faults := judged(mixed, happened[last-1].at.Add(time.Nanosecond)); len(faults) > 0 {
		t.Errorf("after a load: found %q", faults)
	}
	// What no state of its act is shows itself.
	for after, is := range map[int]bool{last - 3: true, last - 4: false} {
		told := introducing(at(last-1), after)
		if ok := p.settle(&told, at(last-1).flat()); ok != is || len(p.nearest(at(last-1).flat(), after)) > 0 == is {
			t.Errorf("told of event %d after %d: %v, %v", last-1, after, ok, p.nearest(at(last-1).flat(), after))
		}
	}
	answers, _ := sim.Answers(guild)
	want, err := flatAnswers(answers)
	if got := p.now(); err != nil || len(want.differences(got)) > 0 || len(want.differences(at(last-1).flat())) == 0 {
		t.Errorf("at rest: %v, %v", err, want.differences(got))
	}
}
