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
	textFailed      = "Something went wrong. Please try again."
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
	h.timer = time.AfterFunc(max(0, time.Until(at)), func() { n.look(h) })
}

// lookAgain is wakeAt for an interaction whose handlers may have ended while the
// turn was another's: then it is time now. The lock is held.
func (n *Interactions) lookAgain(h *inHand, at time.Time) {
	if h.ended != goingOn {
		at = time.Now()
	}
	if !n.closed {
		n.wakeAt(h, at)
	}
}

// look does what the time asks for: defer, answer in the plugin's place, or wait
// on.
func (n *Interactions) look(h *inHand) {
	if !n.begin(h) {
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
	n.decide(h)
}

// begin counts an answer of the host's own, or puts it off if too many wait.
func (n *Interactions) begin(h *inHand) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case n.closed:
		return false
	case n.waiting >= maxWaiting:
		h.timer = time.AfterFunc(retryAfter, func() { n.look(h) })
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
func (n *Interactions) decide(h *inHand) {
	n.mu.Lock()
	open, pending, ended := h.phase == phaseOpen, h.pending(), h.ended
	n.mu.Unlock()
	missing := ended == lost || !n.available(h)
	switch {
	case open:
		n.decideOpen(h, ended, missing)
	case !pending:
	case ended == silent:
		n.withdraw(h)
	case ended == broken:
		n.follow(h, textFailed)
	case missing:
		n.follow(h, textUnavailable)
	case time.Since(h.received) >= lastWord:
		n.follow(h, textNoAnswer)
	default:
		n.mu.Lock()
		n.wakeAt(h, time.Now().Add(lookEvery))
		n.mu.Unlock()
	}
}

// decideOpen decides about one that nobody has answered.
func (n *Interactions) decideOpen(h *inHand, ended ending, missing bool) {
	n.mu.Lock()
	handed := h.handed > 0
	n.mu.Unlock()
	never := h.deferral == wire.Deferral_DEFERRAL_NEVER
	switch {
	case !time.Now().Before(h.until):
		n.mu.Lock()
		n.expire(h)
		n.mu.Unlock()
	case h.Type == interactionAutocomplete: // it cannot be deferred
		n.send(h, map[string]any{"type": callbackChoices, "data": map[string]any{"choices": []any{}}}, phaseTold)
	case ended == silent && (h.owned || h.Type != interactionCommand):
		n.endSilently(h)
	case ended == broken:
		n.tell(h, messageCallback(textFailed))
	case ended == lost || ended == silent || !handed && (missing || never):
		n.tell(h, messageCallback(textUnavailable))
	case !never:
		n.defers(h)
	case time.Until(h.until) <= lastMoment:
		n.tell(h, messageCallback(textTooLong))
	default:
		n.mu.Lock()
		n.wakeAt(h, h.until.Add(-lastMoment))
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
	h.deferred = true
	n.mu.Unlock()
	if !n.send(h, body, to) {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.count.Deferred++
	n.lookAgain(h, time.Now().Add(lookEvery))
}

// deferredTo is how an interaction is deferred. An update needs a message.
func (h *inHand) deferredTo() phase {
	switch {
	case h.deferral == wire.Deferral_DEFERRAL_EPHEMERAL:
		return phaseEphemeral
	case h.mayUpdate() && h.deferral != wire.Deferral_DEFERRAL_MESSAGE:
		return phaseUpdate
	}
	return phaseMessage
}

func (h *inHand) mayUpdate() bool {
	return h.Type == interactionComponent || h.Type == interactionModal && h.Message != nil
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
