package host_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/holdfast-bot/holdfast/host/control"
	"github.com/holdfast-bot/holdfast/host/simulator"
)

// captured are the dispatch frames that the real Discord sent, but READY.
type captured struct {
	name string
	data string
	id   string // as a typed handler reports it
}

func readCaptured(t *testing.T) (frames []json.RawMessage, events []captured) {
	t.Helper()
	files, err := filepath.Glob("testdata/captured/gateway_*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no captured frames: %v", err)
	}
	for _, file := range files {
		all, err := simulator.ReadFrames(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, raw := range all {
			var frame struct {
				Op int             `json:"op"`
				T  string          `json:"t"`
				D  json.RawMessage `json:"d"`
			}
			if err := json.Unmarshal(raw, &frame); err != nil {
				t.Fatal(err)
			}
			if frame.Op != 0 || frame.T == "READY" {
				continue
			}
			var ids struct {
				ID        string `json:"id"`
				GuildID   string `json:"guild_id"`
				MessageID string `json:"message_id"`
				UserID    string `json:"user_id"`
			}
			if err := json.Unmarshal(frame.D, &ids); err != nil {
				t.Fatal(err)
			}
			id := ids.ID
			switch frame.T {
			case "GUILD_MEMBER_UPDATE":
				id = ids.GuildID
			case "MESSAGE_REACTION_ADD":
				id = ids.MessageID
			case "VOICE_STATE_UPDATE":
				id = ids.UserID
			}
			frames = append(frames, raw)
			events = append(events, captured{frame.T, string(frame.D), id})
		}
	}
	return frames, events
}

// TestRealPayloads plays what the real Discord sent: raw handlers get it byte
// for byte, typed handlers once for each event that disgo has a type for.
func TestRealPayloads(t *testing.T) {
	frames, events := readCaptured(t)
	unknown := []string{"VOICE_CHANNEL_START_TIME_UPDATE", "VOICE_CHANNEL_STATUS_UPDATE"} // to disgo v1.10.1
	var names, wantRaw, wantTyped []string
	for _, e := range events {
		names = append(names, e.name)
		wantRaw = append(wantRaw, e.name+" "+e.data)
		if !slices.Contains(unknown, e.name) {
			wantTyped = append(wantTyped, e.name+" "+e.id)
		}
	}
	slices.Sort(names)
	names = slices.Compact(names)
	t.Logf("%d frames, %d names", len(events), len(names))

	sim := discord(t, simulator.Config{World: simulator.World{Guilds: -1}})
	dir := t.TempDir()
	rawFile, typedFile := filepath.Join(dir, "raw"), filepath.Join(dir, "typed")
	h := start(t, sim, options{
		plugins: map[string]string{"raw": recorder, "typed": "./host/testdata/typed"},
		env: map[string]map[string]string{
			"raw":   {"NAME": "raw", "FILE": rawFile, "RAW": strings.Join(names, ",")},
			"typed": {"FILE": typedFile},
		},
	})
	if sent, err := sim.Play(frames); err != nil || sent != len(events) {
		t.Fatalf("played %d frames of %d: %v", sent, len(events), err)
	}
	h.await("all frames handled", func(s control.Status) bool {
		for _, p := range s.Plugins {
			if p.Queued+p.InFlight > 0 || int(p.Acked) < map[string]int{"raw": len(events), "typed": len(wantTyped)}[p.Name] {
				return false
			}
		}
		return true
	})
	compare(t, "raw", rawFile, wantRaw)
	compare(t, "typed", typedFile, wantTyped)
	if p := h.plugin("typed"); p.Errors != 0 {
		t.Errorf("%d errors in typed handlers", p.Errors)
	}
	h.stop()
}

// compare holds a plugin's lines against those wanted, in any order: guilds and
// channels are handled side by side.
func compare(t *testing.T, what, file string, want []string) {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Split(strings.TrimSuffix(string(raw), "\n"), "\n")
	slices.Sort(got)
	want = slices.Sorted(slices.Values(want))
	for i := range max(len(got), len(want)) {
		var g, w string
		if i < len(got) {
			g = got[i]
		}
		if i < len(want) {
			w = want[i]
		}
		if g != w {
			t.Fatalf("%s: %d lines, want %d; the first that differs:\n got %.300s\nwant %.300s", what, len(got), len(want), g, w)
		}
	}
}
