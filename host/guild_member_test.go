package host

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"path"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/holdfast-bot/holdfast/cache"
	"github.com/holdfast-bot/holdfast/host/rest"
	"github.com/holdfast-bot/holdfast/host/simulator"
	"github.com/holdfast-bot/holdfast/sdk"
	"github.com/holdfast-bot/holdfast/sdk/wire"
)

// asked are the requests for guilds since the first n, by their ends.
func (w *guildWorld) asked(n int) (paths []string) {
	for _, r := range w.sim.Requests() {
		if strings.HasPrefix(r.Path, "/guilds/") {
			paths = append(paths, strings.TrimPrefix(r.Route, "GET /guilds/{guild}"))
		}
	}
	paths = paths[n:]
	slices.Sort(paths)
	return paths
}

// The bits of parts on the wire.
const guildBit, channelsBit, threadsBit, memberBit = 1, 2, 4, 8

// TestOnlyWantedPartsAreLoadedAndSent goes through what plugins of several ages
// ask, what Discord is asked for that, and what they get.
func TestOnlyWantedPartsAreLoadedAndSent(t *testing.T) {
	w := newGuildWorld(t, simulator.World{}, Settings{})
	guild := w.sim.Guilds()[0].ID
	var version uint64 // of the last answer
	for i, step := range []struct {
		parts, have uint32
		old         bool // have is of another version
		want        uint32
		asked       []string
	}{
		{parts: guildBit, want: guildBit, asked: []string{""}},
		{parts: guildBit, have: guildBit, want: 0},
		{parts: guildBit | threadsBit, have: guildBit, old: true, want: guildBit | threadsBit, asked: []string{"/threads/active"}},
		{parts: guildBit | threadsBit, have: guildBit, want: threadsBit},
		{parts: guildBit, have: threadsBit, want: guildBit},
		{parts: memberBit, have: guildBit | threadsBit, old: true, want: memberBit, asked: []string{"/members/{user}"}},
		{parts: guildBit, have: 0, want: 0}, // an old plugin that has this version has all
		{parts: 0, have: guildBit | threadsBit, old: true, want: 15, asked: []string{"/channels"}},
		{parts: 0, have: guildBit, want: channelsBit | threadsBit | memberBit},
		{parts: 0, have: 0, want: 0},
		{parts: 1 << 30, have: 15, want: 0}, // a part that this host does not know
	} {
		before := w.loads()
		r := &wire.GuildRequest{Guild: guild, Parts: step.parts, Have: step.have, Version: version}
		if step.old {
			r.Version--
		}
		got, err := w.Guild(t.Context(), r)
		if err != nil || got.GetMissing() != nil || got.GetVersion() == 0 {
			t.Fatalf("step %d: %v %v", i, got, err)
		}
		version = got.GetVersion()
		var sent uint32
		for bit, part := range map[uint32][]byte{guildBit: got.GetGuild(), channelsBit: got.GetChannels(), threadsBit: got.GetThreads(), memberBit: got.GetMember()} {
			if part != nil {
				sent |= bit
			}
		}
		if sent != step.want || got.GetParts() != step.want {
			t.Errorf("step %d: sent %04b and said %04b, want %04b", i, sent, got.GetParts(), step.want)
		}
		if asked := w.asked(before); !slices.Equal(asked, step.asked) {
			t.Errorf("step %d: asked %q, want %q", i, asked, step.asked)
		}
	}
}

