package host_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"hash/maphash"
	"os"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/holdfast-bot/holdfast/host/simulator"
)

// happening is an event as Discord emitted it, or as a plugin recorded it.
type happening struct {
	name string
	lane string // the guild, else the channel, else none: within it order is promised
	key  uint64 // what it is, whatever the order of keys and the intents
	text string // for a person
}

var keySeed = maphash.MakeSeed()

// happeningOf reads an event.
func happeningOf(name string, d []byte) (happening, error) {
	var m map[string]any
	if err := json.Unmarshal(d, &m); err != nil {
		return happening{}, fmt.Errorf("%s %s: %w", name, d, err)
	}
	h := happening{name: name, lane: "none"}
	for _, key := range []string{"channel_id", "guild_id"} {
		if id, ok := m[key].(string); ok {
			h.lane = strings.TrimSuffix(key, "_id") + " " + id
		}
	}
	switch name {
	case "GUILD_CREATE": // members and voice states are told as the intents allow
		m = map[string]any{"id": m["id"]}
		h.lane = fmt.Sprint("guild ", m["id"])
	case "GUILD_UPDATE", "GUILD_DELETE":
		h.lane = fmt.Sprint("guild ", m["id"])
	case "MESSAGE_CREATE", "MESSAGE_UPDATE": // MESSAGE_CONTENT; an edit is known by its time
		for _, guarded := range []string{"content", "embeds", "components", "attachments", "poll"} {
			delete(m, guarded)
		}
	}
	canonical, err := json.Marshal(m) // sorts keys
	if err != nil {
		return happening{}, err
	}
	h.key = maphash.String(keySeed, name+" "+string(canonical))
	h.text = name + " " + string(canonical[:min(len(canonical), 200)])
	return h, nil
}

// emissions are what the simulator emitted, in the order of each lane.
type emissions struct {
	mu   sync.Mutex
	list []happening
	err  error
}

// take is for simulator.Config.Emitted.
func (e *emissions) take(x simulator.Emission) {
	h, err := happeningOf(x.Name, x.Data)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.list = append(e.list, h)
	if e.err == nil {
		e.err = err
	}
}

// introduced adds the guilds that the bot is in: the first READY brings them.
func (e *emissions) introduced(sim *simulator.Server) {
	for _, g := range sim.Guilds() {
		e.take(simulator.Emission{Name: "GUILD_CREATE", Guild: g.ID, Data: fmt.Appendf(nil, `{"id":"%d"}`, g.ID)})
	}
}

// of are those of some kinds so far.
func (e *emissions) of(t testing.TB, kinds []string) []happening {
	t.Helper()
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.err != nil {
		t.Fatal(e.err)
	}
	return ofKinds(e.list, kinds)
}

// count is how many there are so far.
func (e *emissions) count() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.list)
}

func ofKinds(list []happening, kinds []string) []happening {
	wanted := make(map[string]bool)
	for _, kind := range kinds {
		wanted[kind] = true
	}
	var out []happening
	for _, h := range list {
		if wanted[h.name] {
			out = append(out, h)
		}
	}
	return out
}

// recorded is what a recorder wrote, in order.
func recorded(t testing.TB, file string) []happening {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil // nothing yet
	}
	var out []happening
	for line := range bytes.Lines(raw) {
		name, d, ok := bytes.Cut(line, []byte(" "))
		if !ok || !bytes.HasSuffix(line, []byte("\n")) {
			break // being written
		}
		h, err := happeningOf(string(name), d)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, h)
	}
	return out
}

// verdict is what became of the events that were emitted.
type verdict struct {
	emitted, lost, twice, disorder int
	foreign                        int // recorded and never emitted
	alike                          int // emitted with a twin in their lane: nobody can tell them apart
	alikeLost, alikeTwice          int
	fleeting                       int // presence and typing
	fleetingLost, fleetingTwice    int
	kinds                          map[string]int // lost and twice of each
	examples                       []string
}

func (v verdict) String() string {
	return fmt.Sprintf("%d emitted: %d lost, %d twice, %d out of order, %d foreign; of %d alike %d lost, %d twice; of %d presence and typing %d lost, %d twice; %v\n%s",
		v.emitted, v.lost, v.twice, v.disorder, v.foreign, v.alike, v.alikeLost, v.alikeTwice, v.fleeting, v.fleetingLost, v.fleetingTwice, v.kinds,
		strings.Join(v.examples, "\n"))
}

// whole says that nothing is missing, but for what may be.
func (v verdict) whole() bool { return v.lost+v.alikeLost == 0 }

func (v *verdict) example(what string, h happening) {
	if len(v.examples) < 12 {
		v.examples = append(v.examples, what+" in "+h.lane+": "+h.text)
	}
}

func fleeting(name string) bool { return name == "PRESENCE_UPDATE" || name == "TYPING_START" }

// judge holds what was recorded against what was emitted.
func judge(emitted, recorded []happening) verdict {
	v := verdict{emitted: len(emitted), kinds: make(map[string]int)}
	lanes := make(map[string]*[2][]happening)
	lane := func(name string) *[2][]happening {
		if lanes[name] == nil {
			lanes[name] = new([2][]happening)
		}
		return lanes[name]
	}
	for _, h := range emitted {
		l := lane(h.lane)
		l[0] = append(l[0], h)
	}
	for _, h := range recorded {
		l := lane(h.lane)
		l[1] = append(l[1], h)
	}
	for _, l := range lanes {
		v.lane(l[0], l[1])
	}
	return v
}

