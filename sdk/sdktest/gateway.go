package sdktest

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/switchupcb/disgo"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/holdfast-bot/holdfast/sdk"
	"github.com/holdfast-bot/holdfast/sdk/wire"
)

// perChunk is how many members Discord sends at a time.
const perChunk = 1000

// Presences are those that the plugin has set, in order.
func (h *Host) Presences() []sdk.Presence {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.presences)
}

// VoiceStates are those that the plugin has sent, in order. ChannelID is nil
// where it left.
func (h *Host) VoiceStates() []disgo.GatewayVoiceStateUpdate {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.voiceStates)
}

// SetMembers says whom Bot.RequestMembers, Bot.Member and Bot.Permissions find in a
// guild: members in Discord's JSON, in any form that Send takes, each with its
// "user". Presences are those of nobody. A guild whose members the test does not
// set has two: UserID and the bot. (The bot's own member for the latter two is that
// of SetGuild.)
func (h *Host) SetMembers(guild string, members ...any) {
	h.t.Helper()
	number := h.guildNumber(guild)
	all := make([]json.RawMessage, 0, len(members))
	for _, m := range members {
		raw := h.bytes("a member", m)
		if memberOf(raw).User.ID == "" {
			h.t.Fatalf("set members: %s has no user with an id", raw)
		}
		all = append(all, raw)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.members[number] = all
}

// FailMembers lets Bot.RequestMembers of a guild fail with these words, as a
// host tells them when Discord does not answer. SetMembers ends that.
func (h *Host) FailMembers(guild, words string) {
	h.t.Helper()
	number := h.guildNumber(guild)
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.members, number)
	h.noMembers[number] = words
}

// member is what requests look at.
type member struct {
	User struct {
		ID         string `json:"id"`
		Username   string `json:"username"`
		GlobalName string `json:"global_name"`
	} `json:"user"`
	Nick string `json:"nick"`
}

func memberOf(raw json.RawMessage) (m member) {
	_ = json.Unmarshal(raw, &m) // what is no member has no user
	return m
}

// Presence implements wire.HostServer.
func (h *Host) Presence(ctx context.Context, r *wire.PresenceRequest) (*wire.PresenceResponse, error) {
	if err := admit(ctx); err != nil {
		return nil, err
	}
	p := sdk.Presence{Status: r.GetStatus(), AFK: r.GetAfk()}
	if since := r.GetIdleSinceMs(); since != 0 {
		p.IdleSince = time.UnixMilli(since)
	}
	for _, shard := range r.GetShards() {
		p.Shards = append(p.Shards, int(shard))
	}
	for _, a := range r.GetActivities() {
		activity := &disgo.Activity{Name: a.GetName(), Type: disgo.Flag(a.GetType())}
		if a.GetUrl() != "" {
			activity.URL = disgo.Pointer2(a.GetUrl())
		}
		if a.GetState() != "" {
			activity.State = disgo.Pointer2(a.GetState())
		}
		p.Activities = append(p.Activities, activity)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.presences = append(h.presences, p)
	return &wire.PresenceResponse{}, nil
}

// VoiceState implements wire.HostServer.
func (h *Host) VoiceState(ctx context.Context, r *wire.VoiceStateRequest) (*wire.VoiceStateResponse, error) {
	if err := admit(ctx); err != nil {
		return nil, err
	}
	v := disgo.GatewayVoiceStateUpdate{GuildID: strconv.FormatUint(r.GetGuild(), 10), SelfMute: r.GetMute(), SelfDeaf: r.GetDeaf()}
	if r.GetChannel() != 0 {
		v.ChannelID = disgo.Pointer(strconv.FormatUint(r.GetChannel(), 10))
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.voiceStates = append(h.voiceStates, v)
	return &wire.VoiceStateResponse{}, nil
}

// Members implements wire.HostServer.
func (h *Host) Members(ctx context.Context, r *wire.MembersRequest) (*wire.MembersResponse, error) {
	if err := admit(ctx); err != nil {
		return nil, err
	}
	if err := h.checkIntents(r); err != nil {
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	all, known := h.members[r.GetGuild()]
	words, fails := h.noMembers[r.GetGuild()]
	switch {
	case known:
	case fails:
		return nil, status.Error(codes.FailedPrecondition, words)
	default:
		all = madeUpMembers()
	}
	found, missing := choose(all, r)
	answer := new(wire.MembersResponse)
	count := max(1, (len(found)+perChunk-1)/perChunk)
	for n := range count {
		chunk := map[string]any{
			"guild_id": strconv.FormatUint(r.GetGuild(), 10), "chunk_index": n, "chunk_count": count,
			"members": found[min(len(found), n*perChunk):min(len(found), (n+1)*perChunk)],
		}
		if len(missing) > 0 {
			chunk["not_found"] = missing
		}
		answer.Chunks = append(answer.Chunks, encode(chunk))
	}
	return answer, nil
}

func madeUpMembers() (all []json.RawMessage) {
	for _, user := range []map[string]any{{"id": UserID, "username": "user"}, {"id": BotUserID, "username": "bot", "bot": true}} {
		all = append(all, encode(map[string]any{"user": user, "roles": []any{}, "joined_at": "2020-01-01T00:00:00Z"}))
	}
	return all
}

// checkIntents refuses what the plugin's own intents do not bring. In a host
// another plugin may bring them.
func (h *Host) checkIntents(r *wire.MembersRequest) error {
	brings := func(intent disgo.BitFlag, events ...string) bool {
		return h.manifest.GetIntents()&uint64(intent) != 0 || slices.ContainsFunc(h.manifest.GetEvents(),
			func(s *wire.Subscription) bool { return slices.Contains(events, s.GetEvent()) })
	}
	switch {
	case len(r.GetUsers()) == 0 && r.GetQuery() == "" &&
		!brings(disgo.FlagIntentGUILD_MEMBERS, "GUILD_MEMBER_ADD", "GUILD_MEMBER_UPDATE", "GUILD_MEMBER_REMOVE", "THREAD_MEMBERS_UPDATE"):
		return status.Error(codes.FailedPrecondition, "the whole list of a guild's members needs the intent GUILD_MEMBERS: call Intents(disgo.FlagIntentGUILD_MEMBERS) before Run")
	case r.GetPresences() && !brings(disgo.FlagIntentGUILD_PRESENCES, "PRESENCE_UPDATE"):
		return status.Error(codes.FailedPrecondition, "members' presences need the intent GUILD_PRESENCES: call Intents(disgo.FlagIntentGUILD_PRESENCES) before Run")
	}
	return nil
}

// choose finds who is asked for as Discord does.
func choose(all []json.RawMessage, r *wire.MembersRequest) (found []json.RawMessage, missing []string) {
	found = []json.RawMessage{}
	if len(r.GetUsers()) > 0 {
		for _, user := range r.GetUsers() {
			id := strconv.FormatUint(user, 10)
			at := slices.IndexFunc(all, func(raw json.RawMessage) bool { return memberOf(raw).User.ID == id })
			if at < 0 {
				missing = append(missing, id)
			} else {
				found = append(found, all[at])
			}
		}
		return found, missing
	}
	query, limit := strings.ToLower(r.GetQuery()), int(r.GetLimit())
	if query != "" && limit == 0 {
		limit = 100
	}
	for _, raw := range all {
		m := memberOf(raw)
		for _, name := range []string{m.User.Username, m.User.GlobalName, m.Nick} {
			if strings.HasPrefix(strings.ToLower(name), query) {
				found = append(found, raw)
				break
			}
		}
		if limit > 0 && len(found) == limit {
			break
		}
	}
	return found, nil
}
