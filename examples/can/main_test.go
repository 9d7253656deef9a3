package main

import (
	"testing"

	"github.com/holdfast-bot/holdfast/sdk"
	"github.com/holdfast-bot/holdfast/sdk/sdktest"
)

// The guild has a channel 20 where only divers (role 10) may talk, and a thread 21
// of it.
const reef = `{
	"id": "1000000000000000004", "name": "Reef", "owner_id": "5",
	"roles": [
		{"id": "1000000000000000004", "name": "@everyone", "permissions": "1024"},
		{"id": "10", "name": "diver", "permissions": "2"},
		{"id": "11", "name": "keeper", "permissions": "8"},
		{"id": "12", "name": "odd", "permissions": "many"}
	],
	"channels": [{"id": "20", "type": 0, "permission_overwrites": [{"id": "10", "type": 0, "allow": "274877908992", "deny": "0"}]}],
	"threads": [{"id": "21", "type": 11, "parent_id": "20"}],
	"member": {"user": {"id": "1000000000000000002"}, "roles": ["11"]}
}`

func start(t *testing.T) *sdktest.Host {
	t.Helper()
	h := sdktest.Start(t, newPlugin(), sdktest.Options{})
	h.SetGuild(reef)
	h.SetMembers(sdktest.GuildID,
		`{"user": {"id": "7"}, "roles": ["10"]}`,
		`{"user": {"id": "8"}, "roles": []}`,
		`{"user": {"id": "9"}, "roles": ["10"], "communication_disabled_until": "2999-01-01T00:00:00Z"}`)
	return h
}

func TestCan(t *testing.T) {
	h := start(t)
	for _, test := range []struct{ user, channel, want string }{
		{"7", "20", "<@7> may: KICK_MEMBERS, VIEW_CHANNEL, SEND_MESSAGES, SEND_MESSAGES_IN_THREADS"},
		{"7", "21", "<@7> may: KICK_MEMBERS, VIEW_CHANNEL, SEND_MESSAGES_IN_THREADS"},
		{"7", "", "<@7> may: KICK_MEMBERS, VIEW_CHANNEL"},
		{"8", "20", "<@8> may: VIEW_CHANNEL"},
		{"9", "20", "<@9> may: VIEW_CHANNEL"},
		{"5", "20", "<@5> may: all"},
		{sdktest.BotUserID, "21", "<@" + sdktest.BotUserID + "> may: all"},
		{"7", "22", "I do not see that channel."},
		{"6", "20", "That user is not a member of this server."},
	} {
		options := []sdktest.SlashOption{sdktest.User("user", test.user)}
		if test.channel != "" {
			options = append(options, sdktest.Channel("channel", test.channel))
		}
		if got := h.Slash("can", options...); got.Err != nil || got.Content != test.want || !got.Ephemeral {
			t.Errorf("%s in %s: answered %q (%v), want %q", test.user, test.channel, got.Content, got.Err, test.want)
		}
	}
}

func TestGives(t *testing.T) {
	h := start(t)
	for role, want := range map[string]string{
		"10": "diver gives: KICK_MEMBERS", "11": "keeper gives: ADMINISTRATOR", sdktest.GuildID: "@everyone gives: VIEW_CHANNEL",
		"13": "I do not see that role.",
	} {
		if got := h.Slash("gives", sdktest.Role("role", role)); got.Err != nil || got.Content != want {
			t.Errorf("role %s: answered %q (%v), want %q", role, got.Content, got.Err, want)
		}
	}
	if got := h.Slash("gives", sdktest.Role("role", "12")); got.Err == nil {
		t.Errorf("an odd role: answered %q", got.Content)
	}
}

// TestWithoutTheGuild tells the user, and asks Discord for nothing.
func TestWithoutTheGuild(t *testing.T) {
	h := start(t)
	h.MissGuild(sdktest.GuildID, sdk.GuildOutage)
	const want = "I cannot look that up now (outage). Try again later."
	for name, option := range map[string]sdktest.SlashOption{"can": sdktest.User("user", "7"), "gives": sdktest.Role("role", "10")} {
		if got := h.Slash(name, option); got.Err != nil || got.Content != want {
			t.Errorf("%s: answered %q (%v)", name, got.Content, got.Err)
		}
	}
}

// TestDiscordRefuses leaves what is nobody's mistake to the log.
func TestDiscordRefuses(t *testing.T) {
	h := start(t)
	h.Handle("GET", "/guilds/{guild}/members/{user}", sdktest.JSON(500, map[string]any{"message": "Internal Server Error"}))
	if got := h.Slash("can", sdktest.User("user", "7")); got.Err == nil {
		t.Errorf("answered %q", got.Content)
	}
}
