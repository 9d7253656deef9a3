package router

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
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

func TestOwnedLines(t *testing.T) {
	all := owned{
		{guild: 0, kind: 1, name: "ping"}:         {want: "ab", have: "cd"},
		{guild: 12, kind: 2, name: "a/b / c"}:     {},
		{guild: 12, kind: 3, name: "Übersetzen!"}: {want: "x"},
	}
	again := make(owned)
	for _, line := range all.lines() {
		key, p, ok := parseOwned(line)
		if !ok {
			t.Fatalf("%q is not read", line)
		}
		again[key] = p
	}
	if fmt.Sprint(again) != fmt.Sprint(all) {
		t.Errorf("%v became %v", all, again)
	}
	for _, line := range []string{"", "x", "1/2/3/4", "1/2/3/4/", "-1/1///a", "0/x///a"} {
		if key, _, ok := parseOwned(line); ok {
			t.Errorf("%q was read as %v", line, key)
		}
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
