package sdk_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/switchupcb/disgo"

	"github.com/holdfast-bot/holdfast/sdk"
	"github.com/holdfast-bot/holdfast/sdk/sdktest"
)

// withBot runs act in the handler of a message in guild 3.
func withBot(t *testing.T, act func(ctx context.Context, bot *sdk.Bot) error, prepare ...func(*sdk.Plugin, *sdktest.Host)) *sdktest.Host {
	t.Helper()
	p := sdk.New("gateway")
	sdk.OnRaw(p, "MESSAGE_CREATE", func(ctx context.Context, bot *sdk.Bot, _ json.RawMessage) error { return act(ctx, bot) })
	for _, prepare := range prepare {
		prepare(p, nil)
	}
	h := sdktest.Start(t, p, sdktest.Options{})
	for _, prepare := range prepare {
		prepare(nil, h)
	}
	if err := h.Send("MESSAGE_CREATE", `{"id":"1","channel_id":"2","guild_id":"3"}`); err != nil {
		t.Fatal(err)
	}
	return h
}

func TestSetPresence(t *testing.T) {
	since := time.UnixMilli(1_700_000_000_000)
	h := withBot(t, func(ctx context.Context, bot *sdk.Bot) error {
		return errors.Join(
			bot.SetPresence(ctx, sdk.Presence{}),
			bot.SetPresence(ctx, sdk.Presence{Status: disgo.FlagStatusTypeAFK, IdleSince: since, AFK: true, Shards: []int{0, 2}, Activities: []*disgo.Activity{
				{Name: "reef", Type: disgo.FlagActivityTypeStreaming, URL: disgo.Pointer2("https://twitch.tv/reef")},
				{Type: disgo.FlagActivityTypeCustom, State: disgo.Pointer2("on the rocks")},
			}}))
	})
	all := h.Presences()
	if len(all) != 2 {
		t.Fatalf("%d presences", len(all))
	}
	if p := all[0]; p.Status != "online" || p.AFK || len(p.Activities)+len(p.Shards) != 0 || !p.IdleSince.IsZero() {
		t.Errorf("the first is %+v", p)
	}
	p := all[1]
	if p.Status != "idle" || !p.AFK || !slices.Equal(p.Shards, []int{0, 2}) || !p.IdleSince.Equal(since) || len(p.Activities) != 2 {
		t.Fatalf("the second is %+v", p)
	}
	if a := p.Activities[0]; a.Name != "reef" || a.Type != disgo.FlagActivityTypeStreaming || **a.URL != "https://twitch.tv/reef" || a.State != nil {
		t.Errorf("the stream is %+v", a)
	}
	if a := p.Activities[1]; a.Name != "Custom Status" || **a.State != "on the rocks" || a.URL != nil {
		t.Errorf("the custom status is %+v", a)
	}
}

func TestSetVoiceState(t *testing.T) {
	h := withBot(t, func(ctx context.Context, bot *sdk.Bot) error {
		return errors.Join(bot.SetVoiceState(ctx, "3", "4", true, false), bot.SetVoiceState(ctx, "3", "", false, true))
	})
	all := h.VoiceStates()
	if len(all) != 2 || all[0].GuildID != "3" || *all[0].ChannelID != "4" || !all[0].SelfMute || all[0].SelfDeaf ||
		all[1].ChannelID != nil || all[1].SelfMute || !all[1].SelfDeaf {
		t.Errorf("sent %+v", all)
	}
}

