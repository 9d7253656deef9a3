package sdk

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/holdfast-bot/holdfast/sdk/wire"
)

// guildHost is the host of a line, without gRPC.
type guildHost struct {
	wire.HostClient
	guild func(context.Context, *wire.GuildRequest) (*wire.GuildResponse, error)
	do    func(*wire.RestRequest) (*wire.RestResponse, error)

	mu    sync.Mutex
	asked []string // guild, version and event of each call
}

func (h *guildHost) Guild(ctx context.Context, r *wire.GuildRequest, _ ...grpc.CallOption) (*wire.GuildResponse, error) {
	h.mu.Lock()
	h.asked = append(h.asked, fmt.Sprintf("%d v%d %s", r.GetGuild(), r.GetVersion(), r.GetEvent()))
	h.mu.Unlock()
	return h.guild(ctx, r)
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

// reading is a read on a goroutine of its own.
type reading struct {
	guild *Guild
	err   error
	done  chan struct{}
}

func startReading(ctx context.Context, b *Bot, id string) *reading {
	r := &reading{done: make(chan struct{})}
	go func() {
		defer close(r.done)
		r.guild, r.err = b.Guild(ctx, id)
	}()
	return r
}

// TestReadsShareOneCall begins 100 reads in one handler, and ends one of them
// early.
func TestReadsShareOneCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &guildHost{guild: func(context.Context, *wire.GuildRequest) (*wire.GuildResponse, error) {
			time.Sleep(time.Second)
			return guildAt(1, 5), nil
		}}
		l := lineTo(t, h)
		b := botOf(l, "E", 1, 0)
		impatient, cancel := context.WithTimeoutCause(t.Context(), time.Millisecond, errors.New("enough"))
		defer cancel()
		first := startReading(impatient, b, "1") // it began the call
		synctest.Wait()
		var all []*reading
		for range 99 {
			all = append(all, startReading(t.Context(), b, "1"))
		}
		other := startReading(t.Context(), botOf(l, "OTHER", 1, 0), "1")
		for _, r := range append(all, other) {
			<-r.done
			if r.err != nil || r.guild != all[0].guild {
				t.Fatalf("got %v, %v", r.guild, r.err)
			}
		}
		<-first.done
		if first.err == nil || first.err.Error() != "read guild 1: enough" {
			t.Errorf("the impatient one got %v", first.err)
		}
		if calls := h.calls(); calls != "1 v0 E, 1 v0 OTHER" {
			t.Errorf("asked %q", calls)
		}
	})
}

// TestCallEndsWithItsLastReader holds that nobody joins a call that was given up.
func TestCallEndsWithItsLastReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ended atomic.Int32
		h := &guildHost{guild: func(ctx context.Context, _ *wire.GuildRequest) (*wire.GuildResponse, error) {
			<-ctx.Done()
			time.Sleep(time.Second) // the news travels
			ended.Add(1)
			return nil, status.FromContextError(ctx.Err()).Err()
		}}
		l := lineTo(t, h)
		b := botOf(l, "E", 1, 0)
		ctx, cancel := context.WithCancel(t.Context())
		one, two := startReading(ctx, b, "1"), startReading(t.Context(), b, "1")
		synctest.Wait()
		cancel()
		<-one.done
		synctest.Wait()
		if ended.Load() != 0 || h.calls() != "1 v0 E" {
			t.Fatal("the call ended, though one still waits")
		}
		l.events.revoke(b.ticket)
		stopping := make(chan struct{})
		ctx, cancel = context.WithCancel(t.Context())
		late := startReading(ctx, botOf(l, "E", 1, 0), "1") // joins
		synctest.Wait()
		cancel()
		<-late.done
		if _, err := b.Guild(t.Context(), "1"); err == nil || !strings.Contains(err.Error(), "is over: use bot.Detach()") {
			t.Errorf("after its handler: %v", err)
		}
		go func() { l.close(); close(stopping) }()
		synctest.Wait()
		select {
		case <-stopping:
			t.Error("closed before the call had ended")
		default:
		}
		l.guilds.mu.Lock()
		for _, c := range l.guilds.calls {
			c.cancel() // as the connection's end does
		}
		l.guilds.mu.Unlock()
		<-stopping
		<-two.done
		if two.err == nil || ended.Load() != 1 {
			t.Errorf("%v after %d calls", two.err, ended.Load())
		}
		if _, err := l.detachedBot(nil).Guild(t.Context(), "1"); err == nil || err.Error() != "read guild 1: the plugin stops" {
			t.Errorf("after the end: %v", err)
		}
		if !errors.Is(one.err, context.Canceled) || !errors.Is(late.err, context.Canceled) {
			t.Errorf("%v, %v", one.err, late.err)
		}
	})
}

// TestNewReaderAfterAnAbandonedCall begins a call of its own.
func TestNewReaderAfterAnAbandonedCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first := true
		h := &guildHost{guild: func(ctx context.Context, _ *wire.GuildRequest) (*wire.GuildResponse, error) {
			if !first {
				return guildAt(1, 5), nil
			}
			first = false
			<-ctx.Done()
			time.Sleep(time.Second)
			return nil, status.FromContextError(ctx.Err()).Err()
		}}
		b := botOf(lineTo(t, h), "E", 1, 0)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := b.Guild(ctx, "1"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		began := time.Now()
		if g, err := b.Guild(t.Context(), "1"); err != nil || g.Version != 5 || time.Since(began) != 0 {
			t.Errorf("got %v, %v after %s", g, err, time.Since(began))
		}
		time.Sleep(time.Second)
	})
}

