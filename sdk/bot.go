package sdk

import (
	"encoding/json"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/switchupcb/disgo"
)

// Bot is what a handler holds: the event as it came and the ways to act on it.
// It belongs to its event: when the handler has returned, its requests fail.
// Detach gives one for work that goes on. Its methods and its client are safe
// for concurrent use; its fields are not to be changed.
type Bot struct {
	// Client sends any of disgo's requests: request.Send(bot.Client). They go
	// through the host, which holds the token and keeps the rate limits, and
	// end with the handler's context. It serves for requests only, not for
	// disgo's sessions and handlers.
	Client *disgo.Client
	// Raw is Discord's data of the event, byte for byte, also where disgo's
	// types know less. It is shared: do not change it, and copy what you keep
	// for long. It is nil outside of events.
	Raw json.RawMessage
	// Log writes to the host's log, with the event's name, guild, shard and seq.
	Log hclog.Logger
	Facts

	line         *line
	ticket       uint64
	guildVersion uint64 // of the event's guild when the event was sent, 0: unknown

	left *atomic.Bool // set by Detach, for the event's acknowledgement; nil outside of events
}

// Facts are what is known of an event beside its data.
type Facts struct {
	// Event is Discord's dispatch name, empty outside of events.
	Event string
	// Shard that received it, and its sequence number in the shard's session.
	Shard uint32
	Seq   uint64
	// Received is when the host read the event.
	Received time.Time
	// Redelivered says that an earlier process of this plugin was given the
	// event and may have handled it, wholly or in part.
	Redelivered bool

	guild uint64
}

// GuildID is the guild that the event is about as Discord writes it, empty for
// none.
func (f Facts) GuildID() string {
	if f.guild == 0 {
		return ""
	}
	return strconv.FormatUint(f.guild, 10)
}

// Detach returns a bot whose requests work until the plugin stops, for
// goroutines that outlive the handler. It keeps all else. Of an interaction it
// says that its answer may still come when the handler has returned none: take it
// before that.
func (b *Bot) Detach() *Bot {
	if b.left != nil {
		b.left.Store(true)
	}
	detached := *b
	detached.ticket = detachedTicket
	detached.Client = b.line.client(clientHeader(detachedTicket, b.Event))
	return &detached
}

// UserID is the bot's own user, as Discord writes it.
func (b *Bot) UserID() string { return b.line.userID }

// ApplicationID is the bot's application, as Discord writes it.
func (b *Bot) ApplicationID() string { return b.line.applicationID }

// Reason returns a client like Client whose requests carry a reason for the
// guild's audit log, at most 512 characters (Discord's documentation, "Audit
// Logs").
func (b *Bot) Reason(reason string) *disgo.Client {
	return b.line.client(clientHeader(b.ticket, b.Event) + " " + escapeReason(reason))
}

// client makes a disgo client; it is cheap.
func (l *line) client(header string) *disgo.Client {
	c := new(clientParts)
	l.fillClient(c, header)
	return &c.client
}

// clientParts are one allocation.
type clientParts struct {
	client         disgo.Client
	authentication disgo.Authentication
}

func (l *line) fillClient(c *clientParts, header string) {
	c.authentication.Header = header
	c.client.Authentication = &c.authentication
	c.client.Config = l.config
	c.client.ApplicationID = l.applicationID
}

// detachedBot is a bot without an event.
func (l *line) detachedBot(log hclog.Logger) *Bot {
	return &Bot{Client: l.client(clientHeader(detachedTicket, "")), Log: log, line: l}
}
