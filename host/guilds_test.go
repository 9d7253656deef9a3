package host

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/holdfast-bot/holdfast/cache"
	"github.com/holdfast-bot/holdfast/host/rest"
	"github.com/holdfast-bot/holdfast/host/simulator"
	"github.com/holdfast-bot/holdfast/sdk/wire"
)

// guildWorld is a simulator and the guilds of a bot in it, through a real gate.
type guildWorld struct {
	*guilds

	sim  *simulator.Server
	gate *rest.Gate
	bot  uint64
}

func newGuildWorld(t *testing.T, world simulator.World, s Settings) *guildWorld {
	t.Helper()
	sim, err := simulator.Start(simulator.Config{World: world})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, breach := range sim.Breaches() {
			t.Errorf("rule of Discord broken: %+v", breach)
		}
		if err := sim.Close(); err != nil {
			t.Error(err)
		}
	})
	gate, err := rest.New(rest.Config{Token: sim.Token(), BaseURL: sim.URL()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(gate.Close)
	known, err := introduce(t.Context(), gate, sim.URL())
	if err != nil {
		t.Fatal(err)
	}
	g, err := newGuilds(s, gate, known.bot.id, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.Close)
	return &guildWorld{guilds: g, sim: sim, gate: gate, bot: known.bot.id}
}

// read is a plugin's read outside of any event.
func (w *guildWorld) read(t *testing.T, guild, version uint64) *wire.GuildResponse {
	t.Helper()
	response, err := w.Guild(t.Context(), &wire.GuildRequest{Guild: guild, Version: version})
	if err != nil {
		t.Fatal(err)
	}
	return response
}

// loads counts the requests for parts of guilds that Discord has answered.
func (w *guildWorld) loads() (n int) {
	for _, r := range w.sim.Requests() {
		if strings.HasPrefix(r.Path, "/guilds/") {
			n++
		}
	}
	return n
}

// ask is what Discord answers to anybody.
func (w *guildWorld) ask(t *testing.T, path string) any {
	t.Helper()
	response, err := w.gate.Do(t.Context(), &rest.Request{Caller: "test", Method: http.MethodGet, Path: path})
	if err != nil || response.Status != http.StatusOK {
		t.Fatalf("GET %s: %+v %v", path, response, err)
	}
	return decoded(t, response.Body)
}

func decoded(t *testing.T, raw []byte) (v any) {
	t.Helper()
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatalf("%v in %.200q", err, raw)
	}
	return v
}

func TestAGuildIsWhatDiscordHas(t *testing.T) {
	w := newGuildWorld(t, simulator.World{Guilds: 2}, Settings{})
	guild := w.sim.Guilds()[1]
	got := w.read(t, guild.ID, 0)
	if got.GetMissing() != nil || got.GetVersion() == 0 {
		t.Fatalf("got %v", got)
	}
	for name, part := range map[string]struct {
		got  []byte
		want any
	}{
		"guild":    {got.GetGuild(), w.ask(t, fmt.Sprintf("/guilds/%d?with_counts=true", guild.ID))},
		"channels": {got.GetChannels(), w.ask(t, fmt.Sprintf("/guilds/%d/channels", guild.ID))},
		"threads":  {got.GetThreads(), w.ask(t, fmt.Sprintf("/guilds/%d/threads/active", guild.ID)).(map[string]any)["threads"]},
		"member":   {got.GetMember(), w.ask(t, fmt.Sprintf("/guilds/%d/members/%d", guild.ID, w.bot))},
	} {
		if have := decoded(t, part.got); !reflect.DeepEqual(have, part.want) {
			t.Errorf("%s is\n%v\nDiscord has\n%v", name, have, part.want)
		}
	}

	// Whoever has this version gets no parts again; an event makes another one.
	before := w.loads()
	if again := w.read(t, guild.ID, got.GetVersion()); again.GetVersion() != got.GetVersion() || again.GetGuild() != nil || again.GetChannels() != nil {
		t.Errorf("known already, but got %v", again)
	}
	gone := guild.Channels[0]
	version := w.Apply("CHANNEL_DELETE", guild.ID, fmt.Appendf(nil, `{"id":"%d","guild_id":"%d","type":0}`, gone, guild.ID))
	if wanted, pending := w.Want(guild.ID, 0, "MESSAGE_CREATE"); version <= got.GetVersion() || wanted != version || pending != nil {
		t.Errorf("version %d after the event and %d before it, wanted %d, pending %v", version, got.GetVersion(), wanted, pending)
	}
	changed := w.read(t, guild.ID, got.GetVersion())
	if changed.GetVersion() != version || bytes.Contains(changed.GetChannels(), fmt.Appendf(nil, `"id":"%d"`, gone)) {
		t.Errorf("version %d of %d still has the channel %d", changed.GetVersion(), version, gone)
	}
	if now := w.loads(); now != before {
		t.Errorf("%d requests for a guild that was there", now-before)
	}
	if s := w.Status(); s.Guilds != 1 || s.Loads != 1 || s.Failed != 0 || s.Bytes == 0 || s.LimitBytes != 256<<20 || s.Guard != "closed" || s.Missing != nil {
		t.Errorf("status %+v", s)
	}
	w.Apply("GUILD_DELETE", guild.ID, fmt.Appendf(nil, `{"id":"%d","unavailable":true}`, guild.ID))
	if s := w.Status(); s.Awaited != 1 || s.Remembered != 1 {
		t.Errorf("status in an outage %+v", s)
	}
}

