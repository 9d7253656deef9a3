package host

import (
	"context"
	"maps"
	"slices"

	"github.com/holdfast-bot/holdfast/host/router"
	"github.com/holdfast-bot/holdfast/plugins"
	"github.com/holdfast-bot/holdfast/sdk/wire"
)

// loadPlugins brings the folder's plugins up as far as their manifests, and
// merges what they answer. A plugin whose commands or custom IDs are those of another one is left out.
func (h *Host) loadPlugins(ctx context.Context, r *rooms) (*router.Owners, error) {
	staging, err := r.folder.Dir("staged")
	if err != nil {
		return nil, err
	}
	saved, err := r.folder.Dir("saved")
	if err != nil {
		return nil, err
	}
	known, err := r.folder.Dir("declared")
	if err != nil {
		return nil, err
	}
	sockets, err := r.folder.SocketDir()
	if err != nil {
		return nil, err
	}
	env, err := h.pluginEnv()
	if err != nil {
		return nil, err
	}
	set, err := plugins.New(plugins.Config{
		Dir:            h.config.Settings.PluginsDir,
		Staging:        staging,
		Saved:          saved,
		Known:          known,
		Sockets:        sockets,
		Env:            env,
		ApplicationID:  r.discord.bot.applicationID,
		BotUserID:      r.discord.bot.id,
		HandlerTimeout: h.config.Settings.HandlerTimeout,
		REST:           r.interactions.Carry,
		Guilds:         r.guilds,
		GuildWait:      h.config.Settings.GuildWait,
		Gateway:        r.calls,
		Journal:        r.kept.journal,
		Cursors:        r.kept.journal,
		Claims:         h.claims,
		Interactions:   r.interactions,
		Log:            h.log.Named("plugins"),
	})
	if err != nil {
		return nil, err
	}
	h.set(func() { h.plugins = set })
	var accepted []*wire.Manifest
	var merged *router.Owners
	err = set.Load(ctx, func(m *wire.Manifest) error {
		if err := refuseDenied(m, h.config.Settings.DenyIntents); err != nil {
			return err
		}
		with := append(slices.Clone(accepted), m)
		all, err := router.MergeOwners(with)
		if err == nil {
			accepted, merged = with, all
		}
		return err
	})
	if err != nil {
		_ = set.Close() // nothing of it runs yet; the folder's fault is what matters
		return nil, err
	}
	if len(set.Status()) == 0 {
		h.log.Warn("no plugins yet: build one into the folder (go build -o FOLDER/ ./examples/hello), then run holdfast reload", "folder", h.config.Settings.PluginsDir)
	}
	r.set = set
	return merged, nil
}

// claims says whether an interaction is for a plugin.
func (h *Host) claims(plugin string, e *wire.Event) bool {
	h.mu.Lock()
	route := h.router
	h.mu.Unlock()
	return route != nil && route.Owns(plugin, e)
}

// pluginEnv is what the settings give to each plugin, by its file's name.
func (h *Host) pluginEnv() (map[string][]string, error) {
	env := make(map[string][]string)
	for _, name := range slices.Sorted(maps.Keys(h.config.Settings.Plugins)) {
		pairs, err := h.config.Settings.PluginEnv(name)
		if err != nil {
			return nil, err
		}
		env[name] = pairs
	}
	return env, nil
}
