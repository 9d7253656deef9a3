package router

import (
	"encoding/json"
	"strings"
	"testing"
)

// As Discord answers for a command of which only name and description were
// sent: everything else is filled in.
const filledIn = `{"id":"1","application_id":"2","version":"3","default_member_permissions":null,"type":1,"name":"ping",` +
	`"name_localizations":null,"description":"Pong","description_localizations":null,"dm_permission":true,"contexts":null,` +
	`"integration_types":[0],"nsfw":false}`

func TestSameCommands(t *testing.T) {
	tests := []struct {
		name       string
		want, have string
		same       bool
	}{
		{"defaults filled in", `{"name":"ping","description":"Pong"}`, filledIn, true},
		{"integration types of the application", `{"name":"ping","description":"Pong"}`, strings.Replace(filledIn, "[0]", "[0,1]", 1), true},
		{"every default spelled out", `{"type":1,"nsfw":false,"contexts":null,"options":[],"name_localizations":{},"default_member_permissions":null,"dm_permission":true,"description":"Pong","name":"ping"}`, filledIn, true},
		{"trimmed", `{"name":"ping","description":" Pong "}`, filledIn, true},
		{"all contexts are not the default", `{"name":"ping","description":"Pong","contexts":[2,0,1]}`, filledIn, false},
		{"all contexts gone", `{"name":"ping","description":"Pong"}`, strings.Replace(filledIn, `"contexts":null`, `"contexts":[0,1,2]`, 1), false},
		{"contexts before dm_permission", `{"name":"a","contexts":[0,1],"dm_permission":false}`, `{"name":"a","contexts":[0,1],"dm_permission":true}`, true},
		{"localizations that say the same", `{"name":"a","name_localizations":{"de":"a","fr":"b"}}`, `{"name":"a","name_localizations":{"fr":"b"}}`, true},
		{
			"localizations of choices that say the same", `{"name":"a","options":[{"name":"x","choices":[{"name":"n","name_localizations":{"de":"n"},"value":1}]}]}`,
			`{"name":"a","options":[{"name":"x","choices":[{"name":"n","value":1}]}]}`, true,
		},
		{"handler", `{"name":"a","type":4,"handler":2}`, `{"name":"a","type":4,"handler":1}`, false},
		{"handler left to Discord", `{"name":"a","type":4}`, `{"name":"a","type":4,"handler":2}`, true},
		{"permission with a zero before", `{"name":"a","default_member_permissions":"08"}`, `{"name":"a","default_member_permissions":"8"}`, true},
		{"field that this code does not know", `{"name":"ping","description":"Pong"}`, strings.Replace(filledIn, `"nsfw":false`, `"nsfw":false,"handler":1,"shiny":[{"a":1}]`, 1), true},
		{"another description", `{"name":"ping","description":"Ping"}`, filledIn, false},
		{"permission as number", `{"name":"a","default_member_permissions":8}`, `{"name":"a","type":1,"default_member_permissions":"8"}`, true},
		{"permission nobody", `{"name":"a","default_member_permissions":"0"}`, `{"name":"a","default_member_permissions":null}`, false},
		{"permission gone", `{"name":"a"}`, `{"name":"a","default_member_permissions":"8"}`, false},
		{"nsfw", `{"name":"a","nsfw":true}`, `{"name":"a","nsfw":false}`, false},
		{"no direct messages, both ways of saying it", `{"name":"a","dm_permission":false}`, `{"name":"a","contexts":[0],"dm_permission":false}`, true},
		{"no direct messages, answered the old way", `{"name":"a","dm_permission":false}`, `{"name":"a","contexts":null,"dm_permission":false}`, true},
		{"contexts in another order", `{"name":"a","contexts":[1,0]}`, `{"name":"a","contexts":[0,1],"dm_permission":true}`, true},
		{"contexts gone", `{"name":"a"}`, `{"name":"a","contexts":[0]}`, false},
		{"integration types", `{"name":"a","integration_types":[1]}`, `{"name":"a","integration_types":[0]}`, false},
		{"user command", `{"type":2,"name":"High Five"}`, `{"type":2,"name":"High Five","description":"","options":[]}`, true},
		{"another type", `{"type":2,"name":"a"}`, `{"type":3,"name":"a"}`, false},
		{
			"options with defaults", `{"name":"a","options":[{"type":3,"name":"x","description":"y"}]}`,
			`{"name":"a","options":[{"type":3,"name":"x","name_localizations":null,"description":"y","required":false,"autocomplete":false,"choices":[]}]}`, true,
		},
		{"an option more", `{"name":"a"}`, `{"name":"a","options":[{"type":3,"name":"x"}]}`, false},
		{"an option less", `{"name":"a","options":[{"type":3,"name":"x"}]}`, `{"name":"a"}`, false},
		{"options in another order", `{"name":"a","options":[{"name":"x"},{"name":"y"}]}`, `{"name":"a","options":[{"name":"y"},{"name":"x"}]}`, false},
		{"required", `{"name":"a","options":[{"name":"x"}]}`, `{"name":"a","options":[{"name":"x","required":true}]}`, false},
		{"number formats", `{"name":"a","options":[{"name":"x","min_value":10.0,"max_value":1e2}]}`, `{"name":"a","options":[{"name":"x","min_value":10,"max_value":100.0}]}`, true},
		{"zero is a bound", `{"name":"a","options":[{"name":"x","min_value":0}]}`, `{"name":"a","options":[{"name":"x"}]}`, false},
		{"minus zero", `{"name":"a","options":[{"name":"x","min_value":-0.0}]}`, `{"name":"a","options":[{"name":"x","min_value":0}]}`, true},
		{"large numbers stay apart", `{"name":"a","options":[{"name":"x","max_value":9007199254740993}]}`, `{"name":"a","options":[{"name":"x","max_value":9007199254740992}]}`, false},
		{"channel types are a set", `{"name":"a","options":[{"name":"x","channel_types":[5,0,15]}]}`, `{"name":"a","options":[{"name":"x","channel_types":[0,15,5]}]}`, true},
		{"choices", `{"name":"a","options":[{"name":"x","choices":[{"name":"n","value":1}]}]}`, `{"name":"a","options":[{"name":"x","choices":[{"name":"n","name_localizations":null,"value":1.0}]}]}`, true},
		{"choice of text is no number", `{"name":"a","options":[{"name":"x","choices":[{"name":"n","value":"1"}]}]}`, `{"name":"a","options":[{"name":"x","choices":[{"name":"n","value":1}]}]}`, false},
		{"choice of blanks", `{"name":"a","options":[{"name":"x","choices":[{"name":"n","value":" v"}]}]}`, `{"name":"a","options":[{"name":"x","choices":[{"name":"n","value":"v"}]}]}`, false},
		{"choices in another order", `{"name":"a","options":[{"choices":[{"name":"n","value":1},{"name":"m","value":2}]}]}`, `{"name":"a","options":[{"choices":[{"name":"m","value":2},{"name":"n","value":1}]}]}`, false},
		{"localizations", `{"name":"a","name_localizations":{"de":"b"}}`, `{"name":"a","name_localizations":{"de":"b"}}`, true},
		{"a locale more", `{"name":"a","name_localizations":{"de":"b"}}`, `{"name":"a","name_localizations":{"de":"b","fr":"c"}}`, false},
		{"localizations gone", `{"name":"a"}`, `{"name":"a","name_localizations":{"de":"b"}}`, false},
		{"subcommands", `{"name":"a","options":[{"type":2,"name":"g","options":[{"type":1,"name":"s"}]}]}`, `{"name":"a","options":[{"type":2,"name":"g","options":[{"type":1,"name":"s","options":[]}]}]}`, true},
		{"another subcommand", `{"name":"a","options":[{"type":2,"name":"g","options":[{"type":1,"name":"s"}]}]}`, `{"name":"a","options":[{"type":2,"name":"g","options":[{"type":1,"name":"t"}]}]}`, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			want, err := canonical(json.RawMessage(test.want), false)
			if err != nil {
				t.Fatal(err)
			}
			have, err := canonical(json.RawMessage(test.have), false)
			if err != nil {
				t.Fatal(err)
			}
			if same := sameCommand(want, have); same != test.same {
				t.Errorf("same: %v\nwant %v\nhave %v", same, want, have)
			}
			if !sameCommand(want, want) || !sameCommand(have, have) {
				t.Error("a command is not the same as itself")
			}
		})
	}
}

