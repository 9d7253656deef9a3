package router

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// fakeREST keeps commands as Discord does, defaults filled in, and counts what
// it is asked.
type fakeREST struct {
	commands map[string][]map[string]any // by path
	gets     int
	puts     int
	refuse   map[string]int         // status by "METHOD path"
	rewrite  func(m map[string]any) // what this Discord makes of a command beside its defaults
	nextID   int
}

func (f *fakeREST) Do(_ context.Context, method, path string, body []byte) (int, []byte, error) {
	path, query, _ := strings.Cut(path, "?")
	if status := f.refuse[method+" "+path]; status != 0 {
		return status, []byte(`{"code":50001,"message":"Missing Access"}`), nil
	}
	switch method {
	case http.MethodGet:
		f.gets++
		if query != "with_localizations=true" {
			return 0, nil, errors.New("asked without localizations")
		}
	case http.MethodPut:
		f.puts++
		var list []map[string]any
		if err := json.Unmarshal(body, &list); err != nil {
			return 0, nil, err
		}
		f.overwrite(path, list)
	default:
		return 0, nil, errors.New("unexpected " + method)
	}
	answer, err := json.Marshal(slices.Concat([]map[string]any{}, f.commands[path]))
	return http.StatusOK, answer, err
}

func (f *fakeREST) overwrite(path string, list []map[string]any) {
	if f.commands == nil {
		f.commands = make(map[string][]map[string]any)
	}
	for _, m := range list {
		for key, value := range map[string]any{
			"type": 1.0, "nsfw": false, "default_member_permissions": nil, "contexts": nil, "dm_permission": true, "integration_types": []any{0.0},
			"description": "", "name_localizations": nil,
		} {
			if _, ok := m[key]; !ok {
				m[key] = value
			}
		}
		f.nextID++
		if m["id"] == nil {
			m["id"] = fmt.Sprint(f.nextID)
		}
		m["application_id"], m["version"] = "9", fmt.Sprint(f.nextID)
		if f.rewrite != nil {
			f.rewrite(m)
		}
	}
	f.commands[path] = list
}

