package sdktest

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/holdfast-bot/holdfast/sdk/wire"
)

// Types of interactions (Discord's documentation, "Interaction Type").
const (
	commandInteraction      = 2
	componentInteraction    = 3
	autocompleteInteraction = 4
	modalInteraction        = 5
)

const (
	button, selectMenu = 2, 3
	textInput, label   = 4, 18
)

// Click presses a button of a message of the bot, or chooses values of a select
// menu (values given), and returns the answer. A custom ID of which the plugin has
// no prefix fails the test.
func (h *Host) Click(customID string, values ...string) Callback {
	h.t.Helper()
	h.mustOwn("Component", h.manifest.GetComponents(), customID)
	data := map[string]any{"custom_id": customID, "component_type": button}
	if len(values) > 0 {
		data["component_type"], data["values"] = selectMenu, values
	}
	i := h.newInteraction(componentInteraction, data)
	i.Message = map[string]any{"id": strconv.FormatUint(h.nextID(), 10), "channel_id": ChannelID, "content": "", "timestamp": "2020-01-01T00:00:00Z"}
	return h.interact(i)
}

// Submit submits a modal with text inputs by their custom IDs, and returns the
// answer. A custom ID of which the plugin has no prefix fails the test.
func (h *Host) Submit(customID string, inputs map[string]string) Callback {
	h.t.Helper()
	h.mustOwn("Modal", h.manifest.GetModals(), customID)
	components := []any{}
	for _, id := range slices.Sorted(maps.Keys(inputs)) {
		components = append(components, map[string]any{
			"type": label, "component": map[string]any{"type": textInput, "custom_id": id, "value": inputs[id]},
		})
	}
	return h.interact(h.newInteraction(modalInteraction, map[string]any{"custom_id": customID, "components": components}))
}

// Autocomplete types into an option of a command, "find" or with its subcommand
// "config set", and returns what is suggested, as names and values.
func (h *Host) Autocomplete(name string, typing SlashOption) (choices []Choice, err error) {
	h.t.Helper()
	command, path := h.called(name)
	data := h.commandData(command, path, []SlashOption{typing, focus})
	answer := h.interact(h.newInteraction(autocompleteInteraction, data))
	var list struct {
		Choices []Choice `json:"choices"`
	}
	if json.Unmarshal(answer.Data, &list) != nil {
		return nil, answer.Err
	}
	return list.Choices, answer.Err
}

// Choice is one that a plugin suggests.
type Choice struct {
	Name  string `json:"name"`
	Value any    `json:"value"`
}

// focus says that the last option is being typed.
func focus(i *interaction) { i.options[len(i.options)-1].Focused = true }

func (h *Host) mustOwn(what string, all []*wire.CustomIDs, customID string) {
	h.t.Helper()
	if !owns(all, customID) {
		h.t.Fatalf("the plugin has no handler for the custom ID %q: register one with %s", customID, what)
	}
}

func owns(all []*wire.CustomIDs, customID string) bool {
	return slices.ContainsFunc(all, func(c *wire.CustomIDs) bool { return strings.HasPrefix(customID, c.GetPrefix()) })
}