func (v *verdict) lane(emitted, recorded []happening) {
	places, times := make(map[uint64][]int), make(map[uint64]int)
	for n, h := range emitted {
		places[h.key] = append(places[h.key], n)
	}
	for _, h := range recorded {
		if times[h.key]++; places[h.key] == nil {
			v.foreign++
			v.example("never emitted", h)
		}
	}
	for key, at := range places {
		v.count(emitted[at[0]], len(at), times[key])
	}
	// The n-th time that something was recorded is the n-th that it was emitted, if
	// it came as often.
	last, done := -1, make(map[uint64]int)
	for _, h := range recorded {
		at := places[h.key]
		// What hastens, an interaction, overtakes: the plugin handles it at once.
		if len(at) == 0 || fleeting(h.name) || h.name == "INTERACTION_CREATE" || len(at) > 1 && len(at) != times[h.key] || done[h.key] >= len(at) {
			continue
		}
		place := at[done[h.key]]
		done[h.key]++
		if place < last {
			v.disorder++
			v.example("after what came later", h)
		}
		last = max(last, place)
	}
}

// count adds what became of something that was emitted and recorded so often.
func (v *verdict) count(h happening, emitted, recorded int) {
	lost, twice := &v.lost, &v.twice
	switch {
	case fleeting(h.name):
		lost, twice = &v.fleetingLost, &v.fleetingTwice
		v.fleeting += emitted
	case emitted > 1 && h.name != "GUILD_CREATE": // that comes again after an outage
		lost, twice = &v.alikeLost, &v.alikeTwice
		v.alike += emitted
	}
	switch {
	case recorded < emitted:
		*lost += emitted - recorded
		v.kinds[h.name+" lost"] += emitted - recorded
		v.example(fmt.Sprintf("recorded %d times, emitted %d", recorded, emitted), h)
	case recorded > emitted:
		*twice += recorded - emitted
		v.kinds[h.name+" twice"] += recorded - emitted
		v.example(fmt.Sprintf("recorded %d times, emitted %d", recorded, emitted), h)
	}
}

// TestJudge: what is dropped, doubled, swapped, foreign or damaged it tells; and
// nothing where there is nothing.
func TestJudge(t *testing.T) {
	var emitted []happening
	add := func(name, d string) {
		h, err := happeningOf(name, []byte(d))
		if err != nil {
			t.Fatal(err)
		}
		emitted = append(emitted, h)
	}
	for n := range 50 {
		add("MESSAGE_CREATE", fmt.Sprintf(`{"id":"%d","guild_id":"%d","content":"x"}`, n, n%2))
	}
	add("MESSAGE_REACTION_ADD", `{"message_id":"1","guild_id":"0"}`) // 50
	add("MESSAGE_REACTION_REMOVE", `{"message_id":"1","guild_id":"0"}`)
	add("MESSAGE_REACTION_ADD", `{"guild_id":"0","message_id":"1"}`) // 52
	add("TYPING_START", `{"guild_id":"0","timestamp":1}`)
	add("INTERACTION_CREATE", `{"guild_id":"0","id":"77"}`) // 54
	without := func(n int) []happening { return slices.Delete(slices.Clone(emitted), n, n+1) }
	again := func(n int) []happening { return append(slices.Clone(emitted), emitted[n]) }
	swapped := func(a, b int) []happening {
		out := slices.Clone(emitted)
		out[a], out[b] = out[b], out[a]
		return out
	}
	other, err := happeningOf("MESSAGE_CREATE", []byte(`{"id":"3","guild_id":"1","content":"x","tts":true}`))
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		recorded []happening
		want     verdict
	}{
		"nothing":              {emitted, verdict{}},
		"lost":                 {without(7), verdict{lost: 1}},
		"twice":                {again(7), verdict{twice: 1}},
		"swapped in a lane":    {swapped(7, 9), verdict{disorder: 1}},
		"swapped over lanes":   {swapped(7, 8), verdict{}},
		"alike lost":           {without(50), verdict{alikeLost: 1}},
		"alike twice":          {again(50), verdict{alikeTwice: 1}},
		"alike swapped":        {swapped(51, 52), verdict{disorder: 1}},
		"typing lost":          {without(53), verdict{fleetingLost: 1}},
		"typing twice":         {again(53), verdict{fleetingTwice: 1}},
		"interaction overtook": {slices.Insert(without(54), 40, emitted[54]), verdict{}},
		"interaction lost":     {without(54), verdict{lost: 1}},
		"damaged":              {append(without(3), other), verdict{lost: 1, foreign: 1}},
	} {
		v := judge(emitted, test.recorded)
		if v.alike != 2 || v.fleeting != 1 || v.emitted != len(emitted) {
			t.Errorf("%s: %v", name, v)
		}
		v.emitted, v.alike, v.fleeting, v.kinds, v.examples = 0, 0, 0, nil, nil
		if !reflect.DeepEqual(v, test.want) {
			t.Errorf("%s: %v", name, v)
		}
	}
}
