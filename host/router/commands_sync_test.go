package router

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
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
	if s := report.Scopes[0]; !s.Written || strings.Join(s.Added, " ") != "ping High Five" {
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
		if s := report.Scopes[0]; strings.Join(s.Changed, " ") != "ping" || len(s.Added) != 0 {
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
	if s := report.Scopes[0]; strings.Join(s.Foreign, " ") != "theirs others" {
		t.Errorf("report %+v", s)
	}
	if len(store.lines) != 1 {
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
	if s := report.Scopes[0]; strings.Join(s.Removed, " ") != "theirs" {
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
		if s := report.Scopes[0]; strings.Join(s.Waiting, " ") != "pong" || len(store.lines) != 2 {
			t.Errorf("report %+v, ours %v", s, store.lines)
		}
		report = mustSync(t, rest, store, merged(t), o) // an empty folder
		if got := rest.names(global); got != "ping pong" || strings.Join(report.Scopes[0].Waiting, " ") != "ping pong" {
			t.Errorf("registered: %s, report %+v", got, report)
		}
		mustSync(t, rest, store, one, SyncOptions{Prune: true, Exclusive: o.Exclusive})
		if got := rest.names(global); got != "ping" || len(store.lines) != 1 {
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
	if len(store.lines) != 1 {
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
