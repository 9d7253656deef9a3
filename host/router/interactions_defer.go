package router

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/holdfast-bot/holdfast/sdk/wire"
)

// What users are told when no plugin answers. They do not know what a plugin is.
const (
	textUnavailable = "This is temporarily unavailable. Please try again in a moment."
	textNoAnswer    = "No answer came in time. Please try again."
	textTooLong     = "This took too long. Please try again."
)

// hostCaller is the host itself, for the gate.
const hostCaller = "host"

// lastMoment is how long before Discord gives up the host answers in the place of a
// plugin that does not want to be deferred.
const lastMoment = 300 * time.Millisecond

// retryAfter is the pause between two attempts of the host to answer.
const retryAfter = 100 * time.Millisecond

// wakeAt looks at the interaction then. The lock is held.
func (n *Interactions) wakeAt(h *inHand, at time.Time) {
	h.stop()
	h.timer = time.AfterFunc(max(0, time.Until(at)), func() { n.look(h, false) })
}

// look does what the time asks for: defer, answer in the plugin's place, or wait
// on. lost says that no plugin has the interaction any more.
func (n *Interactions) look(h *inHand, lost bool) {
	if !n.begin(h, lost) {
		return
	}
	defer n.end()
	if h.take(n.ctx) != nil { // a plugin's answer is on its way
		return
	}
	defer h.give()
	select {
	case n.places <- struct{}{}:
		defer func() { <-n.places }()
	case <-n.ctx.Done():
		return
	}
	n.decide(h, lost)
}

// begin counts an answer of the host's own, or puts it off if too many wait.
func (n *Interactions) begin(h *inHand, lost bool) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case n.closed:
		return false
	case n.waiting >= maxWaiting:
		h.timer = time.AfterFunc(retryAfter, func() { n.look(h, lost) })
		return false
	}
	n.waiting++
	n.running.Add(1) // Close waits
	return true
}

func (n *Interactions) end() {
	n.mu.Lock()
	n.waiting--
	n.mu.Unlock()
	n.running.Done()
}

// decide is for who has the turn.
func (n *Interactions) decide(h *inHand, lost bool) {
	n.mu.Lock()
	p, handed, used := h.phase, h.handed > 0, h.used
	n.mu.Unlock()
	missing := lost || !n.available(h)
	switch {
	case p == phaseOpen && !time.Now().Before(h.until):
		n.mu.Lock()
		n.expire(h)
		n.mu.Unlock()
	case p == phaseOpen && h.Type == interactionAutocomplete: // it cannot be deferred
		n.send(h, map[string]any{"type": callbackChoices, "data": map[string]any{"choices": []any{}}}, phaseTold)
	case p == phaseOpen && (lost || !handed && (missing || h.deferral == wire.Deferral_DEFERRAL_NEVER)):
		n.tell(h, messageCallback(textUnavailable))
	case p == phaseOpen && h.deferral != wire.Deferral_DEFERRAL_NEVER:
		n.defers(h)
	case p == phaseOpen && time.Until(h.until) <= lastMoment:
		n.tell(h, messageCallback(textTooLong))
	case p == phaseOpen:
		n.mu.Lock()
		n.wakeAt(h, h.until.Add(-lastMoment))
		n.mu.Unlock()
	case p.deferred() && !used && missing:
		n.follow(h, textUnavailable)
	case p.deferred() && !used && time.Since(h.received) >= lastWord:
		n.follow(h, textNoAnswer)
	case p.deferred() && !used:
		n.mu.Lock()
		n.wakeAt(h, time.Now().Add(lookEvery))
		n.mu.Unlock()
	}
}

// available says whether one of those who may answer is there.
func (n *Interactions) available(h *inHand) bool {
	for _, name := range h.plugins {
		if n.config.Available == nil || n.config.Available(name) {
			return true
		}
	}
	return false
}

func messageCallback(text string) map[string]any {
	return map[string]any{"type": callbackMessage, "data": map[string]any{"content": text, "flags": flagEphemeral}}
}

