package sdk

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/switchupcb/disgo"

	"github.com/holdfast-bot/holdfast/sdk/wire"
)

// partsOf makes parts of a GUILD_CREATE, as a host's cache has them.
func partsOf(t testing.TB, created json.RawMessage) *wire.GuildResponse {
	t.Helper()
	var whole map[string]json.RawMessage
	if err := json.Unmarshal(created, &whole); err != nil {
		t.Fatal(err)
	}
	var members []json.RawMessage
	if err := json.Unmarshal(whole["members"], &members); err != nil || len(members) == 0 {
		t.Fatalf("%d members, %v", len(members), err)
	}
	answer := &wire.GuildResponse{Version: 1, Channels: whole["channels"], Threads: whole["threads"], Member: members[0]}
	for _, key := range []string{"channels", "threads", "members", "presences", "voice_states", "soundboard_sounds", "guild_scheduled_events", "stage_instances"} {
		delete(whole, key)
	}
	var err error
	if answer.Guild, err = json.Marshal(whole); err != nil {
		t.Fatal(err)
	}
	return answer
}

// TestCapturedGuildsDecode compares with what encoding/json reads.
func TestCapturedGuildsDecode(t *testing.T) {
	for n, created := range captured(t)["GUILD_CREATE"] {
		answer := partsOf(t, created)
		before := answer.String()
		g, err := decodeGuild(answer, nil)
		if err != nil {
			t.Fatal(err)
		}
		if answer.String() != before {
			t.Error("decoding changed Discord's bytes")
		}
		var want struct {
			ID, Name        string
			Roles, Channels []struct{ ID, Name string }
			Members         []struct{ Roles []string }
		}
		if err := json.Unmarshal(created, &want); err != nil {
			t.Fatal(err)
		}
		if g.ID != want.ID || g.Name != want.Name || len(g.Roles) != len(want.Roles) || len(g.Channels) != len(want.Channels) || len(g.Roles) == 0 || len(g.Channels) == 0 {
			t.Fatalf("guild %d: got %+v, want %+v", n, g, want)
		}
		for n, role := range want.Roles {
			if g.Roles[n].ID != role.ID || g.Roles[n].Name != role.Name {
				t.Errorf("role %d: got %+v, want %+v", n, g.Roles[n], role)
			}
		}
		for n, channel := range want.Channels {
			if g.Channels[n].ID != channel.ID || **g.Channels[n].Name != channel.Name {
				t.Errorf("channel %d: got %+v, want %+v", n, g.Channels[n], channel)
			}
		}
		if len(g.Member.Roles) != len(want.Members[0].Roles) {
			t.Errorf("member: got %+v", g.Member)
		}
	}
}

