package simulator

import (
	"math"
	"time"

	"github.com/hashicorp/go-hclog"
)

// Config says what kind of Discord to run. The zero value works: two small guilds, one shard, Discord's own
// limits and intervals, a port chosen by the system.
type Config struct {
	// Token is what clients must present (REST: "Bot " before it). Default "simulator-token".
	Token string
	// Addr is where to listen, loopback by default: "127.0.0.1:0".
	Addr string
	// Seed drives everything random: ids, names, sizes, tokens.
	Seed uint64
	// World is what exists at the start.
	World World
	// Shards is what GET /gateway/bot recommends. Default 1.
	Shards int
	// MaxConcurrency is how many identify keys there are. Default 1.
	MaxConcurrency int
	// SessionStarts is the total of identifies, all of them left at the start. Default 1000.
	SessionStarts int
	// IdentifyInterval is the least time between two identifies of one key. Default 5 s.
	IdentifyInterval time.Duration
	// InvalidWait is the least time between op 9 false and the next identify of that shard. Default 1 s.
	InvalidWait time.Duration
	// HeartbeatInterval is what HELLO asks for. Default 41.25 s.
	HeartbeatInterval time.Duration
	// HeartbeatGrace is added to 1.25 intervals before a silent client is dropped. Default 1 s.
	HeartbeatGrace time.Duration
	// ReplayLimit is how many events a session keeps for a resume. Default 250,000.
	ReplayLimit int
	// ReplayBytes bounds the same in bytes. Default 256 MiB.
	ReplayBytes int
	// ReplayWindow is how long a session without a connection can be resumed. Default 3 min.
	ReplayWindow time.Duration
	// Outgoing is how many events may wait for a slow client before the driver waits for it. Default 4096.
	Outgoing int
	// DisallowedIntents are privileged intents that the application has not switched on (4014).
	DisallowedIntents uint64
	// QueryURLs adds "/?v=10&encoding=json" to the gateway URLs that are told, as captures of Discord show it.
	QueryURLs bool
	// VaryKeys changes the order of the envelope's keys from event to event; Discord promises none.
	VaryKeys bool
	// VaryData changes the order of the keys in the data, too, in each session in another way.
	VaryData bool
	// Skew is how much later than it happens a session may be told of something. Each session has delays of its
	// own, and each guild within it: only the order within a guild is kept. Default 0: none.
	Skew time.Duration
	// IntroduceWithin spreads the GUILD_CREATEs that follow a READY over this time. What happens in a guild before,
	// its session is not told. Default 0: at once.
	IntroduceWithin time.Duration
	// IntroduceEvery is the least time between two of them, but for a guild in which something happens meanwhile: it is
	// introduced right before that. Default 0: none.
	IntroduceEvery time.Duration
	// GuildsPerShard is how many guilds a shard may have (4011). Default 2500.
	GuildsPerShard int
	// Emitted, if not nil, is told of everything that happens, in order for each guild, whether a session sees it or
	// not. It must not wait.
	Emitted func(Emission)
	// Introduced, if not nil, is told of every GUILD_CREATE that a session is about to get, in order for each guild and
	// between its emissions. It must not wait.
	Introduced func(Introduction)
	// UploadBytes is how large the files of one request may be together. Default 10 MiB, Discord's own; boosted guilds
	// have more.
	UploadBytes int
	// RateLimits are the limits of REST.
	RateLimits RateLimits
	// KeepMissed keeps every event that no session can bring any more, for Missed, however many these get.
	KeepMissed bool
	// Log gets one line per connection, session and breach. Default: none.
	Log hclog.Logger
}

// World says what exists at the start. Everything in it follows from the seed.
type World struct {
	// Guilds is how many guilds the bot is in. Default 2; negative: none.
	Guilds int
	// ChannelsPerGuild counts text channels; a category and a voice channel come on top. Default 5.
	ChannelsPerGuild int
	// RolesPerGuild counts roles beside @everyone. Default 4.
	RolesPerGuild int
	// MembersPerGuild counts people beside the bot. Default 10, at most 3,000,000.
	MembersPerGuild int
	// GuildBytes, when set, is the size in bytes that the GUILD_CREATE of the guild with this index should
	// have without members (3,400 is the least possible); the counts of channels and roles then follow from it.
	GuildBytes func(index int) int
}

// RateLimits are REST's limits; the zero value is Discord's behaviour.
type RateLimits struct {
	// Off switches buckets and the global limit off: no headers, no 429.
	Off bool
	// Global is how many requests a second a token may make. Default 50.
	Global int
	// Routes changes the limit of single routes, by their name ("POST /channels/{channel}/messages").
	Routes map[string]Limit
	// Invalid is how many answers of 401, 403 and 429 within 10 minutes bring the ban. Default 10,000.
	Invalid int
	// Ban is how long that ban lasts. Default 10 s (Discord's is far longer).
	Ban time.Duration
}

// Limit is a number of requests within a time.
type Limit struct {
	Requests int
	Per      time.Duration
}

const (
	defaultToken     = "simulator-token"
	defaultReplay    = 250_000
	defaultReplayMiB = 256
	defaultOutgoing  = 4096

	defaultGuildsPerShard = 2500

	maxMembers = 3_000_000
)

// filled returns the configuration with every default in place.
func (c Config) filled() Config {
	orString(&c.Token, defaultToken)
	orString(&c.Addr, "127.0.0.1:0")
	c.World = c.World.filled()
	orInt(&c.Shards, 1)
	orInt(&c.MaxConcurrency, 1)
	orInt(&c.SessionStarts, 1000)
	orTime(&c.IdentifyInterval, 5*time.Second)
	orTime(&c.InvalidWait, time.Second)
	orTime(&c.HeartbeatInterval, 41250*time.Millisecond)
	orTime(&c.HeartbeatGrace, time.Second)
	orInt(&c.ReplayLimit, defaultReplay)
	orInt(&c.ReplayBytes, defaultReplayMiB<<20)
	orTime(&c.ReplayWindow, 3*time.Minute)
	orInt(&c.Outgoing, defaultOutgoing)
	orInt(&c.GuildsPerShard, defaultGuildsPerShard)
	orInt(&c.UploadBytes, uploadFree)
	orInt(&c.RateLimits.Global, 50)
	orInt(&c.RateLimits.Invalid, 10_000)
	orTime(&c.RateLimits.Ban, 10*time.Second)
	if c.Log == nil {
		c.Log = hclog.NewNullLogger()
	}
	return c
}

func (w World) filled() World {
	if w.Guilds < 0 {
		w.Guilds = 0
	} else {
		orInt(&w.Guilds, 2)
	}
	orInt(&w.ChannelsPerGuild, 5)
	orInt(&w.RolesPerGuild, 4)
	orInt(&w.MembersPerGuild, 10)
	w.MembersPerGuild = min(w.MembersPerGuild, maxMembers)
	return w
}

// Spread gives World.GuildBytes sizes between low and high bytes, many small and few large, as Discord's are.
func Spread(seed uint64, low, high int) func(index int) int {
	ratio := math.Log(float64(high) / float64(low))
	return func(index int) int {
		share := float64(mix(seed, uint64(index))>>11) / (1 << 53)
		return int(float64(low) * math.Exp(ratio*share*share*share))
	}
}

func orInt(v *int, def int) {
	if *v == 0 {
		*v = def
	}
}

func orTime(v *time.Duration, def time.Duration) {
	if *v == 0 {
		*v = def
	}
}

func orString(v *string, def string) {
	if *v == "" {
		*v = def
	}
}
