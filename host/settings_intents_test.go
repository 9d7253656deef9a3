package host

import (
	"errors"
	"strings"
	"testing"

	"github.com/holdfast-bot/holdfast/host/gateway"
	"github.com/holdfast-bot/holdfast/sdk/wire"
)

const (
	guildMembers   Intents = 1 << 1
	guildPresences Intents = 1 << 8
	messageContent Intents = 1 << 15
)

func TestDenyIntentsIsRead(t *testing.T) {
	for _, text := range []string{
		"MESSAGE_CONTENT, GUILD_MEMBERS", "GUILD_MEMBERS,MESSAGE_CONTENT", "[MESSAGE_CONTENT, GUILD_MEMBERS]",
		"\n  - GUILD_MEMBERS\n  - MESSAGE_CONTENT", "\n- GUILD_MEMBERS\n- MESSAGE_CONTENT\n- GUILD_MEMBERS",
	} {
		s, err := LoadSettings(write(t, "s.yaml", "deny_intents: "+text+"\nshards: 3\n"), nil)
		if err != nil || s.DenyIntents != guildMembers|messageContent || s.Shards.Count != 3 {
			t.Errorf("%q: %s, %v", text, s.DenyIntents, err)
		}
	}
	for text, remedy := range map[string]string{
		"[]": "leave the setting out", "''": "leave the setting out", "message_content": "did you mean MESSAGE_CONTENT?", "[GUILD_MEMBER]": "did you mean GUILD_MEMBERS?",
		"everything": "the privileged ones are GUILD_MEMBERS, GUILD_PRESENCES, MESSAGE_CONTENT", "[[MESSAGE_CONTENT]]": "a list of plain values",
		"{MESSAGE_CONTENT: true}": "one plain value", "": "has no value", "GUILDS": "GUILDS cannot be denied",
	} {
		_, err := LoadSettings(write(t, "s.yaml", "deny_intents: "+text+"\n"), nil)
		if err == nil || !strings.Contains(err.Error(), remedy) || !strings.Contains(err.Error(), "s.yaml:1: setting deny_intents") {
			t.Errorf("%q: %v", text, err)
		}
	}
	if err := (Settings{DenyIntents: 1 << 40}).Validate(); err == nil || !strings.Contains(err.Error(), "1<<40 is no intent") {
		t.Errorf("an unknown bit: %v", err)
	}
}

func plugin(name string, intents Intents, events ...string) *wire.Manifest {
	m := &wire.Manifest{Name: name, Intents: uint64(intents)}
	for _, event := range events {
		m.Events = append(m.Events, &wire.Subscription{Event: event})
	}
	return m
}

func TestRefuseDenied(t *testing.T) {
	for _, test := range []struct {
		denied Intents
		m      *wire.Manifest
		want   string
	}{
		{0, plugin("hello", messageContent, "MESSAGE_CREATE"), ""},
		{guildMembers | guildPresences, plugin("hello", 0, "MESSAGE_CREATE"), ""},
		{
			messageContent, plugin("hello", 0, "MESSAGE_CREATE"),
			"hello needs MESSAGE_CONTENT for MESSAGE_CREATE, which deny_intents denies: remove the line deny_intents, or remove the plugin",
		},
		{
			guildMembers | guildPresences | messageContent, plugin("hello", guildPresences, "MESSAGE_CREATE"),
			"hello asks for GUILD_PRESENCES, hello needs MESSAGE_CONTENT for MESSAGE_CREATE, which deny_intents denies: " +
				"change the line to deny_intents: GUILD_MEMBERS, or remove the plugin",
		},
	} {
		got := ""
		if err := refuseDenied(test.m, test.denied); err != nil {
			got = err.Error()
		}
		if got != test.want {
			t.Errorf("got  %s\nwant %s", got, test.want)
		}
	}
}

func TestExplainIntents(t *testing.T) {
	all := []*wire.Manifest{plugin("hello", 0, "MESSAGE_CREATE"), plugin("quiet", 0, "GUILD_CREATE"), plugin("modern", 1<<40)}
	other := errors.New("another fault")
	for _, test := range []struct {
		err    error
		all    []*wire.Manifest
		people KeepPeople
		want   string // behind the error's own text
	}{
		{nil, all, 0, ""},
		{other, all, 3, ""},
		{&gateway.CloseError{Code: 4004}, all, 3, ""},
		{&gateway.CloseError{Code: 4014}, all, 0, ": hello needs MESSAGE_CONTENT for MESSAGE_CREATE (deny_intents keeps such plugins out)"},
		{&gateway.CloseError{Code: 4013}, all, 0, ": modern asks for 1<<40 (deny_intents keeps such plugins out)"},
		{&gateway.CloseError{Code: 4013}, all[1:2], 0, ""},
		{&gateway.CloseError{Code: 4014}, all[1:2], 0, ""},
		{&gateway.CloseError{Code: 4014}, all[1:2], 2, ""}, // GUILD_VOICE_STATES is not privileged
		{&gateway.CloseError{Code: 4014}, all[1:2], 5, ": the setting cache_people (members, presences) needs GUILD_MEMBERS, GUILD_PRESENCES"},
	} {
		got := explainIntents(test.err, test.all, test.people)
		if test.err == nil {
			if got != nil {
				t.Errorf("no error became %v", got)
			}
			continue
		}
		if !errors.Is(got, test.err) || got.Error() != test.err.Error()+test.want {
			t.Errorf("got %q, want %q behind", got, test.want)
		}
	}
}
