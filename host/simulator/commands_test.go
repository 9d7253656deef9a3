package simulator

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
)

func commandsPath(s *Server) string { return fmt.Sprintf("/applications/%d/commands", s.Bot()) }

// many builds a bulk overwrite of n commands of a type.
func many(n, kind int) string {
	var list []string
	for i := range n {
		description := ""
		if kind == 1 {
			description = `,"description":"d"`
		}
		list = append(list, fmt.Sprintf(`{"name":"c%d","type":%d%s}`, i, kind, description))
	}
	return "[" + strings.Join(list, ",") + "]"
}

// Discord fills in what a command does not say.
func TestCommandDefaults(t *testing.T) {
	s := start(t, oneGuild())
	r := call(t, s, "PUT", commandsPath(s), `[{"name":"ping","description":"Replies.","options":[
		{"type":3,"name":"text","description":"What","required":true},{"type":4,"name":"times","description":"How often","required":false,"min_value":1}]}]`).want(200)
	c := r.list()[0].(map[string]any)
	id, version := c["id"], c["version"]
	delete(c, "id")
	delete(c, "version")
	have, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf(`{"application_id":"%d","contexts":null,"default_member_permissions":null,"description":"Replies.",`+
		`"description_localizations":null,"dm_permission":true,"integration_types":[0],"name":"ping","name_localizations":null,"nsfw":false,`+
		`"options":[{"description":"What","name":"text","required":true,"type":3},{"description":"How often","min_value":1,"name":"times","type":4}],"type":1}`, s.Bot())
	if string(have) != want {
		t.Errorf("have %s\nwant %s", have, want)
	}
	same := call(t, s, "PUT", commandsPath(s), `[{"description":"Replies.","name":"ping","options":[
		{"type":3,"name":"text","description":"What","required":true},{"type":4,"name":"times","description":"How often","required":false,"min_value":1}]}]`).want(200).list()[0].(map[string]any)
	if same["id"] != id || same["version"] != version {
		t.Errorf("unchanged: id %v → %v, version %v → %v", id, same["id"], version, same["version"])
	}
	other := call(t, s, "PUT", commandsPath(s), `[{"name":"ping","description":"Other.","default_member_permissions":"8"}]`).want(200).list()[0].(map[string]any)
	if other["id"] != id || other["version"] == version || other["default_member_permissions"] != "8" || other["options"] != nil {
		t.Errorf("changed: %v", other)
	}
	local := call(t, s, "PUT", fmt.Sprintf("/applications/%d/guilds/%d/commands", s.Bot(), s.Guilds()[0].ID), `[{"name":"Look","type":2}]`).want(200).list()[0].(map[string]any)
	if local["guild_id"] != fmt.Sprint(s.Guilds()[0].ID) || local["description"] != "" || local["type"] != 2.0 {
		t.Errorf("of a guild: %v", local)
	}
	if _, has := local["dm_permission"]; has {
		t.Errorf("a guild's command has dm_permission: %v", local)
	}
	wantBreaches(t, s, nil)
}

func TestCommandLife(t *testing.T) {
	s := start(t, Config{})
	path := commandsPath(s)
	c := call(t, s, "POST", path, `{"name":"a","description":"d"}`).want(201).object()
	again := call(t, s, "POST", path, `{"name":"a","description":"e"}`).want(200).object()
	if again["id"] != c["id"] || again["description"] != "e" {
		t.Errorf("second POST: %v", again)
	}
	one := path + "/" + c["id"].(string)
	if p := call(t, s, "PATCH", one, `{"description":"f","nsfw":true}`).want(200).object(); p["description"] != "f" || p["nsfw"] != true || p["name"] != "a" {
		t.Errorf("PATCH: %v", p)
	}
	get(t, s, one).want(200)
	call(t, s, "DELETE", one, "").want(204)
	if r := get(t, s, one).want(404); r.code() != 10063 {
		t.Errorf("code %d", r.code())
	}
	s.Register(0, json.RawMessage(`{"name":"foreign","description":"not ours"}`))
	if l := s.Commands(0); len(l) != 1 || l[0].Name != "foreign" || l[0].Type != 1 || !json.Valid(l[0].JSON) {
		t.Errorf("commands %+v", l)
	}
	if l := get(t, s, path).want(200).list(); len(l) != 1 {
		t.Errorf("commands %v", l)
	}
	call(t, s, "PUT", path, `[]`).want(200)
	if l := s.Commands(0); len(l) != 0 {
		t.Errorf("after an empty overwrite: %+v", l)
	}
	wantBreaches(t, s, nil)
}

