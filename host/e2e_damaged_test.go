package host_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/holdfast-bot/holdfast/host/simulator"
)

// garbled gives a file other contents of the same size.
func garbled(t *testing.T, path string) {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, bytes.Repeat([]byte{0x42}, len(raw)), 0o600); err != nil {
		t.Fatal(err)
	}
}

// shortened cuts the end of a file off.
func shortened(t *testing.T, path string) {
	t.Helper()
	info, err := os.Stat(path)
	if err == nil {
		err = os.Truncate(path, info.Size()/3+1)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestDamagedState: a host that finds a file of its state damaged says so, keeps it aside and goes on: resumed where what
// is left allows it, with one IDENTIFY where not. No message comes twice for it, and none is lost that could be had.
func TestDamagedState(t *testing.T) {
	const set = "state file was damaged and set aside"
	files := map[string]string{
		"sessions.json": set, "sessions.seq": set, "identify.json": set, "cursors/recorder-0": set, "journal/*": "journal segment",
	}
	tests := map[string]struct {
		damage     func(t *testing.T, path string)
		files      []string
		identifies uint64
		silent     bool // nothing is to be said: it is found out otherwise
	}{
		"the sessions' values":      {garbled, []string{"sessions.json"}, 2, false},
		"the sequence numbers":      {garbled, []string{"sessions.seq"}, 1, true}, // the journal knows them, too
		"half the sequence numbers": {shortened, []string{"sessions.seq"}, 2, false},
		"the account of identifies": {garbled, []string{"identify.json"}, 1, false},
		"the journal":               {garbled, []string{"journal/*"}, 1, false},
		"half of the journal":       {shortened, []string{"journal/*"}, 1, false},
		"a cursor":                  {garbled, []string{"cursors/recorder-0"}, 1, false},
		"half a cursor":             {shortened, []string{"cursors/recorder-0"}, 1, false},
		"all of them":               {shortened, []string{"sessions.json", "sessions.seq", "identify.json", "cursors/recorder-0", "journal/*"}, 2, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const guilds, n = 5, 500
			sim := discord(t, simulator.Config{World: simulator.World{Guilds: guilds}})
			o, recorded := recorders(t, 1, nil)
			h := start(t, sim, o)
			sendOn(t, sim, 0, n, 0)
			h.handled(recorded, n)
			if err := h.cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			<-h.exited
			for _, pattern := range test.files {
				found, err := filepath.Glob(filepath.Join(h.state, pattern))
				if err != nil || len(found) == 0 {
					t.Fatalf("no %s: %v", pattern, err)
				}
				for _, path := range found {
					test.damage(t, path)
				}
			}
			o.again = h
			h = start(t, sim, o)
			sendOn(t, sim, n, n, 0)
			h.handled(recorded, 2*n)
			h.stop()
			if again := witness(t, recorded[0], guilds, 2*n) + twice(t, recorded[0]); again != 0 {
				t.Errorf("%d redelivered, or twice", again)
			}
			if c := sim.Counts().Shards[0]; c.Identifies != test.identifies {
				t.Errorf("%d identifies, want %d", c.Identifies, test.identifies)
			}
			for _, pattern := range test.files {
				damageTold(t, h, pattern, files[pattern], test.silent)
			}
		})
	}
}

// damageTold checks that one line of the log tells of a damaged file.
func damageTold(t *testing.T, h *running, pattern, words string, silent bool) {
	t.Helper()
	path, said := filepath.Join(h.state, strings.TrimSuffix(pattern, "*")), 0
	for line := range strings.Lines(h.log.String()) {
		if strings.Contains(line, "[WARN]") && strings.Contains(line, words) && strings.Contains(line, "file="+path) {
			said++
		}
	}
	aside, err := filepath.Glob(filepath.Join(h.state, pattern) + ".damaged-*")
	if err != nil {
		t.Fatal(err)
	}
	want := 1
	if silent {
		want = 0
	}
	if said != want || strings.HasPrefix(words, "state file") && len(aside) != want {
		t.Errorf("%s: told %d times, set aside %v", pattern, said, aside)
	}
}
