package host

import (
	"reflect"
	"strings"
	"testing"

	"github.com/holdfast-bot/holdfast/cache"
)

func TestCacheKeepIsRead(t *testing.T) {
	want := KeepLists{"channel": {"name", "topic"}, "role": {"name"}}
	for _, text := range []string{
		" channel=name,topic role=name", " role=name  channel=name,topic", " channel=name channel=topic role=name",
		"\n  channel: [name, topic]\n  role: name", "\n  channel:\n    - name\n    - topic\n  role: [name]", " {channel: 'name, topic', role: name}",
	} {
		s, err := LoadSettings(write(t, "s.yaml", "cache_keep:"+text+"\nshards: 3\n"), nil)
		if err != nil || !reflect.DeepEqual(s.CacheKeep, want) || s.Shards.Count != 3 {
			t.Errorf("%q: %s, %v", text, s.CacheKeep, err)
		}
	}
	for text, remedy := range map[string]string{
		" chanel=name":                         `1: setting cache_keep: "chanel" is no kind of object: did you mean channel?`,
		" window=name":                         `1: setting cache_keep: "window" is no kind of object: the kinds are guild, channel,`,
		" role=nam":                            `1: setting cache_keep: role has no field "nam": did you mean name?`,
		" role=zzzzzzzzzz":                     `1: setting cache_keep: role has no field "zzzzzzzzzz": its fields are color,`,
		" role":                                `1: setting cache_keep: role has an empty list: name the fields to keep, or leave role out`,
		" ''":                                  `1: setting cache_keep: nothing is named`,
		"":                                     `1: setting cache_keep has no value`,
		" [role]":                              `1: cache_keep must hold lines like name: value`,
		"\n  role: []":                         `2: setting cache_keep.role: role has an empty list`,
		"\n  channel: [name]\n  role: [topic]": `3: setting cache_keep.role: role has no field "topic"`,
		"\n  channels: [name]":                 `2: unknown setting cache_keep.channels: did you mean channel?`,
		"\n  role: {name: true}":               `2: setting cache_keep.role must be one plain value`,
		"\n  role: [name]\n  role: [permissions]": `3: cache_keep.role is already set in line 2`,
	} {
		_, err := LoadSettings(write(t, "s.yaml", "cache_keep:"+text+"\n"), nil)
		if err == nil || !strings.Contains(err.Error(), "s.yaml:"+remedy) {
			t.Errorf("%q: %v", text, err)
		}
	}
	if err := (Settings{CacheKeep: KeepLists{"role": {"x"}, "x": {"y"}}}).Validate(); err == nil || strings.Count(err.Error(), "\n") != 1 {
		t.Errorf("two lists that cannot be: %v", err)
	}
	var before KeepLists
	if err := before.UnmarshalText([]byte("role=name")); err != nil {
		t.Fatal(err)
	}
	after := before
	if err := after.UnmarshalText([]byte("role=color emoji=name")); err != nil || after.String() != "emoji=name role=name,color" || before.String() != "role=name" {
		t.Errorf("added: %s to %s, %v", after, before, err)
	}
}

func TestCachePeopleAndItsIntents(t *testing.T) {
	s, err := LoadSettings(write(t, "s.yaml", "cache_people: [members, presences]\n"), []string{"HOLDFAST_CACHE_PEOPLE=voice_states members"})
	if err != nil || s.CachePeople != KeepPeople(cache.Members|cache.VoiceStates) {
		t.Errorf("%s, %v", s.CachePeople, err)
	}
	_, err = LoadSettings(write(t, "s.yaml", "cache_people: member\n"), nil)
	if err == nil || !strings.Contains(err.Error(), `"member" is none of members, voice_states, presences`) {
		t.Error(err)
	}
	all := KeepPeople(cache.Members | cache.VoiceStates | cache.Presences)
	if got, want := intentsFor(nil, all, 0), uint64(1|1<<1|1<<3|1<<7|1<<8); got != want {
		t.Errorf("intents %b, want %b", got, want)
	}
	if got := intentsFor(nil, 0, 1<<3); got != 1 {
		t.Errorf("intents %b without people", got)
	}
	for denied, want := range map[Intents]string{
		messageContent: "",
		guildMembers: "setting cache_people: members needs GUILD_MEMBERS, which deny_intents denies: " +
			"change the line to cache_people: voice_states, presences, or allow it there",
		guildMembers | guildPresences | 1<<7: "setting cache_people: members, voice_states, presences needs GUILD_MEMBERS, GUILD_VOICE_STATES, GUILD_PRESENCES, " +
			"which deny_intents denies: remove the line cache_people, or allow it there",
	} {
		_, err := New(Config{Settings: Settings{CachePeople: all, DenyIntents: denied}})
		if err == nil && want != "" || err != nil && err.Error() != want {
			t.Errorf("%s denied: %v", denied, err)
		}
	}
}