func (f *fakeREST) names(path string) string {
	var names []string
	for _, m := range f.commands[path] {
		names = append(names, m["name"].(string))
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

// memory is a store in memory.
type memory struct {
	lines  []string
	writes int
}

// ours counts the commands that are remembered.
func (m *memory) ours() int {
	read, err := readMemories(m)
	if err != nil {
		panic(err)
	}
	return len(read.owned)
}

func (m *memory) OwnedCommands() ([]string, error) { return slices.Clone(m.lines), nil }
func (m *memory) SetOwnedCommands(lines []string) error {
	m.lines = slices.Clone(lines)
	m.writes++
	return nil
}

const global = "/applications/9/commands"

func merged(t *testing.T, commands ...Command) *CommandSet {
	t.Helper()
	set, err := Merge(commands)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func mustSync(t *testing.T, rest *fakeREST, store *memory, set *CommandSet, o SyncOptions) Report {
	t.Helper()
	report, err := SyncCommands(t.Context(), rest, store, 9, set, o)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func (f *fakeREST) mustHaveCost(t *testing.T, gets, puts int) {
	t.Helper()
	if f.gets != gets || f.puts != puts {
		t.Errorf("cost %d GET and %d PUT, want %d and %d", f.gets, f.puts, gets, puts)
	}
	f.gets, f.puts = 0, 0
}

func TestAnUnchangedSetCostsOneGET(t *testing.T) {
	rest, store := &fakeREST{}, &memory{}
	set := merged(t, command("a", 0, `{"name":"ping","description":"Pong"}`), command("a", 0, `{"name":"High Five","type":2}`))
	report := mustSync(t, rest, store, set, SyncOptions{})
	rest.mustHaveCost(t, 1, 1)
	if s := report.Scopes[0]; !s.Written || strings.Join(s.Names(ActionAdd), " ") != "ping High Five" {
		t.Errorf("report %+v", s)
	}
	writes := store.writes
	report = mustSync(t, rest, store, set, SyncOptions{})
	rest.mustHaveCost(t, 1, 0)
	if store.writes != writes || report.Scopes[0].Written {
		t.Errorf("%d writes to the store, report %+v", store.writes-writes, report)
	}
	mustSync(t, rest, &memory{}, set, SyncOptions{}) // the state folder is lost: compared canonically
	rest.mustHaveCost(t, 1, 0)
}

func TestAChangeCostsOnePUT(t *testing.T) {
	rest, store := &fakeREST{}, &memory{}
	mustSync(t, rest, store, merged(t, command("a", 0, `{"name":"ping","description":"Pong","integration_types":[0]}`)), SyncOptions{})
	rest.mustHaveCost(t, 1, 1)
	for _, next := range []string{
		`{"name":"ping","description":"Pong!","integration_types":[0]}`,
		`{"name":"ping","description":"Pong!"}`, // left to Discord again: only the fingerprint knows
	} {
		report := mustSync(t, rest, store, merged(t, command("a", 0, next)), SyncOptions{})
		rest.mustHaveCost(t, 1, 1)
		if s := report.Scopes[0]; strings.Join(s.Names(ActionChange), " ") != "ping" || len(s.Names(ActionAdd)) != 0 {
			t.Errorf("report %+v", s)
		}
	}
}

func TestWhatDiscordRewritesIsNotWrittenAgain(t *testing.T) {
	rest, store := &fakeREST{rewrite: func(m map[string]any) { m["description"] = "as Discord likes it" }}, &memory{}
	set := merged(t, command("a", 0, `{"name":"ping","description":"Pong","unheard_of":1}`))
	mustSync(t, rest, store, set, SyncOptions{})
	rest.mustHaveCost(t, 1, 1)
	mustSync(t, rest, store, set, SyncOptions{})
	rest.mustHaveCost(t, 1, 0)
	rest.commands[global][0]["description"] = "changed by hand"
	mustSync(t, rest, store, set, SyncOptions{})
	rest.mustHaveCost(t, 1, 1)
}

func foreign(rest *fakeREST, names ...string) {
	var list []map[string]any
	for i, name := range names {
		list = append(list, map[string]any{"name": name, "description": "d", "id": fmt.Sprint(1000 + i), "default_member_permissions": "8"})
	}
	rest.overwrite(global, list)
}

func TestForeignCommandsAreCarriedAlong(t *testing.T) {
	rest, store := &fakeREST{}, &memory{}
	foreign(rest, "theirs", "others")
	report := mustSync(t, rest, store, merged(t, command("a", 0, `{"name":"ping","description":"Pong"}`)), SyncOptions{})
	if got := rest.names(global); got != "others ping theirs" {
		t.Errorf("registered: %s", got)
	}
	for _, m := range rest.commands[global] {
		if m["name"] == "theirs" && (m["id"] != "1000" || m["default_member_permissions"] != "8") {
			t.Errorf("carried along as %v", m)
		}
	}
	if s := report.Scopes[0]; strings.Join(s.Names(ActionForeign), " ") != "others theirs" {
		t.Errorf("report %+v", s)
	}
	if store.ours() != 1 {
		t.Errorf("ours are %v", store.lines)
	}
	mustSync(t, rest, store, merged(t), SyncOptions{Prune: true})
	if got := rest.names(global); got != "others theirs" {
		t.Errorf("registered after a prune: %s", got)
	}
}

func TestExclusiveRemovesForeignCommandsButTheEntryPoint(t *testing.T) {
	rest, store := &fakeREST{}, &memory{}
	foreign(rest, "theirs", "launch")
	rest.commands[global][1]["type"] = 4.0
	report := mustSync(t, rest, store, nil, SyncOptions{Exclusive: true})
	if got := rest.names(global); got != "launch" {
		t.Errorf("registered: %s", got)
	}
	if s := report.Scopes[0]; strings.Join(s.Names(ActionRemove), " ") != "theirs" {
		t.Errorf("report %+v", s)
	}
}

func TestWhatVanishedWaitsForAPrune(t *testing.T) {
	for _, o := range []SyncOptions{{}, {Exclusive: true}} {
		rest, store := &fakeREST{}, &memory{}
		both := merged(t, command("a", 0, `{"name":"ping"}`), command("b", 0, `{"name":"pong"}`))
		mustSync(t, rest, store, both, o)
		rest.mustHaveCost(t, 1, 1)
		one := merged(t, command("a", 0, `{"name":"ping"}`))
		report := mustSync(t, rest, store, one, o)
		rest.mustHaveCost(t, 1, 0)
		if s := report.Scopes[0]; strings.Join(s.Names(ActionWait), " ") != "pong" || store.ours() != 2 {
			t.Errorf("report %+v, ours %v", s, store.lines)
		}
		report = mustSync(t, rest, store, merged(t), o) // an empty folder
		if got := rest.names(global); got != "ping pong" || strings.Join(report.Scopes[0].Names(ActionWait), " ") != "ping pong" {
			t.Errorf("registered: %s, report %+v", got, report)
		}
		mustSync(t, rest, store, one, SyncOptions{Prune: true, Exclusive: o.Exclusive})
		if got := rest.names(global); got != "ping" || store.ours() != 1 {
			t.Errorf("registered after a prune: %s, ours %v", got, store.lines)
		}
	}
}

func TestAnEmptyFolderAsksNothing(t *testing.T) {
	rest := &fakeREST{}
	if report := mustSync(t, rest, &memory{}, nil, SyncOptions{}); len(report.Scopes) != 0 {
		t.Errorf("report %+v", report)
	}
	rest.mustHaveCost(t, 0, 0)
}

func TestScopesAreApart(t *testing.T) {
	rest, store := &fakeREST{refuse: map[string]int{"GET /applications/9/guilds/5/commands": http.StatusForbidden}}, &memory{}
	set := merged(t, command("a", 0, `{"name":"x"}`), command("a", 5, `{"name":"y"}`), command("a", 6, `{"name":"z"}`))
	report, err := SyncCommands(t.Context(), rest, store, 9, set, SyncOptions{})
	if err == nil || !strings.Contains(err.Error(), "of guild 5") || !strings.Contains(err.Error(), "invite the bot") {
		t.Errorf("error %v", err)
	}
	if len(report.Scopes) != 2 || rest.names(global) != "x" || rest.names("/applications/9/guilds/6/commands") != "z" {
		t.Errorf("report %+v, registered %v", report, rest.commands)
	}
	rest.refuse = nil
	rest.gets, rest.puts = 0, 0
	mustSync(t, rest, store, set, SyncOptions{})
	rest.mustHaveCost(t, 3, 1)
}

func TestLimitsCountForeignCommandsToo(t *testing.T) {
	rest := &fakeREST{}
	var names []string
	for i := range 60 {
		names = append(names, fmt.Sprint("theirs", i))
	}
	foreign(rest, names...)
	_, err := SyncCommands(t.Context(), rest, &memory{}, 9, merged(t, many("a", 1, 41)...), SyncOptions{})
	if err == nil || !strings.Contains(err.Error(), "101 chat input commands") {
		t.Errorf("error %v", err)
	}
	rest.mustHaveCost(t, 1, 0)
	mustSync(t, rest, &memory{}, merged(t, many("a", 1, 40)...), SyncOptions{})
}

func TestARefusedWriteIsTriedAgainAndNothingOfOursIsForgotten(t *testing.T) {
	rest, store := &fakeREST{refuse: map[string]int{"PUT " + global: http.StatusInternalServerError}}, &memory{}
	set := merged(t, command("a", 0, `{"name":"ping"}`))
	if _, err := SyncCommands(t.Context(), rest, store, 9, set, SyncOptions{}); err == nil {
		t.Fatal("no error")
	}
	if store.ours() != 1 {
		t.Errorf("ours are %v", store.lines)
	}
	rest.refuse = nil
	mustSync(t, rest, store, set, SyncOptions{})
	if got := rest.names(global); got != "ping" {
		t.Errorf("registered: %s", got)
	}
	rest.gets, rest.puts = 0, 0
	mustSync(t, rest, store, set, SyncOptions{})
	rest.mustHaveCost(t, 1, 0)
}

// TestWhatAPluginDropsIsRemovedAtOnce: a plugin that is there has said so; one that
// is not says nothing, and neither does what an older host has written.
func TestWhatAPluginDropsIsRemovedAtOnce(t *testing.T) {
	rest, store := &fakeREST{}, &memory{}
	mustSync(t, rest, store, merged(t, command("a", 0, `{"name":"ping"}`), command("a", 0, `{"name":"pong"}`), command("a", 7, `{"name":"here"}`),
		command("b", 0, `{"name":"gone"}`)), SyncOptions{Present: []string{"a", "b"}})
	store.lines = append(store.lines, "0/1///old")
	rest.commands[global] = append(rest.commands[global], map[string]any{"name": "old", "id": "77", "description": "d"})
	rest.gets, rest.puts = 0, 0
	less := merged(t, command("a", 0, `{"name":"ping"}`))
	report := mustSync(t, rest, store, less, SyncOptions{Present: []string{"a", "c"}})
	rest.mustHaveCost(t, 2, 2)
	if got, here := rest.names(global), rest.names("/applications/9/guilds/7/commands"); got != "gone old ping" || here != "" {
		t.Errorf("registered: %s, in the guild: %s", got, here)
	}
	if got := fmt.Sprint(report.Scopes); !strings.Contains(got, "removed pong; kept although their plugins are gone (holdfast reload --prune removes them): gone, old") ||
		!strings.Contains(got, "of guild 7: removed here") {
		t.Errorf("report %s", got)
	}
	mustSync(t, rest, store, less, SyncOptions{Present: []string{"a", "c"}})
	rest.mustHaveCost(t, 1, 0)
	mustSync(t, rest, store, merged(t), SyncOptions{Present: []string{"a"}}) // nothing is left of it, but it is there
	if got := rest.names(global); got != "gone old" {
		t.Errorf("registered: %s", got)
	}
}

// TestACommandMovesToAnotherPlugin: its owner changes, and nothing is written.
func TestACommandMovesToAnotherPlugin(t *testing.T) {
	rest, store := &fakeREST{}, &memory{}
	mustSync(t, rest, store, merged(t, command("a", 0, `{"name":"ping"}`)), SyncOptions{Present: []string{"a"}})
	mustSync(t, rest, store, merged(t, command("b", 0, `{"name":"ping"}`)), SyncOptions{Present: []string{"a", "b"}})
	mustSync(t, rest, store, merged(t), SyncOptions{Present: []string{"a"}})
	rest.mustHaveCost(t, 2, 1)
	if got := rest.names(global); got != "ping" {
		t.Errorf("registered: %s", got)
	}
}

// TestAGuildThatTheBotHasLeftIsForgotten, if nothing is wanted there any more.
func TestAGuildThatTheBotHasLeftIsForgotten(t *testing.T) {
	rest, store := &fakeREST{}, &memory{}
	set := merged(t, command("a", 5, `{"name":"here"}`))
	mustSync(t, rest, store, set, SyncOptions{Present: []string{"a"}})
	rest.refuse = map[string]int{"GET /applications/9/guilds/5/commands": http.StatusForbidden}
	if _, err := SyncCommands(t.Context(), rest, store, 9, set, SyncOptions{Present: []string{"a"}}); err == nil || store.ours() != 1 {
		t.Errorf("wanted there: error %v, %d ours", err, store.ours())
	}
	look, err := LookAtCommands(t.Context(), rest, store, 9, set, SyncOptions{})
	if err == nil || len(look.Scopes) != 2 || look.Scopes[1].Read() || !slices.Equal(look.Scopes[1].Names(ActionAdd), []string{"here"}) ||
		!strings.Contains(look.Scopes[1].Steps[0].Fault, "answered 403") {
		t.Errorf("a look where the bot is not and a command is wanted told %+v, %v", look, err)
	}
	rest.refuse["GET /applications/9/guilds/5/commands"] = http.StatusInternalServerError
	if look, err := LookAtCommands(t.Context(), rest, store, 9, set, SyncOptions{}); err == nil || len(look.Scopes) != 2 || !slices.Equal(look.Scopes[1].Names(ActionUnknown), []string{"here"}) {
		t.Errorf("a look at what Discord does not tell told %+v, %v", look, err)
	}
	rest.refuse["GET /applications/9/guilds/5/commands"] = http.StatusForbidden
	if report, err := LookAtCommands(t.Context(), rest, store, 9, merged(t), SyncOptions{}); err != nil || len(report.Scopes) != 2 || len(report.Scopes[1].Steps) != 0 {
		t.Errorf("a look where nothing is wanted: %+v, %v", report, err)
	}
	mustSync(t, rest, store, merged(t), SyncOptions{Present: []string{"a"}})
	if store.ours() != 0 {
		t.Errorf("remembered: %v", store.lines)
	}
}

// TestWhatIsForeignAndDeclaredIsTakenOver, and told, once, whether something changes
// with it or not.
func TestWhatIsForeignAndDeclaredIsTakenOver(t *testing.T) {
	rest, store := &fakeREST{}, &memory{}
	foreign(rest, "ping", "same")
	delete(rest.commands[global][1], "default_member_permissions")
	report := mustSync(t, rest, store, merged(t, command("a", 0, `{"name":"ping"}`), command("a", 0, `{"name":"same"}`)), SyncOptions{})
	rest.mustHaveCost(t, 1, 1)
	want := []Step{
		{Action: ActionTakeOver, Kind: 1, Name: "ping", Plugin: "a", Differs: []string{"default_member_permissions"}},
		{Action: ActionAdopt, Kind: 1, Name: "same", Plugin: "a"},
	}
	if got := report.Scopes[0]; !reflect.DeepEqual(got.Steps, want) || store.ours() != 2 || !strings.Contains(got.String(), "state is lost): same") {
		t.Errorf("report %+v, %s, %d ours", got, got, store.ours())
	}
	report = mustSync(t, rest, store, merged(t, command("a", 0, `{"name":"ping"}`), command("a", 0, `{"name":"same"}`)), SyncOptions{})
	if got := report.Scopes[0]; len(got.Names(ActionKeep)) != 2 {
		t.Errorf("the second time: %+v", got)
	}
}

// TestWhenTheMemoryIsLost: a folder of state that is gone or damaged removes nothing and
// writes nothing; what is declared is ours again, all else is another program's from
// then on, also for a prune.
func TestWhenTheMemoryIsLost(t *testing.T) {
	rest, store := &fakeREST{}, &memory{}
	both := merged(t, command("a", 0, `{"name":"mine"}`), command("b", 0, `{"name":"away"}`))
	mustSync(t, rest, store, both, SyncOptions{})
	rest.gets, rest.puts = 0, 0
	store.lines = []string{"no/line/of ours", "", "x"}
	one := merged(t, command("a", 0, `{"name":"mine"}`))
	for _, prune := range []bool{false, true} {
		mustSync(t, rest, store, one, SyncOptions{Present: []string{"a"}, Prune: prune})
	}
	rest.mustHaveCost(t, 2, 0)
	if got := rest.names(global); got != "away mine" || store.ours() != 1 {
		t.Errorf("registered %s, %d ours", got, store.ours())
	}
}

// TestTwoHundredCreationsADay are counted over restarts; the next are not sent, and
// the error says when they can be.
func TestTwoHundredCreationsADay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rest, store := &fakeREST{}, &memory{}
		begun := time.Now()
		none := SyncOptions{Prune: true}
		mustSync(t, rest, store, merged(t, many("a", 1, 100)...), SyncOptions{})
		mustSync(t, rest, store, nil, none)
		time.Sleep(time.Hour)
		mustSync(t, rest, store, merged(t, many("a", 1, 98)...), SyncOptions{})
		mustSync(t, rest, store, nil, none)
		time.Sleep(time.Hour)
		rest.gets, rest.puts = 0, 0
		three := merged(t, many("a", 1, 3)...)
		_, err := SyncCommands(t.Context(), rest, store, 9, three, SyncOptions{})
		want := "3 are new and 198 were created in the last 24 hours, Discord takes 200 a day: reload after " + begun.Add(24*time.Hour).UTC().Format(time.RFC3339)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("told %v\nwant %s", err, want)
		}
		rest.mustHaveCost(t, 1, 0)
		two := merged(t, many("a", 1, 2)...)
		mustSync(t, rest, store, two, SyncOptions{})
		mustSync(t, rest, store, merged(t, command("a", 6, `{"name":"x"}`)), SyncOptions{}) // another scope
		rest.refuse = map[string]int{"PUT " + global: http.StatusBadRequest}
		time.Sleep(22*time.Hour + time.Second)
		if _, err := SyncCommands(t.Context(), rest, store, 9, three, SyncOptions{}); err == nil || !strings.Contains(err.Error(), "Discord answered 400") {
			t.Errorf("error %v", err)
		}
		rest.refuse = nil
		mustSync(t, rest, store, merged(t, many("a", 1, 100)...), SyncOptions{}) // 98 are new, and 100 were created in the last day: what was refused does not count
		if m, _ := readMemories(store); m.createdIn(0, time.Now()) != 198 {
			t.Errorf("created: %v", m.creations)
		}
	})
}

