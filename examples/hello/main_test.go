package main

import (
	"testing"

	"github.com/holdfast-bot/holdfast/sdk"
	"github.com/holdfast-bot/holdfast/sdk/sdktest"
	"github.com/switchupcb/disgo"
)

// start registers what main does.
func start(t *testing.T) *sdktest.Host {
	p := sdk.New("hello")
	p.Command(&disgo.CreateGlobalApplicationCommand{
		Name:        "ping",
		Description: disgo.Pointer("Replies with pong."),
	}, ping)
	sdk.On(p, guildName, sdk.WithGuild())
	return sdktest.Start(t, p, sdktest.Options{})
}

func TestPing(t *testing.T) {
	h := start(t)
	answer := h.Slash("ping")
	if answer.Err != nil || answer.Type != 4 || answer.Content != "pong" {
		t.Errorf("answered %+v, want the message pong", answer)
	}
}

func TestGuildName(t *testing.T) {
	const inGuild = `{"id":"3","channel_id":"2","guild_id":"1","content":"!guild"}`
	tests := []struct {
		name, message string
		said          string // empty: nothing
	}{
		{"asked in a guild", inGuild, "Kelp Forest"},
		{"something else", `{"id":"3","channel_id":"2","guild_id":"1","content":"!guilds"}`, ""},
		{"asked in a direct message", `{"id":"3","channel_id":"2","content":"!guild"}`, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			h := start(t)
			h.Handle("GET", "/guilds/1", sdktest.JSON(200, map[string]any{"id": "1", "name": "Kelp Forest"}))
			if err := h.Send("MESSAGE_CREATE", test.message); err != nil {
				t.Fatal(err)
			}
			var said string
			for _, r := range h.Requests() {
				if r.Method != "POST" {
					continue
				}
				var body struct{ Content string }
				if err := r.JSON(&body); err != nil || r.Path != "/channels/2/messages" {
					t.Fatalf("%s %s: %v", r.Method, r.Path, err)
				}
				said += body.Content
			}
			if said != test.said {
				t.Errorf("said %q, want %q", said, test.said)
			}
		})
	}
}

func TestGuildThatCannotBeRead(t *testing.T) {
	h := start(t)
	h.Handle("GET", "/guilds/1", sdktest.JSON(403, map[string]any{"code": 50001, "message": "Missing Access"}))
	if err := h.Send("MESSAGE_CREATE", `{"id":"3","channel_id":"2","guild_id":"1","content":"!guild"}`); err == nil {
		t.Error("no failure was told")
	}
	if n := len(h.Requests()); n != 1 {
		t.Errorf("%d requests, want only that for the guild", n)
	}
}
