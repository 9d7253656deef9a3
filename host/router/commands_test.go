package router

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

// command is one that a plugin declares. A chat input command without a
// description gets one.
func command(plugin string, guild uint64, raw string) Command {
	if fields, err := readObject(json.RawMessage(raw)); err == nil && max(intOf(fields["type"]), 1) == chatInput && fields["description"] == nil {
		fields["description"] = "d"
		if written, err := json.Marshal(fields); err == nil {
			raw = string(written)
		}
	}
	return Command{Plugin: plugin, Guild: guild, JSON: json.RawMessage(raw)}
}

func many(plugin string, kind, n int) []Command {
	var all []Command
	for i := range n {
		all = append(all, command(plugin, 0, fmt.Sprintf(`{"type":%d,"name":"c%d"}`, kind, i)))
	}
	return all
}

func TestOwners(t *testing.T) {
	set, err := Merge([]Command{
		command("a", 0, `{"name":"ping"}`),
		command("b", 0, `{"name":"ping","type":2}`),
		command("c", 5, `{"name":"ping"}`),
		command("d", 5, `{"name":"High Five","type":3}`),
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		kind  int
		name  string
		guild uint64
		want  string
	}{
		{1, "ping", 0, "a"}, {2, "ping", 0, "b"}, {1, "ping", 5, "c"}, {1, "ping", 6, "a"}, {3, "High Five", 5, "d"},
		{3, "High Five", 0, ""}, {1, "pong", 0, ""}, {3, "ping", 5, ""},
	} {
		owner, ok := set.Owner(test.kind, test.name, test.guild)
		if owner != test.want || ok != (test.want != "") {
			t.Errorf("type %d %q in guild %d belongs to %q, want %q", test.kind, test.name, test.guild, owner, test.want)
		}
	}
	if _, ok := (*CommandSet)(nil).Owner(1, "ping", 0); ok {
		t.Error("a nil set has an owner")
	}
}

func TestMergeTellsEveryFault(t *testing.T) {
	tests := map[string]struct {
		commands []Command
		want     []string
	}{
		"two plugins": {
			[]Command{command("music", 0, `{"name":"play"}`), command("games", 0, `{"name":"play","type":1}`)},
			[]string{"command /play (global)", "plugin music", "plugin games", "rename one"},
		},
		"one plugin": {
			[]Command{command("a", 7, `{"type":2,"name":"Who is"}`), command("a", 7, `{"type":2,"name":"Who is"}`)},
			[]string{`user command "Who is" (of guild 7)`, "twice by plugin a"},
		},
		"several": {
			[]Command{command("a", 0, `{`), command("b", 0, `{"description":"x"}`), command("c", 0, `{"name":"x","type":9}`)},
			[]string{"plugin a: read one", "plugin b: one of its commands has no name", "plugin c: command \"x\" of type 9"},
		},
		"chat": {many("a", 1, 101), []string{"101 chat input commands globally (101 of plugin a), Discord takes 100"}},
		"entry points of two plugins": {
			[]Command{command("a", 0, `{"name":"Launch","type":4}`), command("b", 0, `{"name":"Play","type":4}`)},
			[]string{"2 entry point commands globally (1 of plugin a, 1 of plugin b), Discord takes 1"},
		},
		"user":    {many("a", 2, 16), []string{"16 user commands globally (16 of plugin a), Discord takes 15"}},
		"message": {many("a", 3, 16), []string{"16 message commands globally (16 of plugin a), Discord takes 15"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			set, err := Merge(test.commands)
			if err == nil || set != nil {
				t.Fatalf("merged: %v", set)
			}
			for _, part := range test.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q is not in %q", part, err)
				}
			}
		})
	}
}

func TestMergeTakesWhatDiscordTakes(t *testing.T) {
	all := append(many("a", 1, 100), append(many("b", 2, 15), many("c", 3, 15)...)...)
	for _, c := range many("d", 1, 100) {
		c.Guild = 5
		all = append(all, c)
	}
	if _, err := Merge(all); err != nil {
		t.Error(err)
	}
	if _, err := Merge(nil); err != nil {
		t.Error(err)
	}
}

func TestMemoriesOutliveTheHost(t *testing.T) {
	all := memories{
		owned: map[commandKey]owned{
			{guild: 0, kind: 1, name: "ping"}:         {prints{want: "ab", have: "cd"}, "hello"},
			{guild: 12, kind: 2, name: "a/b / c"}:     {plugin: "a"},
			{guild: 12, kind: 3, name: "Übersetzen!"}: {prints: prints{want: "x"}}, // of an older host
		},
		creations: []creation{{guild: 0, at: 1700000000, created: 3}, {guild: 12, at: 1700000001, created: 200}},
	}
	again, err := readMemories(&memory{lines: all.lines()})
	if err != nil || !reflect.DeepEqual(again, all) {
		t.Errorf("%v became %v (%v)", all, again, err)
	}
	bad := []string{"", "x", "1/2/3/4", "1/2/3/4/", "-1/1///a", "0/x///a", "created", "created/1/2", "created/1/2/x", "created/1/2/-3", "0/1:/"}
	if again, err := readMemories(&memory{lines: bad}); err != nil || len(again.owned)+len(again.creations) > 0 {
		t.Errorf("what is damaged was read as %v (%v)", again, err)
	}
	old, err := readMemories(&memory{lines: []string{"0/1/ab/cd/ping"}})
	if want := (owned{prints{"ab", "cd"}, ""}); err != nil || old.owned[commandKey{kind: 1, name: "ping"}] != want {
		t.Errorf("what an older host has written was read as %v (%v)", old, err)
	}
}

