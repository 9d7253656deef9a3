package host_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/holdfast-bot/holdfast/host/control"
	"github.com/holdfast-bot/holdfast/host/simulator"
)

const declares = "./host/testdata/declares"

// everyKind is what one plugin declares: every type of command, every field of
// today, every kind of option. GUILD stands for a guild's id.
const everyKind = `[
	{"name":"tide","description":"Tells the tide","integration_types":[0,1],"contexts":[2,0,1],"nsfw":false,"name_localizations":{"de":"gezeit","fr":"tide"},
		"description_localizations":{"de":"Sagt die Gezeit"},"default_member_permissions":8},
	{"name":"config","description":"Settings","dm_permission":false,"options":[{"type":2,"name":"set","description":"Sets","options":[
		{"type":1,"name":"prefix","description":"The prefix","options":[
			{"type":3,"name":"text","description":"A text","required":true,"min_length":1,"max_length":5},
			{"type":4,"name":"whole","description":"A number","min_value":1e1,"choices":[{"name":"ten","value":10.0,"name_localizations":{"de":"zehn"}}]},
			{"type":5,"name":"yes","description":"Or no"},{"type":6,"name":"who","description":"A user"},
			{"type":7,"name":"where","description":"A channel","channel_types":[5,0]},{"type":8,"name":"role","description":"A role"},
			{"type":9,"name":"whom","description":"A user or a role"},{"type":10,"name":"share","description":"A part","max_value":0.5},
			{"type":11,"name":"file","description":"A file"},{"type":3,"name":"word","description":"A word","autocomplete":true}]}]}]},
	{"name":"High Five","type":2},{"name":"Quote","type":3,"contexts":[0]},{"name":"Launch","type":4,"description":"Plays","handler":1},
	{"name":"local","description":"Here only","guild_id":"GUILD"}]`

