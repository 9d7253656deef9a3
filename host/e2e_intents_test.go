package host_test

import (
	"strings"
	"testing"

	"github.com/holdfast-bot/holdfast/host/control"
	"github.com/holdfast-bot/holdfast/host/simulator"
)

// TestDisallowedIntentsNameThePlugin: Discord's 4014 is told with the switch in its portal, the
// plugin and the event.
func TestDisallowedIntentsNameThePlugin(t *testing.T) {
	sim, err := simulator.Start(simulator.Config{DisallowedIntents: 1 << 15})
	if err != nil {
		t.Fatal(err)
	}
	defer sim.Close()
	o, _ := recorders(t, 1, nil)
	h := launch(t, sim, o)
	<-h.exited
	if code := h.cmd.ProcessState.ExitCode(); code != 1 {
		t.Errorf("exit code %d", code)
	}
	for _, words := range []string{"close code 4014", "switch on Message Content Intent", "recorder-0 needs MESSAGE_CONTENT for MESSAGE_CREATE"} {
		if !strings.Contains(h.log.String(), words) {
			t.Errorf("no %q in:\n%s", words, h.log.String())
		}
	}
}

// TestDeniedIntents: a plugin that needs one is left out at the start and at a reload, with the line
// to change, and Discord is never asked for it.
func TestDeniedIntents(t *testing.T) {
	sim := discord(t, simulator.Config{DisallowedIntents: 1 << 15})
	o, _ := recorders(t, 1, nil)
	o.args = []string{"--deny-intents", "MESSAGE_CONTENT,GUILD_MEMBERS"}
	h := launch(t, sim, o)
	h.await("the bot is up without the plugin", func(s control.Status) bool {
		return len(s.Shards) == 1 && s.Shards[0].State == "ready" && len(s.Plugins) == 1 && s.Plugins[0].State == "failed"
	})
	const reason = "recorder-0 needs MESSAGE_CONTENT for MESSAGE_CREATE, which deny_intents denies: change the line to deny_intents: GUILD_MEMBERS"
	if said := h.log.String(); !strings.Contains(said, "plugin left out") || !strings.Contains(said, reason) {
		t.Errorf("no %q in:\n%s", reason, said)
	}
	install(t, h.plugins, "late", "./host/testdata/recorder")
	report := h.reload(control.ReloadOptions{})
	refused := 0
	for _, step := range report.Steps {
		if !step.OK() && strings.Contains(step.Detail, "which deny_intents denies") {
			refused++
		}
	}
	if refused == 0 {
		t.Errorf("nothing refused: %+v", report)
	}
	if s := sim.Sessions(); len(s) != 1 || s[0].Intents != 1|1<<3 {
		t.Errorf("sessions %+v", s)
	}
	h.stop()
}