// TestCallThatWasUnderWay has an event come while a call is under way, whose
// answer may be from before the event.
func TestCallThatWasUnderWay(t *testing.T) {
	old, missing := guildAt(1, 5), &wire.GuildResponse{Missing: &wire.GuildMissing{Reason: "removed", Message: "gone"}}
	tests := []struct {
		name    string
		version uint64 // of the event's frame
		first   *wire.GuildResponse
		want    string
		calls   string
	}{
		{"an unknown version is asked for again", 0, old, "v6", "1 v0 E, 1 v5 E"},
		{"an older one too", 6, old, "v6", "1 v0 E, 1 v5 E"},
		{"one that is as new serves", 5, old, "v5", "1 v0 E"},
		{"why there was none may be over", 6, missing, "v6", "1 v0 E, 1 v0 E"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				first := true
				h := &guildHost{guild: func(context.Context, *wire.GuildRequest) (*wire.GuildResponse, error) {
					time.Sleep(time.Second)
					if !first {
						return guildAt(1, 6), nil
					}
					first = false
					return test.first, nil
				}}
				l := lineTo(t, h)
				before := startReading(t.Context(), botOf(l, "E", 1, 0), "1")
				synctest.Wait()
				var readers []*reading
				for range 10 { // interactions
					readers = append(readers, startReading(t.Context(), botOf(l, "E", 1, test.version), "1"))
				}
				for _, r := range readers {
					if <-r.done; r.err != nil || r.guild.Name != test.want {
						t.Errorf("got %+v, %v, want %s", r.guild, r.err, test.want)
					}
				}
				<-before.done
				if calls := h.calls(); calls != test.calls {
					t.Errorf("asked %q, want %q", calls, test.calls)
				}
			})
		})
	}
}

// TestAnswersOutOfOrder lets the older answer come last.
func TestAnswersOutOfOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &guildHost{guild: func(_ context.Context, r *wire.GuildRequest) (*wire.GuildResponse, error) {
			if r.GetEvent() == "SLOW" {
				time.Sleep(time.Second)
				return guildAt(1, 5), nil
			}
			return guildAt(1, 6), nil
		}}
		l := lineTo(t, h)
		slow := startReading(t.Context(), botOf(l, "SLOW", 1, 5), "1")
		synctest.Wait()
		if g, err := botOf(l, "QUICK", 1, 6).Guild(t.Context(), "1"); err != nil || g.Version != 6 {
			t.Fatalf("got %v, %v", g, err)
		}
		if <-slow.done; slow.err != nil || slow.guild.Version != 6 {
			t.Errorf("the slow one got %+v, %v, though version 6 was there", slow.guild, slow.err)
		}
		if have := l.guilds.copies.get(1); have.Version != 6 {
			t.Errorf("kept version %d", have.Version)
		}
	})
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

// TestGuildsAreNeverOlderThanEvents lets guilds change, leave the host's cache
// and come back while handlers read them, with answers that take their time.
func TestGuildsAreNeverOlderThanEvents(t *testing.T) {
	const guilds, handlers = 3, 3000
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	synctest.Test(t, func(t *testing.T) {
		random := rand.New(rand.NewPCG(seed, 0))
		var mu sync.Mutex // guards random, too
		var counter uint64
		now := make(map[uint64]uint64)    // versions of the truth
		cached := make(map[uint64]uint64) // what the host has of it; 0: nothing
		pause := func(limit int) {
			mu.Lock()
			d := time.Duration(random.IntN(limit)) * time.Microsecond
			mu.Unlock()
			time.Sleep(d)
		}
		h := &guildHost{guild: func(_ context.Context, r *wire.GuildRequest) (*wire.GuildResponse, error) {
			pause(500)
			mu.Lock()
			if cached[r.GetGuild()] == 0 {
				counter++
				now[r.GetGuild()], cached[r.GetGuild()] = counter, counter
			}
			version := cached[r.GetGuild()]
			mu.Unlock()
			pause(2000)
			if version == r.GetVersion() {
				return &wire.GuildResponse{Version: version}, nil
			}
			return guildAt(r.GetGuild(), version), nil
		}}
		l := lineTo(t, h)
		var running sync.WaitGroup
		for range handlers {
			pause(100)
			mu.Lock()
			guild := 1 + random.Uint64N(guilds)
			switch random.IntN(4) {
			case 0, 1: // an event that changes the guild
				counter++
				now[guild] = counter
				if cached[guild] != 0 {
					cached[guild] = counter
				}
			case 2:
				cached[guild] = 0
			}
			truth, frame := now[guild], cached[guild]
			name := []string{"A", "B"}[random.IntN(2)]
			mu.Unlock()
			b := botOf(l, name, guild, frame)
			running.Go(func() {
				g, err := b.Guild(t.Context(), fmt.Sprint(guild))
				if err != nil || g.Version < truth || g.Name != fmt.Sprintf("v%d", g.Version) {
					t.Errorf("guild %d: got %+v, %v at version %d", guild, g, err, truth)
				}
			})
		}
		running.Wait()
		calls := strings.Count(h.calls(), ",") + 1
		if len(l.guilds.calls) != 0 || calls >= handlers {
			t.Errorf("%d calls under way at the end, %d made for %d handlers", len(l.guilds.calls), calls, handlers)
		}
		t.Logf("%d calls for %d handlers", calls, handlers)
	})
}
