package sdk

import (
	"context"
	"errors"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/holdfast-bot/holdfast/sdk/wire"
)

func TestMember(t *testing.T) {
	const plain = `{"user":{"id":"7","username":"otter"},"nick":"Ottilie","roles":["20"],"joined_at":"2020-01-01T00:00:00Z","avatar_decoration_data":null}`
	answer := &wire.MemberResponse{Member: []byte(plain)}
	h := &guildHost{member: func(*wire.MemberRequest) (*wire.MemberResponse, error) { return answer, nil }}
	l := lineTo(t, h)
	b := botOf(l, "E", 1, 5)
	m, err := b.Member(t.Context(), "1", "7")
	if err != nil || m.User.Username != "otter" || **m.Nick != "Ottilie" || *m.Roles[0] != "20" || m.VoiceState != nil || m.Presence != nil || string(m.Raw.Member) != plain {
		t.Errorf("got %+v, %v", m, err)
	}
	answer.VoiceState = []byte(`{"user_id":"7","channel_id":"30","session_id":"s","self_mute":true}`)
	answer.Presence = []byte(`{"user":{"id":"7"},"status":"idle","activities":[{"name":"kelp","type":0,"buttons":["Dive"]}]}`)
	m, err = b.Member(t.Context(), "1", "7")
	if err != nil || *m.VoiceState.ChannelID != "30" || !m.VoiceState.SelfMute || m.Presence.Status != "idle" || len(m.Presence.Activities) != 1 {
		t.Errorf("got %+v, %v", m, err)
	}
	// What disgo cannot decode is left out.
	answer = &wire.MemberResponse{Member: []byte(`{"user":{"id":"7"},"roles":["20"],"joined_at":"yesterday"}`), VoiceState: []byte(`{"channel_id":"30","self_mute":"no"}`), Presence: []byte(`null`)}
	m, err = b.Member(t.Context(), "1", "7")
	if err != nil || m.User.ID != "7" || *m.Roles[0] != "20" || *m.VoiceState.ChannelID != "30" || m.Presence != nil {
		t.Errorf("got %+v, %v", m, err)
	}
	if calls := h.calls(); calls != strings.Repeat("member 7 of 1 E, ", 2)+"member 7 of 1 E" {
		t.Errorf("asked %q", calls)
	}
}

// TestNoMember tells why.
func TestNoMember(t *testing.T) {
	for name, test := range map[string]struct {
		answer *wire.MemberResponse
		err    error
		want   string
	}{
		"refused":     {&wire.MemberResponse{Refused: &wire.RestResponse{Status: 404, Body: []byte(`{"message":"Unknown Member","code":10007}`)}}, nil, "read member 7 of guild 1: discord answered 404: Unknown Member (10007)"},
		"missing":     {&wire.MemberResponse{Missing: &wire.GuildMissing{Reason: "removed", Message: "guild 1 is gone"}}, nil, "guild 1 is gone"},
		"nothing":     {&wire.MemberResponse{}, nil, "read member 7 of guild 1: the host answered neither a member nor why there is none: report this"},
		"no member":   {&wire.MemberResponse{Member: []byte(`[]`)}, nil, "read member 7 of guild 1: decode the member: json: cannot unmarshal array"},
		"no presence": {&wire.MemberResponse{Member: []byte(`{}`), Presence: []byte(`7`)}, nil, "read member 7 of guild 1: decode the presence: json: cannot unmarshal number"},
		"an old host": {nil, status.Error(codes.Unimplemented, "unknown method Member"), "read member 7 of guild 1: this host does not do that: run a newer one"},
		"the gate":    {nil, status.Error(codes.Unavailable, "the gate is closed"), "read member 7 of guild 1: the gate is closed"},
	} {
		h := &guildHost{member: func(*wire.MemberRequest) (*wire.MemberResponse, error) { return test.answer, test.err }}
		_, err := botOf(lineTo(t, h), "E", 1, 5).Member(t.Context(), "1", "7")
		if err == nil || !strings.HasPrefix(err.Error(), test.want) {
			t.Errorf("%s: got %v", name, err)
		}
		api, refused := errors.AsType[*APIError](err)
		missing, gone := errors.AsType[*GuildError](err)
		if refused != (name == "refused") || refused && api.Code != 10007 || gone != (name == "missing") || gone && missing.Reason != GuildRemoved {
			t.Errorf("%s: got %#v", name, err)
		}
	}
	l := lineTo(t, new(guildHost))
	b := botOf(l, "E", 1, 5)
	for _, ids := range [][2]string{{"", "7"}, {"1", "seven"}} {
		if _, err := b.Member(t.Context(), ids[0], ids[1]); err == nil || !strings.HasSuffix(err.Error(), "is no id of Discord's: use digits") {
			t.Errorf("%q: got %v", ids, err)
		}
	}
	l.events.revoke(b.ticket)
	if _, err := b.Member(t.Context(), "1", "7"); err == nil || !strings.Contains(err.Error(), "is over: use bot.Detach()") {
		t.Errorf("after its handler: %v", err)
	}
}