// defers gives the plugin 15 minutes.
func (n *Interactions) defers(h *inHand) {
	to := h.deferredTo()
	body := map[string]any{"type": callbackDeferMessage}
	switch to {
	case phaseUpdate:
		body["type"] = callbackDeferUpdate
	case phaseEphemeral:
		body["data"] = map[string]any{"flags": flagEphemeral}
	}
	n.mu.Lock()
	n.byToken[h.Token] = h
	n.mu.Unlock()
	if !n.send(h, body, to) {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.count.Deferred++
	if !n.closed {
		n.wakeAt(h, time.Now().Add(lookEvery))
	}
}

// deferredTo is how an interaction is deferred. An update needs a message.
func (h *inHand) deferredTo() phase {
	mayUpdate := h.Type == interactionComponent || h.Type == interactionModal && h.Message != nil
	switch {
	case h.deferral == wire.Deferral_DEFERRAL_EPHEMERAL:
		return phaseEphemeral
	case mayUpdate && h.deferral != wire.Deferral_DEFERRAL_MESSAGE:
		return phaseUpdate
	}
	return phaseMessage
}

// tell answers in the place of plugins.
func (n *Interactions) tell(h *inHand, body map[string]any) {
	if n.send(h, body, phaseTold) {
		n.mu.Lock()
		n.count.Unavailable++
		n.mu.Unlock()
		n.config.Log.Warn("interaction answered by the host: no plugin does", h.facts()...)
	}
}

// send gives the host's own first answer, and tries again as long as there is
// time. The turn is held.
func (n *Interactions) send(h *inHand, body map[string]any, to phase) bool {
	raw, err := json.Marshal(body)
	if err != nil {
		return false // of strings and numbers
	}
	ctx, cancel := context.WithDeadline(n.ctx, h.until.Add(time.Second)) // what it began may end
	defer cancel()
	n.set(h, to)
	for uncertain := false; ; uncertain = true {
		answer, err := n.config.Carry(ctx, hostCaller, jsonRequest(http.MethodPost, h.callbackPath(), raw))
		switch said := outcomeOf(answer, err); {
		case said == took, said == wasAnswered && uncertain:
			return true
		case said == wasAnswered: // by somebody who went past the host
			n.set(h, phaseAnswered)
			return false
		case said == tooLate || said == failed && !time.Now().Add(retryAfter).Before(h.until):
			n.mu.Lock()
			n.expire(h)
			n.mu.Unlock()
			return false
		case said == refused:
			n.set(h, phaseOpen)
			n.config.Log.Error("Discord refused the host's answer to an interaction", append(h.facts(), "error", describe(answer))...)
			return false
		}
		select {
		case <-time.After(retryAfter):
		case <-n.ctx.Done():
			return false
		}
	}
}

// follow ends a deferral to which no answer comes. The turn is held.
func (n *Interactions) follow(h *inHand, text string) {
	p := n.phaseOf(h)
	if p == phaseUpdate && text == textNoAnswer {
		n.set(h, phaseTold) // there is nothing that looks unfinished
		return
	}
	request := jsonRequest(http.MethodPatch, n.webhook(h, "/messages/@original"), encoded(map[string]any{"content": text}))
	if p == phaseUpdate {
		request = jsonRequest(http.MethodPost, n.webhook(h, ""), encoded(map[string]any{"content": text, "flags": flagEphemeral}))
	}
	n.set(h, phaseTold)
	ctx, cancel := context.WithTimeout(n.ctx, lookEvery)
	defer cancel()
	if answer, err := n.config.Carry(ctx, hostCaller, request); outcomeOf(answer, err) != took {
		n.config.Log.Warn("the user was not told that no answer comes", h.facts()...)
		return
	}
	n.mu.Lock()
	n.count.Unavailable++
	n.mu.Unlock()
	n.config.Log.Warn("deferred interaction ended by the host: no plugin answers", h.facts()...)
}

// Hand says whether an interaction may go to a process of a plugin now: not one
// that is too old or that the host has answered. It is asked again when it is
// delivered again.
func (n *Interactions) Hand(e *wire.Event) bool {
	h := n.find(idOf(e.Data))
	if h == nil {
		return true
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if h.phase == phaseOpen && !time.Now().Before(h.until) {
		n.expire(h)
	}
	if h.phase == phaseTold || h.phase == phaseExpired {
		return false
	}
	h.handed++
	return true
}

// Lost says that a plugin will not handle the interaction. If no other can, its
// user is told. It does not wait.
func (n *Interactions) Lost(e *wire.Event) {
	h := n.find(idOf(e.Data))
	if h == nil {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	h.open--
	if h.open > 0 || n.closed || h.phase != phaseOpen && !h.phase.deferred() {
		return
	}
	h.stop()
	h.timer = time.AfterFunc(0, func() { n.look(h, true) })
}

// idOf reads an interaction's id from its event.
func idOf(data []byte) uint64 {
	var i struct {
		ID string `json:"id"`
	}
	if json.Unmarshal(data, &i) != nil {
		return 0
	}
	id, err := strconv.ParseUint(i.ID, 10, 64)
	if err != nil {
		return 0
	}
	return id
}

func (n *Interactions) set(h *inHand, to phase) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.move(h, to)
}

func (n *Interactions) phaseOf(h *inHand) phase {
	n.mu.Lock()
	defer n.mu.Unlock()
	return h.phase
}

func (h *inHand) callbackPath() string {
	return "/interactions/" + h.ID + "/" + url.PathEscape(h.Token) + "/callback"
}

// webhook is the path of the messages that answer an interaction.
func (n *Interactions) webhook(h *inHand, rest string) string {
	return "/webhooks/" + strconv.FormatUint(n.config.Application, 10) + "/" + url.PathEscape(h.Token) + rest
}
