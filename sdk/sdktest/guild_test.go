package sdktest_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/switchupcb/disgo"

	"github.com/holdfast-bot/holdfast/sdk"
	"github.com/holdfast-bot/holdfast/sdk/sdktest"
)

// reader reads the guild of each message, and keeps what it got.
type reader struct {
	guild *sdk.Guild
	err   error
}

func (r *reader) plugin(options ...sdk.Option) *sdk.Plugin {
	p := sdk.New("reader")
	sdk.OnRaw(p, "MESSAGE_CREATE", func(ctx context.Context, bot *sdk.Bot, _ json.RawMessage) error {
		r.guild, r.err = bot.Guild(ctx, bot.GuildID())
		return nil
	}, options...)
	return p
}

// read sends a message in guild 3.
func (r *reader) read(t *testing.T, h *sdktest.Host) *sdk.Guild {
	t.Helper()
	if err := h.Send("MESSAGE_CREATE", hello); err != nil {
		t.Fatal(err)
	}
	if r.err != nil {
		t.Fatal(r.err)
	}
	return r.guild
}

// TestExampleOfGuilds does what ExampleHost_SetGuild shows.
func TestExampleOfGuilds(t *testing.T) {
	for name, options := range map[string][]sdk.Option{"wanted": {sdk.WithGuild()}, "read": nil} {
		t.Run(name, func(t *testing.T) {
			var r reader
			h := sdktest.Start(t, r.plugin(options...), sdktest.Options{})
			first := r.read(t, h)
			if first.ID != "3" || first.Name != "Test Guild" || *first.SystemChannelID != sdktest.ChannelID || len(first.Channels) != 1 ||
				first.Channels[0].ID != sdktest.ChannelID || first.Member.User.ID != sdktest.BotUserID || len(first.Roles) != 1 {
				t.Errorf("made up: %+v", first)
			}
			if again := r.read(t, h); again != first {
				t.Error("read a second time, the guild is another")
			}
			h.SetGuild(map[string]any{"id": "3", "name": "Kelp Forest", "threads": []any{map[string]any{"id": "9", "type": 11}}, "member": nil})
			second := r.read(t, h)
			if second.Name != "Kelp Forest" || second.Version <= first.Version || second.SystemChannelID != nil || second.Member != nil || len(second.Channels) != 0 || len(second.Threads) != 1 {
				t.Errorf("set: %+v", second)
			}
			h.MissGuild("3", sdk.GuildRefused)
			_ = h.Send("MESSAGE_CREATE", hello)
			missing, ok := errors.AsType[*sdk.GuildError](r.err)
			if !ok || missing.ID != "3" || missing.Reason != sdk.GuildRefused || missing.Error() != "guild 3 is not in the cache: refused; the test wants it so" {
				t.Errorf("missed: %v", r.err)
			}
			h.SetGuild(`{"id":"3","name":"Reef"}`)
			if third := r.read(t, h); third.Name != "Reef" || third.Version <= second.Version {
				t.Errorf("set again: %+v", third)
			}
			if n := len(h.Requests()); n != 0 {
				t.Errorf("%d requests to Discord", n)
			}
		})
	}
}

// TestWhatIsReadOfAGuild reads its channels, roles, members and permissions, each
// without the rest.
func TestWhatIsReadOfAGuild(t *testing.T) {
	var got []string
	p := sdk.New("reader")
	note := func(words ...any) { got = append(got, strings.TrimSpace(fmt.Sprintln(words...))) }
	sdk.On(p, func(ctx context.Context, bot *sdk.Bot, m *disgo.MessageCreate) error {
		if role, err := bot.Role(ctx, "3", "10"); err != nil {
			note(err.Error())
		} else {
			note(role.ID, role.Permissions)
		}
		if channel, err := bot.Channel(ctx, "3", sdktest.ChannelID); err == nil {
			note(**channel.Name)
		}
		for _, user := range []string{sdktest.UserID, sdktest.BotUserID, "7"} {
			if may, err := bot.Permissions(ctx, "3", user, m.ChannelID); err != nil {
				note(err.Error())
			} else {
				note(may.String())
			}
			if member, err := bot.Member(ctx, "3", user); err == nil {
				note(member.User.Username, len(member.Roles))
			}
		}
		guild, err := bot.Guild(ctx, "3")
		if err == nil {
			note(guild.Name)
		}
		return err
	}, sdk.WithGuild(sdk.PartGuild))
	h := sdktest.Start(t, p, sdktest.Options{})
	send := func(want ...string) {
		t.Helper()
		got = nil
		if err := h.Send("MESSAGE_CREATE", hello); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got, want) {
			t.Errorf("got  %q\nwant %q", got, want)
		}
	}
	const noChannel = "guild 3 has no channel 2 that the bot may see: it was deleted or archived, is hidden from the bot, or is another guild's"
	const unknown = "read member 7 of guild 3: discord answered 404: Unknown Member (10007)"
	send("guild 3 has no role 10: it was deleted, or is another guild's", "general", noChannel, "user 0", noChannel, "bot 0", noChannel, "Test Guild")
	h.SetGuild(`{"id":"3","name":"Reef","owner_id":"1","roles":[{"id":"3","permissions":"1024"},{"id":"10","permissions":"2"}],
		"channels":[{"id":"2","type":0}],"member":{"user":{"id":"` + sdktest.BotUserID + `","username":"crab"},"roles":["10"]}}`)
	h.SetMembers("3", `{"user":{"id":"`+sdktest.UserID+`","username":"ann"},"roles":["10","11"]}`)
	const role = "10 2"
	send(role, "KICK_MEMBERS, VIEW_CHANNEL", "ann 2", "KICK_MEMBERS, VIEW_CHANNEL", "crab 1", unknown, "Reef")
	h.Handle("GET", "/guilds/{guild}/members/{user}", sdktest.JSON(200, map[string]any{"user": map[string]any{"id": "7", "username": "otter"}, "roles": []string{}}))
	send(role, "VIEW_CHANNEL", "otter 0", "KICK_MEMBERS, VIEW_CHANNEL", "crab 1", "VIEW_CHANNEL", "otter 0", "Reef")
	if n := len(h.Requests()); n != 4 {
		t.Errorf("%d requests, want those for two members, twice each", n)
	}
}

