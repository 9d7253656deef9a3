package router

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/holdfast-bot/holdfast/host/gateway"
)

// The events that the router knows.
const (
	interactionCreate = "INTERACTION_CREATE"
	ready             = "READY"
)

// Interaction types and callback types, from Discord's documentation
// ("Receiving and Responding").
const (
	interactionCommand      = 2
	interactionAutocomplete = 4
	callbackMessage         = 4
	callbackAutocomplete    = 8
	ephemeral               = 1 << 6
)

// answerTimeout is Discord's limit for the first answer to an interaction.
const answerTimeout = 3 * time.Second

// interaction is the little of an interaction that the router reads.
type interaction struct {
	ID    string `json:"id"`
	Token string `json:"token"`
	Type  int    `json:"type"`
	Data  struct {
		Name    string `json:"name"`
		Type    int    `json:"type"`
		GuildID string `json:"guild_id"` // of the command, if it is a guild's own
	} `json:"data"`
}

// interactionTargets says who gets an interaction: the plugin that owns the
// command, else those that registered for interactions, else nobody, and then
// the host answers.
func (r *Router) interactionTargets(ctx context.Context, e *gateway.Event, t *table) []Plugin {
	targets, i, err := t.interactionTargets(e.Data, e.Guild)
	switch {
	case err != nil:
		r.config.Log.Warn("interaction not readable", "shard", e.Shard, "seq", e.Seq, "error", err)
	case len(targets) == 0:
		r.unclaimed.Add(1)
		r.answer(ctx, &i)
	}
	return targets
}

// interactionTargets reads the interaction, too. One that cannot be read goes to
// whoever asked for interactions: raw, he may.
func (t *table) interactionTargets(data []byte, guild uint64) (targets []Plugin, i interaction, err error) {
	targets = t.byEvent[interactionCreate]
	if err := json.Unmarshal(data, &i); err != nil {
		return targets, i, fmt.Errorf("read interaction: %w", err)
	}
	if owner := t.ownerOf(&i, guild); owner != nil {
		return []Plugin{owner}, i, nil
	}
	return targets, i, nil
}

func (t *table) ownerOf(i *interaction, guild uint64) Plugin {
	if t.owner == nil || i.Type != interactionCommand && i.Type != interactionAutocomplete {
		return nil
	}
	if i.Data.GuildID == "" {
		guild = 0
	}
	name, ok := t.owner(max(i.Data.Type, 1), i.Data.Name, guild)
	if !ok {
		return nil
	}
	return t.byName[name]
}

// answer tells the user that nobody takes the interaction, instead of leaving
// him with a failure after three seconds.
func (r *Router) answer(ctx context.Context, i *interaction) {
	if r.config.REST == nil {
		return
	}
	select {
	case r.answerer <- struct{}{}:
	default:
		r.config.Log.Warn("interaction not answered: too many at once that no plugin takes", "command", i.Data.Name)
		return
	}
	id, token, autocomplete := i.ID, i.Token, i.Type == interactionAutocomplete
	r.config.Log.Warn("interaction that no plugin takes", "type", i.Type, "command", i.Data.Name)
	r.answers.Go(func() {
		defer func() { <-r.answerer }()
		ctx, cancel := context.WithTimeout(ctx, answerTimeout)
		defer cancel()
		if err := r.sendAnswer(ctx, id, token, autocomplete); err != nil {
			r.config.Log.Warn("answer an interaction that no plugin takes", "error", err)
		}
	})
}

func (r *Router) sendAnswer(ctx context.Context, id, token string, autocomplete bool) error {
	callback := map[string]any{"type": callbackMessage, "data": map[string]any{
		"content": "Nothing answers this at the moment.", "flags": ephemeral,
	}}
	if autocomplete {
		callback = map[string]any{"type": callbackAutocomplete, "data": map[string]any{"choices": []any{}}}
	}
	body, err := json.Marshal(callback)
	if err != nil {
		return err
	}
	status, _, err := r.config.REST.Do(ctx, http.MethodPost, "/interactions/"+id+"/"+token+"/callback", body)
	if err != nil {
		return err
	}
	if status >= http.StatusMultipleChoices {
		return fmt.Errorf("discord answered %d", status)
	}
	return nil
}
