package cache

import (
	"slices"
	"strings"
	"testing"
)

func TestKeepListsThatCannotBe(t *testing.T) {
	for _, kind := range KeepKinds() {
		all, known := KeepFields(kind)
		if err := (Keep{kind: all}).Check(); err != nil || !known {
			t.Errorf("%s: %v", kind, err)
		}
		if !slices.IsSorted(all) {
			t.Errorf("the fields of %s are not in their order: %v", kind, all)
		}
		for _, name := range alwaysKept(kind) {
			// Thread objects have no position of their own, the others have all.
			if !slices.Contains(all, name) {
				t.Errorf("%s has no field %s", kind, name)
			}
		}
	}
	err := Keep{"role": {"name", "nam", "topic"}, "window": {"x"}, "emoji": {}}.Check()
	if err == nil || strings.Count(err.Error(), "\n") != 3 {
		t.Fatalf("four faults, told %v", err)
	}
	for _, words := range []string{`role has no field "nam": its fields are color,`, `role has no field "topic"`, `"window" is no kind of object: the kinds are guild,`, `emoji has an empty list`} {
		if !strings.Contains(err.Error(), words) {
			t.Errorf("no %q in %v", words, err)
		}
	}
	if _, err := New(Options{Load: newFake(1).load, Keep: Keep{"x": {"y"}}}); err == nil {
		t.Error("a cache with a list that cannot be")
	}
}

// TestKeepListsShrinkAGuild: a change of what is dropped makes no version.
func TestKeepListsShrinkAGuild(t *testing.T) {
	d := newFake(1, 7)
	c := newTestCache(t, Options{Load: d.load, Self: 900, Keep: Keep{"guild": {"name"}, "channel": {"name"}, "role": {"color"}, "member": {"nick"}}})
	defer c.Close()
	before := mustLoad(t, c, 7)
	guild := before.Part(PartGuild)
	if field(guild, "description") != nil || field(guild, "emojis") != nil || field(guild, "name") == nil || field(guild, "owner_id") == nil {
		t.Errorf("kept %s", guild)
	}
	elements(field(guild, "roles"), func(role []byte) bool {
		if field(role, "name") != nil || field(role, "permissions") == nil {
			t.Errorf("kept %s", role)
		}
		return true
	})
	if m := before.Part(PartMember); string(field(m, "user")) != `{"id":"900"}` || field(m, "nick") == nil {
		t.Errorf("kept %s", m)
	}
	elements(before.Part(PartChannels), func(channel []byte) bool {
		more := with(channel, "topic", []byte(`"new"`))
		if c.Apply("CHANNEL_UPDATE", 7, more) != before.Version {
			t.Errorf("a new version for %s", more)
		}
		if more = with(more, "name", []byte(`"new"`)); c.Apply("CHANNEL_UPDATE", 7, more) == before.Version {
			t.Errorf("no new version for %s", more)
		}
		return false
	})
	c.Apply("GUILD_EMOJIS_UPDATE", 7, []byte(`{"guild_id":"7","emojis":[{"id":"1"}]}`))
	c.Apply("GUILD_UPDATE", 7, []byte(`{"id":"7","description":"x","emojis":[],"stage_instances":[]}`))
	if after := mustLoad(t, c, 7).Part(PartGuild); string(after) != string(guild) {
		t.Errorf("kept %s, it was %s", after, guild)
	}
}

// TestKeepListsKeepChannelsHidden: what says that the bot may not see a channel
// is kept whatever a list says.
func TestKeepListsKeepChannelsHidden(t *testing.T) {
	c := newTestCache(t, Options{Self: 900, Load: newFake(1, 7).load, Keep: Keep{"channel": {"name"}, "thread": {"name"}}})
	defer c.Close()
	c.Apply("GUILD_CREATE", 7, []byte(`{"id":"7","roles":[],"channels":[{"id":"70","type":0,"flags":131072}],"threads":[{"id":"71","type":11,"flags":2}],"members":[]}`))
	s := mustLoad(t, c, 7)
	for part, want := range map[Part]string{PartChannels: "131072", PartThreads: "2"} {
		elements(s.Part(part), func(channel []byte) bool {
			if got := string(field(channel, "flags")); got != want {
				t.Errorf("%s: flags %s, want %s", channel, got, want)
			}
			return true
		})
	}
}
