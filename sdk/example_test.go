//nolint:testableexamples // a plugin runs until its host ends it
package sdk_test

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/switchupcb/disgo"

	"github.com/holdfast-bot/holdfast/sdk"
)

// A plugin is a main function that registers handlers and runs.
func Example() {
	p := sdk.New("hello")
	p.Command(&disgo.CreateGlobalApplicationCommand{
		Name:        "ping",
		Description: disgo.Pointer("Replies with pong."),
	}, func(context.Context, *sdk.Bot, *disgo.InteractionCreate) (*sdk.Reply, error) {
		return sdk.Text("pong"), nil
	})
	p.Run()
}

// The event is that of the handler's last parameter.
func ExampleOn() {
	p := sdk.New("greeter")
	sdk.On(p, func(_ context.Context, bot *sdk.Bot, e *disgo.MessageCreate) error {
		if e.Content != "hello" {
			return nil
		}
		_, err := (&disgo.CreateMessage{ChannelID: e.ChannelID, Content: disgo.Pointer("hello yourself")}).Send(bot.Client)
		return err
	})
	p.Run()
}

// Events and fields that disgo does not have are decoded into your own types.
func ExampleOnAs() {
	type vote struct {
		UserID   string `json:"user_id"`
		AnswerID int    `json:"answer_id"`
	}
	p := sdk.New("polls")
	sdk.OnAs(p, "MESSAGE_POLL_VOTE_ADD", func(_ context.Context, bot *sdk.Bot, v *vote) error {
		bot.Log.Info("vote", "user", v.UserID, "answer", v.AnswerID)
		return nil
	})
	p.Run()
}

// Raw handlers get Discord's bytes and cost no decoding.
func ExampleOnRaw() {
	p := sdk.New("archive")
	sdk.OnRaw(p, "MESSAGE_CREATE", func(_ context.Context, bot *sdk.Bot, data json.RawMessage) error {
		bot.Log.Debug("message", "bytes", len(data))
		return nil
	})
	p.Run()
}

// WithGuild has the guild at hand before the handler runs. Joins come in
// masses, so the handler goes on when the guild is missing.
func ExampleWithGuild() {
	p := sdk.New("welcome")
	sdk.On(p, func(ctx context.Context, bot *sdk.Bot, e *disgo.GuildMemberAdd) error {
		guild, err := bot.Guild(ctx, e.GuildID)
		if missing, ok := errors.AsType[*sdk.GuildError](err); ok {
			bot.Log.Info("somebody joined", "guild missing", missing.Reason)
			return nil
		}
		if err != nil {
			return err
		}
		bot.Log.Info("somebody joined", "name", guild.Name)
		return nil
	}, sdk.WithGuild())
	p.Run()
}

// A guild comes with its channels and the bot's own member, and with Discord's
// JSON of each part, for what disgo does not know.
func ExampleBot_Guild() {
	p := sdk.New("census")
	p.Command(&disgo.CreateGlobalApplicationCommand{
		Name:        "census",
		Description: disgo.Pointer("Counts this server's channels."),
	}, func(ctx context.Context, bot *sdk.Bot, _ *disgo.InteractionCreate) (*sdk.Reply, error) {
		guild, err := bot.Guild(ctx, bot.GuildID())
		if err != nil {
			return nil, err
		}
		var newer struct {
			Nameplate string `json:"nameplate"`
		}
		if err := json.Unmarshal(guild.Raw.Guild, &newer); err != nil {
			return nil, err
		}
		return sdk.Text(fmt.Sprintf("%s%s has %d channels.", newer.Nameplate, guild.Name, len(guild.Channels))), nil
	})
	p.Run()
}

// A handler that needs a part of the guild names it: loading it costs one request
// of four.
func ExampleWithGuild_parts() {
	p := sdk.New("greeter")
	sdk.On(p, func(ctx context.Context, bot *sdk.Bot, e *disgo.GuildMemberUpdate) error {
		for _, id := range e.Roles {
			role, err := bot.Role(ctx, e.GuildID, *id)
			if err != nil {
				return err
			}
			bot.Log.Info("somebody changed", "user", e.User.ID, "role", role.Name)
		}
		return nil
	}, sdk.WithGuild(sdk.PartGuild))
	p.Run()
}

