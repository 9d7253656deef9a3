package router

import (
	"encoding/json"
	"fmt"
	"slices"
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
	a, targets, err := t.arrival(e.Data, e.Guild)
	if err != nil {
		r.config.Log.Warn("interaction not wholly readable", "shard", e.Shard, "seq", e.Seq, "error", err)
	}
	if len(targets) == 0 {
		r.unclaimed.Add(1)
	}
	a.received, a.replayed = e.Received, e.Replayed
	if r.config.Interactions != nil && !r.config.Interactions.open(a) {
		return nil
	}
	return targets
}

// Owns says whether an interaction that waited in the journal is for the plugin
// of this name, as the plugins are now, and not too old. Its time runs from here on,
// too.
func (r *Router) Owns(plugin string, e *wire.Event) bool {
	a, _, _ := r.table.Load().arrival(e.Data, e.Guild) // a fault was told when it came
	if !slices.Contains(a.plugins, plugin) {
		return false
	}
	a.received, a.replayed = time.Unix(0, e.Received), true
	return r.config.Interactions == nil || r.config.Interactions.open(a)
}

// arrival is an interaction that has come, and for whom.
type arrival struct {
	interaction

	deferral wire.Deferral
	plugins  []string
	owned    bool // by one of them; else it is any's, and maybe another program's
	received time.Time
	replayed bool // after a RESUME, or from the journal: it may be late by any time
}

// arrival reads an interaction as far as it can: fields of unknown form are empty.
// One whose owner cannot be read goes to whoever asked for interactions: raw, he may.
func (t *table) arrival(data []byte, guild uint64) (a *arrival, targets []Plugin, err error) {
	a = new(arrival)
	if err = json.Unmarshal(data, &a.interaction); err != nil {
		err = fmt.Errorf("read interaction: %w", err)
	}
	targets = t.byEvent[interactionCreate]
	name, d, ok := t.owners.of(&a.interaction, guild)
	if p := t.byName[name]; ok && p != nil {
		targets, a.deferral, a.owned = []Plugin{p}, d, true
	} else if len(targets) == 1 {
		a.deferral = t.owners.deferral(0, targets[0].Manifest().GetName())
	}
	for _, p := range targets {
		a.plugins = append(a.plugins, p.Manifest().GetName())
	}
	return a, targets, err
}
