package state

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"
)

func TestActiveGuilds(t *testing.T) {
	dir := t.TempDir()
	open := func() *State {
		t.Helper()
		s, err := Open(dir, nil)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := open()
	holds := func(what string, want []uint64) {
		t.Helper()
		if got, err := s.ActiveGuilds(); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %v, %v, want %v", what, got, err, want)
		}
	}
	holds("nothing saved", nil)
	for _, list := range [][]uint64{{81384788765712384, 1, 1<<64 - 1}, {7}, nil} {
		if err := s.SaveActiveGuilds(list); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = open()
		holds("saved", list)
	}
	defer s.Close()
	raw, err := os.ReadFile(filepath.Join(dir, activeFile))
	if err != nil || len(raw) > 32 {
		t.Errorf("a file without guilds has %d bytes: %v", len(raw), err)
	}
	if err := s.ForgetActiveGuilds(); err != nil {
		t.Error(err)
	}
	holds("forgotten", nil)
	if err := s.ForgetActiveGuilds(); err != nil {
		t.Error("twice:", err)
	}
}

// TestDamagedActiveGuilds: whatever byte is lost or changed, nothing wrong is
// read, and the file is kept for who wants to look.
func TestDamagedActiveGuilds(t *testing.T) {
	dir := t.TempDir()
	var log bytes.Buffer
	s, err := Open(dir, hclog.New(&hclog.LoggerOptions{Output: &log}))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	file := filepath.Join(dir, activeFile)
	if err := s.SaveActiveGuilds([]uint64{81384788765712384, 5}); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	for at := range whole {
		for _, raw := range [][]byte{whole[:at], flipped(whole, at, 1<<r.IntN(8)), append(bytes.Clone(whole[:at]), 'x')} {
			if bytes.Equal(raw, whole) {
				continue
			}
			log.Reset()
			if err := os.WriteFile(file, raw, 0o600); err != nil {
				t.Fatal(err)
			}
			got, err := s.ActiveGuilds()
			if err != nil || got != nil {
				t.Fatalf("%q: %v, %v", raw, got, err)
			}
			if _, err := os.Stat(file); !os.IsNotExist(err) || !strings.Contains(log.String(), "set aside") {
				t.Fatalf("%q is not set aside: %s", raw, log.String())
			}
		}
	}
}

func flipped(raw []byte, at int, bit byte) []byte {
	out := bytes.Clone(raw)
	out[at] ^= bit
	return out
}
