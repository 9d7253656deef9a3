package host

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/holdfast-bot/holdfast/host/control"
	"github.com/holdfast-bot/holdfast/host/router"
	"github.com/holdfast-bot/holdfast/sdk/wire"
)

// commandsOff is the value of the setting commands with which nothing is written.
const commandsOff = "off"

// syncCommands makes Discord's commands those of the plugins as they are now. The
// bot runs without, so a fault here is told and does not stop it; one that may pass
// is tried again, see keepCommands. It returns what was done, in words.
func (h *Host) syncCommands(ctx context.Context, r *rooms, prune bool) string {
	if h.config.Settings.Commands == commandsOff {
		return "commands: off"
	}
	h.syncs.turn.Lock()
	defer h.syncs.turn.Unlock()
	return h.syncOnce(ctx, r, prune, false)
}

// keepCommands syncs at the host's start, and whenever a sync that failed is to be
// tried again, until ctx ends.
func (h *Host) keepCommands(ctx context.Context, r *rooms) {
	h.syncCommands(ctx, r, false)
	h.syncs.run(ctx, func(ctx context.Context) {
		h.syncs.turn.Lock()
		defer h.syncs.turn.Unlock()
		if prune, ok := h.syncs.begin(); ok {
			h.syncOnce(ctx, r, prune, true)
		}
	})
}

// syncOnce is for who has the turn.
func (h *Host) syncOnce(ctx context.Context, r *rooms, prune, again bool) string {
	commands, options, left, err := h.declared(manifests(r.set)) // now: what was declared before this one's turn is past
	if err != nil {
		h.syncs.ended(err, prune, again)
		return err.Error()
	}
	for _, reason := range left {
		h.log.Warn("command not registered in the development guild", "reason", reason)
	}
	options.Prune = prune
	report, err := router.SyncCommands(ctx, restFor(r.gate, "host"), r.folder, r.discord.bot.applicationID, commands, options)
	var told []string
	for _, scope := range report.Scopes {
		h.log.Info("commands compared", "result", scope.String())
		told = append(told, scope.String())
	}
	if ctx.Err() != nil {
		return strings.Join(told, "; ")
	}
	in := h.syncs.ended(err, prune, again)
	switch {
	case err != nil && in > 0:
		h.log.Error("commands not registered", "error", err, "again_in", in.String())
		told = append(told, fmt.Sprintf("commands not registered: %v: tried again in %s", err, in))
	case err != nil:
		h.log.Error("commands not registered", "error", err)
		told = append(told, "commands not registered: "+err.Error())
	}
	return strings.Join(told, "; ")
}

// Commands tells what commands are registered with Discord, and what a sync would
// do with each: with one request for each scope, writing nothing. Scopes that
// cannot be read are told in Errors.
func (h *Host) Commands(ctx context.Context) (control.Commands, error) {
	out := control.Commands{Commands: []control.Command{}, Mode: h.config.Settings.Commands, DevGuild: h.config.Settings.DevGuild.String()}
	h.mu.Lock()
	l, phase := h.live, h.phase
	h.mu.Unlock()
	if l == nil || phase != "running" {
		return out, fmt.Errorf("the host is not up (%s): ask again when it runs", cmp.Or(phase, "not started"))
	}
	commands, options, _, err := h.declared(manifests(l.set))
	if err != nil {
		return out, err
	}
	report, err := router.LookAtCommands(ctx, restFor(l.gate, "host"), l.folder, l.discord.bot.applicationID, commands, options)
	if err != nil {
		out.Errors = strings.Split(err.Error(), "\n")
	}
	for _, scope := range report.Scopes {
		for _, step := range scope.Steps {
			out.Commands = append(out.Commands, control.Command{
				Guild: idText(scope.Guild), Type: step.Kind, Name: step.Name, Plugin: step.Plugin,
				Registered: step.Action != router.ActionAdd && step.Action != router.ActionUnknown, Foreign: step.Action == router.ActionForeign || step.Action == router.ActionTakeOver || step.Action == router.ActionAdopt,
				Action: string(step.Action), Differs: step.Differs, Stopped: step.Stopped, Fault: strings.ReplaceAll(step.Fault, "\n", "; "),
			})
		}
	}
	return out, nil
}

// foreseeCommands tells in words what a sync would do if these were the plugins. It
// asks Discord and writes nothing.
func (h *Host) foreseeCommands(ctx context.Context, r *rooms, all []*wire.Manifest, prune bool) string {
	if h.config.Settings.Commands == commandsOff {
		return "commands: off"
	}
	commands, options, _, err := h.declared(all)
	if err != nil {
		return err.Error()
	}
	options.Prune = prune
	report, err := router.LookAtCommands(ctx, restFor(r.gate, "host"), r.folder, r.discord.bot.applicationID, commands, options)
	var told []string
	for _, scope := range report.Scopes {
		if scope.Read() {
			told = append(told, scope.Planned())
		}
	}
	if err != nil {
		told = append(told, "commands not compared: "+err.Error())
	}
	return strings.Join(told, "; ")
}

// declared is what these plugins declare, where the settings want it, what of it
// is left out there, and what may be removed for it.
func (h *Host) declared(all []*wire.Manifest) (commands *router.CommandSet, options router.SyncOptions, left []string, err error) {
	options = router.SyncOptions{
		Exclusive: h.config.Settings.Commands == "exclusive", Only: uint64(h.config.Settings.DevGuild),
		Stopped: filesNames(h.config.Settings.PluginsDir),
	}
	for _, m := range all {
		options.Present = append(options.Present, m.GetName())
	}
	owners, err := router.MergeOwners(all)
	if err != nil {
		return nil, options, nil, err
	}
	commands = owners.Commands()
	if h.config.Settings.DevGuild != 0 {
		commands, left = commands.In(uint64(h.config.Settings.DevGuild))
	}
	return commands, options, left, nil
}

// filesNames are the names of a folder's files, by which plugins go whose builds do
// not tell their own. A folder that cannot be read has none.
func filesNames(folder string) (names []string) {
	entries, _ := os.ReadDir(folder)
	for _, entry := range entries {
		if !entry.IsDir() {
			names = append(names, strings.TrimSuffix(entry.Name(), filepath.Ext(entry.Name())))
		}
	}
	return names
}

// placed puts all commands into the one guild that a bot in development has, if
// the settings name one.
func (h *Host) placed(owners *router.Owners) *router.Owners {
	if h.config.Settings.DevGuild != 0 {
		owners = owners.In(uint64(h.config.Settings.DevGuild))
	}
	return owners
}

// idText is an id in words; "" stands for none.
func idText(id uint64) string {
	if id == 0 {
		return ""
	}
	return strconv.FormatUint(id, 10)
}
