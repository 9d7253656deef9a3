//nolint:testableexamples // it is a test, which needs a *testing.T
package sdktest_test

import (
	"context"
	"errors"
	"slices"
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

// A test gives the guild that handlers read, changes it, and takes it away.
func ExampleHost_SetGuild() {
	_ = func(t *testing.T) {
		var names []string
		p := sdk.New("namer")
		sdk.On(p, func(ctx context.Context, bot *sdk.Bot, e *disgo.MessageCreate) error {
			guild, err := bot.Guild(ctx, *e.GuildID)
			if missing, ok := errors.AsType[*sdk.GuildError](err); ok {
				names = append(names, "none: "+string(missing.Reason))
				return nil
			}
			if err != nil {
				return err
			}
			names = append(names, guild.Name)
			return nil
		}, sdk.WithGuild())
		h := sdktest.Start(t, p, sdktest.Options{})
		message := `{"id":"1","channel_id":"2","guild_id":"3","content":"hi"}`
		for _, change := range []func(){
			func() { h.SetGuild(`{"id":"3","name":"Kelp Forest","channels":[{"id":"2","type":0}]}`) },
			func() { h.SetGuild(`{"id":"3","name":"Reef"}`) },
			func() { h.MissGuild("3", sdk.GuildRefused) },
		} {
			change()
			if err := h.Send("MESSAGE_CREATE", message); err != nil {
				t.Fatal(err)
			}
		}
		if want := []string{"Kelp Forest", "Reef", "none: refused"}; !slices.Equal(names, want) {
			t.Errorf("got %q, want %q", names, want)
		}
	}
}

// A test says whom a handler finds in a guild.
func ExampleHost_SetMembers() {
	_ = func(t *testing.T) {
		p := sdk.New("finder")
		var found []string
		sdk.On(p, func(ctx context.Context, bot *sdk.Bot, e *disgo.MessageCreate) error {
			members, err := bot.RequestMembers(ctx, *e.GuildID, sdk.MembersRequest{Query: e.Content})
			if err != nil {
				return err
			}
			for _, m := range members.Members {
				found = append(found, m.User.Username)
			}
			return nil
		})
		h := sdktest.Start(t, p, sdktest.Options{})
		h.SetMembers("3", `{"user":{"id":"11","username":"ann"}}`, `{"user":{"id":"12","username":"bob"}}`)
		if err := h.Send("MESSAGE_CREATE", `{"id":"1","channel_id":"2","guild_id":"3","content":"an"}`); err != nil {
			t.Fatal(err)
		}
		if want := []string{"ann"}; !slices.Equal(found, want) {
			t.Errorf("found %q, want %q", found, want)
		}
	}
}
