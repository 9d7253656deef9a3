package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/holdfast-bot/holdfast/host/gateway"
	"github.com/holdfast-bot/holdfast/sdk/wire"
)

// Operations of the gateway that plugins' calls send (Discord's documentation,
// "Gateway Opcodes").
const (
	opPresence       = 3
	opVoiceState     = 4
	opRequestMembers = 8
)

// voiceWait bounds how long a voice state waits for its session to be ready.
const voiceWait = 30 * time.Second

// errHostStops is why calls, and a replacement of the sessions, fail when these have
// ended, or the router has.
var errHostStops = errors.New("the host stops")

// errSessionsReplaced asks for a call to be sent to those that have taken over.
var errSessionsReplaced = errors.New("other sessions have taken over")

// sender is the sessions as calls use them.
type sender interface {
	Send(ctx context.Context, shard, op int, d json.RawMessage) error
}

// reach is where calls go: the sessions that deliver.
type reach struct {
	sender

	shards  int // of the bot, in all
	intents uint64
}

// shard is the one that has the guild's events.
func (s *reach) shard(guild uint64) int { return int((guild >> 22) % uint64(s.shards)) }

// gatewayCalls carries what plugins send to the gateway. Its methods are for any
// goroutine; it has one for each presence that is on its way and for each request
// for members, and Close waits for them.
type gatewayCalls struct {
	sessions  atomic.Pointer[reach] // nil until begin
	presences *presences
	members   *members
}

func newGatewayCalls(log hclog.Logger) *gatewayCalls {
	c := new(gatewayCalls)
	c.presences = newPresences(c, log)
	c.members = newMembers(c, log)
	return c
}

// begin lets calls reach these sessions, in the place of those before.
func (c *gatewayCalls) begin(sessions sender, shards int, intents uint64) {
	if c.sessions.Swap(&reach{sessions, shards, intents}) != nil {
		c.presences.again(shards)
	}
}

// replaced says whether sessions have stopped because others have taken over.
func (c *gatewayCalls) replaced(sessions *reach, err error) bool {
	return errors.Is(err, gateway.ErrStopped) && c.sessions.Load() != sessions
}

// set is the sessions that run, or why there are none.
func (c *gatewayCalls) set() (*reach, error) {
	if s := c.sessions.Load(); s != nil {
		return s, nil
	}
	return nil, errors.New("the host has no sessions yet: try again when it is up")
}

// see takes note of an event; the router tells all, in their order. It does not
// wait.
func (c *gatewayCalls) see(e *gateway.Event) {
	switch e.Name {
	case "GUILD_MEMBERS_CHUNK", "RATE_LIMITED", "READY":
		c.members.see(e)
	case "RESUMED":
		c.members.see(e)
		c.presences.resumed(e.Shard)
	}
}

// stop ends what is under way: the sessions have ended, and no answer comes any
// more.
func (c *gatewayCalls) stop() {
	c.presences.stop()
	c.members.stop()
}

// Close is stop, and waits for the goroutines.
func (c *gatewayCalls) Close() {
	c.stop()
	c.presences.running.Wait()
	c.members.running.Wait()
}

// Presence implements plugins.Gateway.
func (c *gatewayCalls) Presence(r *wire.PresenceRequest) error {
	s, err := c.set()
	if err != nil {
		return err
	}
	d, err := encodePresence(r)
	if err != nil {
		return err
	}
	shards := make([]int, 0, len(r.GetShards()))
	for _, shard := range r.GetShards() {
		if int64(shard) >= int64(s.shards) {
			return fmt.Errorf("shard %d has no presence: the shards are 0 to %d", shard, s.shards-1)
		}
		shards = append(shards, int(shard))
	}
	c.presences.set(shards, s.shards, d)
	return nil
}

// VoiceState implements plugins.Gateway.
func (c *gatewayCalls) VoiceState(ctx context.Context, r *wire.VoiceStateRequest) error {
	s, err := c.set()
	if err != nil {
		return err
	}
	if r.GetGuild() == 0 {
		return errors.New("voice state of guild 0: there is none: give the id of a guild")
	}
	d := struct {
		Guild   uint64  `json:"guild_id,string"`
		Channel *string `json:"channel_id"`
		Mute    bool    `json:"self_mute"`
		Deaf    bool    `json:"self_deaf"`
	}{Guild: r.GetGuild(), Mute: r.GetMute(), Deaf: r.GetDeaf()}
	if r.GetChannel() != 0 {
		channel := strconv.FormatUint(r.GetChannel(), 10)
		d.Channel = &channel
	}
	raw, err := json.Marshal(d)
	if err != nil {
		return fmt.Errorf("encode the voice state: %w", err)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, voiceWait, fmt.Errorf("its session was not ready within %s: try again later", voiceWait))
	defer cancel()
	err = s.Send(ctx, s.shard(r.GetGuild()), opVoiceState, raw)
	for c.replaced(s, err) {
		s = c.sessions.Load()
		err = s.Send(ctx, s.shard(r.GetGuild()), opVoiceState, raw)
	}
	switch {
	case err == nil, errors.Is(err, gateway.ErrStopped):
		return err
	case ctx.Err() != nil:
		return context.Cause(ctx)
	default:
		return fmt.Errorf("%w: Discord may have taken it or not: send it again", err)
	}
}