// TestWantedPartsBeforehand: a part that is missing is on its way, others are not.
func TestWantedPartsBeforehand(t *testing.T) {
	w := newGuildWorld(t, simulator.World{}, Settings{})
	guild := w.sim.Guilds()[0].ID
	for _, step := range []struct {
		parts uint32
		asked []string
	}{
		{channelsBit, []string{"/channels"}},
		{channelsBit, nil},
		{channelsBit | guildBit, []string{""}},
		{0, []string{"/members/{user}", "/threads/active"}},
		{0, nil},
	} {
		before := w.loads()
		version, pending := w.Want(guild, step.parts, "MESSAGE_CREATE")
		if (pending != nil) != (step.asked != nil) || (version == 0) != (step.asked != nil) {
			t.Errorf("%04b: version %d, pending %v", step.parts, version, pending)
		}
		if pending != nil {
			<-pending
		}
		if version, pending = w.Want(guild, step.parts, "MESSAGE_CREATE"); version == 0 || pending != nil {
			t.Errorf("%04b: version %d, pending %v", step.parts, version, pending)
		}
		if asked := w.asked(before); !slices.Equal(asked, step.asked) {
			t.Errorf("%04b: asked %q, want %q", step.parts, asked, step.asked)
		}
	}
}

// TestMembersOfAGuild reads the bot's own, which comes with its guild, and others,
// who are asked for.
func TestMembersOfAGuild(t *testing.T) {
	t.Parallel() // most of its time is waiting
	w := newGuildWorld(t, simulator.World{}, Settings{})
	guild := w.sim.Guilds()[0]
	read := func(user uint64, event string) *wire.MemberResponse {
		t.Helper()
		response, err := w.Member(t.Context(), "reader", &wire.MemberRequest{Guild: guild.ID, User: user, Event: event})
		if err != nil {
			t.Fatal(err)
		}
		return response
	}
	path := fmt.Sprintf("/guilds/%d/members/", guild.ID)
	for i, want := range []int{1, 0} {
		before := w.loads()
		if got := read(w.bot, ""); !reflect.DeepEqual(decoded(t, got.GetMember()), w.ask(t, path+fmt.Sprint(w.bot))) {
			t.Errorf("the bot is %s", got)
		}
		if n := w.loads() - before - 1; n != want { // and the comparison's
			t.Errorf("read %d of the bot: %d requests", i, n)
		}
	}
	before := w.loads()
	if got := read(guild.Members[0], ""); !reflect.DeepEqual(decoded(t, got.GetMember()), w.ask(t, path+fmt.Sprint(guild.Members[0]))) || got.GetRefused() != nil || got.GetMissing() != nil {
		t.Errorf("a member is %s", got)
	}
	got := read(12345, "")
	var refused struct{ Code int }
	if err := json.Unmarshal(got.GetRefused().GetBody(), &refused); err != nil || got.GetRefused().GetStatus() != 404 || refused.Code != 10007 || got.GetMember() != nil {
		t.Errorf("nobody is %s, %v", got, err)
	}
	if n := w.loads() - before - 1; n != 2 {
		t.Errorf("%d requests for two that are not the bot", n)
	}
	for _, r := range []*wire.MemberRequest{{User: 7}, {Guild: 7}} {
		if response, err := w.Member(t.Context(), "reader", r); err == nil {
			t.Errorf("%v: %v", r, response)
		}
	}
}