// TestWhoIsAskedForPermissions: nobody for the bot itself, for the owner, and where
// there is no such channel.
func TestWhoIsAskedForPermissions(t *testing.T) {
	h := &guildHost{
		guild: func(_ context.Context, r *wire.GuildRequest) (*wire.GuildResponse, error) {
			whole := kelpAt(1, 5)
			if r.GetEvent() == "UNKNOWN" {
				whole.Member = []byte(`null`)
			}
			return partly(whole, r), nil
		},
		member: func(r *wire.MemberRequest) (*wire.MemberResponse, error) {
			if r.GetUser() == 8 {
				return &wire.MemberResponse{Refused: &wire.RestResponse{Status: 404}}, nil
			}
			return &wire.MemberResponse{Member: []byte(`{"user":{"id":"7"},"roles":[]}`)}, nil
		},
	}
	const both = PermissionViewChannel | PermissionSendMessages
	for name, test := range map[string]struct {
		event, user, channel string
		want                 Permissions
		failure, calls       string
	}{
		"the bot":              {"E", "9", "30", both, "", "1 v0 E"},
		"the bot at large":     {"E", "9", "", both, "", "1 v0 E for guild, member"},
		"the bot unknown":      {"UNKNOWN", "9", "", both, "", "1 v0 UNKNOWN for guild, member, member 9 of 1 UNKNOWN"},
		"the owner":            {"E", "2", "40", AllPermissions, "", "1 v0 E for guild, channels, threads"},
		"a member":             {"E", "7", "30", PermissionViewChannel, "", "1 v0 E for guild, channels, threads, member 7 of 1 E"},
		"a member in a thread": {"E", "7", "40", PermissionViewChannel, "", "1 v0 E for guild, channels, threads, member 7 of 1 E"},
		"a member at large":    {"E", "7", "", both, "", "1 v0 E for guild, member 7 of 1 E"},
		"no member":            {"E", "8", "", 0, "read member 8 of guild 1: discord answered 404", "1 v0 E for guild, member 8 of 1 E"},
		"no channel":           {"E", "7", "39", 0, "guild 1 has no channel 39 that the bot may see: it was deleted or archived, is hidden from the bot, or is another guild's", "1 v0 E for guild, channels, threads"},
		"the owner nowhere":    {"E", "2", "39", 0, "guild 1 has no channel 39 that the bot may see: it was deleted or archived, is hidden from the bot, or is another guild's", "1 v0 E for guild, channels, threads"},
	} {
		l := lineTo(t, h)
		l.userID = "9"
		got, err := botOf(l, test.event, 1, 5).Permissions(t.Context(), "1", test.user, test.channel)
		said := ""
		if err != nil {
			said = err.Error()
		}
		if got != test.want || said != test.failure {
			t.Errorf("%s: got %s, %v", name, got, err)
		}
		if calls := h.calls(); calls != test.calls {
			t.Errorf("%s: asked %q, want %q", name, calls, test.calls)
		}
	}
}