func TestCreationsOfADay(t *testing.T) {
	now := time.Unix(1700000000, 0)
	var m memories
	m.create(5, 60, now)
	m.create(5, 60, now)
	m.create(6, 200, now)
	m.create(5, 70, now.Add(time.Hour))
	if n := m.createdIn(5, now.Add(2*time.Hour)); n != 190 || len(m.creations) != 3 {
		t.Errorf("%d created, kept as %v", n, m.creations)
	}
	for more, want := range map[int]time.Duration{10: 2 * time.Hour, 11: createDay, 130: createDay, 131: createDay + time.Hour} {
		if from := m.roomFrom(5, more, now.Add(2*time.Hour)); !from.Equal(now.Add(want)) {
			t.Errorf("room for %d from %s after the first on, want %s", more, from.Sub(now), want)
		}
	}
	m.create(5, 1, now.Add(createDay))
	if n := m.createdIn(5, now.Add(createDay)); n != 71 || len(m.creations) != 2 {
		t.Errorf("a day later %d created, kept as %v", n, m.creations)
	}
	if n := m.createdIn(5, now.Add(-time.Hour)); n != 0 {
		t.Errorf("%d were created in the future", n)
	}
}

// TestEverythingInOneGuild: a bot in development.
func TestEverythingInOneGuild(t *testing.T) {
	set := merged(t,
		command("a", 0, `{"name":"ping","contexts":[0]}`), command("b", 5, `{"name":"ping"}`), command("c", 6, `{"name":"ping"}`),
		command("c", 6, `{"name":"there"}`), command("d", 7, `{"name":"there"}`), command("e", 0, `{"name":"all","contexts":[0,1],"type":2}`),
		command("e", 0, `{"name":"Launch","type":4}`))
	in, left := set.In(5)
	var names []string
	for _, w := range in.scopes[5] {
		names = append(names, w.plugin+" "+w.key.name)
		if w.fields["contexts"] != nil {
			t.Errorf("%s has contexts", w.key)
		}
	}
	if got := strings.Join(names, ", "); got != "b ping, c there, e all" || len(in.scopes) != 1 {
		t.Errorf("registered in guild 5: %s, scopes %v", got, in.scopes)
	}
	if got := strings.Join(left, "; "); !strings.Contains(got, "/ping (global): there is one of plugin b already; command /ping (of guild 6): there is") ||
		!strings.Contains(got, `entry point "Launch" (global): no guild has one`) || len(left) != 4 {
		t.Errorf("left out: %s", got)
	}
	for _, test := range []struct {
		kind  int
		name  string
		guild uint64
		want  string
	}{{1, "ping", 5, "b"}, {1, "ping", 0, "a"}, {1, "ping", 6, "c"}, {1, "there", 5, "c"}, {1, "there", 7, "d"}, {1, "there", 8, ""}, {2, "all", 5, "e"}, {4, "Launch", 0, "e"}} {
		if owner, _ := in.Owner(test.kind, test.name, test.guild); owner != test.want {
			t.Errorf("type %d %q in guild %d belongs to %q, want %q", test.kind, test.name, test.guild, owner, test.want)
		}
	}
	if in, left := (*CommandSet)(nil).In(5); len(in.scopes)+len(left) != 0 {
		t.Errorf("nothing became %v, %v", in, left)
	}
}

func TestRefusalsNameTheCommand(t *testing.T) {
	set, err := Merge([]Command{command("music", 0, `{"name":"play"}`)})
	if err != nil {
		t.Fatal(err)
	}
	bodies := []*wanted{nil, set.scopes[0][0]}
	for answer, want := range map[string]string{
		`{"code":50035,"message":"Invalid Form Body","errors":{"1":{"options":{"0":{"name":{"_errors":[{"code":"X","message":"bad name"}]}}}}}}`: "plugin music, command /play (global) options 0 name: bad name",
		`{"code":50035,"message":"Invalid Form Body","errors":{"0":{"name":{"_errors":[{"message":"bad"}]}}}}`:                                   "a foreign command",
		`{"code":50001,"message":"Missing Access"}`: "Missing Access (50001): invite the bot",
		`<html>`: "Discord answered 400",
		``:       "Discord answered 400",
	} {
		if err := refusal(400, []byte(answer), bodies); !strings.Contains(err.Error(), want) {
			t.Errorf("%s\nis told as %v", answer, err)
		}
	}
}
