package main

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/holdfast-bot/holdfast/sdk"
	"github.com/holdfast-bot/holdfast/sdk/sdktest"
)

// TestAsk: the answer is a message with a button, and the button changes it. The
// 5 s pass at once here; who defers is the host.
func TestAsk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := sdk.New("oracle")
		register(p)
		h := sdktest.Start(t, p, sdktest.Options{})
		answer := h.Slash("ask", sdktest.String("question", "Is it green?"))
		if answer.Err != nil || answer.Type != 4 || !strings.HasPrefix(answer.Content, "Is it green? – ") || !strings.Contains(string(answer.Data), `"custom_id":"oracle:Is it green?"`) {
			t.Errorf("answered %+v %s", answer, answer.Data)
		}
		if answer = h.Click("oracle:Is it green?"); answer.Err != nil || answer.Type != 7 || !strings.HasPrefix(answer.Content, "Is it green? – ") {
			t.Errorf("the button: %+v", answer)
		}
	})
}