func TestDifferencesAreNamed(t *testing.T) {
	for _, test := range []struct{ want, have, told string }{
		{`{"name":"a","description":"x"}`, `{"name":"a","description":"y","nsfw":true}`, "description, nsfw"},
		{
			`{"name":"a","options":[{"name":"n","options":[{"name":"m","max_value":5}]}]}`,
			`{"name":"a","options":[{"name":"n","options":[{"name":"m","required":true}]}]}`, "options n options m max_value, options n options m required",
		},
		{`{"name":"a","options":[{"name":"n"},{"name":"m"}]}`, `{"name":"a","options":[{"name":"m"},{"name":"n"}]}`, "options"},
		{`{"name":"a","options":[{"name":"n","choices":[{"name":"c","value":1}]}]}`, `{"name":"a","options":[{"name":"n","choices":[{"name":"c","value":2}]}]}`, "options n choices c value"},
		{`{"name":"a","contexts":[0]}`, `{"name":"a","contexts":[0,1]}`, "contexts"},
	} {
		want, _ := canonical(json.RawMessage(test.want), false)
		have, _ := canonical(json.RawMessage(test.have), false)
		if told := strings.Join(differences(want, have), ", "); told != test.told {
			t.Errorf("%s and %s differ in %q, want %q", test.want, test.have, told, test.told)
		}
	}
}

