package host_test

import (
	"strings"
	"testing"

	"github.com/holdfast-bot/holdfast/host/simulator"
)

// TestStopIsTold: the log says that a stop has begun, and, as its last line, that it is over.
func TestStopIsTold(t *testing.T) {
	sim := discord(t, simulator.Config{})
	h := start(t, sim, options{})
	if strings.Contains(h.log.String(), "stop") {
		t.Error("told before its time")
	}
	h.stop()
	said := strings.Split(strings.TrimSpace(h.log.String()), "\n")
	if last := said[len(said)-1]; !strings.Contains(last, "[INFO]  holdfast: stopped: took=") {
		t.Errorf("the last line is %s", last)
	}
	if !strings.Contains(h.log.String(), "[INFO]  holdfast: stopping: plugins finish their events; those that do not end after that are killed, 4 s later at most: at_most=30s") {
		t.Error("not told that it stops")
	}
}
