package sdktest

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/holdfast-bot/holdfast/sdk"
	"github.com/holdfast-bot/holdfast/sdk/wire"
)

// SetGuild says what Bot.Guild, Bot.Channel, Bot.Role and Bot.Permissions read: a
// guild in Discord's JSON, in any form that Send takes. Its id must be there;
// "channels", "threads" and "member" (the bot's own) may be inside, and are none,
// none and a plain one if they are not.
// It replaces the guild that was there, as an event would: what was read before
// is older, and later events of the guild ask for the new one.
//
// Guilds that the test does not set are small ones that have one channel,
// ChannelID, which is their system channel.
func (h *Host) SetGuild(guild any) {
	h.t.Helper()
	var parts map[string]json.RawMessage
	if err := json.Unmarshal(h.bytes("the guild", guild), &parts); err != nil {
		h.t.Fatalf("set the guild: %v", err)
	}
	var id string
	if err := json.Unmarshal(parts["id"], &id); err != nil {
		h.t.Fatalf("set the guild: it has no id, a string of digits")
	}
	number := h.guildNumber(id)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.keepGuild(number, parts)
}

// MissGuild lets Bot.Guild, and all that reads it, fail with a *GuildError of this
// reason, as it does when a guild cannot be loaded, or when events come in masses
// (sdk.GuildRefused). SetGuild brings the guild back.
func (h *Host) MissGuild(id string, reason sdk.GuildReason) {
	h.t.Helper()
	number := h.guildNumber(id)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.guilds[number] = &wire.GuildResponse{Missing: &wire.GuildMissing{
		Reason:  string(reason),
		Message: fmt.Sprintf("guild %s is not in the cache: %s; the test wants it so", id, reason),
	}}
}

// Guild implements wire.HostServer. Where the test itself answers Discord's
// request for a guild, the host is one that keeps no guilds.
func (h *Host) Guild(ctx context.Context, r *wire.GuildRequest) (*wire.GuildResponse, error) {
	if err := admit(ctx); err != nil {
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	whole := h.load(r.GetGuild())
	switch {
	case whole == nil:
		return nil, status.Error(codes.Unimplemented, "the test answers the request for this guild")
	case whole.GetMissing() != nil:
		return whole, nil
	}
	return partly(whole, r), nil
}

// partly is the answer with the parts that are wanted and new to the plugin.
func partly(whole *wire.GuildResponse, r *wire.GuildRequest) *wire.GuildResponse {
	send := allIfNone(r.GetParts())
	if whole.GetVersion() == r.GetVersion() {
		send &^= allIfNone(r.GetHave())
	}
	answer := &wire.GuildResponse{Version: whole.GetVersion(), Parts: uint32(send)}
	if send&sdk.PartGuild != 0 {
		answer.Guild = whole.GetGuild()
	}
	if send&sdk.PartChannels != 0 {
		answer.Channels = whole.GetChannels()
	}
	if send&sdk.PartThreads != 0 {
		answer.Threads = whole.GetThreads()
	}
	if send&sdk.PartMember != 0 {
		answer.Member = whole.GetMember()
	}
	return answer
}

func allIfNone(parts uint32) sdk.Part {
	const all = sdk.PartGuild | sdk.PartChannels | sdk.PartThreads | sdk.PartMember
	if p := sdk.Part(parts) & all; p != 0 {
		return p
	}
	return all
}

// Member implements wire.HostServer: the bot's own from its guild, others as the
// test answers Discord's request for them, else those of SetMembers.
func (h *Host) Member(ctx context.Context, r *wire.MemberRequest) (*wire.MemberResponse, error) {
	if err := admit(ctx); err != nil {
		return nil, err
	}
	h.mu.Lock()
	if r.GetUser() == botUserID {
		whole := h.load(r.GetGuild())
		if own := whole.GetMember(); whole.GetMissing() != nil || own != nil && string(own) != "null" {
			h.mu.Unlock()
			return &wire.MemberResponse{Member: own, Missing: whole.GetMissing()}, nil
		}
	}
	all, known := h.members[r.GetGuild()]
	h.mu.Unlock()
	path := fmt.Sprintf("/guilds/%d/members/%d", r.GetGuild(), r.GetUser())
	if h.handles(path) {
		answer, err := h.Do(ctx, &wire.RestRequest{Method: http.MethodGet, Path: path})
		if err != nil || answer.GetStatus() != http.StatusOK {
			return &wire.MemberResponse{Refused: answer}, err
		}
		return &wire.MemberResponse{Member: answer.GetBody()}, nil
	}
	if !known {
		all = madeUpMembers()
	}
	for _, raw := range all {
		if memberOf(raw).User.ID == strconv.FormatUint(r.GetUser(), 10) {
			return &wire.MemberResponse{Member: raw}, nil
		}
	}
	return &wire.MemberResponse{Refused: &wire.RestResponse{Status: http.StatusNotFound, Body: []byte(`{"message":"Unknown Member","code":10007}`)}}, nil
}

// handles reports whether the test answers a GET request.
func (h *Host) handles(path string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.isHandled(path)
}

// isHandled is handles with h.mu held.
func (h *Host) isHandled(path string) bool {
	request, _ := http.NewRequest(http.MethodGet, path, nil) //nolint:noctx // it is not sent
	_, pattern := h.mux.Handler(request)
	return pattern != ""
}

// versionOf is what the frame of an event tells of its guild, which is loaded
// before if the plugin wants that.
func (h *Host) versionOf(event string, guild uint64) uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	if guild == 0 {
		return 0
	}
	for _, s := range h.manifest.GetEvents() {
		if s.GetEvent() == event && s.GetWithGuild() {
			return h.load(guild).GetVersion()
		}
	}
	return h.guilds[guild].GetVersion()
}

