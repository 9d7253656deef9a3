package simulator

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// echo registers one global command and returns what Discord answers, without what only it sets.
func echo(t *testing.T, s *Server, form string) map[string]any {
	t.Helper()
	c := call(t, s, "PUT", commandsPath(s), "["+form+"]").want(200).list()[0].(map[string]any)
	for _, key := range [...]string{"id", "version", "application_id"} {
		delete(c, key)
	}
	return c
}

// Discord answers in its own spelling (its documentation, "Application Command Object", "Contexts", "Localization").
func TestCommandSpellings(t *testing.T) {
	s := start(t, oneGuild())
	for _, tt := range []struct{ name, form, key, want string }{
		{"contexts are a set", `{"name":"a","description":"d","contexts":[2,0]}`, "contexts", `[0,2]`},
		{"contexts decide about direct messages", `{"name":"a","description":"d","contexts":[0]}`, "dm_permission", `false`},
		{"contexts before dm_permission", `{"name":"a","description":"d","contexts":[0,1],"dm_permission":false}`, "dm_permission", `true`},
		{"dm_permission decides about contexts", `{"name":"a","description":"d","dm_permission":false}`, "contexts", `[0]`},
		{"no contexts", `{"name":"a","description":"d"}`, "contexts", `null`},
		{"trimmed", `{"name":"a","description":" d "}`, "description", `"d"`},
		{"localizations that say the same", `{"name":"a","description":"d","name_localizations":{"de":"a"}}`, "name_localizations", `null`},
		{"localizations", `{"name":"a","description":"d","name_localizations":{"de":"a","fr":"b"}}`, "name_localizations", `{"fr":"b"}`},
		{"permissions", `{"name":"a","description":"d","default_member_permissions":8}`, "default_member_permissions", `"8"`},
		{"entry point", `{"name":"Launch","type":4}`, "handler", `1`},
		{
			"options", `{"name":"a","description":"d","options":[{"type":4,"name":"i","description":"d","min_value":1e2,"required":false,"choices":[{"name":"x","value":5.0}]},
			{"type":10,"name":"n","description":"d","min_value":3},{"type":7,"name":"c","description":"d","channel_types":[5,0],"name_localizations":{}}]}`, "options",
			`[{"choices":[{"name":"x","value":5}],"description":"d","min_value":100,"name":"i","type":4},{"description":"d","min_value":3,"name":"n","type":10},` +
				`{"channel_types":[0,5],"description":"d","name":"c","type":7}]`,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := start(t, Config{})
			have, err := json.Marshal(echo(t, s, tt.form)[tt.key])
			if err != nil || string(have) != tt.want {
				t.Errorf("%s is %s, want %s (%v)", tt.key, have, tt.want, err)
			}
			wantBreaches(t, s, nil)
		})
	}
	echo(t, s, `{"name":"a","description":"d","name_localizations":{"de":"b"}}`)
	for query, want := range map[string]any{"": nil, "?with_localizations=true": map[string]any{"de": "b"}} {
		if have := get(t, s, commandsPath(s)+query).want(200).list()[0].(map[string]any)["name_localizations"]; fmt.Sprint(have) != fmt.Sprint(want) {
			t.Errorf("GET%s: %v, want %v", query, have, want)
		}
	}
}

// An Entry Point command cannot be left out of an overwrite, is told again by its id, and is not for guilds.
func TestEntryPointCommand(t *testing.T) {
	s := start(t, oneGuild())
	id := s.Register(0, json.RawMessage(`{"name":"Launch","type":4,"handler":2}`))
	if r := call(t, s, "PUT", commandsPath(s), `[]`).want(400); r.code() != 50240 {
		t.Errorf("code %d: %s", r.code(), r.body)
	}
	c := call(t, s, "PUT", commandsPath(s), fmt.Sprintf(`[{"id":"%d","name":"Play","type":4,"description":"Plays"}]`, id)).want(200).list()[0].(map[string]any)
	if c["id"] != fmt.Sprint(id) || c["name"] != "Play" || c["description"] != "Plays" {
		t.Errorf("renamed to %v", c)
	}
	if r := call(t, s, "PUT", commandsPath(s), `[{"name":"Play","type":4},{"name":"Launch","type":4}]`).want(400); r.code() != 30032 {
		t.Errorf("code %d: %s", r.code(), r.body)
	}
	call(t, s, "PUT", fmt.Sprintf("/applications/%d/guilds/%d/commands", s.Bot(), s.Guilds()[0].ID), `[{"name":"Play","type":4}]`).want(400)
	wantBreaches(t, s, map[Rule]int{RuleForm: 2, RuleCommandLimit: 1})
}

func TestMoreCommandRefusals(t *testing.T) {
	long := strings.Repeat("x", 101)
	for name, form := range map[string]string{
		"no contexts":             `"contexts":[]`,
		"contexts twice":          `"contexts":[0,0]`,
		"context 3":               `"contexts":[3]`,
		"installation 2":          `"integration_types":[2]`,
		"a handler":               `"handler":1`,
		"long localized text":     `"description_localizations":{"de":"` + long + `"}`,
		"long localized name":     `"name_localizations":{"de":"` + long[:33] + `"}`,
		"long name of an option":  `"options":[{"type":3,"name":"o","description":"d","name_localizations":{"de":"` + long[:33] + `"}}]`,
		"too large by one locale": `"options":[` + strings.TrimSuffix(strings.Repeat(`{"type":3,"name":"NAME","description":"d","choices":[`+strings.TrimSuffix(strings.Repeat(`{"name":"n","name_localizations":{"de":"`+long[:100]+`"},"value":"v"},`, 4), ",")+`]},`, 20), ",") + `]`,
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, Config{})
			for i := strings.Count(form, "NAME"); i > 0; i-- {
				form = strings.Replace(form, "NAME", fmt.Sprint("o", i), 1)
			}
			if r := call(t, s, "PUT", commandsPath(s), `[{"name":"a","description":"d",`+form+`}]`).want(400); r.code() != 50035 {
				t.Errorf("code %d: %s", r.code(), r.body)
			}
			wantBreaches(t, s, map[Rule]int{RuleForm: 1})
		})
	}
}
