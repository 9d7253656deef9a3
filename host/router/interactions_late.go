package router

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/holdfast-bot/holdfast/sdk/wire"
)

// Message flags, from Discord's documentation ("Message Flags").
const (
	flagEphemeral    = 1 << 6
	flagsThatEditSet = 1<<2 | 1<<15 // SUPPRESS_EMBEDS, IS_COMPONENTS_V2
)

const original = "/messages/@original"

// late sends an answer that comes after the host's deferral, in the form that
// Discord takes then. The turn is held.
//
//	            after type 5          after type 6
//	message     edit of @original     follow-up
//	update      refused               edit of @original
//	deferral    taken as done         taken as done; a message's edits become a follow-up
//
// All else is refused.
//
// A message for the user alone after a deferral that all see takes the place of
// the deferral's message, which is deleted: an edit would show it to all.
func (n *Interactions) late(ctx context.Context, caller string, h *inHand, c *callback) (*wire.RestResponse, error) {
	p := n.phaseOf(h)
	update := p == phaseUpdate
	switch {
	case c.kind == callbackDeferMessage, c.kind == callbackDeferUpdate && update:
		return n.promise(h, c)
	case c.kind == callbackMessage && p == phaseMessage && c.flags()&flagEphemeral != 0:
		return n.replace(ctx, caller, h, c)
	case c.kind == callbackMessage && !update, c.kind == callbackUpdate && update:
		return n.lateAs(ctx, caller, h, c, c.request(http.MethodPatch, n.webhook(h, original)))
	case c.kind == callbackMessage:
		return n.lateAs(ctx, caller, h, c, c.request(http.MethodPost, n.webhook(h, "")))
	case c.kind == callbackUpdate:
		return n.refuse(http.StatusBadRequest, codeInvalidForm, "The host has deferred this as a message after 2 s, so it cannot update the component's any more: leave its deferral at the default, or answer sooner.")
	}
	return n.refuse(http.StatusBadRequest, codeInvalidForm, "The host has deferred this interaction after 2 s; then Discord takes messages and updates only: open a modal within 2 s, or register with DeferNever.")
}

// promise takes a plugin's own deferral, which has happened already: it will
// use the deferred message by itself, or the one that its first edit makes where
// none was deferred.
func (n *Interactions) promise(h *inHand, c *callback) (*wire.RestResponse, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if flags := c.flags(); c.kind == callbackDeferMessage && h.phase == phaseUpdate {
		h.promised = &flags
	}
	n.move(h, phaseAnswered)
	n.noteOwn(h, c)
	return &wire.RestResponse{Status: http.StatusNoContent}, nil
}

// lateAs sends the rewritten answer.
func (n *Interactions) lateAs(ctx context.Context, caller string, h *inHand, c *callback, r *wire.RestRequest) (*wire.RestResponse, error) {
	before := n.phaseOf(h)
	n.set(h, phaseAnswered)
	answer, err := n.config.Carry(ctx, caller, r)
	if outcomeOf(answer, err) == unknown && r.GetMethod() == http.MethodPatch && codeOf(answer) == codeUnknownMessage {
		if h.deferral == wire.Deferral_DEFERRAL_EPHEMERAL {
			c.setFlags(c.flags() | flagEphemeral) // as the message was
		}
		r = c.request(http.MethodPost, n.webhook(h, "")) // somebody has deleted it
		answer, err = n.config.Carry(ctx, caller, r)
	}
	if outcomeOf(answer, err) != took {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.move(h, before)
		n.lookAgain(h, time.Now().Add(lookEvery))
		return answer, err
	}
	n.mu.Lock()
	n.count.Late++
	if r.GetMethod() == http.MethodPost {
		h.original = messageID(answer)
	}
	n.mu.Unlock()
	return c.response(h, answer), nil
}

// replace sends a message for the user alone in the place of the one that all see.
func (n *Interactions) replace(ctx context.Context, caller string, h *inHand, c *callback) (*wire.RestResponse, error) {
	answer, err := n.config.Carry(ctx, caller, &wire.RestRequest{Method: http.MethodDelete, Path: n.webhook(h, original)})
	if said := outcomeOf(answer, err); said != took && said != unknown {
		return answer, err
	}
	return n.lateAs(ctx, caller, h, c, c.request(http.MethodPost, n.webhook(h, "")))
}

// useWebhook sends what a plugin does by itself with the messages of an
// interaction that the host has deferred. What it takes for @original is another
// message where the host has deferred as an update.
func (n *Interactions) useWebhook(ctx context.Context, caller string, r *wire.RestRequest, h *inHand, asOriginal bool, query string) (*wire.RestResponse, error) {
	if !asOriginal {
		return n.used(ctx, caller, h, r)
	}
	if err := h.take(ctx); err != nil {
		return nil, err
	}
	defer h.give()
	n.mu.Lock()
	id, promised := h.original, h.promised
	n.mu.Unlock()
	switch {
	case id != "":
		path := n.webhook(h, "/messages/"+id)
		if query != "" {
			path += "?" + query
		}
		return n.used(ctx, caller, h, &wire.RestRequest{Method: r.GetMethod(), Path: path, Header: r.GetHeader(), Body: r.GetBody()})
	case promised == nil:
		return n.used(ctx, caller, h, r)
	case r.GetMethod() != http.MethodPatch:
		return n.refuse(http.StatusNotFound, codeUnknownMessage, "Unknown Message: the deferred message is not there before its first edit.")
	}
	c := &callback{kind: callbackMessage}
	if c.read(r, false) != nil {
		return n.used(ctx, caller, h, r) // Discord says what is wrong with it
	}
	c.setFlags(*promised | c.flags())
	answer, err := n.used(ctx, caller, h, c.request(http.MethodPost, n.webhook(h, "")))
	if outcomeOf(answer, err) == took {
		n.mu.Lock()
		h.original = messageID(answer)
		n.mu.Unlock()
	}
	return answer, err
}

// used sends the request. A plugin that has written by itself is not written over
// by the host.
func (n *Interactions) used(ctx context.Context, caller string, h *inHand, r *wire.RestRequest) (*wire.RestResponse, error) {
	answer, err := n.config.Carry(ctx, caller, r)
	if r.GetMethod() != http.MethodGet && outcomeOf(answer, err) == took {
		n.mu.Lock()
		h.used = true
		n.mu.Unlock()
	}
	return answer, err
}

func messageID(answer *wire.RestResponse) string {
	var m struct {
		ID string `json:"id"`
	}
	if json.Unmarshal(answer.GetBody(), &m) != nil {
		return ""
	}
	return m.ID
}
