package main

import (
	"fmt"
	"testing"

	"github.com/holdfast-bot/holdfast/sdk/sdktest"
)

// message is one in a guild, or a direct message.
func message(guild string) string {
	if guild == "" {
		return `{"id":"3","channel_id":"2","content":"hi"}`
	}
	return fmt.Sprintf(`{"id":"3","channel_id":"2","guild_id":%q,"content":"hi"}`, guild)
}

// send delivers n messages and waits for them.
func send(t *testing.T, h *sdktest.Host, guild string, n int) {
	t.Helper()
	deliveries := make([]*sdktest.Delivery, 0, n)
	for range n {
		deliveries = append(deliveries, h.Deliver("MESSAGE_CREATE", message(guild)))
	}
	for _, d := range deliveries {
		if err := d.Wait(); err != nil {
			t.Fatal(err)
		}
	}
}

func expect(t *testing.T, h *sdktest.Host, guild, want string) {
	t.Helper()
	if answer := h.Slash("count", sdktest.In(guild)); answer.Err != nil || answer.Content != want {
		t.Errorf("guild %q: answered %q (%v), want %q", guild, answer.Content, answer.Err, want)
	}
}

func TestCounts(t *testing.T) {
	h := sdktest.Start(t, newPlugin(), sdktest.Options{})
	send(t, h, "1", 3)
	send(t, h, "2", 1)
	send(t, h, "", 5)
	expect(t, h, "1", "3 messages")
	expect(t, h, "2", "1 messages")
	expect(t, h, "9", "0 messages")
	expect(t, h, "", "I count in servers: ask me there.")
}

// TestCountsSurviveReloads counts on in each generation.
func TestCountsSurviveReloads(t *testing.T) {
	h := sdktest.Start(t, newPlugin(), sdktest.Options{})
	for generation := 1; generation <= 5; generation++ {
		send(t, h, "1", 20)
		send(t, h, "2", generation)
		h = h.Reload(newPlugin())
		expect(t, h, "1", fmt.Sprintf("%d messages", 20*generation))
		expect(t, h, "2", fmt.Sprintf("%d messages", generation*(generation+1)/2))
	}
}

// TestReloadBeforeTheFirstMessage has no guild in the state.
func TestReloadBeforeTheFirstMessage(t *testing.T) {
	h := sdktest.Start(t, newPlugin(), sdktest.Options{}).Reload(newPlugin())
	send(t, h, "1", 1)
	expect(t, h, "1", "1 messages")
}
