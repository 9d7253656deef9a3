package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/holdfast-bot/holdfast/sdk"
	"github.com/holdfast-bot/holdfast/sdk/sdktest"
)

const (
	join  = `{"guild_id":"1","user":{"id":"7","username":"otter"},"roles":[],"joined_at":"2026-08-01T12:00:00Z","deaf":false,"mute":false,"flags":0}`
	leave = `{"guild_id":"1","user":{"id":"7","username":"otter"}}`
)

// said are the messages that the plugin sent, each behind its channel. Any
// other request fails the test.
func said(t *testing.T, h *sdktest.Host) []string {
	t.Helper()
	var said []string
	for _, r := range h.Requests() {
		var body struct{ Content string }
		channel, ok := strings.CutPrefix(r.Path, "/channels/")
		if r.Method != "POST" || !ok || r.JSON(&body) != nil {
			t.Fatalf("sent %s %s", r.Method, r.Path)
		}
		said = append(said, strings.TrimSuffix(channel, "/messages")+": "+body.Content)
	}
	return said
}

func TestWelcome(t *testing.T) {
	const guild = `{"id":"1","name":"Kelp Forest","system_channel_id":"2"}`
	tests := []struct {
		name        string
		prepare     func(*sdktest.Host)
		event, data string
		want        []string
	}{
		{"join", func(h *sdktest.Host) { h.SetGuild(guild) }, "GUILD_MEMBER_ADD", join, []string{"2: Welcome, <@7>!"}},
		{"leave", func(h *sdktest.Host) { h.SetGuild(guild) }, "GUILD_MEMBER_REMOVE", leave, []string{"2: Goodbye, otter."}},
		{"no system channel", func(h *sdktest.Host) { h.SetGuild(`{"id":"1","name":"Kelp Forest","system_channel_id":null}`) }, "GUILD_MEMBER_ADD", join, nil},
		{"join without the guild", func(h *sdktest.Host) { h.MissGuild("1", sdk.GuildOutage) }, "GUILD_MEMBER_ADD", join, nil},
		{"leave without the guild", func(h *sdktest.Host) { h.MissGuild("1", sdk.GuildRefused) }, "GUILD_MEMBER_REMOVE", leave, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			h := sdktest.Start(t, newPlugin(), sdktest.Options{})
			test.prepare(h)
			if err := h.Send(test.event, test.data); err != nil {
				t.Fatal(err)
			}
			if got := said(t, h); !slices.Equal(got, test.want) {
				t.Errorf("said %q, want %q", got, test.want)
			}
		})
	}
}

// TestThousandsLeave sends nothing to Discord as long as the guild is missing,
// and goes on when it is back.
func TestThousandsLeave(t *testing.T) {
	h := sdktest.Start(t, newPlugin(), sdktest.Options{})
	h.MissGuild("1", sdk.GuildRefused)
	var leaves []*sdktest.Delivery
	for n := range 1000 {
		leaves = append(leaves, h.Deliver("GUILD_MEMBER_REMOVE", fmt.Sprintf(`{"guild_id":"1","user":{"id":"%d","username":"fish"}}`, n+1)))
	}
	for _, d := range leaves {
		if err := d.Wait(); err != nil {
			t.Fatal(err)
		}
	}
	if got := said(t, h); len(got) != 0 {
		t.Errorf("%d requests while the guild was missing, the first %q", len(got), got[0])
	}
	h.SetGuild(`{"id":"1","name":"Kelp Forest","system_channel_id":"2"}`)
	if err := h.Send("GUILD_MEMBER_REMOVE", leave); err != nil {
		t.Fatal(err)
	}
	if got := said(t, h); !slices.Equal(got, []string{"2: Goodbye, otter."}) {
		t.Errorf("said %q afterwards", got)
	}
}

// TestChannelThatIsClosed tells what Discord answers.
func TestChannelThatIsClosed(t *testing.T) {
	h := sdktest.Start(t, newPlugin(), sdktest.Options{})
	h.Handle("POST", "/channels/{id}/messages", sdktest.JSON(403, map[string]any{"code": 50013, "message": "Missing Permissions"}))
	if err := h.Send("GUILD_MEMBER_ADD", join); err == nil || !strings.Contains(err.Error(), "Missing Permissions (50013)") {
		t.Errorf("got %v", err)
	}
}
