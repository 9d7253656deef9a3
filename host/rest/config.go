package rest

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
)

// Defaults of [Config]. Discord's numbers are named where they come from; the others bound memory and waiting.
const (
	// DefaultGlobal is Discord's global limit for a bot token, in requests a second.
	DefaultGlobal = 50
	// DefaultInvalid is the number of invalid requests (401, 403, 429) in ten minutes at which Cloudflare bans an address.
	DefaultInvalid = 10_000

	defaultUserAgent  = "DiscordBot (https://github.com/holdfast-bot/holdfast, 0.1.0)"
	defaultQueue      = 50_000
	defaultPerCaller  = 12_500
	defaultPerBucket  = 25_000
	defaultBytes      = 256 << 20
	defaultRequest    = 26 << 20
	defaultResponse   = 16 << 20
	defaultWait       = 5 * time.Minute
	defaultAttempt    = 60 * time.Second
	defaultRetries    = 3
	defaultPause      = 500 * time.Millisecond
	defaultLimited    = 10
	maxRetries        = 10
	maxBuckets        = 65_536
	maxRoutes         = 4_096
	dialTimeout       = 10 * time.Second
	handshakeTimeout  = 10 * time.Second
	idleTimeout       = 90 * time.Second
	idleConnsPerHost  = 64
	keepAliveInterval = 30 * time.Second
	// A connection of HTTP/2 that has been silent for deadPing is asked whether it lives, and given up after deadAfter more:
	// all requests take the same one, and the kernel resends for a quarter of an hour. Acks come late behind large uploads.
	deadPing  = 5 * time.Second
	deadAfter = 10 * time.Second
)

// Config says how the gate reaches Discord and how much it holds. Token and BaseURL are required; every other zero value
// stands for its default.
type Config struct {
	// Token is the bot's token without "Bot ". It stays in the gate.
	Token string
	// BaseURL includes the version: https://discord.com/api/v10.
	BaseURL string
	// UserAgent must have the form that Discord asks for, DiscordBot (URL, VERSION); that is its default.
	UserAgent string
	// Global is Discord's global limit for this bot, in requests a second; default 50.
	Global int
	// Client carries the requests; default: a client of the gate's own with kept-alive connections. Its redirect policy
	// and cookies are not used.
	Client *http.Client
	// Log gets refusals and limits; default: nothing is logged.
	Log hclog.Logger

	// Queue bounds the requests inside the gate, waiting or under way; default 50,000. Interactions have the same room of
	// their own. Of this bound, QueuePerBucket and QueueBytes one caller gets as much as it leaves free, which is half if
	// it is alone, so that no caller shuts another out.
	Queue int
	// QueuePerCaller bounds those of one caller; default 12,500.
	QueuePerCaller int
	// QueuePerBucket bounds those that wait for one bucket; default 25,000.
	QueuePerBucket int
	// QueueBytes bounds the bodies inside the gate, in bytes; default 256 MiB, and as much for interactions.
	QueueBytes int
	// RequestBytes and ResponseBytes bound one body each; defaults 26 MiB and 16 MiB.
	RequestBytes  int
	ResponseBytes int
	// Wait bounds how long a request is in the gate, attempts included; default 5 minutes. The caller's context may end
	// it sooner.
	Wait time.Duration
	// Attempt bounds one attempt, from dialling to the last byte of the answer; default 60 s.
	Attempt time.Duration
	// Retries is how often a fault (a 5xx, a broken connection) is answered by another attempt; default 3, at most 10,
	// negative: never.
	Retries int
	// RetryPause is the middle of the first pause before such an attempt, which is jittered; each further one is twice as
	// long. Default 500 ms.
	RetryPause time.Duration
	// Invalid is the number of invalid requests in ten minutes at which Discord bans; default 10,000. At half of it the
	// gate lets only interactions, and reads that were not refused, pass, at nine tenths nothing. One caller has half of
	// that: it is stopped likewise at a quarter and at 45 of a hundred, and what Discord has refused it is not sent again
	// from a tenth on.
	Invalid int

	// Remember is called with what a later gate must know, by the goroutine of the request that caused it: it may block
	// that one, and must be safe for concurrent use. Default: nothing is kept.
	Remember func(Record)
	// Remembered is what earlier gates have let be kept. What has lapsed is left out.
	Remembered []Record
}

// withDefaults returns c completed, or what is wrong with it.
func (c Config) withDefaults() (Config, error) {
	if err := checkToken(c.Token); err != nil {
		return c, err
	}
	c.BaseURL = strings.TrimRight(c.BaseURL, "/")
	if err := checkBase(c.BaseURL); err != nil {
		return c, err
	}
	if c.UserAgent == "" {
		c.UserAgent = defaultUserAgent
	}
	if !validHeader(c.UserAgent) {
		return c, errors.New("user agent has control characters: give the form DiscordBot (URL, VERSION)")
	}
	if c.Log == nil {
		c.Log = hclog.NewNullLogger()
	}
	orInt(&c.Global, DefaultGlobal)
	orInt(&c.Queue, defaultQueue)
	orInt(&c.QueuePerCaller, defaultPerCaller)
	orInt(&c.QueuePerBucket, defaultPerBucket)
	orInt(&c.QueueBytes, defaultBytes)
	orInt(&c.RequestBytes, defaultRequest)
	orInt(&c.ResponseBytes, defaultResponse)
	orInt(&c.Invalid, DefaultInvalid)
	switch {
	case c.Retries == 0:
		c.Retries = defaultRetries
	case c.Retries < 0:
		c.Retries = 0
	}
	c.Retries = min(c.Retries, maxRetries)
	if c.RetryPause <= 0 {
		c.RetryPause = defaultPause
	}
	if c.Wait <= 0 {
		c.Wait = defaultWait
	}
	if c.Attempt <= 0 {
		c.Attempt = defaultAttempt
	}
	return c, nil
}

func orInt(value *int, otherwise int) {
	if *value <= 0 {
		*value = otherwise
	}
}

func checkToken(token string) error {
	if token == "" {
		return errors.New("no token: set DISCORD_TOKEN or give --token-file")
	}
	for _, c := range []byte(token) {
		if c <= ' ' || c >= 0x7f {
			return errors.New("the token has spaces or control characters: copy it again from Discord's developer portal, without \"Bot \"")
		}
	}
	return nil
}

func checkBase(base string) error {
	u, err := url.Parse(base)
	if err != nil {
		return fmt.Errorf("API address: %w", err)
	}
	if (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return fmt.Errorf("API address %q is not of the form https://discord.com/api/v10", base)
	}
	return nil
}

// client returns the client for the gate and whether its connections are the gate's to close. A redirect is never
// followed: its target would get the token.
func (c Config) client() (*http.Client, bool) {
	own := c.Client == nil
	var copied http.Client
	if own {
		copied.Transport = &http.Transport{
			Proxy:               http.ProxyFromEnvironment,
			DialContext:         (&net.Dialer{Timeout: dialTimeout, KeepAlive: keepAliveInterval}).DialContext,
			ForceAttemptHTTP2:   true,
			HTTP2:               &http.HTTP2Config{SendPingTimeout: deadPing, PingTimeout: deadAfter},
			TLSHandshakeTimeout: handshakeTimeout,
			IdleConnTimeout:     idleTimeout,
			MaxIdleConns:        idleConnsPerHost,
			MaxIdleConnsPerHost: idleConnsPerHost,
		}
	} else {
		copied = *c.Client
	}
	copied.Jar = nil
	copied.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &copied, own
}
