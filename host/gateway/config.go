package gateway

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
)

// Transport compressions that Config.Compress takes.
const (
	CompressZstd = "zstd-stream"
	CompressZlib = "zlib-stream"
	CompressNone = "none"
)

// DefaultIdentifyInterval is Discord's five seconds between two identifies of
// one rate limit key, and a margin for clocks that do not agree.
const DefaultIdentifyInterval = 5*time.Second + 100*time.Millisecond

// maxKeys bounds the keys by which shards identify; the largest bots have some hundreds.
const maxKeys = 1 << 16

// Config says which sessions a Set keeps.
type Config struct {
	// Token is the bot's token, without "Bot ".
	Token string
	// URL is the gateway's address as GET /gateway/bot gives it (ws or wss).
	URL string
	// Shards are the shards that this set runs, of Count in all.
	// Without both it is one shard of one.
	Shards []int
	Count  int
	// Number tells this set's events from those of another one of the bot: see Event.Set.
	Number int
	// Beside, if not nil, is a set of the same bot that runs already: both identify in turn, as one.
	Beside *Set
	// TooFewShards, if not nil, is told of a shard that Discord refuses because it has
	// more guilds than are allowed (close code 4011). That shard stays closed and the others go on. Without it
	// the set ends. It is called by the session's goroutine and must not wait.
	TooFewShards func(*CloseError)
	// MaxConcurrency is max_concurrency of GET /gateway/bot's session_start_limit; default 1.
	MaxConcurrency int
	// Intents are the bits that IDENTIFY asks for.
	Intents uint64
	// Compress is the transport compression: CompressZstd (default),
	// CompressZlib or CompressNone.
	Compress string
	// Events takes every dispatch, in order for each shard. Its owner bounds it and never
	// closes it while Run runs. When it is full, sessions stop reading and go on beating.
	Events chan<- Event
	// IdentifyInterval is the time between two identifies of one rate limit
	// key; default 5.1 s.
	IdentifyInterval time.Duration
	// LastIdentify is when an earlier process of this bot identified last, if
	// that is known: Discord's interval holds over restarts.
	LastIdentify time.Time
	// Resume holds by shard what sessions of an earlier process were saved as; other shards'
	// are ignored. These begin with RESUME and wait for no turn to identify. Where that
	// fails, or the values make no sense, the shard identifies and the log tells which span of events is
	// missed. The earlier process must have had the same Token, Count and Intents.
	Resume map[int]Saved
	// MissedSince is since when the shards that are not in Resume miss events; zero: they
	// miss none, or nobody knows. Their first READY tells that span.
	MissedSince time.Time
	// Whole, if not nil, is told up to when a session has missed nothing and all of it has
	// been handled, at least with each heartbeat's ACK: so a quiet shard's restart does
	// not look as if it had been away since its last event. It is called by sessions'
	// goroutines and must not wait.
	Whole func(shard int, session string, at time.Time)
	// Permits, if not nil, says when a shard may identify beside the interval.
	Permits Permits
	// Presence, if not nil, is asked for the presence that IDENTIFY sets, in
	// Discord's JSON, nil for none: Discord forgets it with the session. It is called
	// by a session's goroutine and may take milliseconds, not longer.
	Presence func(shard int) json.RawMessage
	// Log gets what happens to the sessions; default: nothing is logged.
	Log hclog.Logger

	// dial, tls and random are the network, whom to trust, and the dice; tests bring their own.
	dial   func(ctx context.Context, network, addr string) (net.Conn, error)
	tls    *tls.Config
	random func() float64
}

// Permits keeps the account of IDENTIFYs: Discord allows a bot so many a day and
// resets its token when they are spent. It is used from several goroutines at
// once. RESUMEs need no permit.
type Permits interface {
	// Take permits the shard one IDENTIFY and returns 0, or says how long to wait.
	// It is asked again then, and each minute meanwhile. A permit is the shard's
	// until it is spent: asking again takes no second one. It must not wait.
	Take(shard int) (wait time.Duration)
	// Spend counts the IDENTIFY just before it is sent. It may take milliseconds.
	Spend(shard int)
	// Settled says that the shard's session has lived for a minute.
	Settled(shard int)
}

// complete fills in the defaults and tells every fault at once.
func (c Config) complete() (Config, error) {
	if len(c.Shards) == 0 && c.Count == 0 {
		c.Shards, c.Count = []int{0}, 1
	}
	c.Shards = slices.Sorted(slices.Values(c.Shards))
	if c.MaxConcurrency == 0 {
		c.MaxConcurrency = 1
	}
	c.MaxConcurrency = min(c.MaxConcurrency, maxKeys)
	if c.Compress == "" {
		c.Compress = CompressZstd
	}
	if c.IdentifyInterval == 0 {
		c.IdentifyInterval = DefaultIdentifyInterval
	}
	if c.Log == nil {
		c.Log = hclog.NewNullLogger()
	}
	if c.random == nil {
		c.random = rand.Float64
	}
	return c, c.check()
}

func (c Config) check() error {
	var faults []error
	fault := func(bad bool, format string, args ...any) {
		if bad {
			faults = append(faults, fmt.Errorf("gateway: "+format, args...))
		}
	}
	fault(c.Token == "", "no token: set DISCORD_TOKEN or --token-file")
	fault(strings.ContainsAny(c.Token, " \r\n\t"), "the token has a space or a line break in it: give it alone, without \"Bot \"")
	fault(c.Count < 1, "shard count %d: it must be at least 1", c.Count)
	fault(len(c.Shards) == 0, "no shards to run of %d", c.Count)
	for i, shard := range c.Shards {
		fault(shard < 0 || shard >= c.Count, "shard %d: it must lie between 0 and %d", shard, c.Count-1)
		fault(i > 0 && shard == c.Shards[i-1], "shard %d is named twice", shard)
	}
	fault(c.MaxConcurrency < 1, "max concurrency %d: it must be at least 1", c.MaxConcurrency)
	fault(c.IdentifyInterval < 0, "identify interval %s: it must not be negative", c.IdentifyInterval)
	fault(c.Events == nil, "no channel for events")
	switch c.Compress {
	case CompressZstd, CompressZlib, CompressNone:
	default:
		fault(true, "compression %q: take %s, %s or %s", c.Compress, CompressZstd, CompressZlib, CompressNone)
	}
	if _, err := dialURL(c.URL, c.Compress); err != nil {
		faults = append(faults, err)
	}
	return errors.Join(faults...)
}

// dialURL adds version, encoding and compression to an address that Discord
// gave. What its query already has stays.
func dialURL(address, compress string) (string, error) {
	u, err := url.Parse(address)
	if err != nil {
		return "", fmt.Errorf("gateway: read address: %w", err)
	}
	if u.Scheme != "ws" && u.Scheme != "wss" || u.Host == "" {
		return "", fmt.Errorf("gateway: address %q: it must begin with wss:// or ws:// and name a host", address)
	}
	if u.Path == "" {
		u.Path = "/"
	}
	q := u.Query()
	q.Set("v", "10")
	q.Set("encoding", "json")
	q.Del("compress")
	if compress != CompressNone {
		q.Set("compress", compress)
	}
	u.RawQuery = q.Encode()
	return u.String(), nil
}

// resumeURL is the address for RESUME: the one READY named, unless it cannot
// be used or would carry the token in the clear where the first address did not.
func resumeURL(ready, first string) string {
	if _, err := dialURL(ready, CompressNone); err != nil {
		return first
	}
	if strings.HasPrefix(first, "wss:") && !strings.HasPrefix(ready, "wss:") {
		return first
	}
	return ready
}