// What the bot may do is computed from its own member: nobody is asked.
func ExampleBot_Permissions() {
	const need = sdk.PermissionSendMessages | sdk.PermissionEmbedLinks
	p := sdk.New("herald")
	sdk.On(p, func(ctx context.Context, bot *sdk.Bot, e *disgo.ChannelCreate) error {
		may, err := bot.Permissions(ctx, bot.GuildID(), bot.UserID(), e.ID)
		if err != nil {
			return err
		}
		if missing := need &^ may; missing != 0 {
			bot.Log.Warn("nothing can be said there", "channel", e.ID, "missing", missing)
		}
		return nil
	})
	p.Run()
}

// Discord sends a message's member along: what its author may do is computed
// without a request.
func ExampleGuild_PermissionsOf() {
	p := sdk.New("bouncer")
	sdk.On(p, func(ctx context.Context, bot *sdk.Bot, e *disgo.MessageCreate) error {
		if e.GuildID == nil || e.Member == nil || e.Content != "!close" {
			return nil
		}
		guild, err := bot.Guild(ctx, *e.GuildID, sdk.PartGuild, sdk.PartChannels, sdk.PartThreads)
		if err != nil {
			return err
		}
		may, err := guild.PermissionsOf(e.Author.ID, e.Member, e.ChannelID)
		if err != nil {
			return err
		}
		if !may.Has(sdk.PermissionManageChannels) {
			return nil
		}
		_, err = (&disgo.DeleteCloseChannel{ChannelID: e.ChannelID}).Send(bot.Reason("!close"))
		return err
	})
	p.Run()
}

// A set reads as Discord's names.
func ExamplePermissions() {
	may, err := sdk.ParsePermissions("2112")
	fmt.Println(may, err)
	fmt.Println(may.Has(sdk.PermissionSendMessages), may.Has(sdk.PermissionSendMessages|sdk.PermissionSpeak))
	// Output:
	// ADD_REACTIONS, SEND_MESSAGES <nil>
	// true false
}

// A channel is read without the rest of its guild; what is not there has a type.
func ExampleBot_Channel() {
	p := sdk.New("pointer")
	sdk.On(p, func(ctx context.Context, bot *sdk.Bot, e *disgo.MessageCreate) error {
		channel, err := bot.Channel(ctx, bot.GuildID(), e.ChannelID)
		if _, ok := errors.AsType[*sdk.NotFoundError](err); ok {
			return nil // a thread that has been archived since
		}
		if err != nil {
			return err
		}
		bot.Log.Debug("message", "channel", **channel.Name)
		return nil
	})
	p.Run()
}

// Members that the host does not keep are asked for one at a time.
func ExampleBot_Member() {
	const unknownMember = 10007
	p := sdk.New("usher")
	sdk.On(p, func(ctx context.Context, bot *sdk.Bot, e *disgo.InviteCreate) error {
		if e.Inviter == nil {
			return nil
		}
		member, err := bot.Member(ctx, bot.GuildID(), e.Inviter.ID)
		if api, ok := sdk.AsAPIError(err); ok && api.Code == unknownMember {
			return nil // who invited has left
		}
		if err != nil {
			return err
		}
		bot.Log.Info("invited", "by", member.User.Username, "since", member.JoinedAt)
		return nil
	})
	p.Run()
}

// The reasons tell apart what passes and what does not.
func ExampleGuildError() {
	var err error = &sdk.GuildError{ID: "1", Reason: sdk.GuildRefused, Message: "guild 1 is not in the cache: refused; go on without it, or try again later"}
	if missing, ok := errors.AsType[*sdk.GuildError](err); ok {
		switch missing.Reason {
		case sdk.GuildRemoved, sdk.GuildForbidden:
			fmt.Println("forget the guild")
		default:
			fmt.Println("go on without it")
		}
	}
	// Output: go on without it
}

// Commands that are newer than disgo are JSON as Discord takes it.
func ExamplePlugin_Command() {
	p := sdk.New("anywhere")
	p.Command(json.RawMessage(`{
		"name": "tide", "description": "Tells the tide.",
		"integration_types": [0, 1], "contexts": [0, 1, 2]
	}`), func(context.Context, *sdk.Bot, *disgo.InteractionCreate) (*sdk.Reply, error) {
		return sdk.Text("Rising.").Ephemeral(), nil
	})
	p.Run()
}

// OnStart is for what must work before the first event.
func ExamplePlugin_OnStart() {
	p := sdk.New("careful")
	p.OnStart(func(ctx context.Context, bot *sdk.Bot) error {
		if _, err := bot.Guild(ctx, "1000000000000000004"); err != nil {
			return fmt.Errorf("the bot must be in the home guild: %w", err)
		}
		return nil
	})
	p.Run()
}

