package host_test

import (
	"strings"
	"testing"
	"time"

	"github.com/holdfast-bot/holdfast/host"
	"github.com/holdfast-bot/holdfast/host/control"
	"github.com/holdfast-bot/holdfast/host/simulator"
)

// TestReshardAfterTheSessionsHaveEnded: while the plugins of a bot that Discord has
// refused finish their events, an operator is told why there is nothing to replace.
func TestReshardAfterTheSessionsHaveEnded(t *testing.T) {
	sim := discord(t, simulator.Config{RateLimits: simulator.RateLimits{Off: true}})
	o, files := recorders(t, 1, map[string]string{"STUCK": "stuck"})
	h, _, ended, _ := embedded(t, sim, o, func(c *host.Config) { c.Settings.DrainTimeout = 2 * time.Second })
	g := sim.Guilds()[0]
	sim.Say(g.ID, g.Channels[0], g.Members[0], "0")
	eventually(t, "the plugin handles events", func() bool { return lines(files[0]) == 1 })
	sim.Say(g.ID, g.Channels[0], g.Members[0], "stuck")
	eventually(t, "the plugin is stuck", func() bool { s := h.Status(); return len(s.Plugins) == 1 && s.Plugins[0].InFlight == 1 })
	sim.CloseCode(0, 4004)
	for asked := 0; ; {
		select {
		case err := <-ended:
			if err == nil || !strings.Contains(err.Error(), "4004") {
				t.Errorf("host ended with %v", err)
			}
			if asked == 0 {
				t.Error("never asked")
			}
			return
		default:
		}
		if len(sim.Sessions()) > 0 {
			continue
		}
		if err := h.Reshard(t.Context(), control.Reshard{Shards: 2 + asked%2}, func(string) {}); err == nil {
			t.Fatal("sessions of a host that ends were replaced")
		}
		asked++
		time.Sleep(10 * time.Millisecond)
	}
}