// declaring are options for a plugin of that name with those commands; set gives it
// others, from its next start on.
func declaring(t *testing.T, name, commands string) (o options, set func(string)) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "commands.json")
	set = func(commands string) {
		if err := os.WriteFile(file, []byte(commands), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	set(commands)
	return options{plugins: map[string]string{name: declares}, env: map[string]map[string]string{name: {"NAME": name, "COMMANDS": file}}}, set
}

// writes counts the overwrites of commands that Discord got.
func writes(sim *simulator.Server) uint64 { return askedFor(sim, "PUT /applications/{application}/") }

// reads counts how often Discord was asked for commands.
func reads(sim *simulator.Server) uint64 { return askedFor(sim, "GET /applications/{application}/") }

func askedFor(sim *simulator.Server, prefix string) (n uint64) {
	for route, count := range sim.Counts().Requests {
		if strings.HasPrefix(route, prefix) {
			n += count
		}
	}
	return n
}

func commandNames(sim *simulator.Server, guild uint64) (all []string) {
	for _, c := range sim.Commands(guild) {
		all = append(all, c.Name)
	}
	slices.Sort(all)
	return all
}

// compared waits until the host has told of a number of scopes.
func (r *running) compared(scopes int) {
	r.t.Helper()
	eventually(r.t, fmt.Sprintf("%d scopes of commands are compared", scopes), func() bool {
		return strings.Count(r.log.String(), "commands compared") >= scopes
	})
}

// foreignBot registers 80 commands of another program, of every kind that may be
// there, and returns what Discord says of them.
func foreignBot(sim *simulator.Server) map[uint64]string {
	for n := range 80 {
		form := fmt.Sprintf(`{"name":"theirs-%d","description":"Command %d","default_member_permissions":"%d","options":[
			{"type":4,"name":"n","description":"d","min_value":1.0,"choices":[{"name":"x","value":2}]}]}`, n, n, n)
		switch {
		case n >= 75:
			form = fmt.Sprintf(`{"name":"Theirs %d","type":3,"contexts":[2]}`, n)
		case n >= 70:
			form = fmt.Sprintf(`{"name":"Theirs %d","type":2,"nsfw":true}`, n)
		}
		sim.Register(0, json.RawMessage(form))
	}
	all := make(map[uint64]string)
	for _, c := range sim.Commands(0) {
		all[c.ID] = stripped(c)
	}
	return all
}

// stripped is a command without its version: an overwrite may count it up.
func stripped(c simulator.Command) string {
	var fields map[string]json.RawMessage
	if json.Unmarshal(c.JSON, &fields) != nil {
		return string(c.JSON)
	}
	delete(fields, "version")
	raw, _ := json.Marshal(fields)
	return string(raw)
}

// mustKeep demands that every foreign command is as it was.
func mustKeep(t *testing.T, sim *simulator.Server, theirs map[uint64]string) {
	t.Helper()
	kept := 0
	for _, c := range sim.Commands(0) {
		if before, ok := theirs[c.ID]; ok && before == stripped(c) {
			kept++
		}
	}
	if kept != len(theirs) {
		t.Fatalf("%d of %d foreign commands are as they were", kept, len(theirs))
	}
}

// TestABotKeepsItsForeignCommandsAndAnUnmountedFolderRemovesNothing: a bot has 80
// commands that another program registered. Plugins come with their own; their
// folder is unmounted, under the running host and before its next start, and
// missing altogether; then it is back. Nothing of it removes a command, nor writes
// one but the first time. Only a prune does, and it leaves the 80 alone.
func TestABotKeepsItsForeignCommandsAndAnUnmountedFolderRemovesNothing(t *testing.T) {
	t.Parallel() // most of its time is waiting
	sim := discord(t, simulator.Config{})
	theirs := foreignBot(sim)
	guild := sim.Guilds()[0].ID
	o, _ := declaring(t, "every", strings.Replace(everyKind, "GUILD", fmt.Sprint(guild), 1))
	o.plugins["hello"] = "./examples/hello"
	h := start(t, sim, o)
	h.compared(2)
	all := slices.Sorted(slices.Values(append([]string{"High Five", "Launch", "Quote", "config", "ping", "tide"}, foreignNames()...)))
	mustStand := func(when string, put uint64) {
		t.Helper()
		mustKeep(t, sim, theirs)
		if got, local := commandNames(sim, 0), commandNames(sim, guild); !slices.Equal(got, all) || !slices.Equal(local, []string{"local"}) || writes(sim) != put {
			t.Fatalf("%s: registered %v and in the guild %v, after %d writes (want %d)", when, got, local, writes(sim), put)
		}
	}
	mustStand("at first", 2)
	h.mustList("every", "hello", len(theirs))

	away := h.plugins + ".away"
	mount := func(from, to string) { // a folder that is not mounted is there, and empty
		if err := os.Rename(from, to); err != nil {
			t.Fatal(err)
		}
	}
	mount(h.plugins, away)
	if err := os.Mkdir(h.plugins, 0o755); err != nil {
		t.Fatal(err)
	}
	report := h.reload(control.ReloadOptions{})
	if len(report.Steps) != 2 || !strings.Contains(report.Commands, "reload --prune") {
		t.Errorf("the reload told %+v", report)
	}
	mustStand("when the folder was unmounted", 2)
	h.stop()

	asked := reads(sim)
	h = start(t, sim, options{again: h})
	h.compared(2)
	mustStand("after a start without the folder", 2)
	if n := reads(sim) - asked; n != 0 {
		t.Errorf("without plugins Discord was asked for commands %d times", n)
	}
	h.stop()

	if err := os.Remove(h.plugins); err != nil {
		t.Fatal(err)
	}
	missing := launch(t, sim, options{again: h})
	<-missing.exited
	if code := missing.cmd.ProcessState.ExitCode(); code != 2 || !strings.Contains(missing.log.String(), "plugins folder") {
		t.Errorf("without a folder the host ended with %d: %s", code, missing.log.String())
	}
	mustStand("after a start that failed", 2)

	mount(away, h.plugins)
	h = start(t, sim, options{again: h, env: o.env})
	h.compared(2)
	mustStand("when the folder was back", 2)
	if n := reads(sim) - asked; n != 2 {
		t.Errorf("an unchanged set of two scopes cost %d GET", n)
	}

	if err := os.Remove(filepath.Join(h.plugins, "hello")); err != nil {
		t.Fatal(err)
	}
	h.reload(control.ReloadOptions{})
	mustStand("when one file was gone", 2)
	h.reload(control.ReloadOptions{Prune: true})
	all = slices.DeleteFunc(all, func(name string) bool { return name == "ping" })
	mustStand("after the prune", 3)
	h.stop()
}

func foreignNames() (all []string) {
	for n := range 80 {
		if n < 70 {
			all = append(all, fmt.Sprintf("theirs-%d", n))
		} else {
			all = append(all, fmt.Sprintf("Theirs %d", n))
		}
	}
	return all
}

// mustList asks with the command, as an operator does.
func (r *running) mustList(every, hello string, foreign int) {
	r.t.Helper()
	list := func(args ...string) string {
		cmd := exec.CommandContext(r.t.Context(), program(r.t, "./host/holdfast"), append([]string{"commands", "--state", r.state}, args...)...)
		out, err := cmd.CombinedOutput()
		if err != nil {
			r.t.Fatalf("holdfast commands %v: %v\n%s", args, err, out)
		}
		return string(out)
	}
	var told control.Commands
	if err := json.Unmarshal([]byte(list("--json")), &told); err != nil {
		r.t.Fatal(err)
	}
	owners := make(map[string]int)
	for _, c := range told.Commands {
		owners[c.Plugin]++
		if !c.Registered || c.Foreign != (c.Plugin == "") {
			r.t.Errorf("listed %+v", c)
		}
	}
	if owners[every] != 6 || owners[hello] != 1 || owners[""] != foreign {
		r.t.Errorf("listed by owner: %v", owners)
	}
	if said := list("--diff"); !strings.Contains(said, "nothing to do") {
		r.t.Errorf("a sync would do\n%s", said)
	}
}

// TestWhatANewBuildDropsIsRemoved: the plugin is there and says so. With
// commands: off nothing is, and nothing is written.
func TestWhatANewBuildDropsIsRemoved(t *testing.T) {
	t.Parallel() // most of its time is waiting
	sim := discord(t, simulator.Config{})
	o, set := declaring(t, "changing", `[{"name":"one","description":"d"},{"name":"two","description":"d"}]`)
	h := start(t, sim, o)
	h.compared(1)
	if got := commandNames(sim, 0); !slices.Equal(got, []string{"one", "two"}) {
		t.Fatalf("registered %v", got)
	}
	set(`[{"name":"two","description":"d"}]`)
	report := h.reload(control.ReloadOptions{Names: []string{"changing"}})
	if got := commandNames(sim, 0); !slices.Equal(got, []string{"two"}) || !strings.Contains(report.Commands, "removed one") {
		t.Errorf("registered %v, told %q", got, report.Commands)
	}
	set(`[{"name":"two","description":"d","options":[{"type":3,"name":"o","description":"` + strings.Repeat("long", 30) + `"}]}]`)
	report = h.reload(control.ReloadOptions{Names: []string{"changing"}})
	if step := report.Steps[0]; step.Result != control.ResultRefused || !strings.Contains(step.Detail, `plugin changing: command /two (global): option "o" description: 120 characters`) {
		t.Errorf("a description that Discord does not take: %+v", step)
	}
	h.stop()

	before := writes(sim)
	set(`[{"name":"three","description":"d"}]`)
	h = start(t, sim, options{again: h, env: o.env, args: []string{"--commands", "off"}})
	h.reload(control.ReloadOptions{Prune: true})
	if got := commandNames(sim, 0); !slices.Equal(got, []string{"two"}) || writes(sim) != before {
		t.Errorf("with commands: off: registered %v after %d writes", got, writes(sim)-before)
	}
	listed, err := control.GetCommands(t.Context(), h.socket())
	if err != nil || len(listed.Commands) != 2 || listed.Commands[0].Action != "add" || listed.Commands[1].Action != "remove" || listed.Mode != "off" {
		t.Errorf("listed %+v, %v", listed, err)
	}
	h.stop()
}

// TestADevelopmentGuild: everything is registered there, and answers; what is
// registered elsewhere is left alone. When the setting is gone, everything is where
// it belongs.
func TestADevelopmentGuild(t *testing.T) {
	t.Parallel() // most of its time is waiting
	sim := discord(t, simulator.Config{World: simulator.World{Guilds: 2}})
	dev, other := sim.Guilds()[0], sim.Guilds()[1]
	sim.Register(0, json.RawMessage(`{"name":"theirs","description":"d"}`))
	sim.Register(dev.ID, json.RawMessage(`{"name":"theirs-too","description":"d"}`))
	o, _ := declaring(t, "dev", strings.Replace(everyKind, "GUILD", fmt.Sprint(other.ID), 1))
	o.args = []string{"--dev-guild", fmt.Sprint(dev.ID)}
	h := start(t, sim, o)
	h.compared(1)
	want := []string{"High Five", "Quote", "config", "local", "theirs-too", "tide"}
	if got := commandNames(sim, dev.ID); !slices.Equal(got, want) || len(sim.Commands(0)) != 1 || len(sim.Commands(other.ID)) != 0 || writes(sim) != 1 {
		t.Errorf("registered %v, globally %v, elsewhere %v, after %d writes", got, commandNames(sim, 0), commandNames(sim, other.ID), writes(sim))
	}
	if !strings.Contains(h.log.String(), "no guild has one") {
		t.Error("not told that the entry point is left out")
	}
	for _, command := range []string{"tide", "local"} {
		answer, err := sim.Slash(dev.ID, dev.Channels[0], dev.Members[0], command).Wait(t.Context())
		if err != nil || answer.Content != "here is dev" {
			t.Errorf("/%s answered %q, %v", command, answer.Content, err)
		}
	}
	h.reload(control.ReloadOptions{Prune: true})
	if writes(sim) != 1 {
		t.Error("an unchanged set was written again")
	}
	h.stop()

	h = start(t, sim, options{again: h, env: o.env})
	h.compared(3)
	if got := commandNames(sim, dev.ID); !slices.Equal(got, []string{"theirs-too"}) {
		t.Errorf("left in the guild: %v", got)
	}
	if got := commandNames(sim, 0); !slices.Equal(got, []string{"High Five", "Launch", "Quote", "config", "theirs", "tide"}) || !slices.Equal(commandNames(sim, other.ID), []string{"local"}) {
		t.Errorf("registered globally %v, elsewhere %v", got, commandNames(sim, other.ID))
	}
	h.stop()

	global, before := len(sim.Commands(0)), writes(sim)
	h = start(t, sim, options{again: h, env: o.env, args: o.args})
	h.reload(control.ReloadOptions{Prune: true})
	if got := commandNames(sim, dev.ID); !slices.Equal(got, want) || len(sim.Commands(0)) != global || len(sim.Commands(other.ID)) != 1 || writes(sim) != before+1 {
		t.Errorf("back in development: registered %v, globally %v, elsewhere %v, after %d writes", got, commandNames(sim, 0), commandNames(sim, other.ID), writes(sim)-before)
	}
	h.stop()
}

// TestCommandsAfterAnOutage: Discord answers 503 when the host starts, and for one
// guild 403. The bot is up, its status says that commands are not registered, and
// when Discord is back they are, without anybody's doing.
func TestCommandsAfterAnOutage(t *testing.T) {
	t.Parallel() // most of its time is waiting
	sim := discord(t, simulator.Config{})
	sim.FailREST("PUT /applications/*/commands", simulator.Failure{Status: 503}, 0)
	sim.FailREST("* /applications/*/guilds/7/commands", simulator.Failure{Status: 403}, 0)
	guild := sim.Guilds()[0].ID
	o, _ := declaring(t, "declares", fmt.Sprintf(
		`[{"name":"one","description":"d"},{"name":"two","description":"d","guild_id":"7"},{"name":"three","description":"d","guild_id":"%d"}]`, guild))
	h := start(t, sim, o)
	h.await("a sync has failed", func(s control.Status) bool { return s.CommandSync != nil && s.CommandSync.Next != nil })
	if s, _ := h.status(); !strings.Contains(s.CommandSync.Error, "503") || !strings.Contains(s.CommandSync.Error, "guild 7: Discord answered 403") {
		t.Errorf("status %+v", s.CommandSync)
	}
	if got := commandNames(sim, guild); !slices.Equal(got, []string{"three"}) {
		t.Errorf("registered in the other guild: %v", got)
	}
	listed, err := control.GetCommands(t.Context(), h.socket())
	if err != nil || len(listed.Errors) != 1 || !slices.ContainsFunc(listed.Commands, func(c control.Command) bool {
		return c.Guild == "7" && c.Name == "two" && !c.Registered && c.Action == "add" && strings.Contains(c.Fault, "answered 403")
	}) {
		t.Errorf("listed %+v, %v", listed, err)
	}
	sim.ClearFailures()
	h.await("the next attempt succeeds", func(s control.Status) bool { return s.CommandSync == nil || s.CommandSync.Next == nil })
	if got := commandNames(sim, 0); !slices.Equal(got, []string{"one"}) {
		t.Errorf("registered %v", got)
	}
	h.stop()
}
