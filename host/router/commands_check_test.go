package router

import (
	"fmt"
	"strings"
	"testing"
)

// TestFaultsNamePluginAndCommand holds the sentences: whose command it is, where in
// it the fault is, what Discord takes.
func TestFaultsNamePluginAndCommand(t *testing.T) {
	long := strings.Repeat("x", 101)
	value := strings.Repeat("v", 2000)
	for _, test := range []struct {
		name, raw string
		guild     uint64
		want      string
	}{
		{"a capital", `{"name":"Play"}`, 0, `name: "Play": use 1 to 32 lower-case letters`},
		{"a name in a menu", `{"type":2,"name":"` + long[:33] + `"}`, 0, `name: "` + long[:33] + `": use 1 to 32 characters`},
		{"description", `{"name":"play","description":"` + long + `"}`, 0, "description: 101 characters, Discord takes 100: shorten it"},
		{"blank description", `{"name":"play","description":" "}`, 0, "description: there is none: give 1 to 100 characters"},
		{"description in a menu", `{"type":3,"name":"Play","description":"d"}`, 0, "description: commands in a context menu have none"},
		{"localized name", `{"name":"play","name_localizations":{"de":"Spiel"}}`, 0, `name_localizations de: "Spiel": use`},
		{"options in a menu", `{"type":2,"name":"Play","options":[{}]}`, 0, "options: only chat input commands have options"},
		{
			"an option's option", `{"name":"play","options":[{"type":1,"name":"now","description":"d","options":[{"type":3,"name":"what","description":"` + long + `"}]}]}`, 0,
			`option "now" option "what" description: 101 characters`,
		},
		{"an option twice", `{"name":"play","options":[{"type":3,"name":"o","description":"d"},{"type":3,"name":"o","description":"d"}]}`, 0, `option "o": the name is there twice`},
		{"no type", `{"name":"play","options":[{"name":"o","description":"d"}]}`, 0, `option "o" type: there is none`},
		{"26 options", `{"name":"play","options":[` + strings.TrimSuffix(strings.Repeat(`{"type":5,"name":"N","description":"d"},`, 26), ",") + `]}`, 0, "options: 26 of them, Discord takes 25"},
		{"26 choices", `{"name":"play","options":[{"type":3,"name":"o","description":"d","choices":[` + strings.TrimSuffix(strings.Repeat(`{"name":"n","value":"v"},`, 26), ",") + `]}]}`, 0, `option "o" choices: 26 of them, Discord takes 25`},
		{"a number for a string", `{"name":"play","options":[{"type":3,"name":"o","description":"d","choices":[{"name":"one","value":1}]}]}`, 0, `option "o" choice "one" value: a string's choice is a string`},
		{"a fraction for an integer", `{"name":"play","options":[{"type":4,"name":"o","description":"d","choices":[{"name":"one","value":1.5}]}]}`, 0, `choice "one" value: an integer's choice is an integer`},
		{
			"8,000 characters", `{"name":"play","options":[{"type":3,"name":"o","description":"d","choices":[` + strings.TrimSuffix(strings.Repeat(`{"name":"n","value":"`+value+`"},`, 4), ",") + `]}]}`, 0,
			"have 8011 characters together, Discord takes 8000",
		},
		{"an entry point of a guild", `{"name":"Launch","type":4}`, 5, "type: an entry point is never a guild's"},
		{"no contexts", `{"name":"play","contexts":[]}`, 0, "contexts: give a list of one or more different numbers, or leave it out"},
		{"permission by name", `{"name":"play","default_member_permissions":"BAN_MEMBERS"}`, 0, `default_member_permissions: "BAN_MEMBERS" is no bit set`},
		{"what Discord has given up", `{"name":"play","default_permission":false}`, 0, `default_permission: Discord has given it up`},
		{"many", `{"name":"P","description":" ","contexts":[],"integration_types":[],"handler":1,"default_permission":false,"default_member_permissions":"x"}`, 0, "and 2 more"},
	} {
		t.Run(test.name, func(t *testing.T) {
			raw := test.raw
			for i := range 26 {
				raw = strings.Replace(raw, `"N"`, fmt.Sprintf(`"n%d"`, i), 1)
			}
			_, err := Merge([]Command{command("music", test.guild, raw)})
			if err == nil || !strings.HasPrefix(err.Error(), "plugin music: ") || !strings.Contains(err.Error(), test.want) {
				t.Errorf("told: %v\nwant  plugin music: … %s", err, test.want)
			}
		})
	}
}

// TestWhatIsNewerThanThisCodeIsLeftToDiscord: fields, kinds of options and contexts
// that it does not know are no faults.
func TestWhatIsNewerThanThisCodeIsLeftToDiscord(t *testing.T) {
	for _, raw := range []string{
		`{"name":"play","description":"d","shiny":{"a":[1]}}`,
		`{"name":"play","description":"d","contexts":[0,7],"integration_types":[3]}`,
		`{"name":"play","description":"d","options":[{"type":14,"name":"o","description":"d","options":[{"a":1}],"choices":[{"name":"x","value":{"y":1}}]}]}`,
	} {
		if _, err := Merge([]Command{command("a", 0, raw)}); err != nil {
			t.Errorf("%s: %v", raw, err)
		}
	}
}
