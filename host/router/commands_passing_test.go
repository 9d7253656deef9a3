package router

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"
)

// brokenREST fails or answers something else before Discord is asked, or after.
type brokenREST struct {
	*fakeREST

	err    error
	answer string // instead of Discord's
}

func (b *brokenREST) Do(ctx context.Context, method, path string, body []byte) (int, []byte, error) {
	if b.err != nil {
		return 0, nil, b.err
	}
	status, answer, err := b.fakeREST.Do(ctx, method, path, body)
	if b.answer != "" {
		answer = []byte(b.answer)
	}
	return status, answer, err
}

// brokenStore does not take anything.
type brokenStore struct{ memory }

func (*brokenStore) SetOwnedCommands([]string) error { return errors.New("no space left on device") }

// TestWhatMayPass: a sync is worth another attempt when Discord was at fault or out of
// reach, and not when it has refused.
func TestWhatMayPass(t *testing.T) {
	set := merged(t, Command{Plugin: "p", JSON: json.RawMessage(`{"name":"a","description":"d"}`)})
	ok := &fakeREST{}
	for name, test := range map[string]struct {
		rest  REST
		store OwnedStore
		want  bool
	}{
		"no way":         {&brokenREST{ok, errors.New("connection refused"), ""}, &memory{}, true},
		"garbage":        {&brokenREST{ok, nil, "<html>"}, &memory{}, true},
		"read 503":       {&fakeREST{refuse: map[string]int{"GET " + global: 503}}, &memory{}, true},
		"read 429":       {&fakeREST{refuse: map[string]int{"GET " + global: 429}}, &memory{}, true},
		"read 403":       {&fakeREST{refuse: map[string]int{"GET " + global: 403}}, &memory{}, false},
		"write 500":      {&fakeREST{refuse: map[string]int{"PUT " + global: 500}}, &memory{}, true},
		"write 400":      {&fakeREST{refuse: map[string]int{"PUT " + global: 400}}, &memory{}, false},
		"full disk":      {ok, &brokenStore{}, true},
		"too many a day": {ok, &memory{lines: []string{fmt.Sprintf("created/0/%d/200", time.Now().Unix())}}, false},
	} {
		_, err := SyncCommands(t.Context(), test.rest, test.store, 9, set, SyncOptions{})
		if err == nil || MayPass(err) != test.want {
			t.Errorf("%s: may pass %v: %v", name, MayPass(err), err)
		}
	}
	two := merged(t, Command{Plugin: "p", JSON: json.RawMessage(`{"name":"a","description":"d"}`)},
		Command{Plugin: "p", Guild: 7, JSON: json.RawMessage(`{"name":"a","description":"d"}`)})
	rest := &fakeREST{refuse: map[string]int{"GET " + global: 503, "GET /applications/9/guilds/7/commands": 403}}
	if _, err := SyncCommands(t.Context(), rest, &memory{}, 9, two, SyncOptions{}); !MayPass(err) {
		t.Errorf("one of two scopes: %v", err)
	}
}

// TestAttemptsDoNotUseUpTheDay: Discord is at fault again and again; when it is not any
// more, the commands are created, and only they count among the 200 of the day.
func TestAttemptsDoNotUseUpTheDay(t *testing.T) {
	var all []Command
	for n := range 30 {
		all = append(all, Command{Plugin: "p", JSON: json.RawMessage(fmt.Sprintf(`{"name":"c%d","description":"d"}`, n))})
	}
	set, store := merged(t, all...), &memory{}
	rest := &fakeREST{refuse: map[string]int{http.MethodPut + " " + global: 502}}
	for range 12 {
		if _, err := SyncCommands(t.Context(), rest, store, 9, set, SyncOptions{}); !MayPass(err) {
			t.Fatal(err)
		}
	}
	rest.refuse = nil
	mustSync(t, rest, store, set, SyncOptions{})
	m, err := readMemories(store)
	if err != nil {
		t.Fatal(err)
	}
	if n := m.createdIn(0, time.Now()); n != 30 || rest.puts != 1 {
		t.Errorf("%d creations count, after %d writes", n, rest.puts)
	}
}

// TestAFaultAfterTheFact: what Discord has created although it answered 500 counts.
func TestAFaultAfterTheFact(t *testing.T) {
	set, store := merged(t, Command{Plugin: "p", JSON: json.RawMessage(`{"name":"a","description":"d"}`)}), &memory{}
	rest := &fakeREST{}
	broken := &writesThenFails{rest}
	if _, err := SyncCommands(t.Context(), broken, store, 9, set, SyncOptions{}); !MayPass(err) {
		t.Fatal(err)
	}
	mustSync(t, rest, store, set, SyncOptions{})
	m, err := readMemories(store)
	if err != nil {
		t.Fatal(err)
	}
	if n := m.createdIn(0, time.Now()); n != 1 || rest.puts != 1 {
		t.Errorf("%d creations count, after %d writes", n, rest.puts)
	}
}

// writesThenFails answers 500 to an overwrite that was done.
type writesThenFails struct{ *fakeREST }

func (w *writesThenFails) Do(ctx context.Context, method, path string, body []byte) (int, []byte, error) {
	status, answer, err := w.fakeREST.Do(ctx, method, path, body)
	if method == http.MethodPut {
		return http.StatusInternalServerError, []byte(`{}`), err
	}
	return status, answer, err
}
