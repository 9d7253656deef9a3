package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/holdfast-bot/holdfast/cache"
	"github.com/holdfast-bot/holdfast/host/control"
	"github.com/holdfast-bot/holdfast/host/rest"
	"github.com/holdfast-bot/holdfast/sdk/wire"
)

const (
	// guildCaller is the gate's caller of loads: a caller of its own takes turns
	// with the plugins, and no plugin can be called so.
	guildCaller = "guild cache"
	// guildRead bounds a plugin's read. A load takes no longer.
	guildRead = 10 * time.Second
)

// guilds is the guild cache as host, router and plugins use it. Its methods are
// for any goroutine, but for Close.
type guilds struct {
	cache    *cache.Cache
	gate     *rest.Gate
	bot      uint64 // its user id
	limit    int64
	refusals *refusals
	// membership is what the sessions know, from when they are there.
	membership atomic.Pointer[func(guild uint64) cache.Membership]
}

// newGuilds makes the cache of the guilds that this bot sees through the gate;
// warm says which of those that a new session brings are kept. Close it.
func newGuilds(s Settings, gate *rest.Gate, botID uint64, warm func(guild uint64) bool, log hclog.Logger) (*guilds, error) {
	s = s.WithDefaults()
	g := &guilds{gate: gate, bot: botID, limit: int64(s.CacheBytes), refusals: newRefusals(log)}
	var err error
	g.cache, err = cache.New(cache.Options{
		Idle:    s.CacheIdle,
		Bytes:   int64(s.CacheBytes),
		Timeout: guildRead,
		Load:    loader(gate, botID),
		Self:    botID,
		Guard:   guardOptions(s, gate),
		Keep:    cache.Keep(s.CacheKeep),
		People:  cache.People(s.CachePeople),
		Warm:    warm,
		Log:     log,

		Membership: func(guild uint64) cache.Membership {
			if known := g.membership.Load(); known != nil {
				return (*known)(guild)
			}
			return cache.Unsure
		},
	})
	return g, err
}

func guardOptions(s Settings, gate *rest.Gate) cache.GuardOptions {
	return cache.GuardOptions{
		Rate:        float64(s.GuardRate),
		Burst:       int(s.GuardBurst),
		Reserve:     int(s.GuardReserve),
		Patience:    s.GuardPatience,
		Concurrency: int(s.GuardConcurrency),
		Waiting:     int(s.GuardWaiting),
		BackoffMin:  s.GuardBackoffMin,
		BackoffMax:  s.GuardBackoffMax,
		Remembered:  int(s.GuardRemembered),
		Window:      s.GuardWindow,
		Failures:    int(s.GuardFailures),
		OpenMin:     s.GuardOpenMin,
		OpenMax:     s.GuardOpenMax,
		Allowed:     func() bool { return loadsAllowed(gate.Status(), int(s.GuardInvalid), time.Now()) },
	}
}

// loadsAllowed tells whether the gate has room for loads. A gate that sends
// nothing for longer than a load may take would only let them time out.
func loadsAllowed(s rest.Status, invalid int, now time.Time) bool {
	return s.Stopped == "" && s.Invalid < invalid && s.PausedUntil.Sub(now) < guildRead
}

// loader asks Discord for a part of a guild, once: the cache has a pace and
// back-offs of its own, and a place of the guard is not to be held by a request
// that waits out a limit.
func loader(gate *rest.Gate, botID uint64) cache.Loader {
	return func(ctx context.Context, guild uint64, part cache.Part) (json.RawMessage, error) {
		response, err := gate.Do(ctx, &rest.Request{
			Caller: guildCaller, Method: http.MethodGet, Path: partPath(guild, part, botID), Once: true,
		})
		switch {
		case err != nil:
			return nil, err
		case response.Status != http.StatusOK:
			return nil, &cache.LoadError{Status: response.Status, RetryAfter: response.RetryAfter, Err: discordSaid(response.Body)}
		}
		return response.Body, nil
	}
}

// discordSaid is the message of an answer that is an error, or nil: what stands between
// need not be Discord, nor its answer be JSON.
// https://discord.com/developers/docs/reference#error-messages
func discordSaid(body []byte) error {
	var said struct {
		Message string `json:"message"`
		Code    int    `json:"code"`
	}
	if err := json.Unmarshal(body, &said); err == nil && said.Message != "" {
		return fmt.Errorf("%.200q (code %d)", said.Message, said.Code)
	}
	return nil
}

