package sdk

import (
	"encoding/json"
	"fmt"

	"github.com/switchupcb/disgo"
)

// Callback types of Discord (Discord's documentation, "Interaction Callback
// Type").
const callbackMessage = 4

// Reply is the answer of a command's handler. Make one with Text, Embeds or
// RawReply.
type Reply struct {
	content   string
	embeds    []*disgo.Embed
	ephemeral bool
	raw       json.RawMessage
}

// Text answers with a message of at most 2000 characters (Discord's limit).
func Text(content string) *Reply { return &Reply{content: content} }

// Embeds answers with a message of 1 to 10 embeds (Discord's limit).
func Embeds(embeds ...*disgo.Embed) *Reply { return &Reply{embeds: embeds} }

// RawReply answers with a whole interaction response, {"type":…,"data":…} as
// Discord's documentation describes it: modals, components and what is newer
// than disgo. Ephemeral and WithEmbeds do not change it.
func RawReply(response json.RawMessage) *Reply { return &Reply{raw: response} }

// WithEmbeds adds embeds and returns the reply.
func (r *Reply) WithEmbeds(embeds ...*disgo.Embed) *Reply {
	r.embeds = append(r.embeds, embeds...)
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
	}
	data := message{Content: r.content, Embeds: r.embeds}
	if r.ephemeral {
		data.Flags = uint64(disgo.FlagMessageEPHEMERAL)
	}
	body, err := json.Marshal(struct {
		Type int     `json:"type"`
		Data message `json:"data"`
	}{callbackMessage, data})
	if err != nil {
		return nil, fmt.Errorf("encode the reply: %w", err)
	}
	return body, nil
}