func TestGuildCommandsHaveNoContexts(t *testing.T) {
	want, _ := canonical(json.RawMessage(`{"name":"a","contexts":[0],"dm_permission":false,"integration_types":[1]}`), true)
	have, _ := canonical(json.RawMessage(`{"name":"a","guild_id":"5","integration_types":[0],"contexts":null}`), true)
	if !sameCommand(want, have) {
		t.Errorf("want %v, have %v", want, have)
	}
}

func TestWhatIsNoCommand(t *testing.T) {
	deep := strings.Repeat(`{"options":[`, 40) + strings.Repeat(`]}`, 40)
	for _, raw := range []string{``, `null`, `[]`, `"x"`, `{`, `{} {}`, `{"name":}`, deep} {
		if fields, err := canonical(json.RawMessage(raw), false); err == nil {
			t.Errorf("%.20q was taken: %v", raw, fields)
		}
	}
}

// FuzzCanonical holds that what is canonical stays so, whatever is read, and that
// whatever is read can be checked.
func FuzzCanonical(f *testing.F) {
	f.Add(filledIn)
	f.Add(`{"options":[0,"x",[1]],"choices":{"a":1}}`)
	f.Add(`{"name":{},"name_localizations":{"de":{}},"options":[{"name":[],"name_localizations":{"de":[]}}]}`)
	f.Add(`{"name":"a","name_localizations":{"de":" a","fr":"b"},"default_member_permissions":"008","contexts":[],"dm_permission":false}`)
	f.Add(`{"name":"a","options":[{"name":"x","min_value":1e400,"channel_types":[1,[2],{"a":null}]}],"contexts":[0,"1"]}`)
	f.Fuzz(func(t *testing.T, raw string) {
		once, err := canonical(json.RawMessage(raw), false)
		if err != nil {
			return
		}
		for kind := chatInput; kind <= entryPoint; kind++ {
			_ = checkCommand(json.RawMessage(raw), false, kind) // must not panic
		}
		written, err := json.Marshal(once)
		if err != nil {
			t.Fatal(err)
		}
		twice, err := canonical(written, false)
		if err != nil {
			t.Fatalf("%s is not read again: %v", written, err)
		}
		if !sameCommand(once, twice) || fingerprint(once) != fingerprint(twice) {
			t.Fatalf("%v\nbecomes %v", once, twice)
		}
	})
}
