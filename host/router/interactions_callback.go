package router

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/holdfast-bot/holdfast/sdk/wire"
)

// Callback types, from Discord's documentation ("Interaction Callback Type").
const (
	callbackMessage      = 4
	callbackDeferMessage = 5
	callbackDeferUpdate  = 6
	callbackUpdate       = 7
	callbackChoices      = 8
)

// Discord's error codes of interactions ("Opcodes and Status Codes").
const (
	codeUnknownMessage     = 10008
	codeUnknownWebhook     = 10015
	codeUnknownInteraction = 10062
	codeAcknowledged       = 40060
	codeInvalidForm        = 50035
)

// settleWithin bounds sending an answer: one with files may take its time.
const settleWithin = 30 * time.Second

// Carry takes a plugin's request to Discord, as it is unless it answers an
// interaction that the host has in hand: then a second answer is refused here, and
// one that comes after the host's deferral becomes the request that Discord
// takes now. What the host refuses it answers as Discord would, with the reason as
// the message.
func (n *Interactions) Carry(ctx context.Context, caller string, r *wire.RestRequest) (*wire.RestResponse, error) {
	path, query, _ := strings.Cut(r.GetPath(), "?")
	parts := strings.Split(path, "/")
	switch {
	case len(parts) == 5 && parts[1] == "interactions" && parts[4] == "callback" && r.GetMethod() == http.MethodPost:
		if h := n.named(parts[2], parts[3]); h != nil {
			return n.callback(ctx, caller, r, h, query)
		}
	case len(parts) >= 4 && parts[1] == "webhooks":
		switch h, open, deferred := n.withToken(parts[3]); {
		case deferred:
			return n.useWebhook(ctx, caller, r, h, strings.Join(parts[4:], "/") == "messages/@original", query)
		case open:
			return n.tooEarly(ctx, caller, r)
		}
	}
	return n.config.Carry(ctx, caller, r)
}

// named finds the interaction of a callback's path.
func (n *Interactions) named(id, token string) *inHand {
	number, err := strconv.ParseUint(id, 10, 64)
	if err != nil {
		return nil
	}
	plain, err := url.PathUnescape(token)
	if h := n.find(number); err == nil && h != nil && h.Token == plain {
		return h
	}
	return nil
}

