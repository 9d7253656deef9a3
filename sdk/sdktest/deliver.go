package sdktest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/holdfast-bot/holdfast/sdk/wire"
)

// HandlerError is what the plugin told of an event that did not go well. It
// counts as handled all the same.
type HandlerError struct {
	Event   string
	Reason  wire.Failure_Reason
	Message string
}

func (e *HandlerError) Error() string {
	return fmt.Sprintf("%s: %s: %s", e.Event, e.Reason, e.Message)
}

// Delivery is an event on its way.
type Delivery struct {
	event string
	done  chan struct{} // closed when acknowledged, or when the stream ended
	err   error
}

// Wait waits until all handlers of the event have returned. The error is a
// *HandlerError if one of them did not go well.
func (d *Delivery) Wait() error {
	<-d.done
	return d.err
}

// EventOption changes how an event is delivered.
type EventOption func(*wire.Event)

// Redelivered marks the event as one that an earlier process may have handled.
func Redelivered() EventOption {
	return func(e *wire.Event) { e.Flags |= wire.Redelivered }
}

// Shard says which shard received the event. Default 0.
func Shard(shard uint32) EventOption {
	return func(e *wire.Event) { e.Shard = shard }
}

// Send delivers an event and waits until all its handlers have returned. data
// is the event's "d": json.RawMessage, []byte and string as they are, anything
// else as encoding/json writes it. The error is a *HandlerError if a handler did not
// go well. An event that the plugin did not register for fails the test: no
// host would deliver it.
func (h *Host) Send(event string, data any, options ...EventOption) error {
	h.t.Helper()
	return h.Deliver(event, data, options...).Wait()
}

// Deliver is Send without waiting: events that are delivered one after another
// run in parallel if their guilds differ.
func (h *Host) Deliver(event string, data any, options ...EventOption) *Delivery {
	h.t.Helper()
	body := h.bytes("the event", data)
	if !h.asksFor(event, body) {
		h.t.Fatalf("the plugin has no handler for this %s: register one, or send another event", event)
	}
	e := &wire.Event{Index: h.nextID() - firstID, Received: time.Now().UnixNano(), Name: event, Data: body}
	e.Seq = e.Index
	e.Guild, e.Lane = placeOf(event, body)
	e.GuildVersion = h.versionOf(event, e.Guild)
	for _, option := range options {
		option(e)
	}
	if e.Lane == 0 {
		e.Lane = uint64(e.Shard)
	}
	return h.deliver(e)
}

func (h *Host) deliver(e *wire.Event) *Delivery {
	d := &Delivery{event: e.Name, done: make(chan struct{})}
	h.mu.Lock()
	if h.gone != nil {
		d.err = h.gone
		close(d.done)
		h.mu.Unlock()
		return d
	}
	h.deliveries[e.Index] = d
	h.mu.Unlock()
	h.sending.Lock()
	defer h.sending.Unlock()
	_ = h.stream.Send(&wire.EventBatch{Frames: e.AppendFrame(nil)}) // receive learns why it failed
	return d
}

// receive takes acknowledgements until the stream ends.
func (h *Host) receive() {
	defer close(h.received)
	for {
		acks, err := h.stream.Recv()
		h.mu.Lock()
		if err != nil {
			h.gone = fmt.Errorf("the plugin's stream has ended: %w", err)
			for index, d := range h.deliveries {
				d.err = h.gone
				close(d.done)
				delete(h.deliveries, index)
			}
			h.mu.Unlock()
			return
		}
		h.acknowledge(acks)
		h.mu.Unlock()
	}
}

func (h *Host) acknowledge(acks *wire.Acks) {
	for _, f := range acks.GetFailures() {
		if d, ok := h.deliveries[f.GetIndex()]; ok {
			d.err = &HandlerError{Event: d.event, Reason: f.GetReason(), Message: f.GetMessage()}
		}
	}
	for _, index := range acks.GetIndexes() {
		d, ok := h.deliveries[index]
		if !ok {
			h.t.Errorf("the plugin acknowledged event %d, which was not in flight", index)
			continue
		}
		close(d.done)
		delete(h.deliveries, index)
	}
}

func (h *Host) bytes(what string, data any) []byte {
	h.t.Helper()
	var body []byte
	switch data := data.(type) {
	case json.RawMessage:
		body = data
	case []byte:
		body = data
	case string:
		body = []byte(data)
	default:
		var err error
		if body, err = json.Marshal(data); err != nil {
			h.t.Fatalf("encode %s: %v", what, err)
		}
	}
	return body
}

// asksFor says whether a host would deliver the event to this plugin.
func (h *Host) asksFor(event string, body []byte) bool {
	if slices.ContainsFunc(h.manifest.GetEvents(), func(s *wire.Subscription) bool { return s.GetEvent() == event }) {
		return true
	}
	var interaction struct {
		Type int `json:"type"`
		Data struct {
			Name     string `json:"name"`
			CustomID string `json:"custom_id"`
		} `json:"data"`
	}
	if event != "INTERACTION_CREATE" || json.Unmarshal(body, &interaction) != nil {
		return false
	}
	switch interaction.Type {
	case componentInteraction:
		return owns(h.manifest.GetComponents(), interaction.Data.CustomID)
	case modalInteraction:
		return owns(h.manifest.GetModals(), interaction.Data.CustomID)
	}
	return h.hasCommand(interaction.Data.Name)
}

// placeOf finds the guild and the lane of an event as the host does.
func placeOf(event string, body []byte) (guild, lane uint64) {
	var place struct {
		ID        string `json:"id"`
		GuildID   string `json:"guild_id"`
		ChannelID string `json:"channel_id"`
	}
	_ = json.Unmarshal(body, &place) // broken events have no place
	number := func(id string) uint64 {
		n, _ := strconv.ParseUint(id, 10, 64)
		return n
	}
	switch event {
	case "GUILD_CREATE", "GUILD_UPDATE", "GUILD_DELETE":
		guild = number(place.ID)
	default:
		guild = number(place.GuildID)
	}
	if guild != 0 {
		return guild, guild
	}
	return 0, number(place.ChannelID)
}
