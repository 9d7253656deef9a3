package router

import (
	"context"
	"net/http"
	"time"

	"github.com/holdfast-bot/holdfast/sdk/wire"
)

// ending is why no answer is awaited any more. Of several plugins' endings the
// greatest counts.
type ending int

const (
	goingOn ending = iota
	silent         // the handlers have ended without an answer
	broken         // and one of them has failed
	lost           // no process has the interaction
)

// Done says that a plugin's handlers of the interaction have ended and that
// nothing more comes from them; failed, that one of them did not go well. An
// interaction to which nobody has said anything ends then: without a sign, or with
// an excuse if it failed. It does not wait.
func (n *Interactions) Done(e *wire.Event, failed bool) {
	why := silent
	if failed {
		why = broken
	}
	n.finish(e, why)
}

// Lost says that a plugin will not handle the interaction. If no other can, its
// user is told. It does not wait.
func (n *Interactions) Lost(e *wire.Event) { n.finish(e, lost) }

func (n *Interactions) finish(e *wire.Event, why ending) {
	h := n.find(idOf(e.Data))
	if h == nil {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	h.open--
	h.worst = max(h.worst, why)
	if h.open > 0 {
		return
	}
	h.ended = h.worst
	switch {
	case n.closed, h.phase != phaseOpen && !h.pending():
		return
	case h.phase == phaseOpen && !h.owned && time.Now().Before(h.due):
		return // until then it is another program's to answer
	}
	h.stop()
	h.timer = time.AfterFunc(0, func() { n.look(h) })
}

// pending says that a deferral waits for its answer: the host's, or the plugin's
// own. The lock is held.
func (h *inHand) pending() bool {
	return !h.used && (h.phase.deferred() || h.phase == phaseAnswered && h.own == callbackDeferMessage)
}

// endSilently is the first answer where there is none: nobody sees a failure. A
// component's message stays as it is; a command has none, so it is deferred for its
// user alone and the deferral taken back. The turn is held.
func (n *Interactions) endSilently(h *inHand) {
	to, body := phaseUpdate, map[string]any{"type": callbackDeferUpdate}
	if !h.mayUpdate() {
		to, body = phaseEphemeral, map[string]any{"type": callbackDeferMessage, "data": map[string]any{"flags": flagEphemeral}}
	}
	n.mu.Lock()
	h.deferred = true
	n.mu.Unlock()
	if n.send(h, body, to) {
		n.withdraw(h)
	}
}

// withdraw takes a deferral back after which nothing is said: its message would say
// that the bot is thinking until the token ends. Who has kept the token may still
// answer, with a message of its own. The turn is held.
func (n *Interactions) withdraw(h *inHand) {
	n.mu.Lock()
	p, flags := h.phase, h.ownFlags
	thinking := p != phaseUpdate && h.promised == nil
	n.mu.Unlock()
	if thinking {
		ctx, cancel := context.WithTimeout(n.ctx, lookEvery)
		defer cancel()
		answer, err := n.config.Carry(ctx, hostCaller, &wire.RestRequest{Method: http.MethodDelete, Path: n.webhook(h, original)})
		if said := outcomeOf(answer, err); said == failed && time.Since(h.received) < lastWord {
			n.mu.Lock()
			defer n.mu.Unlock()
			if !n.closed {
				n.wakeAt(h, time.Now().Add(lookEvery))
			}
			return
		}
		if h.deferral == wire.Deferral_DEFERRAL_EPHEMERAL {
			flags |= flagEphemeral
		}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	h.used = true
	if thinking {
		h.promised = &flags
	}
	n.count.Silent++
	n.config.Log.Debug("interaction ended without an answer: its handler returned none", h.facts()...)
}

// follow ends a deferral to which no answer comes. The turn is held.
func (n *Interactions) follow(h *inHand, text string) {
	n.mu.Lock()
	update := h.phase == phaseUpdate || h.promised != nil // then there is no message of ours
	n.mu.Unlock()
	if update && text == textNoAnswer {
		n.set(h, phaseTold) // there is nothing that looks unfinished
		return
	}
	request := jsonRequest(http.MethodPatch, n.webhook(h, original), encoded(map[string]any{"content": text}))
	if update {
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