// TestWhatIsRefusedDoesNotBecomeOurs: Discord took nothing of it.
func TestWhatIsRefusedDoesNotBecomeOurs(t *testing.T) {
	rest, store := &fakeREST{refuse: map[string]int{"PUT " + global: http.StatusBadRequest}}, &memory{}
	foreign(rest, "ping")
	if _, err := SyncCommands(t.Context(), rest, store, 9, merged(t, command("a", 0, `{"name":"ping"}`)), SyncOptions{}); err == nil {
		t.Fatal("no error")
	}
	rest.refuse = nil
	mustSync(t, rest, store, nil, SyncOptions{Prune: true})
	if got := rest.names(global); got != "ping" || len(store.lines) != 0 {
		t.Errorf("registered: %s, remembered: %v", got, store.lines)
	}
}

// TestOneGuildOnly: a bot in development leaves everything else as it is.
func TestOneGuildOnly(t *testing.T) {
	rest, store := &fakeREST{}, &memory{}
	set := merged(t, command("a", 0, `{"name":"ping"}`), command("a", 6, `{"name":"there"}`))
	mustSync(t, rest, store, set, SyncOptions{Present: []string{"a"}})
	rest.mustHaveCost(t, 2, 2)
	set, _ = merged(t, command("a", 0, `{"name":"ping2"}`), command("a", 6, `{"name":"there"}`)).In(5)
	dev := SyncOptions{Present: []string{"a"}, Only: 5, Prune: true, Exclusive: true}
	mustSync(t, rest, store, set, dev)
	rest.mustHaveCost(t, 1, 1)
	mustSync(t, rest, store, set, dev)
	rest.mustHaveCost(t, 1, 0)
	in := func(guild int) string { return rest.names(fmt.Sprintf("/applications/9/guilds/%d/commands", guild)) }
	if rest.names(global) != "ping" || in(5) != "ping2 there" || in(6) != "there" {
		t.Errorf("registered: %s, %s, %s", rest.names(global), in(5), in(6))
	}
	mustSync(t, rest, store, merged(t, command("a", 0, `{"name":"ping2"}`), command("a", 6, `{"name":"there"}`)), SyncOptions{Present: []string{"a"}})
	if rest.names(global) != "ping2" || in(5) != "" || in(6) != "there" {
		t.Errorf("registered when the development has ended: %s, %s, %s", rest.names(global), in(5), in(6))
	}
}

