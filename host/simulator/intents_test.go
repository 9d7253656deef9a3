package simulator

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"
)

// happen lets one of everything happen, and ends with an event that every session sees.
func happen(s *Server) {
	g := s.Guilds()[0]
	user, ch := g.Members[0], g.Channels[0]
	m := s.Say(g.ID, ch, user, "hello")
	s.Edit(g.ID, ch, m, "hello you")
	s.React(g.ID, ch, m, user, "👍")
	s.Unreact(g.ID, ch, m, user, "👍")
	s.Delete(g.ID, ch, m)
	s.Typing(g.ID, ch, user)
	s.DirectMessage(user, "psst")
	joined := s.Join(g.ID, 0)
	s.ChangeMember(g.ID, joined, "nick", nil)
	s.ChangeMember(g.ID, s.Bot(), "botnick", nil)
	s.Ban(g.ID, joined)
	s.Unban(g.ID, joined)
	s.Voice(g.ID, g.Voice[0], user)
	c := s.CreateChannel(g.ID, "new")
	s.DeleteChannel(g.ID, c)
	s.DeleteRole(g.ID, s.CreateRole(g.ID, "new", 8))
	s.RenameGuild(g.ID, "renamed")
	s.Outage(g.ID)
	s.Restore(g.ID)
	s.Dispatch(g.ID, "PRESENCE_UPDATE", json.RawMessage(`{"guild_id":"1"}`))
	s.Dispatch(0, "USER_UPDATE", json.RawMessage(`{"id":"1"}`))
}

func TestIntents(t *testing.T) {
	always := []string{"GUILD_MEMBER_UPDATE", "USER_UPDATE"} // the bot's own member, and what has no intent
	tests := map[uint64][]string{
		0: always,
		intentGuilds: append([]string{"GUILD_CREATE", "CHANNEL_CREATE", "CHANNEL_DELETE", "GUILD_ROLE_CREATE", "GUILD_ROLE_DELETE",
			"GUILD_UPDATE", "GUILD_DELETE"}, always...),
		intentMembers:         append([]string{"GUILD_MEMBER_ADD", "GUILD_MEMBER_REMOVE"}, always...),
		intentModeration:      append([]string{"GUILD_BAN_ADD", "GUILD_BAN_REMOVE"}, always...),
		intentVoice:           append([]string{"VOICE_STATE_UPDATE"}, always...),
		intentPresences:       append([]string{"PRESENCE_UPDATE"}, always...),
		intentMessages:        append([]string{"MESSAGE_CREATE", "MESSAGE_UPDATE", "MESSAGE_DELETE"}, always...),
		intentReactions:       append([]string{"MESSAGE_REACTION_ADD", "MESSAGE_REACTION_REMOVE"}, always...),
		intentTyping:          append([]string{"TYPING_START"}, always...),
		intentDirectMessages:  append([]string{"MESSAGE_CREATE"}, always...),
		intentContent:         always,
		intentDirectReactions: always,
	}
	for intents, want := range tests {
		t.Run(fmt.Sprintf("%#x", intents), func(t *testing.T) {
			s := start(t, oneGuild())
			c := connect(t, s, intents)
			happen(s)
			var have []string
			for {
				p, err := c.read()
				if err != nil {
					t.Fatal(err)
				}
				if !slices.Contains(have, p.name()) {
					have = append(have, p.name())
				}
				if p.name() == "USER_UPDATE" {
					break
				}
			}
			slices.Sort(have)
			want := slices.Sorted(slices.Values(want))
			if !slices.Equal(have, want) {
				t.Errorf("have %v\nwant %v", have, want)
			}
		})
	}
}

