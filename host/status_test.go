package host

import (
	"testing"

	"github.com/holdfast-bot/holdfast/plugins"
)

// Events that were dropped and those that crashed their plugin are told apart, as in the metrics.
func TestDroppedAndDeadLettersAreApart(t *testing.T) {
	got := pluginStatus(plugins.Status{Dropped: map[string]uint64{"A": 2, "B": 1}, DeadLetters: 5})
	if got.Dropped != 3 || got.DeadLetters != 5 {
		t.Errorf("%d dropped, %d dead letters, want 3 and 5", got.Dropped, got.DeadLetters)
	}
}