func TestRequestMembers(t *testing.T) {
	many := make([]any, 2500)
	for n := range many {
		many[n] = map[string]any{"user": map[string]any{"id": fmt.Sprint(n + 100), "username": fmt.Sprint("user", n)}, "roles": []any{}}
	}
	withBot(t, func(ctx context.Context, bot *sdk.Bot) error {
		for _, test := range []struct {
			guild             string
			request           sdk.MembersRequest
			want              string
			members, notFound int
			chunks            int
		}{
			{guild: "3", members: 2, chunks: 1},
			{guild: "5", members: 2500, chunks: 3},
			{guild: "5", request: sdk.MembersRequest{Query: "USER1"}, members: 100, chunks: 1},
			{guild: "5", request: sdk.MembersRequest{Query: "user1", Limit: 7}, members: 7, chunks: 1},
			{guild: "5", request: sdk.MembersRequest{UserIDs: []string{"100", "1", "101"}}, members: 2, notFound: 1, chunks: 1},
			{guild: "6", want: "request members of guild 6: discord sent no members within 30s"},
			{guild: "5", request: sdk.MembersRequest{Presences: true}, want: "request members of guild 5: members' presences need the intent GUILD_PRESENCES: call Intents(disgo.FlagIntentGUILD_PRESENCES) before Run"},
		} {
			m, err := bot.RequestMembers(ctx, test.guild, test.request)
			switch {
			case err != nil:
				if err.Error() != test.want {
					t.Errorf("%s %+v: %v, want %s", test.guild, test.request, err, test.want)
				}
			case len(m.Members) != test.members || len(m.NotFound) != test.notFound || len(m.Raw) != test.chunks || test.want != "":
				t.Errorf("%s %+v: %d members, %d not found, %d chunks", test.guild, test.request, len(m.Members), len(m.NotFound), len(m.Raw))
			}
		}
		return nil
	}, func(p *sdk.Plugin, h *sdktest.Host) {
		if p != nil {
			p.Intents(disgo.FlagIntentGUILD_MEMBERS)
		} else {
			h.SetMembers("5", many...)
			h.FailMembers("6", "discord sent no members within 30s")
		}
	})
}

func TestGatewayCallsThatAreWrong(t *testing.T) {
	withBot(t, func(ctx context.Context, bot *sdk.Bot) error {
		ended, cancel := context.WithCancel(ctx)
		cancel()
		members := func(ctx context.Context, guild string, r sdk.MembersRequest) error {
			_, err := bot.RequestMembers(ctx, guild, r)
			return err
		}
		for want, err := range map[string]error{
			`set voice state: "x" is no id`:                                         bot.SetVoiceState(ctx, "x", "", false, false),
			`set voice state: "y" is no id`:                                         bot.SetVoiceState(ctx, "3", "y", false, false),
			`request members: "" is no id`:                                          members(ctx, "", sdk.MembersRequest{}),
			`request members: "z" is no id`:                                         members(ctx, "3", sdk.MembersRequest{UserIDs: []string{"z"}}),
			`request members: limit -1`:                                             members(ctx, "3", sdk.MembersRequest{Query: "x", Limit: -1}),
			`request members of guild 3: context canceled`:                          members(ended, "3", sdk.MembersRequest{Query: "x"}),
			`request members of guild 3: the whole list of a guild's members needs`: members(ctx, "3", sdk.MembersRequest{}),
			`set presence: shard -1`:                                                bot.SetPresence(ctx, sdk.Presence{Shards: []int{-1}}),
			`set presence: activity 0 is nil`:                                       bot.SetPresence(ctx, sdk.Presence{Activities: []*disgo.Activity{nil}}),
			`set presence: context canceled`:                                        bot.SetPresence(ended, sdk.Presence{}),
		} {
			if err == nil || !strings.HasPrefix(err.Error(), want) {
				t.Errorf("got %v, want %s", err, want)
			}
		}
		return nil
	})
}

// A handler's bot ends with the handler, for the gateway too; a detached one goes
// on.
func TestGatewayCallsAfterTheHandler(t *testing.T) {
	var over *sdk.Bot
	h := withBot(t, func(_ context.Context, bot *sdk.Bot) error {
		over = bot
		return nil
	})
	if err := over.SetPresence(t.Context(), sdk.Presence{}); err == nil || !strings.Contains(err.Error(), "the event MESSAGE_CREATE is over") {
		t.Errorf("after the handler: %v", err)
	}
	if err := over.Detach().SetPresence(t.Context(), sdk.Presence{}); err != nil || len(h.Presences()) != 1 {
		t.Errorf("detached: %v", err)
	}
}
