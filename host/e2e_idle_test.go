package host_test

import (
	"testing"

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