// TestOddPartsOfGuilds has parts that Discord, a newer Discord or nobody sends.
func TestOddPartsOfGuilds(t *testing.T) {
	const plain = `{"id":"1","name":"Kelp","roles":[{"id":"1","name":"@everyone"}]}`
	tests := []struct {
		name                             string
		guild, channels, threads, member string
		want                             string // name, roles, channels, threads, the member's roles; or the error
	}{
		{"all there", plain, `[{"id":"2","type":0}]`, `[{"id":"3","type":11},{"id":"4","type":12}]`, `{"roles":["5"]}`, "Kelp 1 [2] [3 4] [5]"},
		{"only the guild", plain, ``, ``, ``, "Kelp 1 [] [] none"},
		{"nulls", plain, `null`, ` null `, `null`, "Kelp 1 [] [] none"},
		{"empty", plain, `[]`, `[]`, `{}`, "Kelp 1 [] [] []"},
		{"a null among channels", plain, `[null,{"id":"2"}]`, ``, ``, "Kelp 1 [2] [] none"},
		{"a kind of channel that is new", plain, `[{"id":"2","type":99}]`, ``, ``, "Kelp 1 [2] [] none"},
		{"a kind of channel beyond disgo's", plain, `[{"id":"2","type":300},{"id":"3","type":0}]`, ``, ``, "Kelp 1 [3] [] none"},
		{"channels of other forms", plain, `[5,"x",[],{"id":7},{"id":"3","permission_overwrites":{}},{"id":"4"}]`, ``, ``, "Kelp 1 [4] [] none"},
		{"a field of another form", `{"id":"1","name":"Kelp","verification_level":1000,"features":{},"roles":[{"id":"1"}]}`, ``, ``, ``, "Kelp 1 [] [] none"},
		{"a role of another form", `{"id":"1","name":"Kelp","roles":[{"id":"1","color":"red"},{"id":"2"}]}`, ``, ``, ``, "Kelp 1 [] [] none"},
		{"a date that is none", plain, ``, ``, `{"joined_at":"yesterday","roles":["5"]}`, "Kelp 1 [] [] [5]"},
		{"fields that disgo does not know", `{"id":"1","name":"Kelp","tide":{"rising":[true]},"roles":[]}`, ``, ``, ``, "Kelp 0 [] [] none"},
		{"no guild", ``, `[]`, ``, ``, `decode the guild: "" is no object`},
		{"null for a guild", `null`, `[]`, ``, ``, `decode the guild: "null" is no object`},
		{"a list for a guild", `[]`, ``, ``, ``, "decode the guild: json: cannot unmarshal array"},
		{"half a guild", plain[:20], ``, ``, ``, "decode the guild: unexpected end of JSON input"},
		{"garbage for channels", plain, "\x00\xff", ``, ``, "decode its channels: invalid character"},
		{"an object for threads", plain, ``, `{}`, ``, "decode its threads: json: cannot unmarshal object"},
		{"half a list", plain, `[{"id":"2"}`, ``, ``, "decode its channels: unexpected end of JSON input"},
		{"a number for the member", plain, ``, ``, `7`, "decode its member: json: cannot unmarshal number"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			g, err := decodeGuild(&wire.GuildResponse{
				Version: 1, Guild: []byte(test.guild), Channels: []byte(test.channels), Threads: []byte(test.threads), Member: []byte(test.member),
			}, nil)
			if err != nil {
				if !strings.HasPrefix(err.Error(), test.want) {
					t.Errorf("got the error %v, want %s", err, test.want)
				}
				return
			}
			if got := sketch(g); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
			if string(g.Raw.Guild) != test.guild || string(g.Raw.Channels) != test.channels || string(g.Raw.Threads) != test.threads || string(g.Raw.Member) != test.member {
				t.Errorf("raw parts are %s", g.Raw)
			}
		})
	}
}

// sketch is what the table looks at.
func sketch(g *Guild) string {
	ids := func(channels []*disgo.Channel) []string {
		var ids []string
		for _, c := range channels {
			ids = append(ids, c.ID)
		}
		return ids
	}
	member := "none"
	if g.Member != nil {
		var roles []string
		for _, role := range g.Member.Roles {
			roles = append(roles, *role)
		}
		member = fmt.Sprint(roles)
	}
	return fmt.Sprint(g.Name, " ", len(g.Roles), " ", ids(g.Channels), " ", ids(g.Threads), " ", member)
}

// FuzzGuild decodes any bytes as any part, alone and onto another guild.
func FuzzGuild(f *testing.F) {
	for _, created := range captured(f)["GUILD_CREATE"] {
		answer := partsOf(f, created)
		f.Add(answer.GetGuild(), answer.GetChannels(), answer.GetThreads(), answer.GetMember())
	}
	f.Add([]byte(`{"name":1,"roles":[{},null,3]}`), []byte(`[null,{"type":300}]`), []byte(`null`), []byte(`{"roles":[null]}`))
	f.Fuzz(func(t *testing.T, guild, channels, threads, member []byte) {
		answer := &wire.GuildResponse{Version: 1, Guild: guild, Channels: channels, Threads: threads, Member: member}
		first, err := decodeGuild(answer, nil)
		if err != nil {
			return
		}
		for _, c := range append(first.Channels, first.Threads...) {
			if c == nil {
				t.Error("a channel is nil")
			}
			if found, ok := first.Channel(c.ID); ok && found.ID != c.ID {
				t.Errorf("found %+v for %q", found, c.ID)
			}
			may, err := first.PermissionsOf("7", first.Member, c.ID)
			if err == nil && may != 0 && may != AllPermissions && !may.Has(PermissionViewChannel) {
				t.Errorf("what is not seen allows %s", may)
			}
		}
		second, err := decodeGuild(answer, first)
		if err != nil {
			t.Fatalf("the same parts a second time: %v", err)
		}
		if sizeOf(second) != sizeOf(first) || second.Name != first.Name {
			t.Errorf("got %+v, then %+v", first, second)
		}
	})
}
