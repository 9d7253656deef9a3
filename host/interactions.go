package host

import (
	"github.com/holdfast-bot/holdfast/host/control"
	"github.com/holdfast-bot/holdfast/host/rest"
	"github.com/holdfast-bot/holdfast/host/router"
)

// newInteractions sees to it that each interaction is answered or deferred in
// time, through the gate, and remembers it for the next host.
func (h *Host) newInteractions(gate *rest.Gate, k *kept, application uint64) *router.Interactions {
	interactions := router.NewInteractions(router.InteractionsConfig{
		Carry:       router.Carry(pluginREST(gate)),
		Application: application,
		Available:   h.available,
		Known:       k.answered,
		Remember:    k.interactions.Set,
		Log:         h.log.Named("interactions"),
	})
	h.set(func() { h.answers = interactions })
	return interactions
}

// available says whether a plugin takes events, or will in a moment.
func (h *Host) available(plugin string) bool {
	h.mu.Lock()
	set := h.plugins
	h.mu.Unlock()
	return set != nil && set.Available(plugin)
}

func interactionsStatus(s router.InteractionStatus) *control.Interactions {
	return &control.Interactions{
		Waiting: s.Waiting, Deferred: s.Deferred, Late: s.Late, Unavailable: s.Unavailable, Silent: s.Silent, Refused: s.Refused, Expired: s.Expired,
	}
}