// The presence is set once: the host keeps it for every session.
func ExampleBot_SetPresence() {
	p := sdk.New("lighthouse")
	p.OnStart(func(ctx context.Context, bot *sdk.Bot) error {
		return bot.SetPresence(ctx, sdk.Presence{
			Status:     disgo.FlagStatusTypeDoNotDisturb,
			Activities: []*disgo.Activity{{Name: "the sea", Type: disgo.FlagActivityTypeWatching}},
		})
	})
	p.Run()
}

// The bot joins the voice channel of who sends a message there, deaf.
func ExampleBot_SetVoiceState() {
	p := sdk.New("bard")
	sdk.On(p, func(ctx context.Context, bot *sdk.Bot, e *disgo.MessageCreate) error {
		switch {
		case e.GuildID == nil:
			return nil
		case e.Content == "!join":
			return bot.SetVoiceState(ctx, *e.GuildID, e.ChannelID, false, true)
		case e.Content == "!leave":
			return bot.SetVoiceState(ctx, *e.GuildID, "", false, false)
		}
		return nil
	})
	p.Run()
}

// Members are asked for by the beginning of their names, by ids, or all.
func ExampleBot_RequestMembers() {
	p := sdk.New("roll-call")
	p.Intents(disgo.FlagIntentGUILD_MEMBERS) // for the whole list
	p.Command(&disgo.CreateGlobalApplicationCommand{
		Name:        "count",
		Description: disgo.Pointer("Counts this server's bots."),
	}, func(ctx context.Context, bot *sdk.Bot, _ *disgo.InteractionCreate) (*sdk.Reply, error) {
		all, err := bot.RequestMembers(ctx, bot.GuildID(), sdk.MembersRequest{})
		if err != nil {
			return nil, err
		}
		bots := 0
		for _, m := range all.Members {
			if m.User != nil && m.User.Bot != nil && *m.User.Bot {
				bots++
			}
		}
		return sdk.Text(fmt.Sprintf("%d of %d are bots.", bots, len(all.Members))), nil
	})
	p.Run()
}

// State lives on when a new build of the plugin takes over.
func ExamplePlugin_State() {
	var seen struct {
		Messages int
		Last     time.Time
	}
	p := sdk.New("lookout")
	p.State(&seen)
	var mu sync.Mutex // handlers of different guilds run in parallel
	sdk.OnRaw(p, "MESSAGE_CREATE", func(_ context.Context, bot *sdk.Bot, _ json.RawMessage) error {
		mu.Lock()
		defer mu.Unlock()
		seen.Messages++
		seen.Last = bot.Received
		return nil
	})
	p.Run()
}

// SaveRestore is for a form of your own, and for reading older ones: here
// State's JSON, which is schema 1.
func ExamplePlugin_SaveRestore() {
	var total uint64
	p := sdk.New("lookout")
	save := func() ([]byte, error) {
		return binary.BigEndian.AppendUint64(nil, total), nil
	}
	restore := func(schema uint32, data []byte) error {
		if schema == 1 {
			var old struct{ Messages uint64 }
			err := json.Unmarshal(data, &old)
			total = old.Messages
			return err
		}
		_, err := binary.Decode(data, binary.BigEndian, &total)
		return err
	}
	p.SaveRestore(2, save, restore)
	p.Run()
}

// A handler's bot ends with the handler; a detached one goes on.
func ExampleBot_Detach() {
	p := sdk.New("reminder")
	sdk.On(p, func(_ context.Context, bot *sdk.Bot, e *disgo.MessageCreate) error {
		later := bot.Detach()
		time.AfterFunc(time.Hour, func() {
			if _, err := (&disgo.CreateMessage{ChannelID: e.ChannelID, Content: disgo.Pointer("An hour has passed.")}).Send(later.Client); err != nil {
				later.Log.Warn("not reminded", "error", err)
			}
		})
		return nil
	})
	p.Run()
}

// Reason puts a word into the guild's audit log.
func ExampleBot_Reason() {
	p := sdk.New("tidy")
	sdk.On(p, func(_ context.Context, bot *sdk.Bot, e *disgo.MessageCreate) error {
		if e.Content != "spam" {
			return nil
		}
		return (&disgo.DeleteMessage{ChannelID: e.ChannelID, MessageID: e.ID}).Send(bot.Reason("it said spam"))
	})
	p.Run()
}

