package sdk

import (
	"encoding/json"
	"fmt"

	"github.com/switchupcb/disgo"
)

// Callback types of Discord (Discord's documentation, "Interaction Callback
// Type").
const (
	callbackMessage = 4
	callbackUpdate  = 7
	callbackChoices = 8
	callbackModal   = 9
)

// Reply is the answer of a handler. Make one with Text, Embeds, ShowModal or
// RawReply.
type Reply struct {
	content    string
	embeds     []*disgo.Embed
	components json.RawMessage
	ephemeral  bool
	update     bool
	raw        json.RawMessage
}

// Text answers with a message of at most 2000 characters (Discord's limit).
func Text(content string) *Reply { return &Reply{content: content} }

// Embeds answers with a message of 1 to 10 embeds (Discord's limit).
func Embeds(embeds ...*disgo.Embed) *Reply { return &Reply{embeds: embeds} }

// RawReply answers with a whole interaction response, {"type":…,"data":…} as
// Discord's documentation describes it, for what is newer than disgo. Other methods
// do not change it.
func RawReply(response json.RawMessage) *Reply { return &Reply{raw: response} }

// WithEmbeds adds embeds and returns the reply.
func (r *Reply) WithEmbeds(embeds ...*disgo.Embed) *Reply {
	r.embeds = append(r.embeds, embeds...)
	return r
}

// ShowModal answers with a modal, whose submission goes to the handler that Modal
// registered for its custom ID. components is a JSON list as Discord's
// documentation has it ("Component Reference"): labels with what they label. A
// modal cannot come late: register its handler with DeferNever, or answer within
// 2 s.
func ShowModal(customID, title string, components json.RawMessage) *Reply {
	body, err := json.Marshal(map[string]any{
		"type": callbackModal, "data": map[string]any{"custom_id": customID, "title": title, "components": components},
	})
	if err != nil {
		body = components // no JSON: told when the reply is sent
	}
	return RawReply(body)
}

// WithComponents adds buttons and select menus and returns the reply: a JSON list
// of action rows as Discord's documentation has it. (disgo's component types
// leave their type out.)
func (r *Reply) WithComponents(components json.RawMessage) *Reply {
	r.components = components
	return r
}

// Update changes the message of the component that was used, instead of sending a
// new one, and returns the reply. Commands have no such message.
func (r *Reply) Update() *Reply {
	r.update = true
	return r
}

// Ephemeral lets only the user who asked see the message, and returns the reply.
func (r *Reply) Ephemeral() *Reply {
	r.ephemeral = true
	return r
}

// response is the body of the callback.
func (r *Reply) response() ([]byte, error) {
	if r.raw != nil {
		if !json.Valid(r.raw) {
			return nil, fmt.Errorf("encode the reply: RawReply was given %d bytes that are no JSON", len(r.raw))
		}
		return r.raw, nil
	}
	type message struct {
		Content string         `json:"content,omitempty"`
		Embeds  []*disgo.Embed `json:"embeds,omitempty"`
		Flags   uint64         `json:"flags,omitempty"`

		Components json.RawMessage `json:"components,omitempty"`
	}
	data := message{Content: r.content, Embeds: r.embeds, Components: r.components}
	kind := callbackMessage
	if r.update {
		kind = callbackUpdate
	}
	if r.ephemeral {
		data.Flags = uint64(disgo.FlagMessageEPHEMERAL)
	}
	body, err := json.Marshal(struct {
		Type int     `json:"type"`
		Data message `json:"data"`
	}{kind, data})
	if err != nil {
		return nil, fmt.Errorf("encode the reply: %w", err)
	}
	return body, nil
}
