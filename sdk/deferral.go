package sdk

import (
	"fmt"

	"github.com/holdfast-bot/holdfast/sdk/wire"
)

// Deferral is what users see while a handler takes longer than Discord waits. At
// 2 s the host defers the interaction, and the handler's answer may take as long as a
// handler may (30 s, if the host's handler_timeout says nothing else), or up to 14
// minutes when it is left to a goroutine (Bot.Detach); authors do nothing for it. The host sends a late answer in the form
// that Discord takes then: a message becomes an edit or a follow-up, an update an
// edit. Only a modal cannot come late, and choices of an autocomplete.
type Deferral int

const (
	// DeferDefault is the plugin's (see Plugin.Defer), and else DeferPublic for
	// commands, DeferUpdate for components and the modals that they opened.
	DeferDefault Deferral = iota
	// DeferPublic lets all see that the bot is thinking.
	DeferPublic
	// DeferEphemeral lets the user alone see it, and a late answer, too, whatever it
	// says: Discord decides that by the deferral.
	DeferEphemeral
	// DeferUpdate shows nothing. A late message is a new one, a late update changes
	// the component's message.
	DeferUpdate
	// DeferNever is for handlers that answer at once, with a modal. Shortly before
	// Discord gives up, at 2.7 s, the host tells the user that it took too long.
	DeferNever
)

// Defer sets how the host defers interactions of this plugin for which nothing
// else is said, those that only sdk.On handles among them.
func (p *Plugin) Defer(d Deferral) {
	p.mustBeOpen("Defer")
	p.deferral = oneDeferral("Defer", []Deferral{d})
}

// oneDeferral is the only one of those that were given.
func oneDeferral(who string, given []Deferral) wire.Deferral {
	if len(given) > 1 {
		panic(fmt.Sprintf("%s: %d deferrals: give one at most", who, len(given)))
	}
	if len(given) == 0 {
		return wire.Deferral_DEFERRAL_DEFAULT
	}
	if given[0] < DeferDefault || given[0] > DeferNever {
		panic(fmt.Sprintf("%s: the deferral %d: use one of the constants", who, given[0]))
	}
	return wire.Deferral(given[0])
}