// What Discord refuses or breaks is an answer, with a reason, and asked for
// once, whoever goes on reading.
func TestAMissingGuildSaysWhy(t *testing.T) {
	for name, test := range map[string]struct {
		failure      simulator.Failure
		match        string
		first, later cache.Reason
		requests     int
	}{
		"403":     {simulator.Failure{Status: 403}, "GET /guilds/*", cache.Forbidden, cache.Forbidden, 1},
		"404":     {simulator.Failure{Status: 404}, "GET /guilds/*", cache.Removed, cache.Removed, 1},
		"500":     {simulator.Failure{Status: 500}, "GET /guilds/*", cache.Failed, cache.BackingOff, 1},
		"429":     {simulator.Failure{Status: 429, RetryAfter: time.Minute}, "GET /guilds/*", cache.Failed, cache.BackingOff, 1},
		"garbage": {simulator.Failure{Garbage: true}, "GET /guilds/*", cache.Failed, cache.BackingOff, 1},
		// A kept connection that breaks at once may have been closed before: Go's client tries another.
		"nothing": {simulator.Failure{CloseConn: true}, "GET /guilds/*", cache.Failed, cache.BackingOff, 2},
		"other":   {simulator.Failure{Body: `{"id":"7"}`, Status: 200}, "GET /guilds/*", cache.Failed, cache.BackingOff, 1},
		"member":  {simulator.Failure{Status: 404}, "GET /guilds/*/members/*", cache.Removed, cache.Removed, 4},
		"threads": {simulator.Failure{Status: 403}, "GET /guilds/*/threads/active", cache.Forbidden, cache.Forbidden, 4},
	} {
		t.Run(name, func(t *testing.T) {
			w := newGuildWorld(t, simulator.World{}, Settings{})
			w.sim.FailREST(test.match, test.failure, 0)
			guild := w.sim.Guilds()[0].ID
			for i, want := range []cache.Reason{test.first, test.later, test.later} {
				missing := w.read(t, guild, 0).GetMissing()
				if missing.GetReason() != string(want) || !strings.Contains(missing.GetMessage(), string(want)) {
					t.Fatalf("read %d: %v, want %q", i, missing, want)
				}
				if until := time.UnixMilli(missing.GetUntilMs()); !until.After(time.Now()) {
					t.Errorf("read %d: it may be tried at %v", i, until)
				}
			}
			if version, pending := w.Want(guild, 0, "MESSAGE_CREATE"); version != 0 || pending != nil {
				t.Errorf("wanted: version %d, pending %v", version, pending)
			}
			if n := w.loads(); n > test.requests || n < 1 {
				t.Errorf("%d requests, want %d at most", n, test.requests)
			}
			if s := w.Status(); s.Failed != 1 || s.Loads != 1 || s.Missing[string(test.later)] < 3 {
				t.Errorf("status %+v", s)
			}
		})
	}
}

func TestAThousandReadersShareOneLoad(t *testing.T) {
	w := newGuildWorld(t, simulator.World{}, Settings{})
	guild := w.sim.Guilds()[0].ID
	var reading sync.WaitGroup
	for range 1000 {
		reading.Go(func() {
			response, err := w.Guild(t.Context(), &wire.GuildRequest{Guild: guild})
			if err != nil || response.GetVersion() == 0 || len(response.GetGuild()) == 0 {
				t.Errorf("read: %v %v", response, err)
			}
		})
	}
	reading.Wait()
	if n := w.loads(); n != 4 {
		t.Errorf("%d requests, want the four of one load", n)
	}
}

// A reader does not wait longer than it wants to, and Close not for Discord.
func TestASlowGuildHoldsUpNobody(t *testing.T) {
	w := newGuildWorld(t, simulator.World{}, Settings{})
	w.sim.FailREST("GET /guilds/*", simulator.Failure{Delay: time.Hour}, 0)
	guild := w.sim.Guilds()[0].ID
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	response, err := w.Guild(ctx, &wire.GuildRequest{Guild: guild})
	if err != nil || response.GetMissing().GetReason() != string(cache.Timeout) {
		t.Errorf("read: %v %v", response, err)
	}
	version, pending := w.Want(guild, 0, "MESSAGE_CREATE")
	if version != 0 || pending == nil {
		t.Fatalf("wanted: version %d, pending %v", version, pending)
	}
	w.Close()
	<-pending
	if reason := w.read(t, guild, 0).GetMissing().GetReason(); reason != string(cache.Closed) {
		t.Errorf("after the end: %q", reason)
	}
}

