package sdk

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/holdfast-bot/holdfast/sdk/wire"
)

// guildHost is the host of a line, without gRPC.
type guildHost struct {
	wire.HostClient
	guild  func(context.Context, *wire.GuildRequest) (*wire.GuildResponse, error)
	member func(*wire.MemberRequest) (*wire.MemberResponse, error)
	do     func(*wire.RestRequest) (*wire.RestResponse, error)

	mu    sync.Mutex
	asked []string // guild, version and event of each call, and parts if it was not for all
}

func (h *guildHost) Guild(ctx context.Context, r *wire.GuildRequest, _ ...grpc.CallOption) (*wire.GuildResponse, error) {
	h.mu.Lock()
	call := fmt.Sprintf("%d v%d %s", r.GetGuild(), r.GetVersion(), r.GetEvent())
	if parts := Part(r.GetParts()); parts != wholeGuild {
		call += " for " + parts.String()
	}
	if have := Part(r.GetHave()); r.GetVersion() != 0 && have != wholeGuild {
		call += " having " + have.String()
	}
	h.asked = append(h.asked, call)
	h.mu.Unlock()
	return h.guild(ctx, r)
}

func (h *guildHost) Member(_ context.Context, r *wire.MemberRequest, _ ...grpc.CallOption) (*wire.MemberResponse, error) {
	h.mu.Lock()
	h.asked = append(h.asked, fmt.Sprintf("member %d of %d %s", r.GetUser(), r.GetGuild(), r.GetEvent()))
	h.mu.Unlock()
	return h.member(r)
}

func (h *guildHost) Do(_ context.Context, r *wire.RestRequest, _ ...grpc.CallOption) (*wire.RestResponse, error) {
	return h.do(r)
}

// calls are those since the last look.
func (h *guildHost) calls() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	asked := strings.Join(h.asked, ", ")
	h.asked = nil
	return asked
}

// lineTo is a line whose calls go to h.
func lineTo(t testing.TB, h *guildHost) *line {
	t.Helper()
	l, err := openLine(&wire.StartRequest{HostSocket: "/nowhere"}, func(context.Context, string) (net.Conn, error) { return nil, net.ErrClosed })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.close)
	l.host = h
	return l
}

// botOf is the bot of an event of a guild, whose handler has begun; version is
// that of its frame.
func botOf(l *line, event string, guild, version uint64) *Bot {
	b := &Bot{Facts: Facts{Event: event, guild: guild}, line: l, guildVersion: version}
	b.ticket = l.events.issue(new(eventContext))
	return b
}

// guildAt is a host's answer: the guild's name is its version.
func guildAt(id, version uint64) *wire.GuildResponse {
	return &wire.GuildResponse{
		Version:  version,
		Guild:    fmt.Appendf(nil, `{"id":"%d","name":"v%d","roles":[]}`, id, version),
		Channels: []byte(`[{"id":"8","type":0}]`),
		Threads:  []byte(`[]`),
		Member:   []byte(`{"roles":["9"]}`),
	}
}

// answerFrom answers as a host with these versions of guilds does.
func answerFrom(versions map[uint64]*atomic.Uint64) func(context.Context, *wire.GuildRequest) (*wire.GuildResponse, error) {
	return func(_ context.Context, r *wire.GuildRequest) (*wire.GuildResponse, error) {
		version := versions[r.GetGuild()].Load()
		if version == r.GetVersion() {
			return &wire.GuildResponse{Version: version}, nil
		}
		return guildAt(r.GetGuild(), version), nil
	}
}

// answerWith answers each call alike.
func answerWith(answer *wire.GuildResponse) func(context.Context, *wire.GuildRequest) (*wire.GuildResponse, error) {
	return func(context.Context, *wire.GuildRequest) (*wire.GuildResponse, error) { return answer, nil }
}

func versionOf(v uint64) *atomic.Uint64 {
	var version atomic.Uint64
	version.Store(v)
	return &version
}

// TestGuildAsksOnlyWhenItMust goes through what a bot, an event and a copy can
// be to each other.
func TestGuildAsksOnlyWhenItMust(t *testing.T) {
	versions := map[uint64]*atomic.Uint64{1: versionOf(5), 2: versionOf(3)}
	h := &guildHost{guild: answerFrom(versions)}
	l := lineTo(t, h)
	read := func(what string, b *Bot, id, wantName, wantCalls string) {
		t.Helper()
		g, err := b.Guild(t.Context(), id)
		if err != nil || g.Name != wantName {
			t.Fatalf("%s: read %+v, %v, want %s", what, g, err, wantName)
		}
		if calls := h.calls(); calls != wantCalls {
			t.Errorf("%s: asked %q, want %q", what, calls, wantCalls)
		}
	}
	read("nothing is there", botOf(l, "E", 1, 5), "1", "v5", "1 v0 E")
	read("as new as the event", botOf(l, "E", 1, 5), "1", "v5", "")
	read("newer than the event", botOf(l, "E", 1, 4), "1", "v5", "")
	read("the event has no version", botOf(l, "E", 1, 0), "1", "v5", "1 v5 E")
	read("an event of another guild", botOf(l, "E", 2, 3), "1", "v5", "1 v5 E")
	read("an event without a guild", botOf(l, "E", 0, 0), "1", "v5", "1 v5 E")
	read("a detached bot", botOf(l, "E", 1, 5).Detach(), "1", "v5", "1 v5 E")
	read("no event", l.detachedBot(nil), "1", "v5", "1 v5 ")
	versions[1].Store(7)
	read("older than the event", botOf(l, "F", 1, 6), "1", "v7", "1 v5 F")
	read("the same again", botOf(l, "F", 1, 7), "1", "v7", "")
	read("another guild", botOf(l, "F", 2, 3), "2", "v3", "2 v0 F")
}