// Discord's own answer is behind each error of a request.
func ExampleAsAPIError() {
	const missingPermissions = 50013
	refused := disgo.ErrorRequest{Err: &sdk.APIError{Status: 403, Code: missingPermissions, Message: "Missing Permissions"}}
	err := errors.Join(errors.New("greet"), refused) // as a handler may get it from Send
	if api, ok := sdk.AsAPIError(err); ok && api.Code == missingPermissions {
		fmt.Println(api)
	}
	// Output: discord answered 403: Missing Permissions (50013)
}

// Requests that disgo does not have are sent by method and path.
func ExampleBot_Do() {
	p := sdk.New("raid")
	p.Command(&disgo.CreateGlobalApplicationCommand{Name: "clear", Description: disgo.Pointer("Bans a raid.")},
		func(ctx context.Context, bot *sdk.Bot, _ *disgo.InteractionCreate) (*sdk.Reply, error) {
			var done struct {
				Banned []string `json:"banned_users"`
			}
			ctx = sdk.WithReason(ctx, "a raid")
			err := bot.Do(ctx, "POST", "/guilds/"+bot.GuildID()+"/bulk-ban", map[string]any{"user_ids": []string{"7", "8"}}, &done)
			if err != nil {
				return nil, err
			}
			return sdk.Text(fmt.Sprintf("Banned %d.", len(done.Banned))), nil
		})
	p.Run()
}

// Send has a context of its own, and errors.As finds what Discord said.
func ExampleSend() {
	const missingAccess = 50001 // Discord's documentation, "JSON Error Codes"
	p := sdk.New("reader")
	sdk.On(p, func(ctx context.Context, bot *sdk.Bot, e *disgo.MessageCreate) error {
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		pinned, err := sdk.Send(ctx, bot, &disgo.GetPinnedMessages{ChannelID: e.ChannelID})
		var refused *sdk.APIError
		if errors.As(err, &refused) && refused.Code == missingAccess {
			return nil
		}
		if err != nil {
			return err
		}
		bot.Log.Info("pinned", "messages", len(pinned))
		return nil
	})
	p.Run()
}

// A button's handler changes the message that it belongs to, however long it
// takes: the host defers.
func ExamplePlugin_Component() {
	p := sdk.New("poll")
	p.Component("vote:", func(_ context.Context, _ *sdk.Bot, i *disgo.InteractionCreate) (*sdk.Reply, error) {
		choice := strings.TrimPrefix(i.MessageComponent().CustomID, "vote:")
		return sdk.Text("You have voted for " + choice + ".").Update(), nil
	})
}

// A button opens a modal, which must not come late, and the modal's handler reads
// what was typed.
func ExamplePlugin_Modal() {
	p := sdk.New("feedback")
	p.Component("feedback", func(context.Context, *sdk.Bot, *disgo.InteractionCreate) (*sdk.Reply, error) {
		return sdk.ShowModal("feedback:", "Feedback", json.RawMessage(`[
			{"type": 18, "label": "What do you think?", "component": {"type": 4, "custom_id": "text", "style": 2}}
		]`)), nil
	}, sdk.DeferNever)
	p.Modal("feedback:", func(_ context.Context, bot *sdk.Bot, _ *disgo.InteractionCreate) (*sdk.Reply, error) {
		return sdk.Text("Thank you for your " + strconv.Itoa(len(bot.Inputs()["text"])) + " letters.").Ephemeral(), nil
	}, sdk.DeferEphemeral)
}

// A command with subcommands, and suggestions for one of its options.
func ExampleSubcommands() {
	p := sdk.New("config")
	p.Command(json.RawMessage(`{"name": "config", "description": "Settings", "options": [
		{"type": 1, "name": "list", "description": "Shows all"},
		{"type": 1, "name": "set", "description": "Changes one", "options": [
			{"type": 3, "name": "key", "description": "Which", "required": true, "autocomplete": true},
			{"type": 3, "name": "value", "description": "To what", "required": true}
		]}
	]}`), sdk.Subcommands(map[string]sdk.CommandHandler{
		"list": func(context.Context, *sdk.Bot, *disgo.InteractionCreate) (*sdk.Reply, error) {
			return sdk.Text("There are none."), nil
		},
		"set": func(_ context.Context, _ *sdk.Bot, i *disgo.InteractionCreate) (*sdk.Reply, error) {
			given := sdk.Arguments(i)
			return sdk.Text(given["key"] + " is " + given["value"] + " now."), nil
		},
	}), sdk.DeferEphemeral)
	p.Autocomplete("config", func(_ context.Context, _ *sdk.Bot, _ *disgo.InteractionCreate, typing sdk.Typing) ([]sdk.Choice, error) {
		return []sdk.Choice{{Name: typing.Value + " color", Value: "color"}}, nil
	})
}