// Without MESSAGE_CONTENT the content is empty, except in direct messages, the bot's own and where it is mentioned.
func TestMessageContent(t *testing.T) {
	cfg := oneGuild()
	cfg.IdentifyInterval = time.Nanosecond
	s := start(t, cfg)
	g := s.Guilds()[0]
	both := connect(t, s, intentMessages|intentDirectMessages|intentContent)
	bare := dial(t, s.GatewayURL(), "")
	bare.identify(s, 0, 1, intentMessages|intentDirectMessages)
	mention := fmt.Sprintf("hello <@%d>", s.Bot())
	s.Say(g.ID, g.Channels[0], g.Members[0], "secret")
	s.Say(g.ID, g.Channels[0], g.Members[0], mention)
	s.DirectMessage(g.Members[0], "direct")
	call(t, s, "POST", fmt.Sprintf("/channels/%d/messages", g.Channels[0]), `{"content":"mine"}`).want(200)
	for _, want := range []string{"secret", mention, "direct", "mine"} {
		if got := contentOf(both.until("MESSAGE_CREATE")); got != want {
			t.Errorf("with the intent: %q, want %q", got, want)
		}
		if want == "secret" {
			want = ""
		}
		if got := contentOf(bare.until("MESSAGE_CREATE")); got != want {
			t.Errorf("without the intent: %q, want %q", got, want)
		}
	}
	wantBreaches(t, s, nil)
}

// The bit numbers of Discord's table, written out once more, and what is beside the table.
func TestIntentTable(t *testing.T) {
	for name, bit := range map[string]int{
		"GUILD_CREATE": 0, "CHANNEL_PINS_UPDATE": 0, "THREAD_LIST_SYNC": 0, "VOICE_CHANNEL_STATUS_UPDATE": 0, "GUILD_MEMBER_ADD": 1,
		"GUILD_BAN_ADD": 2, "GUILD_AUDIT_LOG_ENTRY_CREATE": 2, "GUILD_EMOJIS_UPDATE": 3, "GUILD_SOUNDBOARD_SOUNDS_UPDATE": 3,
		"INTEGRATION_CREATE": 4, "WEBHOOKS_UPDATE": 5, "INVITE_CREATE": 6, "VOICE_STATE_UPDATE": 7, "PRESENCE_UPDATE": 8,
		"MESSAGE_CREATE": 9, "MESSAGE_DELETE_BULK": 9, "MESSAGE_REACTION_REMOVE_EMOJI": 10, "TYPING_START": 11,
		"GUILD_SCHEDULED_EVENT_USER_ADD": 16, "AUTO_MODERATION_RULE_CREATE": 20, "AUTO_MODERATION_ACTION_EXECUTION": 21,
		"MESSAGE_POLL_VOTE_ADD": 24,
	} {
		if needed(name, true) != 1<<bit {
			t.Errorf("%s needs %#x in a guild, want %#x", name, needed(name, true), 1<<bit)
		}
	}
	for name, bit := range map[string]int{"MESSAGE_UPDATE": 12, "MESSAGE_REACTION_ADD": 13, "TYPING_START": 14, "MESSAGE_POLL_VOTE_REMOVE": 25} {
		if needed(name, false) != 1<<bit {
			t.Errorf("%s needs %#x in a direct message, want %#x", name, needed(name, false), 1<<bit)
		}
	}
	for _, name := range []string{"READY", "RESUMED", "INTERACTION_CREATE", "USER_UPDATE", "VOICE_SERVER_UPDATE", "GUILD_MEMBERS_CHUNK",
		"RATE_LIMITED", "ENTITLEMENT_CREATE", "SUBSCRIPTION_CREATE", "APPLICATION_COMMAND_PERMISSIONS_UPDATE", "CHANNEL_INFO", "SOUNDBOARD_SOUNDS"} {
		if needed(name, true) != 0 || needed(name, false) != 0 {
			t.Errorf("%s needs an intent", name)
		}
	}
	for _, name := range []string{"MESSAGE_CREATE", "TYPING_START", "MESSAGE_REACTION_ADD", "MESSAGE_POLL_VOTE_ADD", "CHANNEL_PINS_UPDATE"} {
		if needed(name, true) == needed(name, false) || needed(name, true) == 0 {
			t.Errorf("%s does not tell guilds from direct messages", name)
		}
	}
}
