package sdk

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/switchupcb/disgo"
)

// captured are payloads of the real gateway, compact as Discord sends them.
func captured(t testing.TB) map[string][]json.RawMessage {
	t.Helper()
	files, err := filepath.Glob("testdata/captured/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	events := make(map[string][]json.RawMessage)
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var payloads []struct {
			T string          `json:"t"`
			D json.RawMessage `json:"d"`
		}
		if err := json.Unmarshal(raw, &payloads); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		for _, p := range payloads {
			compact, err := json.Marshal(p.D)
			if err != nil {
				t.Fatal(err)
			}
			events[p.T] = append(events[p.T], compact)
		}
	}
	return events
}

// TestCapturedPayloadsDecode holds that typed handlers get every real payload
// whose type disgo has, and that what disgo keeps of it is true.
func TestCapturedPayloadsDecode(t *testing.T) {
	types := eventTypes()
	decodedSome := 0
	for name, payloads := range captured(t) {
		for n, data := range payloads {
			kind, ok := types[name]
			if !ok {
				t.Errorf("disgo has no %s", name)
				continue
			}
			value := reflect.New(kind)
			before := string(data)
			repaired, err := decode(name, data, value.Interface())
			if err != nil {
				t.Errorf("%s %d: %v", name, n, err)
				continue
			}
			if string(data) != before {
				t.Errorf("%s %d: decoding changed Discord's bytes", name, n)
			}
			decodedSome++
			t.Logf("%s %d: repaired %v", name, n, repaired)
			var ids struct{ ID, Token, Content string }
			if err := json.Unmarshal(data, &ids); err != nil {
				t.Fatal(err)
			}
			switch e := value.Interface().(type) {
			case *disgo.MessageCreate:
				if e.ID != ids.ID || e.Content != ids.Content {
					t.Errorf("%s %d: id %s content %q, want %s %q", name, n, e.ID, e.Content, ids.ID, ids.Content)
				}
			case *disgo.InteractionCreate:
				if e.ID != ids.ID || e.Token != ids.Token || e.Data == nil {
					t.Errorf("%s %d: id %s data %v", name, n, e.ID, e.Data)
				}
			case *disgo.GuildCreate:
				if e.ID != ids.ID || len(e.Roles) == 0 {
					t.Errorf("%s %d: id %s, %d roles", name, n, e.ID, len(e.Roles))
				}
			}
		}
	}
	if decodedSome < 15 {
		t.Errorf("only %d payloads", decodedSome)
	}
}

