package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/holdfast-bot/holdfast/host/control"
)

// reload builds counter anew and lets the host take the new build while
// messages flow. The count is in the plugin's memory: it must go on.
func (s *story) reload(ctx context.Context) {
	g := s.guilds[0]
	before := s.count(ctx, g.ID, g.Channels[0], g.Members[0])
	flags := []string{"-s", "-w", "-s -w"}[s.builds%3] // other flags, another build
	if err := build(ctx, s.host.settings.PluginsDir, flags, counterExample); err != nil {
		if ctx.Err() == nil {
			s.show.sayf("%v", err)
		}
		return
	}
	s.builds++
	report, err := askReload(ctx, s.host.settings, control.ReloadOptions{})
	if err != nil {
		s.reloadFault(ctx, err.Error())
		return
	}
	for _, step := range report.Steps {
		switch {
		case !step.OK():
			s.reloadFault(ctx, step.Plugin+": "+step.Detail)
		case step.Action == control.ActionReplace:
			s.show.sayf("plugin %s is rebuilt and replaced while messages flow: its events waited for %.0f ms", step.Plugin, step.PauseMS)
		}
	}
	if after := s.count(ctx, g.ID, g.Channels[0], g.Members[0]); before != "" && after != "" {
		s.show.sayf("in %s, /count said %q before and says %q after: the count lives in its memory", g.Name, before, after)
	}
}

// reloadFault is a fault of the demo: a reload of a good build must succeed.
func (s *story) reloadFault(ctx context.Context, detail string) {
	if ctx.Err() == nil {
		s.show.sayf("reload failed: %s", detail)
		s.reloadFaults++
	}
}

// count asks the counter plugin; "" when the story is over.
func (s *story) count(ctx context.Context, guild, channel, user uint64) string {
	answer, err := s.sim.Slash(guild, channel, user, "count").Wait(ctx)
	if err != nil {
		s.reloadFault(ctx, fmt.Sprintf("/count was not answered: %v", err))
		return ""
	}
	return strings.TrimSuffix(answer.Content, ".")
}
