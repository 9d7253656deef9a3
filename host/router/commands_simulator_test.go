package router_test

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/holdfast-bot/holdfast/host/rest"
	"github.com/holdfast-bot/holdfast/host/router"
	"github.com/holdfast-bot/holdfast/host/simulator"
	"github.com/holdfast-bot/holdfast/host/state"
)

// gateway to REST as the host builds it.
type throughGate struct{ gate *rest.Gate }

func (g throughGate) Do(ctx context.Context, method, path string, body []byte) (int, []byte, error) {
	response, err := g.gate.Do(ctx, &rest.Request{Caller: "host", Method: method, Path: path, Body: body})
	if err != nil {
		return 0, nil, err
	}
	return response.Status, response.Body, nil
}

// TestCommandsAgainstTheSimulator syncs a set of every kind of command through
// the gate, with the state folder as the store: the second sync costs one GET
// for each scope and no PUT, and what is foreign stays.
func TestCommandsAgainstTheSimulator(t *testing.T) {
	s, err := simulator.Start(simulator.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	gate, err := rest.New(rest.Config{Token: s.Token(), BaseURL: s.URL()})
	if err != nil {
		t.Fatal(err)
	}
	defer gate.Close()
	store, err := state.Open(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	through := throughGate{gate}
	application := applicationOf(t, through)
	guild := s.Guilds()[0].ID
	id := s.Register(0, json.RawMessage(`{"name":"theirs","description":"Not ours","default_member_permissions":"8","name_localizations":{"de":"ihrer"}}`))

	declared := []router.Command{
		{Plugin: "a", JSON: json.RawMessage(`{"name":"ping","description":"Replies with pong."}`)},
		{Plugin: "a", JSON: json.RawMessage(`{"name":"roll","description":"Rolls dice","options":[
			{"type":4,"name":"sides","description":"How many","min_value":2,"max_value":1e2,"choices":[{"name":"six","value":6.0}]},
			{"type":7,"name":"where","description":"A channel","channel_types":[5,0],"required":false}],"default_member_permissions":"2048"}`)},
		{Plugin: "a", JSON: json.RawMessage(`{"name":"config","description":"Settings","dm_permission":false,"options":[
			{"type":2,"name":"set","description":"Sets","options":[{"type":1,"name":"prefix","description":"The prefix","options":[
			{"type":3,"name":"value","description":"It","required":true,"max_length":5}]}]}]}`)},
		{Plugin: "b", JSON: json.RawMessage(`{"type":2,"name":"High Five","contexts":[0],"integration_types":[0,1]}`)},
		{Plugin: "b", JSON: json.RawMessage(`{"type":3,"name":"Translate","nsfw":true}`)},
		{Plugin: "b", Guild: guild, JSON: json.RawMessage(`{"name":"local","description":"Here only","name_localizations":{"de":"hier"}}`)},
	}
	set, err := router.Merge(declared)
	if err != nil {
		t.Fatal(err)
	}
	sync := func(set *router.CommandSet, o router.SyncOptions) (gets, puts uint64) {
		before := s.Counts().Requests
		if _, err := router.SyncCommands(t.Context(), through, store, application, set, o); err != nil {
			t.Fatal(err)
		}
		for route, n := range s.Counts().Requests {
			switch method, _, _ := strings.Cut(route, " "); method {
			case http.MethodGet:
				gets += n - before[route]
			default:
				puts += n - before[route]
			}
		}
		return gets, puts
	}
	if gets, puts := sync(set, router.SyncOptions{}); gets != 2 || puts != 2 {
		t.Errorf("the first sync of two scopes cost %d GET and %d PUT", gets, puts)
	}
	if gets, puts := sync(set, router.SyncOptions{}); gets != 2 || puts != 0 {
		t.Errorf("the second sync of two scopes cost %d GET and %d PUT", gets, puts)
	}
	if err := store.SetOwnedCommands(nil); err != nil { // as if the state folder were new
		t.Fatal(err)
	}
	if gets, puts := sync(set, router.SyncOptions{}); gets != 2 || puts != 0 {
		t.Errorf("a sync with a new state folder cost %d GET and %d PUT", gets, puts)
	}
	mustHave(t, s, 0, "High Five", "Translate", "config", "ping", "roll", "theirs")
	mustHave(t, s, guild, "local")
	for _, c := range s.Commands(0) {
		if c.Name == "theirs" && (c.ID != id || !strings.Contains(string(c.JSON), `"8"`) || !strings.Contains(string(c.JSON), "ihrer")) {
			t.Errorf("the foreign command became %s", c.JSON)
		}
	}

	less, err := router.Merge(declared[:1])
	if err != nil {
		t.Fatal(err)
	}
	if gets, puts := sync(less, router.SyncOptions{}); gets != 1 || puts != 0 {
		t.Errorf("plugins that vanished cost %d GET and %d PUT", gets, puts)
	}
	if gets, puts := sync(less, router.SyncOptions{Prune: true}); gets != 2 || puts != 2 {
		t.Errorf("a prune of two scopes cost %d GET and %d PUT", gets, puts)
	}
	mustHave(t, s, 0, "ping", "theirs")
	mustHave(t, s, guild)
	if breaches := s.Breaches(); len(breaches) != 0 {
		t.Errorf("breaches: %v", breaches)
	}
}

func applicationOf(t *testing.T, through throughGate) uint64 {
	t.Helper()
	_, answer, err := through.Do(t.Context(), http.MethodGet, "/applications/@me", nil)
	if err != nil {
		t.Fatal(err)
	}
	var application struct {
		ID uint64 `json:"id,string"`
	}
	if err := json.Unmarshal(answer, &application); err != nil {
		t.Fatal(err)
	}
	return application.ID
}

func mustHave(t *testing.T, s *simulator.Server, guild uint64, want ...string) {
	t.Helper()
	var names []string
	for _, c := range s.Commands(guild) {
		names = append(names, c.Name)
	}
	slices.Sort(names)
	if !slices.Equal(names, want) {
		t.Errorf("registered in %d: %q, want %q", guild, names, want)
	}
}