// TestLookingChangesNothing, and tells what a sync would do.
func TestLookingChangesNothing(t *testing.T) {
	rest, store := &fakeREST{}, &memory{}
	foreign(rest, "theirs")
	mustSync(t, rest, store, merged(t, command("a", 0, `{"name":"ping"}`), command("b", 0, `{"name":"pong"}`), command("c", 6, `{"name":"there"}`)), SyncOptions{})
	rest.mustHaveCost(t, 2, 2)
	writes := store.writes
	set := merged(t, command("a", 0, `{"name":"ping","nsfw":true}`), command("a", 0, `{"name":"new"}`))
	o := SyncOptions{Present: []string{"a", "c"}}
	report, err := LookAtCommands(t.Context(), rest, store, 9, set, o)
	if err != nil || store.writes != writes {
		t.Errorf("%v, %d writes", err, store.writes-writes)
	}
	rest.mustHaveCost(t, 2, 0)
	want := Report{Scopes: []ScopeReport{
		{Guild: 0, Steps: []Step{
			{Action: ActionAdd, Kind: 1, Name: "new", Plugin: "a"},
			{Action: ActionChange, Kind: 1, Name: "ping", Plugin: "a", Differs: []string{"nsfw"}},
			{Action: ActionWait, Kind: 1, Name: "pong", Plugin: "b"},
			{Action: ActionForeign, Kind: 1, Name: "theirs"},
		}},
		{Guild: 6, Steps: []Step{{Action: ActionRemove, Kind: 1, Name: "there", Plugin: "c"}}},
	}}
	if !reflect.DeepEqual(report, want) {
		t.Errorf("saw  %+v\nwant %+v", report, want)
	}
	done := mustSync(t, rest, store, set, o)
	for i := range done.Scopes {
		if !reflect.DeepEqual(done.Scopes[i].Steps, want.Scopes[i].Steps) {
			t.Errorf("a sync did %+v", done.Scopes[i])
		}
	}
	if report, err := LookAtCommands(t.Context(), rest, &memory{}, 9, nil, SyncOptions{}); err != nil || len(report.Scopes) != 1 || len(report.Scopes[0].Steps) != 4 {
		t.Errorf("without anything of ours: %+v, %v", report, err)
	}
}
