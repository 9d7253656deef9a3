package host_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-bot/holdfast/host/control"
	"github.com/holdfast-bot/holdfast/host/simulator"
)

// cpuOf sums the time that a process has run.
func cpuOf(b testing.TB, pid int) (sum time.Duration) {
	b.Helper()
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	if err != nil || len(tasks) == 0 {
		b.Skip("no schedstat on this machine")
	}
	for _, path := range tasks {
		raw, err := os.ReadFile(path)
		if err != nil {
			continue // the thread has ended
		}
		n, err := strconv.ParseInt(strings.Fields(string(raw))[0], 10, 64)
		if err != nil {
			b.Fatal(err)
		}
		sum += time.Duration(n)
	}
	return sum
}

// BenchmarkWholeWay reports what an event costs the host from the websocket to
// the acknowledgement, by compression, and what it costs the plugin. The
// simulator runs in this process and is not counted.
//
//	go test -run '^$' -bench WholeWay -benchtime 200000x ./host
func BenchmarkWholeWay(b *testing.B) {
	for _, compress := range []string{"zstd-stream", "zlib-stream", "none"} {
		b.Run(compress, func(b *testing.B) {
			sim, err := simulator.Start(simulator.Config{World: simulator.World{Guilds: 50}})
			if err != nil {
				b.Fatal(err)
			}
			defer sim.Close()
			o, _ := recorders(b, 1, map[string]string{"IDLE": "1"})
			o.args = []string{"--compress", compress, "--log-level", "warn"}
			h := start(b, sim, o)
			plugin := h.plugin("recorder-0")
			host, handlers := cpuOf(b, h.cmd.Process.Pid), cpuOf(b, plugin.PID)
			b.ResetTimer()
			sequence(b, sim, b.N, 0)
			h.await("all acknowledged", func(s control.Status) bool { return s.Plugins[0].Acked >= uint64(b.N) })
			b.StopTimer()
			perEvent := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / float64(b.N) }
			b.ReportMetric(perEvent(cpuOf(b, h.cmd.Process.Pid)-host), "host-cpu-ns/op")
			b.ReportMetric(perEvent(cpuOf(b, plugin.PID)-handlers), "plugin-cpu-ns/op")
			h.stop()
		})
	}
}
