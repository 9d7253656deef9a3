package simulator

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// frames are dispatches with everything that a careless server would change: key order, escapes, numbers, spaces.
const frames = `[
{"op":10,"s":null,"t":null,"d":{"heartbeat_interval":41250}},
{"t":"READY","op":0,"s":1,"d":{"v":10}},
{"t":"MESSAGE_CREATE","op":0,"s":2,"d":{"member":{"guild_id":"1"},"guild_id":"%[1]d","content":"a\u00e9\/é","n":1e2,"b":1.50,"id":"7"}},
{"d":{"id":"%[1]d","name":"x","unavailable":false},"op":0,"s":3,"t":"GUILD_UPDATE"},
{"t":"SOMETHING_NEW","op":0,"s":4,"d":[1, 2 ,{"z":null,"a":[]}]}
]`

func TestPlay(t *testing.T) {
	for _, vary := range []bool{false, true} {
		t.Run(fmt.Sprint("vary=", vary), func(t *testing.T) {
			s := start(t, Config{World: World{Guilds: 1}, VaryKeys: vary})
			text := fmt.Sprintf(frames, s.Guilds()[0].ID)
			path := filepath.Join(t.TempDir(), "frames.json")
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			list, err := ReadFrames(path)
			if err != nil || len(list) != 5 {
				t.Fatalf("%d frames: %v", len(list), err)
			}
			c := connect(t, s, intentGuilds|intentMessages)
			c.until("GUILD_CREATE")
			n, err := s.Play(list)
			if err != nil || n != 3 {
				t.Fatalf("played %d: %v", n, err)
			}
			for _, raw := range list[2:] {
				var want payload
				if err := json.Unmarshal(raw, &want); err != nil {
					t.Fatal(err)
				}
				got, err := c.read()
				if err != nil {
					t.Fatal(err)
				}
				if got.name() != want.name() || !bytes.Equal(got.D, want.D) {
					t.Errorf("%s\nhave %s\nwant %s", got.name(), got.D, want.D)
				}
			}
			wantBreaches(t, s, nil)
		})
	}
}

// A file may hold one frame a line.
func TestReadFrameLines(t *testing.T) {
	path := filepath.Join(t.TempDir(), "frames.jsonl")
	if err := os.WriteFile(path, []byte("{\"op\":0, \"t\":\"A\",\"d\":{}}\n\n{\"op\":0,\"t\":\"B\",\"d\":{}}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	list, err := ReadFrames(path)
	if err != nil || len(list) != 2 || string(list[0]) != `{"op":0,"t":"A","d":{}}` {
		t.Errorf("%s: %v", list, err)
	}
	if err := os.WriteFile(path, []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	if list, err := ReadFrames(path); err == nil {
		t.Errorf("nonsense is read as %s", list)
	}
	if _, err := ReadFrames(path + ".missing"); err == nil {
		t.Error("a missing file is read")
	}
}

// Whatever the simulator makes itself is JSON, with the members that Discord's documentation requires.
func TestEventShapes(t *testing.T) {
	s := start(t, oneGuild())
	c := connect(t, s, allIntents)
	happen(s)
	g := s.Guilds()[0]
	s.Slash(g.ID, g.Channels[0], g.Members[0], "x")
	required := map[string][]string{
		"MESSAGE_CREATE": {"id", "channel_id", "author", "content", "timestamp", "edited_timestamp", "tts", "mention_everyone", "mentions",
			"mention_roles", "attachments", "embeds", "pinned", "type", "flags", "components", "channel_type"},
		"GUILD_CREATE": {"id", "name", "owner_id", "roles", "emojis", "features", "joined_at", "large", "member_count", "voice_states", "members",
			"channels", "threads", "presences", "stage_instances", "guild_scheduled_events", "soundboard_sounds", "unavailable", "stickers"},
		"GUILD_MEMBER_ADD":     {"guild_id", "user", "roles", "joined_at", "deaf", "mute", "flags", "pending", "nick", "avatar"},
		"GUILD_MEMBER_REMOVE":  {"guild_id", "user"},
		"GUILD_BAN_ADD":        {"guild_id", "user"},
		"MESSAGE_REACTION_ADD": {"user_id", "channel_id", "message_id", "guild_id", "member", "emoji", "message_author_id", "burst", "type"},
		"TYPING_START":         {"channel_id", "guild_id", "user_id", "timestamp", "member"},
		"VOICE_STATE_UPDATE":   {"guild_id", "channel_id", "user_id", "member", "session_id", "deaf", "mute", "self_deaf", "self_mute", "self_video", "suppress", "request_to_speak_timestamp"},
		"GUILD_ROLE_CREATE":    {"guild_id", "role"},
		"GUILD_ROLE_DELETE":    {"guild_id", "role_id"},
		"CHANNEL_CREATE":       {"id", "type", "guild_id", "position", "permission_overwrites", "name", "nsfw", "last_message_id", "rate_limit_per_user", "parent_id", "topic"},
		"MESSAGE_DELETE":       {"id", "channel_id", "guild_id"},
		"INTERACTION_CREATE": {"id", "application_id", "type", "data", "guild", "guild_id", "channel", "channel_id", "member", "token", "version",
			"app_permissions", "locale", "guild_locale", "entitlements", "authorizing_integration_owners", "context", "attachment_size_limit"},
	}
	for found := map[string]bool{}; !found["INTERACTION_CREATE"]; {
		p, err := c.read()
		if err != nil {
			t.Fatal(err)
		}
		if key := twice(p.D); key != "" {
			t.Errorf("%s has %s twice: %s", p.name(), key, p.D)
		}
		m, ok := object(p.D)
		if !ok {
			t.Fatalf("%s: %s", p.name(), p.D)
		}
		if !found[p.name()] {
			for _, key := range required[p.name()] {
				if _, ok := m[key]; !ok {
					t.Errorf("%s has no %s: %.300s", p.name(), key, p.D)
				}
			}
		}
		found[p.name()] = true
		if p.name() == "INTERACTION_CREATE" {
			for name := range required {
				if !found[name] {
					t.Errorf("no %s came", name)
				}
			}
		}
	}
}