// TestTrapsAreRepaired has one payload for each thing that makes disgo fail on
// a whole event.
func TestTrapsAreRepaired(t *testing.T) {
	const message = `"id":"1234567890123456789","channel_id":"2","content":"hi","timestamp":"2026-02-27T10:00:00+00:00"`
	tests := []struct {
		name, event, data string
	}{
		{"container", "MESSAGE_CREATE", `{` + message + `,"components":[{"type":17,"components":[{"type":10,"content":"x"}]},{"type":1,"components":[{"type":2,"style":1}]}]}`},
		{"thumbnail in a section", "MESSAGE_UPDATE", `{` + message + `,"components":[{"type":9,"accessory":{"type":11}}]}`},
		{"component types of 2025", "MESSAGE_CREATE", `{` + message + `,"components":[{"type":12},{"type":13},{"type":14},{"type":18},{"type":19},{"type":21},{"type":22},{"type":23}]}`},
		{"component type beyond a byte", "MESSAGE_CREATE", `{` + message + `,"components":[{"type":4711}]}`},
		{"component without a type", "MESSAGE_CREATE", `{` + message + `,"components":[{},7,null]}`},
		{"components that are no list", "MESSAGE_CREATE", `{` + message + `,"components":{"type":1}}`},
		{"numeric nonce", "MESSAGE_CREATE", `{` + message + `,"nonce":1234567890123456789}`},
		{"nonce of no kind", "MESSAGE_CREATE", `{` + message + `,"nonce":true}`},
		{"in a referenced message", "MESSAGE_CREATE", `{` + message + `,"referenced_message":{` + message + `,"nonce":5,"components":[{"type":17}]}}`},
		{"in a forwarded message", "MESSAGE_CREATE", `{` + message + `,"message_reference":{"type":1},"message_snapshots":[{"message":{"content":"x","components":[{"type":17}]}}],"nonce":1}`},
		{"in an interaction's message", "INTERACTION_CREATE", `{"id":"1234567890123456789","token":"t","type":3,"data":{"custom_id":"c","component_type":2},"message":{` + message + `,"components":[{"type":17}]}}`},
		{"in resolved messages", "INTERACTION_CREATE", `{"id":"1234567890123456789","token":"t","type":2,"data":{"id":"5","name":"n","type":3,"resolved":{"messages":{"1":{` + message + `,"components":[{"type":17}],"nonce":2}}}}}`},
		{"modal with a label", "INTERACTION_CREATE", `{"id":"1234567890123456789","token":"t","type":5,"data":{"custom_id":"m","components":[{"type":18,"component":{"type":4,"custom_id":"a","value":"b"}}]}}`},
		{"interaction of a new type", "INTERACTION_CREATE", `{"id":"1234567890123456789","token":"t","type":6,"data":{"x":1}}`},
		{"timestamp in seconds", "TYPING_START", `{"channel_id":"2","user_id":"3","timestamp":1772186400}`},
		{"chosen values of a select menu", "INTERACTION_CREATE", `{"id":"1234567890123456789","token":"t","type":3,"data":{"custom_id":"c","component_type":3,"values":["a","b"]}}`},
		{"buttons of a presence", "PRESENCE_UPDATE", `{"user":{"id":"1"},"guild_id":"2","status":"online","activities":[{"name":"Kelp","type":0,"created_at":1772186400000,"buttons":["Join","Watch"]}],"client_status":{"desktop":"online"}}`},
		{"buttons of a presence in a chunk", "GUILD_MEMBERS_CHUNK", `{"guild_id":"2","members":[],"chunk_index":0,"chunk_count":1,"presences":[{"user":{"id":"1"},"activities":[{"name":"K","buttons":["Join"]}]}]}`},
		{"timestamp of no time", "TYPING_START", `{"channel_id":"2","user_id":"3","timestamp":1e40}`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			value := reflect.New(eventTypes()[test.event]).Interface()
			if decodeDirect([]byte(test.data), value) == nil {
				t.Fatal("disgo decodes this without repair: the case tests nothing")
			}
			repaired, err := decode(test.event, []byte(test.data), value)
			if err != nil || !repaired {
				t.Fatalf("repaired %v, %v", repaired, err)
			}
			switch e := value.(type) {
			case *disgo.MessageCreate:
				if e.ID != "1234567890123456789" || e.Content != "hi" {
					t.Errorf("got id %s, content %q", e.ID, e.Content)
				}
				if test.name == "container" && len(e.Components) != 1 {
					t.Errorf("%d components are left, want the action row", len(e.Components))
				}
				if test.name == "numeric nonce" && string(*e.Nonce) != "1234567890123456789" {
					t.Errorf("nonce %s lost digits", *e.Nonce)
				}
			case *disgo.InteractionCreate:
				if e.ID != "1234567890123456789" || e.Token != "t" {
					t.Errorf("got %+v", e.Interaction)
				}
				if strings.HasPrefix(test.name, "chosen") {
					if values := e.MessageComponent().Values; len(values) != 2 || values[1].Value != "b" {
						t.Errorf("got %d values", len(values))
					}
				}
			case *disgo.PresenceUpdate:
				if buttons := e.Activities[0].Buttons; len(buttons) != 2 || *buttons[1].Label != "Watch" {
					t.Errorf("got %d buttons", len(buttons))
				}
			case *disgo.TypingStart:
				if test.name == "timestamp in seconds" && e.Timestamp.Unix() != 1772186400 {
					t.Errorf("got %v", e.Timestamp)
				}
			}
		})
	}
}

