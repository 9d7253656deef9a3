package host_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-bot/holdfast/host/control"
	"github.com/holdfast-bot/holdfast/host/simulator"
)

// TestRequestsEndWithTheirContexts: in the gate's queue, where a route's limit is
// used up for an hour, and under way, where Discord does not answer for an hour.
func TestRequestsEndWithTheirContexts(t *testing.T) {
	t.Parallel()
	const typing = "POST /channels/{channel}/typing"
	sim := discord(t, simulator.Config{RateLimits: simulator.RateLimits{Routes: map[string]simulator.Limit{typing: {Requests: 1, Per: time.Hour}}}})
	file := filepath.Join(t.TempDir(), "ends")
	h := start(t, sim, options{
		plugins: map[string]string{"impatient": "./host/testdata/impatient"},
		env:     map[string]map[string]string{"impatient": {"FILE": file}},
		args:    []string{"--handler-timeout", "3s"},
	})
	g := sim.Guilds()[0]
	say := func(content, want string) {
		t.Helper()
		sim.Say(g.ID, g.Channels[0], g.Members[0], content)
		var line string
		eventually(t, content, func() bool {
			raw, _ := os.ReadFile(file) // it is there when the plugin is
			for l := range strings.SplitSeq(string(raw), "\n") {
				if rest, ok := strings.CutPrefix(l, content+": "); ok {
					line = rest
				}
			}
			return line != ""
		})
		if !strings.Contains(line, want) {
			t.Errorf("%s: %s, want %s", content, line, want)
		}
		h.await("nothing left in the gate", func(s control.Status) bool { return s.REST.Queued == 0 })
	}
	say("first", "deadline false, discord <nil>: <nil>")
	say("queued", "deadline true, discord <nil>: send TriggerTypingIndicator: send POST request: context deadline exceeded")
	say("queued beyond the handler", "the handler's deadline of 3s has passed")
	sim.FailREST("GET /channels/*", simulator.Failure{Delay: time.Hour}, 0)
	say("under way", "deadline true, discord <nil>: GET /channels/")
	eventually(t, "Discord sees that nobody waits", func() bool {
		for _, r := range sim.Requests() {
			if r.Route == "GET /channels/{channel}" && r.Status == 0 {
				return true
			}
		}
		return false
	})
	say("refused", "the host does not send this request: its path leads upwards")
	if n := sim.Counts().Requests[typing]; n != 1 {
		t.Errorf("%d requests came to Discord on the route, want 1: those that were called off must not", n)
	}
	h.stop()
}
