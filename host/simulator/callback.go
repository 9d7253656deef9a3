package simulator

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// Types of callbacks.
const (
	callbackPong         = 1
	callbackMessage      = 4
	callbackDeferMessage = 5
	callbackDeferUpdate  = 6
	callbackUpdate       = 7
	callbackChoices      = 8
	callbackModal        = 9
	callbackPremium      = 10
	callbackActivity     = 12
)

// allowed tells whether an interaction of this kind can be answered so.
func allowed(kind, callback int, fromMessage bool) bool {
	switch callback {
	case callbackMessage, callbackDeferMessage:
		return kind != KindAutocomplete
	case callbackDeferUpdate, callbackUpdate:
		return kind == KindComponent || kind == KindModal && fromMessage
	case callbackChoices:
		return kind == KindAutocomplete
	case callbackModal:
		return kind == KindCommand || kind == KindComponent
	case callbackPremium, callbackActivity:
		return kind != KindAutocomplete
	}
	return false
}

// postCallback takes the first answer to an interaction.
func postCallback(q *query) answer {
	form, bad := q.form(shape{"type": {kind: isInt, required: true, min: 1, max: 12}, "data": {kind: isObject}})
	if form == nil {
		return bad
	}
	i := q.s.interactions.get(q.r.PathValue("token"))
	if i == nil || i.ID != q.id("interaction") {
		q.s.breach(RuleInteraction, -1, q.rt.name)
		return unknown(10062, "interaction")
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	took := q.now.Sub(i.Created)
	switch {
	case i.kind != 0:
		q.s.breach(RuleAnsweredTwice, -1, i.describe())
		return problem(http.StatusBadRequest, 40060, "Interaction has already been acknowledged.")
	case took > answerWithin:
		q.s.breach(RuleAnsweredLate, -1, i.describe()+" after "+took.Round(time.Millisecond).String())
		return unknown(10062, "interaction")
	}
	kind := 0
	setNumber(&kind, form["type"])
	if !allowed(i.Kind, kind, i.message != nil) {
		q.s.breach(RuleWrongAnswer, -1, fmt.Sprintf("%s with type %d", i.describe(), kind))
		return answer{http.StatusBadRequest, []byte(wrongCallback)}
	}
	return q.callback(i, kind, form["data"])
}

const wrongCallback = `{"message":"Invalid Form Body","code":50035,"errors":{"type":{"_errors":[{"code":` +
	`"INTERACTION_CALLBACK_TYPE_INVALID","message":"Invalid interaction callback type for this interaction"}]}}}`

func (i *Interaction) describe() string {
	return "interaction " + strconv.FormatUint(i.ID, 10) + " of kind " + strconv.Itoa(i.Kind) + " (" + i.Name + ")"
}

// callback does what the answer says; the interaction's lock is held.
func (q *query) callback(i *Interaction, kind int, data json.RawMessage) answer {
	form, bad := q.callbackData(kind, data)
	if bad.status != 0 {
		return bad
	}
	flags := 0
	setNumber(&flags, form["flags"])
	done := Answer{Action: "callback", Type: kind, Data: data, Ephemeral: flags&flagEphemeral != 0, Content: textOf(form["content"])}
	refused := answer{}
	known := q.s.in(i.Guild, func(g *guildState) {
		switch kind {
		case callbackMessage, callbackDeferMessage:
			refused = q.respond(g, i, kind, form, flags)
		case callbackDeferUpdate:
			i.original = i.message
		case callbackUpdate:
			if i.original = i.message; i.message != nil {
				refused = q.edit(g, i.message, form)
			}
		}
	})
	if !known {
		return unknown(10062, "interaction")
	}
	if refused.status != 0 {
		i.original = nil
		return refused
	}
	i.kind = kind
	if i.original != nil {
		done.Message = i.original.id
	}
	i.note(done)
	if q.r.URL.Query().Get("with_response") != "true" {
		return empty()
	}
	return q.callbackResponse(i, kind)
}

// callbackData checks the data of a callback by its type.
func (q *query) callbackData(kind int, data json.RawMessage) (map[string]json.RawMessage, answer) {
	form, _ := object(data)
	if form == nil {
		form = map[string]json.RawMessage{}
	}
	var sh shape
	switch kind {
	case callbackMessage, callbackUpdate:
		sh = messageShape()
	case callbackChoices:
		sh = shape{"choices": {kind: isList, required: true, max: maxOptions, each: shape{
			"name": {kind: isString, required: true, min: 1, max: 100}, "value": {kind: isAny, required: true},
		}}}
	case callbackModal:
		sh = shape{
			"custom_id": {kind: isString, required: true, min: 1, max: 100}, "title": {kind: isString, required: true, min: 1, max: 45},
			"components": {kind: isList, required: true, max: 40, each: shape{"type": {kind: isInt, required: true, max: 30}}},
		}
	}
	e := formErrors{}
	sh.check(form, e.at("data"))
	if !e.prune() {
		return nil, q.malformed(e)
	}
	return form, answer{}
}

// respond makes the message of a callback: what it says, or the one that shows that the bot is thinking.
func (q *query) respond(g *guildState, i *Interaction, kind int, form map[string]json.RawMessage, flags int) answer {
	m := &message{id: q.s.mint.id(), channel: i.Channel, author: q.s.world.bot, flags: flags | flagLoading}
	if kind == callbackMessage {
		built, bad := q.build(form, i.Channel)
		if built == nil {
			return bad
		}
		m = built
	}
	m.cause, m.webhook, m.kind = i, true, 20 // the answer to a chat command
	if i.message != nil {
		m.kind, m.reference = 19, &reference{message: i.message.id, channel: i.Channel}
	}
	i.original = m
	q.s.place(g, m)
	return answer{}
}

// place stores a message. One that only its user sees is dispatched to nobody.
func (s *Server) place(g *guildState, m *message) {
	if m.flags&flagEphemeral != 0 {
		g.room(m.channel).add(m)
		return
	}
	s.say(g, m)
}

// callbackResponse is the answer to with_response=true; the interaction's lock is held.
func (q *query) callbackResponse(i *Interaction, kind int) answer {
	a := answer{}
	q.s.in(i.Guild, func(g *guildState) {
		a = q.done(func(o *jsonOut) {
			o.open('{')
			o.key("interaction")
			o.open('{')
			o.id("id", i.ID)
			o.num("type", int64(i.Kind))
			if m := i.original; m != nil {
				o.id("response_message_id", m.id)
				o.yes("response_message_loading", m.flags&flagLoading != 0)
				o.yes("response_message_ephemeral", m.flags&flagEphemeral != 0)
			}
			o.shut('}')
			if m := i.original; m != nil && (kind == callbackMessage || kind == callbackUpdate) {
				o.key("resource")
				o.open('{')
				o.num("type", int64(kind))
				o.key("message")
				o.open('{')
				o.message(q.s, g, m, false)
				o.shut('}')
				o.shut('}')
			}
			o.shut('}')
		})
	})
	return a
}