// partPath is where Discord has a part.
func partPath(guild uint64, part cache.Part, botID uint64) string {
	switch part {
	case cache.PartChannels:
		return fmt.Sprintf("/guilds/%d/channels", guild)
	case cache.PartThreads:
		return fmt.Sprintf("/guilds/%d/threads/active", guild)
	case cache.PartMember:
		return fmt.Sprintf("/guilds/%d/members/%d", guild, botID)
	default:
		return fmt.Sprintf("/guilds/%d?with_counts=true", guild)
	}
}

// Apply takes note of an event before it goes to the plugins, and returns the
// version that its guild then has, 0 while there is none. Events of a guild must
// come in their order; data is kept for a while and never changed.
func (g *guilds) Apply(name string, guild uint64, data []byte) (version uint64) {
	return g.cache.Apply(name, guild, data)
}

// Want implements plugins.Guilds.
func (g *guilds) Want(guild uint64, parts uint32, event string) (version uint64, pending <-chan struct{}) {
	if guild == 0 {
		return 0, nil
	}
	version, pending, err := g.cache.Want(context.Background(), guild, partsOf(parts), cache.CauseOf(event))
	g.refusals.note(err, false)
	return version, pending
}

// Guild implements plugins.Guilds. It answers within 10 s.
func (g *guilds) Guild(ctx context.Context, r *wire.GuildRequest) (*wire.GuildResponse, error) {
	if r.GetGuild() == 0 {
		return nil, errors.New("read guild 0: there is none: give the id of a guild")
	}
	ctx, cancel := context.WithTimeout(ctx, guildRead)
	defer cancel()
	want := partsOf(r.GetParts())
	s, err := g.cache.Guild(ctx, r.GetGuild(), want, readCause(r.GetEvent()))
	if missing, ok := errors.AsType[*cache.MissingError](err); ok {
		g.refusals.note(err, true)
		return &wire.GuildResponse{Missing: missingGuild(missing)}, nil
	}
	if err != nil {
		return nil, err
	}
	if s.Version == r.GetVersion() {
		want &^= partsOf(r.GetHave())
	}
	return guildParts(s, want), nil
}

// partsOf are those of a set on the wire.
func partsOf(bits uint32) cache.Parts {
	if parts := cache.Parts(bits & uint32(cache.AllParts)); parts != 0 {
		return parts
	}
	return cache.AllParts
}

// guildParts is the answer with these parts of a guild.
func guildParts(s *cache.Snapshot, parts cache.Parts) *wire.GuildResponse {
	out := &wire.GuildResponse{Version: s.Version, Parts: uint32(parts)}
	for part, into := range [...]*[]byte{
		cache.PartGuild: &out.Guild, cache.PartChannels: &out.Channels, cache.PartThreads: &out.Threads, cache.PartMember: &out.Member,
	} {
		if p := cache.Part(part); parts.Has(cache.PartsOf(p)) {
			*into = s.Part(p)
		}
	}
	return out
}

// readCause is why a handler of this event reads. One that runs for a mass event
// must not get round the guard by asking, and one that answers an interaction
// has little time; who reads in any other handler goes on only when the guild
// is there.
func readCause(event string) cache.Cause {
	if why := cache.CauseOf(event); why == cache.Mass || why == cache.Interaction {
		return why
	}
	return cache.Read
}

func missingGuild(e *cache.MissingError) *wire.GuildMissing {
	out := &wire.GuildMissing{Reason: string(e.Reason), Message: e.Error()}
	if !e.Until.IsZero() {
		out.UntilMs = e.Until.UnixMilli()
	}
	return out
}

// Close ends loads. Sessions, router and plugins must have ended before it, the
// gate after it.
func (g *guilds) Close() {
	g.cache.Close()
	g.refusals.close()
}

// Status is the cache as operators see it; nil while there is none.
func (g *guilds) Status() *control.Cache {
	if g == nil {
		return nil
	}
	s := g.cache.Status()
	out := &control.Cache{
		Guilds: s.Guilds, Bytes: s.Bytes, LimitBytes: g.limit,
		Hits: s.Hits, Misses: s.Misses, Loads: s.Loads, Failed: s.Failed,
		Evicted: s.Evicted, Expired: s.Expired, Rejected: s.Rejected,
		Loading: s.Loading, Awaited: s.Awaited, Remembered: s.Remembered,
		Guard: s.Guard, GuardUntil: s.GuardUntil, Tokens: s.Tokens,
	}
	for reason, n := range s.Missing {
		if out.Missing == nil {
			out.Missing = make(map[string]uint64)
		}
		out.Missing[string(reason)] = n
	}
	return out
}