// TestGuildsLiveOnOverReloads as they do in a host.
func TestGuildsLiveOnOverReloads(t *testing.T) {
	var before, after reader
	h := sdktest.Start(t, before.plugin(), sdktest.Options{})
	h.SetGuild(`{"id":"3","name":"Kelp Forest"}`)
	old := before.read(t, h)
	h = h.Reload(after.plugin())
	if got := after.read(t, h); got.Name != "Kelp Forest" || got.Version != old.Version {
		t.Errorf("got %+v", got)
	}
	h.SetGuild(`{"id":"3","name":"Reef"}`)
	if got := after.read(t, h); got.Name != "Reef" || got.Version <= old.Version {
		t.Errorf("got %+v", got)
	}
}

// TestGuildThatTheTestAnswersItself falls back to the request, for this guild.
func TestGuildThatTheTestAnswersItself(t *testing.T) {
	for _, options := range [][]sdk.Option{nil, {sdk.WithGuild()}} {
		var r reader
		h := sdktest.Start(t, r.plugin(options...), sdktest.Options{})
		h.Handle("GET", "/guilds/3", sdktest.JSON(200, map[string]any{"id": "3", "name": "Answered"}))
		for range 2 {
			if g := r.read(t, h); g.Name != "Answered" || g.Version != 0 {
				t.Errorf("got %+v", g)
			}
		}
		if n := len(h.Requests()); n != 2 {
			t.Errorf("%d requests", n)
		}
		h.SetGuild(`{"id":"3","name":"Set"}`)
		if g := r.read(t, h); g.Name != "Set" {
			t.Errorf("got %+v", g)
		}
	}
}

// TestManyGuildsAtOnce changes guilds while handlers of many read them, over
// real gRPC: each sees at least what was set before its event.
func TestManyGuildsAtOnce(t *testing.T) {
	const guilds, rounds = 8, 40
	p := sdk.New("many")
	sdk.On(p, func(ctx context.Context, bot *sdk.Bot, m *disgo.MessageCreate) error {
		var sent, have int
		for range 3 { // the first may ask the host
			g, err := bot.Guild(ctx, *m.GuildID)
			if err != nil {
				return err
			}
			if _, err := fmt.Sscan(m.Content, &sent); err != nil {
				return err
			}
			if _, err := fmt.Sscan(g.Name, &have); err != nil || have < sent || g.ID != *m.GuildID {
				return fmt.Errorf("guild %s of round %d in an event of round %d: %w", g.ID, have, sent, err)
			}
		}
		return nil
	}, sdk.WithGuild())
	h := sdktest.Start(t, p, sdktest.Options{})
	var all []*sdktest.Delivery
	var set [guilds]int // the round
	for round := range rounds {
		for guild := range guilds {
			id := fmt.Sprint(guild + 1)
			if round == 0 || (round+guild)%3 == 0 {
				set[guild] = round
				h.SetGuild(map[string]any{"id": id, "name": fmt.Sprint(round)})
			}
			all = append(all, h.Deliver("MESSAGE_CREATE", fmt.Sprintf(`{"id":"1","channel_id":"2","guild_id":%q,"content":"%d"}`, id, set[guild])))
		}
	}
	for _, d := range all {
		if err := d.Wait(); err != nil {
			t.Error(err)
		}
	}
}

func TestMistakesWithGuildsAreTold(t *testing.T) {
	var r reader
	var said []string
	for _, mistake := range []func(*sdktest.Host){
		func(h *sdktest.Host) { h.SetGuild(`{"name":"Kelp"}`) },
		func(h *sdktest.Host) { h.SetGuild(`{"id":"kelp"}`) },
		func(h *sdktest.Host) { h.SetGuild(`[]`) },
		func(h *sdktest.Host) { h.SetGuild(func() {}) },
		func(h *sdktest.Host) { h.MissGuild("", sdk.GuildOutage) },
	} {
		said = append(said, failing(t, func(t testing.TB) { mistake(sdktest.Start(t, r.plugin(), sdktest.Options{})) }))
	}
	want := []string{
		"set the guild: it has no id, a string of digits",
		`"kelp" is no id of a guild: use digits`,
		"set the guild: json: cannot unmarshal array into Go value of type map[string]json.RawMessage",
		"encode the guild: json: unsupported type: func()",
		`"" is no id of a guild: use digits`,
	}
	if !slices.Equal(said, want) {
		t.Errorf("said %q, want %q", said, want)
	}
}
