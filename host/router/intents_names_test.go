package router

import (
	"fmt"
	"math/bits"
	"slices"
	"testing"

	"github.com/holdfast-bot/holdfast/sdk/wire"
)

// Discord's documentation names 21 intents; bits 17 to 19, 22 and 23 are not in use.
func TestIntentNames(t *testing.T) {
	known := KnownIntents()
	if want := uint64(1<<17 - 1 | 3<<20 | 3<<24); known != want {
		t.Errorf("known %#x, want %#x", known, want)
	}
	names := IntentNames(known)
	if len(names) != bits.OnesCount64(known) || len(slices.Compact(slices.Sorted(slices.Values(names)))) != len(names) {
		t.Errorf("names %v", names)
	}
	var again uint64
	for _, name := range names {
		bit, ok := Intent(name)
		if !ok {
			t.Errorf("%s is no intent", name)
		}
		again |= bit
	}
	if again != known {
		t.Errorf("read back %#x, want %#x", again, known)
	}
	if got := IntentNames(1<<15 | 1<<40); !slices.Equal(got, []string{"MESSAGE_CONTENT", "1<<40"}) {
		t.Errorf("got %v", got)
	}
	for _, name := range []string{"", "message_content", "1<<40"} {
		if bit, ok := Intent(name); ok {
			t.Errorf("%q is %#x", name, bit)
		}
	}
}

func TestNeeds(t *testing.T) {
	plugin := func(name string, intents uint64, events ...string) *wire.Manifest {
		m := &wire.Manifest{Name: name, Intents: intents}
		for _, event := range events {
			m.Events = append(m.Events, &wire.Subscription{Event: event})
		}
		return m
	}
	all := []*wire.Manifest{
		plugin("hello", 0, "MESSAGE_CREATE", "GUILD_MEMBER_ADD", "MESSAGE_UPDATE", "MESSAGE_CREATE"),
		plugin("quiet", 0, "GUILD_CREATE"),
		plugin("special", 1<<8|1<<40),
	}
	got := fmt.Sprint(Needs(all, PrivilegedIntents()|1<<40))
	want := "[hello needs GUILD_MEMBERS for GUILD_MEMBER_ADD hello needs MESSAGE_CONTENT for MESSAGE_CREATE, MESSAGE_UPDATE special asks for GUILD_PRESENCES special asks for 1<<40]"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got := Needs(all, 1<<5); got != nil {
		t.Errorf("nobody needs webhooks: %v", got)
	}
}

// TestBrings: every documented event is brought by all intents, and by those that
// Intents asks for when a plugin wants it, and not by none.
func TestBrings(t *testing.T) {
	for event, without := range map[string]bool{
		"MESSAGE_CREATE": false, "TYPING_START": false, "GUILD_MEMBER_ADD": false, "PRESENCE_UPDATE": false,
		"GUILD_MEMBER_UPDATE": true, // the bot's own
		"CHANNEL_CREATE":      true, "INTERACTION_CREATE": true, "GUILD_CREATE": true,
	} {
		intents := Intents([]*wire.Manifest{{Events: []*wire.Subscription{{Event: event}}}})
		if !Brings(intents, event) || !Brings(^uint64(0), event) || Brings(intentGuilds, event) != without {
			t.Errorf("%s: %v, %v, %v", event, Brings(intents, event), Brings(^uint64(0), event), Brings(intentGuilds, event))
		}
	}
	if Brings(intentGuilds|intentMessageContent, "MESSAGE_CREATE") {
		t.Error("MESSAGE_CONTENT alone brings messages")
	}
}
