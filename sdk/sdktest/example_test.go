//nolint:testableexamples // it is a test, which needs a *testing.T
package sdktest_test

import (
	"context"
	"testing"

	"github.com/switchupcb/disgo"

	"github.com/holdfast-bot/holdfast/sdk"
	"github.com/holdfast-bot/holdfast/sdk/sdktest"
)

// A test registers what main registers, calls a command, sends an event, and
// looks at the requests that the plugin sent.
func ExampleStart() {
	_ = func(t *testing.T) {
		p := sdk.New("greeter")
		sdk.On(p, func(_ context.Context, bot *sdk.Bot, e *disgo.MessageCreate) error {
			_, err := (&disgo.CreateMessage{ChannelID: e.ChannelID, Content: disgo.Pointer("hello")}).Send(bot.Client)
			return err
		})
		h := sdktest.Start(t, p, sdktest.Options{})
		if err := h.Send("MESSAGE_CREATE", `{"id":"1","channel_id":"2","guild_id":"3","content":"hi"}`); err != nil {
			t.Fatal(err)
		}
		var sent struct{ Content string }
		if r := h.Requests(); len(r) != 1 || r[0].JSON(&sent) != nil || sent.Content != "hello" {
			t.Errorf("sent %+v", r)
		}
	}
}