// TestWhatIsKeptOfAMember goes along with it, and is asked for no second time.
func TestWhatIsKeptOfAMember(t *testing.T) {
	w := newGuildWorld(t, simulator.World{}, Settings{CachePeople: KeepPeople(cache.Members | cache.VoiceStates | cache.Presences)})
	guild := w.sim.Guilds()[0]
	user := guild.Members[0]
	read := func(user uint64) *wire.MemberResponse {
		t.Helper()
		response, err := w.Member(t.Context(), "reader", &wire.MemberRequest{Guild: guild.ID, User: user})
		if err != nil {
			t.Fatal(err)
		}
		return response
	}
	w.read(t, guild.ID, 0) // who is in a guild that is not loaded is not kept
	apply := func(event, format string, args ...any) {
		w.Apply(event, guild.ID, fmt.Appendf(nil, format, args...))
	}
	for _, u := range []uint64{user, w.bot} {
		apply("VOICE_STATE_UPDATE", `{"guild_id":"%d","channel_id":"5","user_id":"%d","session_id":"s"}`, guild.ID, u)
		apply("PRESENCE_UPDATE", `{"guild_id":"%d","user":{"id":"%d"},"status":"idle"}`, guild.ID, u)
		var voice struct {
			ChannelID string `json:"channel_id"`
		}
		var presence struct{ Status string }
		got := read(u)
		if json.Unmarshal(got.GetVoiceState(), &voice) != nil || json.Unmarshal(got.GetPresence(), &presence) != nil || voice.ChannelID != "5" || presence.Status != "idle" || got.GetMember() == nil {
			t.Errorf("%d is %s", u, got)
		}
	}
	before := w.loads()
	apply("GUILD_MEMBER_UPDATE", `{"guild_id":"%d","user":{"id":"%d"},"nick":"Ottilie","roles":[]}`, guild.ID, user)
	apply("VOICE_STATE_UPDATE", `{"guild_id":"%d","channel_id":null,"user_id":"%d","session_id":"s"}`, guild.ID, user)
	var member struct{ Nick string }
	if got := read(user); json.Unmarshal(got.GetMember(), &member) != nil || member.Nick != "Ottilie" || got.GetVoiceState() != nil {
		t.Errorf("after its events it is %s", got)
	}
	if n := w.loads() - before; n != 0 {
		t.Errorf("%d requests for who is kept", n)
	}
}

// roundTrip is a Discord of one function.
type roundTrip func(*http.Request) *http.Response

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r), nil }

// TestAMemberLeavesWhileItIsAskedFor: the answer is what a later request would
// bring.
func TestAMemberLeavesWhileItIsAskedFor(t *testing.T) {
	var g *guilds
	gate, err := rest.New(rest.Config{Token: "t", BaseURL: "https://discord.test/api/v10", Client: &http.Client{Transport: roundTrip(func(*http.Request) *http.Response {
		g.Apply("GUILD_MEMBER_REMOVE", 7, []byte(`{"guild_id":"7","user":{"id":"8"}}`))
		return answered(http.StatusOK, `{"user":{"id":"8"},"roles":[]}`)
	})}})
	if err != nil {
		t.Fatal(err)
	}
	defer gate.Close()
	if g, err = newGuilds(Settings{}, gate, 9, nil, nil); err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	got, err := g.Member(t.Context(), "reader", &wire.MemberRequest{Guild: 7, User: 8})
	if err != nil || got.GetRefused().GetStatus() != http.StatusNotFound || !strings.Contains(string(got.GetRefused().GetBody()), "10007") || got.GetMember() != nil {
		t.Errorf("got %v, %v", got, err)
	}
}

// TestNoPluginWaitsInAnothersQueue: who wants a member that a greedy plugin asks for
// as the last of many has its own turn at the gate.
func TestNoPluginWaitsInAnothersQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate, err := rest.New(rest.Config{Token: "t", BaseURL: "https://discord.test/api/v10", Client: &http.Client{Transport: roundTrip(func(r *http.Request) *http.Response {
			return answered(http.StatusOK, fmt.Sprintf(`{"user":{"id":%q},"roles":[]}`, path.Base(r.URL.Path)))
		})}})
		if err != nil {
			t.Fatal(err)
		}
		defer gate.Close()
		g, err := newGuilds(Settings{}, gate, 9, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer g.Close()
		const many = 400
		var all sync.WaitGroup
		defer all.Wait()
		for n := range uint64(many) {
			all.Go(func() { _, _ = g.Member(t.Context(), "greedy", &wire.MemberRequest{Guild: 7, User: 1000 + n}) })
			synctest.Wait()
		}
		began := time.Now()
		got, err := g.Member(t.Context(), "modest", &wire.MemberRequest{Guild: 7, User: 1000 + many - 1})
		if waited := time.Since(began); err != nil || got.GetMember() == nil || waited > time.Second { // of the bubble
			t.Errorf("it waited %v: %v, %v", waited, got, err)
		}
	})
}

