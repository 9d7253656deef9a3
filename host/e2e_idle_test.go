package host_test

import (
	"strings"
	"testing"
	"time"

	"github.com/holdfast-bot/holdfast/host/control"
	"github.com/holdfast-bot/holdfast/host/simulator"
)

// TestRunWithoutPlugins is the least that a host does: it connects, stays and
// goes.
func TestRunWithoutPlugins(t *testing.T) {
	sim := discord(t, simulator.Config{Shards: 2})
	h := start(t, sim, options{})
	h.stop()
	c := sim.Counts()
	for shard, counts := range c.Shards {
		if counts.Identifies != 1 {
			t.Errorf("shard %d identified %d times", shard, counts.Identifies)
		}
	}
	if len(c.Shards) != 2 || c.Connections != 2 {
		t.Errorf("%d shards, %d connections, want 2 and 2", len(c.Shards), c.Connections)
	}
}

// TestSlowCommandsDoNotHoldTheBot: Discord may keep a write of commands waiting
// for minutes; the bot is online meanwhile, and stops in order.
func TestSlowCommandsDoNotHoldTheBot(t *testing.T) {
	t.Parallel() // most of its time is waiting
	sim := discord(t, simulator.Config{})
	sim.FailREST("PUT /applications/{application}/commands", simulator.Failure{Status: 429, RetryAfter: time.Hour}, 1)
	h := start(t, sim, options{plugins: map[string]string{"hello": "./examples/hello"}})
	g := sim.Guilds()[0]
	answer, err := sim.Slash(g.ID, g.Channels[0], g.Members[0], "ping").Wait(t.Context())
	if err != nil || answer.Content != "pong" {
		t.Errorf("answered %q, %v", answer.Content, err)
	}
	h.stop()
}

// TestStatusWhileStarting: a plugin that takes its time is when one looks.
func TestStatusWhileStarting(t *testing.T) {
	sim := discord(t, simulator.Config{})
	h := launch(t, sim, options{plugins: map[string]string{"slow": "./host/testdata/slow"}})
	h.await("the host says that it is starting", func(s control.Status) bool { return s.Phase == "starting" && s.Bot != nil })
	h.stop()
	if strings.Contains(h.log.String(), "[ERROR]") {
		t.Errorf("a start that was called off is told as an error:\n%s", h.log)
	}
}
