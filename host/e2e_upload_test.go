package host_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/holdfast-bot/holdfast/host/control"
	"github.com/holdfast-bot/holdfast/host/simulator"
)

// uploadMemory is what the host may need for uploads of one plugin, in bytes:
// twice the bodies that find room (garbage waits for its collection), and the
// host itself. Without that room 32 files of 25 MiB took 2.2 GiB.
const uploadMemory = 320 << 20

// TestUploads sends files of 25 MiB, the largest that the host takes, one and
// many at a time.
func TestUploads(t *testing.T) {
	beside(t)
	const mib = 25
	sim := discord(t, simulator.Config{UploadBytes: mib << 20, RateLimits: simulator.RateLimits{Off: true}})
	file := filepath.Join(t.TempDir(), "uploads")
	h := start(t, sim, options{
		plugins: map[string]string{"uploader": "./host/testdata/uploader"},
		env:     map[string]map[string]string{"uploader": {"FILE": file}},
		args:    []string{"--handler-timeout", "2m"},
	})
	g := sim.Guilds()[0]
	for _, n := range []int{1, size(2, 16)} {
		_ = os.Remove(file)
		sim.Say(g.ID, g.Channels[0], g.Members[0], fmt.Sprintf("%d %d", n, mib))
		eventually(t, "files sent", func() bool { return exists(file) })
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		want := fmt.Sprintf("sent %d of %[1]d", (mib<<20)/9*9)
		for line := range strings.SplitSeq(strings.TrimSpace(string(raw)), "\n") {
			if line != want {
				t.Errorf("%d at a time: %s, want %s", n, line, want)
			}
		}
		most := highWater(t, h)
		t.Logf("%d files of %d MiB: the host had %d MiB at most", n, mib, most>>20)
		if most > uploadMemory && !raceDetector {
			t.Errorf("the host had %d MiB, want %d at most", most>>20, uploadMemory>>20)
		}
	}
	h.await("nothing queued", func(s control.Status) bool { return s.REST.Queued == 0 })
	h.stop()
}

// highWater is the most memory that the host's process has had, in bytes; 0
// where the system does not tell.
func highWater(t *testing.T, h *running) (bytes int) {
	t.Helper()
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", h.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	for line := range strings.SplitSeq(string(raw), "\n") {
		if kib := 0; strings.HasPrefix(line, "VmHWM:") {
			_, _ = fmt.Sscanf(strings.TrimPrefix(line, "VmHWM:"), "%d", &kib) // 0 if it is none
			return kib << 10
		}
	}
	return 0
}