// Mass events leave tokens to others, before their handlers and in them.
func TestMassEventsGoOnWithoutTheirGuild(t *testing.T) {
	const burst = 4
	w := newGuildWorld(t, simulator.World{Guilds: 12}, Settings{GuardRate: 0.001, GuardBurst: burst})
	all := w.sim.Guilds()
	w.sim.FailREST("GET /guilds/*", simulator.Failure{Delay: time.Hour}, 0) // nothing ends, so nothing makes room
	loading := 0
	for _, guild := range all[:10] {
		if _, pending := w.Want(guild.ID, 0, "GUILD_MEMBER_REMOVE"); pending != nil {
			loading++
		}
	}
	if loading != burst/2 {
		t.Errorf("%d loads for a mass event, want %d", loading, burst/2)
	}
	response, err := w.Guild(t.Context(), &wire.GuildRequest{Guild: all[9].ID, Event: "GUILD_MEMBER_REMOVE"})
	if err != nil || response.GetMissing().GetReason() != string(cache.Refused) {
		t.Errorf("a handler of the mass event reads: %v %v", response, err)
	}
	if _, pending := w.Want(all[10].ID, 0, "INTERACTION_CREATE"); pending == nil {
		t.Error("an interaction finds no token")
	}
	if _, pending := w.Want(all[11].ID, 0, "MESSAGE_CREATE"); pending == nil {
		t.Error("a message finds no token")
	}
	if s := w.Status(); s.Missing["refused"] != 10-burst/2+1 || s.Loads != burst {
		t.Errorf("status %+v", s)
	}
}

func TestWhatIsNoGuild(t *testing.T) {
	w := newGuildWorld(t, simulator.World{}, Settings{})
	if version, pending := w.Want(0, 0, "MESSAGE_CREATE"); version != 0 || pending != nil {
		t.Errorf("wanted: version %d, pending %v", version, pending)
	}
	if response, err := w.Guild(t.Context(), &wire.GuildRequest{}); err == nil {
		t.Errorf("guild 0: %v", response)
	}
	if reason := w.read(t, 12345, 0).GetMissing().GetReason(); reason != string(cache.Removed) {
		t.Errorf("a guild that the bot is not in: %q", reason)
	}
	if n := w.loads(); n != 1 {
		t.Errorf("%d requests", n)
	}
	var none *guilds
	if s := none.Status(); s != nil {
		t.Errorf("no cache, but %+v", s)
	}
}

func TestLoadsLeaveRoomBeforeABan(t *testing.T) {
	now := time.Now()
	for name, test := range map[string]struct {
		status rest.Status
		want   bool
	}{
		"all is well":     {rest.Status{}, true},
		"some invalid":    {rest.Status{Invalid: rest.DefaultInvalid/2 - 1}, true},
		"half of all":     {rest.Status{Invalid: rest.DefaultInvalid / 2}, false},
		"a short pause":   {rest.Status{PausedUntil: now.Add(time.Second)}, true},
		"a ban":           {rest.Status{PausedUntil: now.Add(time.Minute)}, false},
		"a refused token": {rest.Status{Stopped: "Discord refused the token"}, false},
	} {
		if got := loadsAllowed(test.status, rest.DefaultInvalid/2, now); got != test.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestTheGuardGetsItsNumbers: each setting is the number that it says it is.
func TestTheGuardGetsItsNumbers(t *testing.T) {
	got := guardOptions(changed(), nil)
	if got.Allowed == nil {
		t.Error("the ledger has no say")
	}
	got.Allowed = nil
	want := cache.GuardOptions{
		Rate: 2.5, Burst: 20, Reserve: 4, Patience: 5 * time.Second, Concurrency: 6, Waiting: 7,
		BackoffMin: 8 * time.Second, BackoffMax: 9 * time.Second, Remembered: 10, Window: 11 * time.Second,
		Failures: 12, OpenMin: 13 * time.Second, OpenMax: 14 * time.Second,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestWhatDiscordSaid(t *testing.T) {
	for body, want := range map[string]string{
		`{"message": "Missing Access", "code": 50001}`: `"Missing Access" (code 50001)`,
		`{"message": "two\nlines", "code": 0}`:         `"two\nlines" (code 0)`,
		`<html>`:                                       "", `{"retry_after": 1}`: "", ``: "",
	} {
		got := ""
		if err := discordSaid([]byte(body)); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s: %s, want %s", body, got, want)
		}
	}
}
