package host_test

import (
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/holdfast-bot/holdfast/host"
	"github.com/holdfast-bot/holdfast/host/control"
	"github.com/holdfast-bot/holdfast/host/simulator"
)

// TestStopWhileSessionsAreReplaced: at whatever moment of it the host is stopped, it
// ends in order, and tells who asked for the replacement.
func TestStopWhileSessionsAreReplaced(t *testing.T) {
	beside(t)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	for range size(3, 30) {
		sim := discord(t, simulator.Config{Shards: 2, MaxConcurrency: 16, IdentifyInterval: quickIdentify, RateLimits: simulator.RateLimits{Off: true}})
		o, _ := recorders(t, 0, nil)
		h, _, ended, stop := embedded(t, sim, o, func(c *host.Config) { c.HandoverSkew = 200 * time.Millisecond })
		var resharding sync.WaitGroup
		resharding.Go(func() {
			err := h.Reshard(t.Context(), control.Reshard{Shards: 3}, func(string) {})
			if err != nil && !strings.Contains(err.Error(), "the host stops") && !strings.Contains(err.Error(), "not up") && !strings.Contains(err.Error(), "nothing changed") {
				t.Errorf("resharded with %v", err)
			}
		})
		time.Sleep(time.Duration(r.Int64N(int64(800 * time.Millisecond)))) // any moment
		stop()
		if err := <-ended; err != nil {
			t.Errorf("host ended with %v", err)
		}
		resharding.Wait()
	}
}
