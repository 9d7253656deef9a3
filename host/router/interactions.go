package router

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/holdfast-bot/holdfast/host/gateway"
	"github.com/holdfast-bot/holdfast/sdk/wire"
)

// The events that the router knows.
const (
	interactionCreate = "INTERACTION_CREATE"
	ready             = "READY"
)

// Interaction types, from Discord's documentation ("Interaction Type").
const (
	interactionCommand      = 2
	interactionComponent    = 3
	interactionAutocomplete = 4
	interactionModal        = 5
)

// interaction is the little of an interaction that the router reads.
type interaction struct {
	ID    string `json:"id"`
	Token string `json:"token"`
	Type  int    `json:"type"`
	Data  struct {
		Name     string `json:"name"`
		Type     int    `json:"type"`
		GuildID  string `json:"guild_id"` // of the command, if it is a guild's own
		CustomID string `json:"custom_id"`
	} `json:"data"`
	Message *struct{} `json:"message"` // that a component belongs to, or that a modal was opened from
}

// snowflake is the interaction's id, 0 if it has none.
func (i *interaction) snowflake() uint64 {
	id, err := strconv.ParseUint(i.ID, 10, 64)
	if err != nil {
		return 0
	}
	return id
}

// interactionTargets says who gets an interaction: the plugin that owns the
// command or the custom ID, else those that registered for interactions, else
// nobody, and then the host answers. From here on its time runs.
func (r *Router) interactionTargets(e *gateway.Event, t *table) []Plugin {
	targets, i, d, err := t.interactionTargets(e.Data, e.Guild)
	if err != nil {
		r.config.Log.Warn("interaction not wholly readable", "shard", e.Shard, "seq", e.Seq, "error", err)
	}
	if len(targets) == 0 {
		r.unclaimed.Add(1)
	}
	if r.config.Interactions != nil && !r.config.Interactions.open(arrivalOf(&i, d, targets, e.Received, e.Replayed)) {
		return nil
	}
	return targets
}

// interactionTargets reads the interaction, too, as far as it can: fields of
// unknown form are empty. One whose owner cannot be read goes to whoever asked for
// interactions: raw, he may.
func (t *table) interactionTargets(data []byte, guild uint64) (targets []Plugin, i interaction, d wire.Deferral, err error) {
	targets = t.byEvent[interactionCreate]
	if err = json.Unmarshal(data, &i); err != nil {
		err = fmt.Errorf("read interaction: %w", err)
	}
	if name, d, ok := t.owners.of(&i, guild); ok && t.byName[name] != nil {
		return []Plugin{t.byName[name]}, i, d, err
	}
	if len(targets) == 1 {
		d = t.owners.deferral(d, targets[0].Manifest().GetName())
	}
	return targets, i, d, err
}

// Owns says whether an interaction that waited in the journal is for the plugin
// of this name, as the plugins are now, and not too old. Its time runs from here on,
// too.
func (r *Router) Owns(plugin string, e *wire.Event) bool {
	t := r.table.Load()
	targets, i, d, _ := t.interactionTargets(e.Data, e.Guild) // told when it came
	for _, p := range targets {
		if p.Manifest().GetName() != plugin {
			continue
		}
		return r.config.Interactions == nil ||
			r.config.Interactions.open(arrivalOf(&i, d, targets, time.Unix(0, e.Received), true))
	}
	return false
}

// arrival is an interaction that has come, and for whom.
type arrival struct {
	interaction

	deferral wire.Deferral
	plugins  []string
	received time.Time
	replayed bool // after a RESUME, or from the journal: it may be late by any time
}

func arrivalOf(i *interaction, d wire.Deferral, targets []Plugin, received time.Time, replayed bool) *arrival {
	a := &arrival{interaction: *i, deferral: d, received: received, replayed: replayed}
	for _, p := range targets {
		a.plugins = append(a.plugins, p.Manifest().GetName())
	}
	return a
}