func TestCommandRefusals(t *testing.T) {
	option := func(o string) string { return `[{"name":"a","description":"d","options":` + o + `}]` }
	sub := `{"type":1,"name":"s","description":"d"}`
	tests := []struct {
		name, body string
		code       int
		rule       Rule
	}{
		{"101 chat commands", many(101, 1), 30032, RuleCommandLimit},
		{"16 user commands", many(16, 2), 30032, RuleCommandLimit},
		{"16 message commands", many(16, 3), 30032, RuleCommandLimit},
		{"not a list", `{}`, 50109, RuleBody},
		{"an element is no object", `[1]`, 50035, RuleForm},
		{"upper case", `[{"name":"Ping","description":"d"}]`, 50035, RuleForm},
		{"a space", `[{"name":"pi ng","description":"d"}]`, 50035, RuleForm},
		{"name too long", `[{"name":"` + strings.Repeat("a", 33) + `","description":"d"}]`, 50035, RuleForm},
		{"no name", `[{"description":"d"}]`, 50035, RuleForm},
		{"no description", `[{"name":"a"}]`, 50035, RuleForm},
		{"description too long", `[{"name":"a","description":"` + strings.Repeat("a", 101) + `"}]`, 50035, RuleForm},
		{"twice", `[{"name":"a","description":"d"},{"name":"a","description":"e"}]`, 50035, RuleForm},
		{"a user command with a description", `[{"name":"A b","type":2,"description":"d"}]`, 50035, RuleForm},
		{"type 5", `[{"name":"a","type":5,"description":"d"}]`, 50035, RuleForm},
		{"option without a description", option(`[{"type":3,"name":"o"}]`), 50035, RuleForm},
		{"options twice", option(`[{"type":3,"name":"o","description":"d"},{"type":3,"name":"o","description":"d"}]`), 50035, RuleForm},
		{"required after optional", option(`[{"type":3,"name":"o","description":"d"},{"type":3,"name":"p","description":"d","required":true}]`), 50035, RuleForm},
		{"subcommand in a subcommand", option(`[{"type":1,"name":"o","description":"d","options":[` + sub + `]}]`), 50035, RuleForm},
		{"group in a group", option(`[{"type":2,"name":"o","description":"d","options":[{"type":2,"name":"p","description":"d"}]}]`), 50035, RuleForm},
		{"options of a string", option(`[{"type":3,"name":"o","description":"d","options":[` + sub + `]}]`), 50035, RuleForm},
		{"option type 12", option(`[{"type":12,"name":"o","description":"d"}]`), 50035, RuleForm},
		{"choice without a value", option(`[{"type":3,"name":"o","description":"d","choices":[{"name":"n"}]}]`), 50035, RuleForm},
		{"26 options", option("[" + strings.Repeat(sub+",", 25) + sub + "]"), 50035, RuleForm},
		{"too large", option(`[{"type":3,"name":"o","description":"d","choices":[` + strings.TrimSuffix(strings.Repeat(
			`{"name":"`+strings.Repeat("n", 100)+`","value":"`+strings.Repeat("v", 300)+`"},`, 25), ",") + `]}]`), 50035, RuleForm},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := start(t, Config{})
			if r := call(t, s, "PUT", commandsPath(s), tt.body).want(400); r.code() != tt.code {
				t.Errorf("code %d, want %d: %s", r.code(), tt.code, r.body)
			}
			wantBreaches(t, s, map[Rule]int{tt.rule: 1})
			if n := len(s.Commands(0)); n != 0 {
				t.Errorf("%d commands registered", n)
			}
		})
	}
}

func TestCommandsAtTheLimit(t *testing.T) {
	s := start(t, Config{})
	all := strings.Join([]string{many(100, 1), many(15, 2), many(15, 3)}, "")
	all = strings.ReplaceAll(all, "][", ",")
	if l := call(t, s, "PUT", commandsPath(s), all).want(200).list(); len(l) != 130 {
		t.Errorf("%d commands", len(l))
	}
	nested := `[{"name":"größe","description":"d","options":[{"type":2,"name":"g","description":"d","options":[
		{"type":1,"name":"s","description":"d","options":[{"type":3,"name":"v","description":"d","autocomplete":true}]}]}]}]`
	if l := call(t, s, "PUT", commandsPath(s), nested).want(200).list(); len(l) != 1 {
		t.Errorf("%d commands", len(l))
	}
	wantBreaches(t, s, nil)
}

func TestCommandCreatesADay(t *testing.T) {
	s := start(t, Config{})
	q := &query{s: s, rt: &route{}, now: time.Now()}
	for i := range 200 {
		if !q.spend(&s.commands, 0) {
			t.Fatalf("create %d refused", i)
		}
	}
	if q.spend(&s.commands, 0) {
		t.Error("201 creates in a day")
	}
	wantBreaches(t, s, map[Rule]int{RuleCommandCreates: 1})
	q.now = q.now.Add(commandDay)
	if !q.spend(&s.commands, 0) {
		t.Error("refused a day later")
	}
}
