package sdk

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"unicode/utf8"

	"github.com/holdfast-bot/holdfast/sdk/wire"
	"github.com/switchupcb/disgo"
)

// maxCustomID is how many characters a custom ID may have (Discord's documentation,
// "Component Reference").
const maxCustomID = 100

// customIDs are those that begin with a prefix, and who handles them.
type customIDs struct {
	prefix   string
	deferral wire.Deferral
	answering
}

// Component registers the handler of the buttons and select menus whose custom
// IDs begin with a prefix, such as "vote:"; what follows is the author's, and
// disgo's MessageComponent().CustomID has all of it. Of several prefixes that fit
// the longest counts. No other plugin of the bot may have a prefix that begins so,
// or with which this one begins: the host refuses the second one.
//
// The handler's reply is a new message, or with Reply.Update the message of the
// component. It runs at once, and may take its time: see Deferral.
func (p *Plugin) Component(prefix string, handler CommandHandler, deferral ...Deferral) {
	p.components = p.addCustomIDs("Component", "component", p.components, prefix, handler, deferral)
}

// Modal registers the handler of the modals whose custom IDs begin with a prefix,
// as Component does. Bot.Inputs has what the user has typed.
func (p *Plugin) Modal(prefix string, handler CommandHandler, deferral ...Deferral) {
	p.modals = p.addCustomIDs("Modal", "modal", p.modals, prefix, handler, deferral)
}

func (p *Plugin) addCustomIDs(who, what string, have []*customIDs, prefix string, handler CommandHandler, deferral []Deferral) []*customIDs {
	p.mustBeOpen(who)
	if n := utf8.RuneCountInString(prefix); n < 1 || n > maxCustomID {
		panic(fmt.Sprintf("%s: the prefix %.20q: use 1 to %d characters; sdk.On handles what no prefix fits", who, prefix, maxCustomID))
	}
	if handler == nil {
		panic(fmt.Sprintf("%s: the handler of %q is nil", who, prefix))
	}
	for _, other := range have {
		if other.prefix == prefix {
			panic(fmt.Sprintf("%s: %q is registered twice", who, prefix))
		}
	}
	p.answers()
	return append(have, &customIDs{
		prefix: prefix, deferral: oneDeferral(who, deferral),
		answering: answering{what: what + " " + prefix, run: handler, from: funcName(handler)},
	})
}

// answers lets interactions reach what was registered for them.
func (p *Plugin) answers() {
	r := p.routeOf(interactionCreate)
	r.hasCommands, r.commandSlot = true, r.slot(reflect.TypeFor[disgo.InteractionCreate]())
}

// longest finds the longest prefix that fits.
func longest(all []*customIDs, id string) *answering {
	var found *customIDs
	for _, c := range all {
		if strings.HasPrefix(id, c.prefix) && (found == nil || len(c.prefix) > len(found.prefix)) {
			found = c
		}
	}
	if found == nil {
		return nil
	}
	return &found.answering
}

func customIDsOf(all []*customIDs) []*wire.CustomIDs {
	var out []*wire.CustomIDs
	for _, c := range all {
		out = append(out, &wire.CustomIDs{Prefix: c.prefix, Deferral: c.deferral})
	}
	return out
}

// Inputs are what a user has submitted with a modal, by the inputs' custom IDs:
// the text of a text input, the first value of a select menu. It reads Raw,
// because disgo does not know the labels that modals have today. It is empty for
// all else.
func (b *Bot) Inputs() map[string]string {
	var modal struct {
		Data struct {
			Components []input `json:"components"`
		} `json:"data"`
	}
	inputs := make(map[string]string)
	if json.Unmarshal(b.Raw, &modal) == nil {
		gather(inputs, modal.Data.Components)
	}
	return inputs
}

// input is a component of a modal: a row, a label or what the user has filled in.
type input struct {
	CustomID   string   `json:"custom_id"`
	Value      *string  `json:"value"`
	Values     []string `json:"values"`
	Components []input  `json:"components"`
	Component  *input   `json:"component"`
}

// gather goes as deep as encoding/json does, which is bounded.
func gather(into map[string]string, components []input) {
	for _, c := range components {
		switch {
		case c.Value != nil:
			into[c.CustomID] = *c.Value
		case len(c.Values) > 0:
			into[c.CustomID] = c.Values[0]
		}
		gather(into, c.Components)
		if c.Component != nil {
			gather(into, []input{*c.Component})
		}
	}
}