// load returns a guild, a made-up one if the test did not set it, or nil if
// the test answers Discord's request for it. h.mu is held.
func (h *Host) load(guild uint64) *wire.GuildResponse {
	if answer, ok := h.guilds[guild]; ok {
		return answer
	}
	id := strconv.FormatUint(guild, 10)
	if h.isHandled("/guilds/" + id) {
		return nil
	}
	return h.keepGuild(guild, map[string]json.RawMessage{
		"id":                encode(id),
		"name":              encode("Test Guild"),
		"owner_id":          encode(UserID),
		"system_channel_id": encode(ChannelID),
		"roles":             encode([]any{map[string]any{"id": id, "name": "@everyone", "permissions": "0"}}),
		"emojis":            encode([]any{}),
		"features":          encode([]any{}),
		"channels":          encode([]any{map[string]any{"id": ChannelID, "guild_id": id, "type": 0, "name": "general"}}),
	})
}

// keepGuild gives a guild the next version. h.mu is held.
func (h *Host) keepGuild(guild uint64, parts map[string]json.RawMessage) *wire.GuildResponse {
	take := func(key string, other any) json.RawMessage {
		part, ok := parts[key]
		delete(parts, key)
		if !ok {
			return encode(other)
		}
		return part
	}
	h.guildVersion++
	answer := &wire.GuildResponse{
		Version:  h.guildVersion,
		Channels: take("channels", []any{}),
		Threads:  take("threads", []any{}),
		Member: take("member", map[string]any{
			"user":      map[string]any{"id": BotUserID, "username": "bot", "bot": true},
			"roles":     []any{},
			"joined_at": "2020-01-01T00:00:00Z",
		}),
	}
	answer.Guild = encode(parts)
	h.guilds[guild] = answer
	return answer
}

func (h *Host) guildNumber(id string) uint64 {
	h.t.Helper()
	number, err := strconv.ParseUint(id, 10, 64)
	if err != nil || number == 0 {
		h.t.Fatalf("%q is no id of a guild: use digits", id)
	}
	return number
}

func encode(v any) json.RawMessage {
	raw, _ := json.Marshal(v) //nolint:errchkjson // maps, lists and strings
	return raw
}