// TestDocumentedPayloadsDecode has the shapes of Discord's documentation for
// events that were not captured, with the fields in which disgo's types are
// most likely to differ.
func TestDocumentedPayloadsDecode(t *testing.T) {
	const user = `{"id":"1","username":"u","discriminator":"0","global_name":null,"avatar":null,"public_flags":64,"primary_guild":null,"collectibles":{}}`
	const member = `{"user":` + user + `,"roles":["1"],"joined_at":"2020-01-01T00:00:00+00:00","premium_since":null,"deaf":false,"mute":false,"flags":2,"pending":false,"nick":null,"communication_disabled_until":null,"banner":null,"avatar_decoration_data":null,"guild_id":"2"}`
	const channel = `{"id":"3","type":15,"guild_id":"2","position":6,"permission_overwrites":[{"id":"1","type":0,"allow":"1024","deny":"0"}],"name":"c","topic":null,"nsfw":false,"last_message_id":null,"parent_id":null,"default_reaction_emoji":{"emoji_id":null,"emoji_name":"x"},"available_tags":[{"id":"9","name":"t","moderated":false,"emoji_id":null,"emoji_name":null}],"flags":16,"icon_emoji":{"id":null,"name":"k"},"theme_color":null}`
	const thread = `{"id":"3","type":11,"guild_id":"2","parent_id":"4","owner_id":"1","name":"t","thread_metadata":{"archived":false,"archive_timestamp":"2026-02-27T10:00:00.000000+00:00","auto_archive_duration":4320,"locked":false,"create_timestamp":"2026-02-27T10:00:00+00:00"},"message_count":1,"member_count":1,"rate_limit_per_user":0,"flags":0,"total_message_sent":1,"member":{"id":"3","user_id":"1","join_timestamp":"2026-02-27T10:00:00+00:00","flags":1,"muted":false,"mute_config":null}}`
	const event = `{"id":"5","guild_id":"2","channel_id":null,"creator_id":"1","name":"e","description":null,"scheduled_start_time":"2026-02-27T10:00:00+00:00","scheduled_end_time":null,"privacy_level":2,"status":1,"entity_type":3,"entity_id":null,"entity_metadata":{"location":"reef"},"user_count":3,"image":null,"recurrence_rule":{"start":"2026-02-27T10:00:00+00:00","frequency":2}}`
	const role = `{"guild_id":"2","role":{"id":"7","name":"r","color":0,"colors":{"primary_color":0,"secondary_color":null},"hoist":false,"icon":null,"unicode_emoji":null,"position":1,"permissions":"2248473465835073","managed":false,"mentionable":false,"flags":0,"tags":{"bot_id":"1","premium_subscriber":null}}}`
	const rule = `{"id":"5","guild_id":"2","name":"r","creator_id":"1","event_type":1,"trigger_type":4,"trigger_metadata":{"presets":[1,2],"allow_list":["a"],"mention_total_limit":5},"actions":[{"type":1,"metadata":{"custom_message":"no"}}],"enabled":true,"exempt_roles":[],"exempt_channels":[]}`
	const stage = `{"id":"5","guild_id":"2","channel_id":"3","topic":"t","privacy_level":2,"discoverable_disabled":false,"guild_scheduled_event_id":null}`
	const integration = `{"id":"5","name":"Twitch","type":"twitch","enabled":true,"syncing":false,"role_id":"7","enable_emoticons":true,"expire_behavior":1,"expire_grace_period":7,"user":` + user + `,"account":{"id":"a","name":"b"},"synced_at":"2026-02-27T10:00:00+00:00","subscriber_count":0,"revoked":false,"application":{"id":"8","name":"app","icon":null,"description":"","bot":` + user + `},"guild_id":"2"}`
	const reaction = `{"user_id":"1","channel_id":"3","message_id":"4","guild_id":"2","emoji":{"id":null,"name":"🔥"},"burst":false,"type":0}`
	payloads := map[string]string{
		"RESUMED":                                `{"_trace":["a"]}`,
		"APPLICATION_COMMAND_PERMISSIONS_UPDATE": `{"id":"1","application_id":"2","guild_id":"3","permissions":[{"id":"4","type":1,"permission":true}]}`,
		"AUTO_MODERATION_RULE_CREATE":            rule,
		"AUTO_MODERATION_ACTION_EXECUTION":       `{"guild_id":"2","action":{"type":2,"metadata":{"channel_id":"3"}},"rule_id":"5","rule_trigger_type":1,"user_id":"1","channel_id":"3","content":"x","matched_keyword":null,"matched_content":null}`,
		"CHANNEL_CREATE":                         channel,
		"CHANNEL_PINS_UPDATE":                    `{"guild_id":"2","channel_id":"3","last_pin_timestamp":null}`,
		"THREAD_CREATE":                          thread,
		"THREAD_DELETE":                          `{"id":"3","guild_id":"2","parent_id":"4","type":11}`,
		"THREAD_LIST_SYNC":                       `{"guild_id":"2","channel_ids":["3"],"threads":[` + thread + `],"members":[{"id":"3","user_id":"1","join_timestamp":"2026-02-27T10:00:00+00:00","flags":1}]}`,
		"THREAD_MEMBER_UPDATE":                   `{"id":"3","user_id":"1","join_timestamp":"2026-02-27T10:00:00+00:00","flags":1,"guild_id":"2"}`,
		"THREAD_MEMBERS_UPDATE":                  `{"id":"3","guild_id":"2","member_count":2,"added_members":[{"id":"3","user_id":"1","join_timestamp":"2026-02-27T10:00:00+00:00","flags":0,"member":` + member + `,"presence":null}],"removed_member_ids":["9"]}`,
		"GUILD_DELETE":                           `{"id":"2","unavailable":true}`,
		"GUILD_AUDIT_LOG_ENTRY_CREATE":           `{"id":"5","guild_id":"2","user_id":"1","target_id":null,"action_type":193,"changes":[{"key":"$add","new_value":[{"id":"1","name":"r"}]},{"key":"position","old_value":1,"new_value":2}],"options":{"count":"1","delete_member_days":"7"}}`,
		"GUILD_BAN_ADD":                          `{"guild_id":"2","user":` + user + `}`,
		"GUILD_EMOJIS_UPDATE":                    `{"guild_id":"2","emojis":[{"id":"5","name":"e","roles":[],"require_colons":true,"managed":false,"animated":false,"available":true}]}`,
		"GUILD_STICKERS_UPDATE":                  `{"guild_id":"2","stickers":[{"id":"5","name":"s","description":null,"tags":"t","type":2,"format_type":1,"available":true,"guild_id":"2","asset":""}]}`,
		"GUILD_INTEGRATIONS_UPDATE":              `{"guild_id":"2"}`,
		"GUILD_MEMBER_ADD":                       member,
		"GUILD_MEMBER_REMOVE":                    `{"guild_id":"2","user":` + user + `}`,
		"GUILD_MEMBERS_CHUNK":                    `{"guild_id":"2","members":[` + member + `],"chunk_index":0,"chunk_count":1,"not_found":["9"],"nonce":"n"}`,
		"GUILD_ROLE_CREATE":                      role,
		"GUILD_ROLE_DELETE":                      `{"guild_id":"2","role_id":"7"}`,
		"GUILD_SCHEDULED_EVENT_CREATE":           event,
		"GUILD_SCHEDULED_EVENT_USER_ADD":         `{"guild_id":"2","guild_scheduled_event_id":"5","user_id":"1"}`,
		"INTEGRATION_CREATE":                     integration,
		"INTEGRATION_DELETE":                     `{"id":"5","guild_id":"2","application_id":"8"}`,
		"INVITE_CREATE":                          `{"channel_id":"3","code":"c","created_at":"2026-02-27T10:00:00+00:00","guild_id":"2","inviter":` + user + `,"max_age":0,"max_uses":0,"target_type":1,"temporary":false,"uses":0,"type":0,"expires_at":null}`,
		"INVITE_DELETE":                          `{"channel_id":"3","guild_id":"2","code":"c"}`,
		"MESSAGE_DELETE_BULK":                    `{"ids":["1","2"],"channel_id":"3","guild_id":"2"}`,
		"MESSAGE_REACTION_REMOVE":                reaction,
		"MESSAGE_REACTION_REMOVE_ALL":            reaction,
		"MESSAGE_REACTION_REMOVE_EMOJI":          reaction,
		"PRESENCE_UPDATE":                        `{"user":{"id":"1"},"guild_id":"2","status":"dnd","activities":[{"name":"Custom Status","type":4,"state":"x","emoji":{"name":"k"},"created_at":1772186400000,"id":"custom"},{"name":"Spotify","type":2,"flags":48,"party":{"id":"spotify:1","size":[1,5]},"timestamps":{"start":1772186400000,"end":1772186500000},"sync_id":"s","session_id":"t","assets":{"large_image":"spotify:1"},"created_at":1772186400000}],"client_status":{"desktop":"dnd"}}`,
		"STAGE_INSTANCE_CREATE":                  stage,
		"USER_UPDATE":                            user,
		"VOICE_SERVER_UPDATE":                    `{"token":"t","guild_id":"2","endpoint":null}`,
		"WEBHOOKS_UPDATE":                        `{"guild_id":"2","channel_id":"3"}`,
		"MESSAGE_CREATE":                         `{"id":"4","channel_id":"3","guild_id":"2","author":` + user + `,"member":{"roles":[],"joined_at":"2020-01-01T00:00:00+00:00","deaf":false,"mute":false,"flags":0},"content":"","timestamp":"2026-02-27T10:00:00+00:00","edited_timestamp":null,"tts":false,"mention_everyone":false,"mentions":[],"mention_roles":[],"attachments":[{"id":"5","filename":"f","size":1,"url":"u","proxy_url":"p","height":null,"flags":1}],"embeds":[{"type":"rich","title":"t","color":5814783,"timestamp":"2026-02-27T10:00:00+00:00","fields":[{"name":"n","value":"v","inline":true}]}],"reactions":[{"count":1,"count_details":{"burst":0,"normal":1},"me":false,"emoji":{"id":null,"name":"x"},"burst_colors":[]}],"pinned":false,"type":19,"flags":32768,"components":[],"poll":{"question":{"text":"q"},"answers":[{"answer_id":1,"poll_media":{"text":"a"}}],"expiry":null,"allow_multiselect":false,"layout_type":1},"interaction_metadata":{"id":"6","type":2,"user":` + user + `,"authorizing_integration_owners":{"0":"2"}},"sticker_items":[{"id":"5","name":"s","format_type":1}],"message_reference":{"type":0,"message_id":"9","channel_id":"3","guild_id":"2"},"referenced_message":null}`,
	}
	for name, data := range payloads {
		value := reflect.New(eventTypes()[name]).Interface()
		if _, err := decode(name, []byte(data), value); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestBeyondRepair(t *testing.T) {
	for _, data := range []string{``, `7`, `[]`, `{"id":`, `{"id":{}}`, `{"id":"1"}{}`, `{"author":[]}`} {
		_, err := decode("MESSAGE_CREATE", []byte(data), new(disgo.MessageCreate))
		if err == nil {
			t.Errorf("%s: decoded", data)
			continue
		}
		if !strings.HasPrefix(err.Error(), "decode MESSAGE_CREATE into *disgo.MessageCreate: ") {
			t.Errorf("%s: %v", data, err)
		}
	}
}

func TestOtherTypesDecodeAsTheyAre(t *testing.T) {
	var own struct {
		Poll  json.RawMessage `json:"poll"`
		Nonce json.Number     `json:"nonce"`
	}
	repaired, err := decode("MESSAGE_CREATE", []byte(`{"poll":{"question":{}},"nonce":12345678901234567890}`), &own)
	if err != nil || repaired || string(own.Poll) != `{"question":{}}` || own.Nonce != "12345678901234567890" {
		t.Errorf("%+v, repaired %v, %v", own, repaired, err)
	}
}

func TestAnswersAreRepaired(t *testing.T) {
	tests := []struct{ name, body, want string }{
		{"nothing to do", `{"id":"1","components":[],"nonce":"5"}`, `{"id":"1","components":[],"nonce":"5"}`},
		{"known components stay as they are", `{"components": [ {"type":1} ], "a":1}`, `{"components": [ {"type":1} ], "a":1}`},
		{"unknown components go", `{"components": [ {"type":17} ]}`, `{"components":[]}`},
		{"in a list of messages", `[{"nonce" : 7}]`, `[{"nonce":"7"}]`},
		{"no JSON", `<html>"nonce":7`, `<html>"nonce":7`},
	}
	for _, test := range tests {
		if got := repairAnswer([]byte(test.body)); string(got) != test.want {
			t.Errorf("%s: got %s", test.name, got)
		}
	}
}

// FuzzDecode holds that no bytes make decoding panic, and that a repaired
// payload stays JSON.
func FuzzDecode(f *testing.F) {
	for name, payloads := range captured(f) {
		for _, data := range payloads {
			if len(data) < 4096 {
				f.Add(name, []byte(data))
			}
		}
	}
	f.Add("MESSAGE_CREATE", []byte(`{"components":[{"type":17}],"nonce":1}`))
	f.Add("TYPING_START", []byte(`{"timestamp":1}`))
	types := eventTypes()
	f.Fuzz(func(t *testing.T, name string, data []byte) {
		kind, ok := types[name]
		if !ok {
			name, kind = "MESSAGE_CREATE", types["MESSAGE_CREATE"]
		}
		before := string(data)
		repaired, err := decode(name, data, reflect.New(kind).Interface())
		if repaired && err != nil {
			t.Fatalf("repaired and failed: %v", err)
		}
		if better, changed := repair(data); changed {
			if !json.Valid(better) {
				t.Fatalf("repair made %s of %s", better, data)
			}
			if _, again := repair(better); again {
				t.Fatalf("one repair is not enough: %s", better)
			}
		}
		if string(data) != before {
			t.Fatal("decoding changed Discord's bytes")
		}
	})
}