// TestGuildIsDecodedOnceForAVersion compares pointers: also a call that finds
// the guild unchanged gives the one that is there.
func TestGuildIsDecodedOnceForAVersion(t *testing.T) {
	version := versionOf(5)
	l := lineTo(t, &guildHost{guild: answerFrom(map[uint64]*atomic.Uint64{1: version})})
	read := func(version uint64) *Guild {
		g, err := botOf(l, "E", 1, version).Guild(t.Context(), "1")
		if err != nil {
			t.Fatal(err)
		}
		return g
	}
	first := read(0)
	if read(0) != first || read(5) != first {
		t.Error("one version was decoded twice")
	}
	version.Store(6)
	second := read(6)
	if second == first || second.Name != "v6" || first.Name != "v5" {
		t.Errorf("version 6 is %q, version 5 has become %q", second.Name, first.Name)
	}
	if second.Channels[0] != first.Channels[0] || second.Member != first.Member {
		t.Error("parts that have not changed were decoded again")
	}
}

// TestAnswersThatCannotBe are told, not handed out.
func TestAnswersThatCannotBe(t *testing.T) {
	for name, test := range map[string]struct {
		answer *wire.GuildResponse
		err    error
		want   string
	}{
		"nothing":                   {&wire.GuildResponse{}, nil, "read guild 1: the host answered neither a guild nor why there is none: report this"},
		"unchanged from nothing":    {&wire.GuildResponse{Version: 7}, nil, "read guild 1: the host answered that version 7 is unchanged, the plugin has 0: report this"},
		"older than the event":      {guildAt(1, 6), nil, "read guild 1: the host answered version 6, which is older than the event's 7: report this"},
		"no guild among the parts":  {&wire.GuildResponse{Version: 7, Channels: []byte(`[]`)}, nil, `read guild 1: decode the guild: "" is no object`},
		"an error of the transport": {nil, status.Error(codes.Unavailable, "no line"), "read guild 1: no line"},
		"the end":                   {nil, status.Error(codes.Canceled, "closing"), "read guild 1: the plugin stops"},
	} {
		h := &guildHost{guild: func(context.Context, *wire.GuildRequest) (*wire.GuildResponse, error) { return test.answer, test.err }}
		l := lineTo(t, h)
		if g, err := botOf(l, "E", 1, 7).Guild(t.Context(), "1"); err == nil || err.Error() != test.want {
			t.Errorf("%s: got %v, %v, want %s", name, g, err, test.want)
		}
		if calls := h.calls(); calls != "1 v0 E" {
			t.Errorf("%s: asked %q", name, calls)
		}
	}
}

// TestHostWithoutGuilds falls back to the request of Discord's.
func TestHostWithoutGuilds(t *testing.T) {
	h := &guildHost{
		guild: func(context.Context, *wire.GuildRequest) (*wire.GuildResponse, error) {
			return nil, status.Error(codes.Unimplemented, "unknown method Guild")
		},
		do: func(r *wire.RestRequest) (*wire.RestResponse, error) {
			if r.GetPath() == "/guilds/1?with_counts=true" {
				return &wire.RestResponse{Status: 200, Body: []byte(`{"id":"1","name":"Kelp","verification_level":1000}`)}, nil
			}
			return &wire.RestResponse{Status: 404, Body: []byte(`{"message":"Unknown Guild","code":10004}`)}, nil
		},
	}
	l := lineTo(t, h)
	g, err := botOf(l, "E", 1, 0).Guild(t.Context(), "1")
	if err != nil || g.Name != "Kelp" || g.Version != 0 || len(g.Raw.Guild) == 0 {
		t.Errorf("got %+v, %v", g, err)
	}
	if l.guilds.copies.get(1) != nil {
		t.Error("a guild without a version was kept")
	}
	if _, err := botOf(l, "E", 2, 0).Guild(t.Context(), "2"); err == nil || err.Error() != "read guild 2: discord answered 404: Unknown Guild (10004)" {
		t.Errorf("got %v", err)
	}
}

func TestGuildError(t *testing.T) {
	until := time.Date(2026, 8, 1, 12, 0, 0, 0, time.UTC)
	tests := []struct {
		missing *wire.GuildMissing
		want    GuildError
		text    string
	}{
		{
			&wire.GuildMissing{Reason: "backing off", UntilMs: until.UnixMilli(), Message: "guild 1 is not in the cache: backing off; try again later"},
			GuildError{ID: "1", Reason: GuildBackingOff, Until: until, Message: "guild 1 is not in the cache: backing off; try again later"},
			"guild 1 is not in the cache: backing off; try again later",
		},
		{&wire.GuildMissing{Reason: "on holiday"}, GuildError{ID: "1", Reason: "on holiday"}, "guild 1 is missing: on holiday"},
	}
	for _, test := range tests {
		l := lineTo(t, &guildHost{guild: func(context.Context, *wire.GuildRequest) (*wire.GuildResponse, error) {
			return &wire.GuildResponse{Missing: test.missing}, nil
		}})
		_, err := botOf(l, "E", 1, 0).Guild(t.Context(), "1")
		got, ok := errors.AsType[*GuildError](err)
		if !ok || !got.Until.Equal(test.want.Until) || err.Error() != test.text {
			t.Fatalf("got %#v", err)
		}
		got.Until = test.want.Until // equal, in another zone
		if *got != test.want {
			t.Errorf("got %+v, want %+v", got, test.want)
		}
	}
}