// withToken finds the interaction of a webhook's path. open says that nobody has
// answered it, deferred that its messages may be others than the plugin thinks.
func (n *Interactions) withToken(token string) (h *inHand, open, deferred bool) {
	plain, err := url.PathUnescape(token)
	if err != nil {
		return nil, false, false
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if h = n.byToken[plain]; h == nil {
		return nil, false, false
	}
	return h, h.phase == phaseOpen, h.deferred
}

// tooEarly sends what a plugin does with the messages of an interaction that nobody
// has answered, and explains Discord's "Unknown Webhook": it is there with the answer.
func (n *Interactions) tooEarly(ctx context.Context, caller string, r *wire.RestRequest) (*wire.RestResponse, error) {
	answer, err := n.config.Carry(ctx, caller, r)
	if err == nil && codeOf(answer) == codeUnknownWebhook {
		return refusing(http.StatusNotFound, codeUnknownWebhook, "Unknown Webhook: the interaction has no answer yet, and follow-ups and edits come after one: send CreateInteractionResponse first, and return no other answer from the handler."), nil
	}
	return answer, err
}

// callback takes a plugin's answer when it is its turn. What is begun then goes on
// when the plugin dies: else nobody would know whether Discord has taken it.
func (n *Interactions) callback(ctx context.Context, caller string, r *wire.RestRequest, h *inHand, query string) (*wire.RestResponse, error) {
	c, err := readCallback(r, query)
	if err != nil {
		return n.config.Carry(ctx, caller, r) // Discord says what is wrong with it
	}
	if err := h.take(ctx); err != nil {
		return nil, err
	}
	n.mu.Lock()
	if n.closed {
		n.mu.Unlock()
		h.give()
		return nil, errors.New("the host stops")
	}
	n.running.Add(1) // Close waits
	n.mu.Unlock()
	type result struct {
		answer *wire.RestResponse
		err    error
	}
	done := make(chan result, 1)
	go func() {
		defer n.running.Done()
		defer h.give()
		sending, cancel := context.WithTimeout(n.ctx, settleWithin)
		defer cancel()
		answer, err := n.settle(sending, caller, r, h, c)
		done <- result{answer, err}
	}()
	select {
	case d := <-done:
		return d.answer, d.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// settle decides what becomes of an answer. The turn is held.
func (n *Interactions) settle(ctx context.Context, caller string, r *wire.RestRequest, h *inHand, c *callback) (*wire.RestResponse, error) {
	switch p := n.phaseOf(h); {
	case p.deferred():
		answer, err := n.late(ctx, caller, h, c)
		if err == nil && codeOf(answer) == codeUnknownWebhook && time.Now().Before(h.until) {
			return n.first(ctx, caller, h, r, c) // a host that was killed meanwhile has not deferred after all
		}
		return answer, err
	case p == phaseOpen && time.Now().Before(h.until):
		return n.first(ctx, caller, h, r, c)
	case p == phaseOpen:
		n.mu.Lock()
		n.expire(h)
		n.mu.Unlock()
		fallthrough
	case p == phaseExpired:
		return n.refuse(http.StatusNotFound, codeUnknownInteraction, "Unknown interaction: Discord takes first answers for 3 s. Let the host defer, which is the default.")
	case p == phaseTold && h.Type == interactionAutocomplete:
		return n.refuse(http.StatusNotFound, codeUnknownInteraction, "The host has sent no choices in your place: autocomplete cannot be deferred, answer within 2 s.")
	case p == phaseTold:
		return n.refuse(http.StatusBadRequest, codeAcknowledged, "The host has told the user that nothing answers: the plugin was not there, or took too long.")
	case n.deferredBefore(h, c.kind):
		return &wire.RestResponse{Status: http.StatusNoContent}, nil
	}
	return n.refuse(http.StatusBadRequest, codeAcknowledged, "Interaction has already been acknowledged: answer once, and send more as follow-ups or edits of @original.")
}

// deferredBefore says whether this is the deferral that a process has sent by
// itself before it crashed: the next one goes on from there.
func (n *Interactions) deferredBefore(h *inHand, kind int) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	again := h.own != 0 && h.own == kind && h.handed > h.ownAt
	if again {
		h.ownAt = h.handed
	}
	return again
}

// noteOwn remembers a plugin's own deferral, and so what it does with the message.
// The lock is held.
func (n *Interactions) noteOwn(h *inHand, c *callback) {
	if c.kind == callbackDeferMessage || c.kind == callbackDeferUpdate {
		h.own, h.ownAt, h.ownFlags = c.kind, h.handed, c.flags()&flagEphemeral
		h.deferred = true
		step := byte(ownStep | c.kind)
		if h.ownFlags != 0 {
			step |= ownEphemeral
		}
		if h.promised != nil {
			step |= ownPromised
		}
		n.remember(h, step)
	}
}

// first sends an answer that comes in time, as it is.
func (n *Interactions) first(ctx context.Context, caller string, h *inHand, r *wire.RestRequest, c *callback) (*wire.RestResponse, error) {
	n.set(h, phaseAnswered)
	answer, err := n.config.Carry(ctx, caller, r)
	switch outcomeOf(answer, err) {
	case took:
		n.mu.Lock()
		n.noteOwn(h, c)
		n.mu.Unlock()
	case wasAnswered:
	case tooLate:
		n.mu.Lock()
		n.expire(h)
		n.mu.Unlock()
	default: // it can be answered still, by the plugin or, when it is time, by the host
		n.mu.Lock()
		n.move(h, phaseOpen)
		n.lookAgain(h, h.due)
		n.mu.Unlock()
	}
	return answer, err
}

// refuse answers as Discord would, without asking it.
func (n *Interactions) refuse(status uint32, code int, message string) (*wire.RestResponse, error) {
	n.mu.Lock()
	n.count.Refused++
	n.mu.Unlock()
	return refusing(status, code, message), nil
}

func refusing(status uint32, code int, message string) *wire.RestResponse {
	return &wire.RestResponse{
		Status: status, Header: map[string]string{"Content-Type": "application/json"},
		Body: encoded(map[string]any{"code": code, "message": message}),
	}
}

// outcome of a request, as far as it matters to an interaction.
type outcome int

const (
	took        outcome = iota
	wasAnswered         // somebody has answered before
	tooLate             // nobody can any more
	unknown             // no such message or webhook
	refused             // for what it says
	failed              // on the way, or by Discord's fault: nobody knows
)

func outcomeOf(answer *wire.RestResponse, err error) outcome {
	switch {
	case err != nil || answer.GetStatus() >= http.StatusInternalServerError:
		return failed
	case answer.GetStatus() < http.StatusMultipleChoices:
		return took
	}
	switch codeOf(answer) {
	case codeAcknowledged:
		return wasAnswered
	case codeUnknownInteraction:
		return tooLate
	case codeUnknownMessage, codeUnknownWebhook:
		return unknown
	}
	return refused
}

func codeOf(answer *wire.RestResponse) int {
	var body struct {
		Code int `json:"code"`
	}
	if json.Unmarshal(answer.GetBody(), &body) != nil {
		return 0
	}
	return body.Code
}

// describe is Discord's reason, for a log.
func describe(answer *wire.RestResponse) string {
	var body struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
	}
	if json.Unmarshal(answer.GetBody(), &body) != nil {
		return fmt.Sprintf("discord answered %d", answer.GetStatus())
	}
	return fmt.Sprintf("discord answered %d: %s (%d)", answer.GetStatus(), body.Message, body.Code)
}

func jsonRequest(method, path string, body []byte) *wire.RestRequest {
	return &wire.RestRequest{Method: method, Path: path, Header: map[string]string{"Content-Type": "application/json"}, Body: body}
}

// encoded is JSON of what is always JSON.
func encoded(v any) []byte {
	raw, err := json.Marshal(v)
	if err != nil {
		return []byte("{}")
	}
	return raw
}