// TestOwnMemberStandsBehindTheGuard: what refuses the guild refuses its bot's
// member, with the reason.
func TestOwnMemberStandsBehindTheGuard(t *testing.T) {
	w := newGuildWorld(t, simulator.World{Guilds: 3}, Settings{GuardRate: 0.001, GuardBurst: 2})
	all := w.sim.Guilds()
	member := func(guild uint64, event string) string {
		t.Helper()
		response, err := w.Member(t.Context(), "reader", &wire.MemberRequest{Guild: guild, User: w.bot, Event: event})
		if err != nil {
			t.Fatal(err)
		}
		return response.GetMissing().GetReason()
	}
	if reason := member(all[0].ID, "GUILD_MEMBER_REMOVE"); reason != "" {
		t.Errorf("the first: %q", reason)
	}
	if reason := member(all[1].ID, "GUILD_MEMBER_REMOVE"); reason != string(cache.Refused) {
		t.Errorf("one of a mass: %q", reason)
	}
	if reason := member(all[1].ID, "INTERACTION_CREATE"); reason != "" {
		t.Errorf("an interaction: %q", reason)
	}
	w.Apply("GUILD_DELETE", all[2].ID, fmt.Appendf(nil, `{"id":"%d"}`, all[2].ID))
	if reason := member(all[2].ID, ""); reason != string(cache.Removed) {
		t.Errorf("where the bot is no more: %q", reason)
	}
}

// TestMembersAreAskedForInThePluginsName: the gate takes turns between plugins, so
// it must know who asks. Its log tells whom it takes for the caller.
func TestMembersAreAskedForInThePluginsName(t *testing.T) {
	var out bytes.Buffer // nothing but the calls below writes into it
	gate, err := rest.New(rest.Config{
		Token: "t", BaseURL: "https://discord.test/api/v10", Client: &http.Client{Transport: new(brokenDiscord)},
		Log: hclog.New(&hclog.LoggerOptions{Level: hclog.Trace, Output: &out, DisableTime: true}),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer gate.Close()
	g, err := newGuilds(Settings{}, gate, 9, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	for user, want := range map[uint64]string{9: `plugin="guild cache" `, 8: `plugin=reader `} {
		out.Reset()
		_, _ = g.Member(t.Context(), "reader", &wire.MemberRequest{Guild: 7, User: user}) // this Discord knows only 9
		if want += `route="GET /guilds/{}/members/{}"`; strings.Count(out.String(), "\n") != 1 || !strings.Contains(out.String(), want) {
			t.Errorf("user %d: the gate said\n%swant %s", user, out.String(), want)
		}
	}
}

// TestReasonsAreAuthorsReasons: what the cache says is what the SDK has names for.
func TestReasonsAreAuthorsReasons(t *testing.T) {
	for ours, theirs := range map[cache.Reason]sdk.GuildReason{
		cache.Removed: sdk.GuildRemoved, cache.Outage: sdk.GuildOutage, cache.Forbidden: sdk.GuildForbidden, cache.Failed: sdk.GuildFailed,
		cache.BackingOff: sdk.GuildBackingOff, cache.GuardOpen: sdk.GuildGuardOpen, cache.Refused: sdk.GuildRefused,
		cache.Timeout: sdk.GuildTimeout, cache.Memory: sdk.GuildMemory, cache.Closed: sdk.GuildClosed,
	} {
		until := time.UnixMilli(1_800_000_000_000)
		missing := missingGuild(&cache.MissingError{Guild: 7, Reason: ours, Until: until})
		if missing.GetReason() != string(theirs) || missing.GetUntilMs() != until.UnixMilli() || !strings.Contains(missing.GetMessage(), string(theirs)) {
			t.Errorf("%s is %v, want %s", ours, missing, theirs)
		}
	}
}
