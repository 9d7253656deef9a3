package state

import (
	"errors"
	"math/bits"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// acksAbove counts what is acknowledged above the low-water mark, in the whole
// window.
func acksAbove(c *Cursor) (n int) {
	low := c.Low()
	c.mark.each(low+1, low+CursorWindow, func(w *atomic.Uint64, mask uint64) { n += bits.OnesCount64(w.Load() & mask) })
	return n
}

// TestCursorAgreesWithASet compares the cursor with what it stands for, over
// reopenings, around the ring's end.
func TestCursorAgreesWithASet(t *testing.T) {
	rnd := random(t)
	s := open(t, filepath.Join(t.TempDir(), "state"))
	acked, low := map[uint64]bool{}, uint64(ringBits-3000)
	for round := range 6 {
		c, err := s.OpenCursor("ping")
		if err != nil {
			t.Fatal(err)
		}
		if _, _, known := c.Position(); known != (round > 0) {
			t.Fatalf("round %d: known is %v", round, known)
		}
		if err := c.SkipTo(low); err != nil {
			t.Fatal(err)
		}
		for range 3000 {
			first := low + 1 + uint64(rnd.IntN(300))
			last := first
			switch rnd.IntN(30) {
			case 0:
				last += uint64(rnd.IntN(200))
			case 1:
				first = low + 1
				last = first + uint64(rnd.IntN(200))
			case 2, 3, 4, 5, 6, 7, 8, 9, 10:
				first, last = low+1, low+1
			}
			if err := c.AckRange(first, last); err != nil {
				t.Fatal(err)
			}
			for i := first; i <= last; i++ {
				acked[i] = true
			}
			for acked[low+1] {
				low++
			}
			if c.Low() != low {
				t.Fatalf("low is %d, want %d", c.Low(), low)
			}
			if i := low + uint64(rnd.IntN(600)); c.Acked(i) != (i <= low || acked[i]) {
				t.Fatalf("event %d, low %d: acknowledged is %v", i, low, c.Acked(i))
			}
		}
		above := 0
		for i := low + 1; i <= low+1000; i++ {
			if c.Acked(i) != acked[i] {
				t.Fatalf("event %d, low %d: acknowledged is %v", i, low, c.Acked(i))
			}
			if acked[i] {
				above++
			}
		}
		if got := acksAbove(c); got != above {
			t.Fatalf("%d events above %d are acknowledged, want %d", got, low, above)
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		if c.Low() != 0 || c.Ack(low+1) == nil {
			t.Error("a closed cursor answers")
		}
	}
}

func TestAStaleBitBehindTheMarkIsSwept(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "state"))
	c, err := s.OpenCursor("ping")
	if err != nil {
		t.Fatal(err)
	}
	_ = c.SkipTo(1000)
	c.mark.ring[900/64].Store(^uint64(0)) // as a kill between mark and bits leaves it
	c.Close()
	c, err = s.OpenCursor("ping")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SkipTo(ringBits - 10)
	for i := uint64(ringBits - 9); i < ringBits+2000; i++ {
		if c.Acked(i) {
			t.Fatalf("event %d is acknowledged", i)
		}
	}
}

func TestCursorWindow(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "state"))
	c, err := s.OpenCursor("ping")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SkipTo(10); err != nil {
		t.Fatal(err)
	}
	if err := c.Ack(10 + CursorWindow); err != nil {
		t.Error(err)
	}
	if err := c.Ack(11 + CursorWindow); !errors.Is(err, ErrWindow) {
		t.Errorf("beyond the window: %v", err)
	}
	if err := c.AckRange(12, 12+CursorWindow); !errors.Is(err, ErrWindow) || c.Acked(12) {
		t.Errorf("beyond the window: %v, acknowledged %v", err, c.Acked(12))
	}
	if err := c.AckRange(11, 10*ringBits); err != nil || c.Low() != 10*ringBits {
		t.Errorf("from the mark on: %v, low %d", err, c.Low())
	}
	if err := c.SkipTo(5); err != nil || c.Low() != 10*ringBits {
		t.Errorf("backwards: %v, low %d", err, c.Low())
	}
}

func TestCursorFromManyGoroutines(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "state"))
	c, err := s.OpenCursor("ping")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var wait sync.WaitGroup
	for g := range uint64(8) {
		wait.Go(func() {
			for i := range uint64(2000) {
				if err := c.Ack(1 + g + 8*i); err != nil {
					t.Error(err)
				}
				c.Acked(i)
				c.Low()
			}
		})
	}
	wait.Wait()
	if low := c.Low(); low != 8*2000 {
		t.Errorf("low is %d, want %d", low, 8*2000)
	}
}

func TestCursorsAreListedAndRemoved(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "state"))
	names := []string{"a b/../c", "ping", "ä"}
	for _, name := range names {
		c, err := s.OpenCursor(name)
		if err != nil {
			t.Fatal(err)
		}
		_ = c.SkipTo(4)
		c.Close()
	}
	if got, err := s.Cursors(); err != nil || !slices.Equal(slices.Sorted(slices.Values(got)), names) {
		t.Errorf("got %q, %v", got, err)
	}
	for _, name := range []string{"ping", "ping"} {
		if err := s.RemoveCursor(name); err != nil {
			t.Error(err)
		}
	}
	if got, _ := s.Cursors(); len(got) != 2 {
		t.Errorf("got %q", got)
	}
	for _, name := range []string{"", ".", "..", strings.Repeat("n", 201)} {
		if c, err := s.OpenCursor(name); err == nil {
			c.Close()
			t.Errorf("%q is taken", name)
		}
	}
}

func TestADamagedCursorIsSetAside(t *testing.T) {
	for name, damage := range map[string]func(raw []byte) []byte{
		"cut":         func(raw []byte) []byte { return raw[:100] },
		"other magic": func(raw []byte) []byte { raw[0]++; return raw },
		"older form":  func(raw []byte) []byte { raw[8]--; return raw },
		"low":         func(raw []byte) []byte { raw[wordLow*8+7] = 0xff; return raw },
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "state")
			s, log := openLogged(t, dir)
			c, err := s.OpenCursor("ping")
			if err != nil {
				t.Fatal(err)
			}
			_ = c.SkipTo(4)
			c.Close()
			path := filepath.Join(dir, cursorFolder, "ping")
			raw, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, damage(raw), 0o600); err != nil {
				t.Fatal(err)
			}
			c, err = s.OpenCursor("ping")
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if low, _, known := c.Position(); known || low != 0 || strings.Count(log.String(), "\n") != 1 {
				t.Errorf("known %v, low %d, log %s", known, low, log)
			}
			if names, err := s.Cursors(); err != nil || !slices.Equal(names, []string{"ping"}) {
				t.Errorf("cursors of %q, %v", names, err)
			}
		})
	}
}

// TestLandedTakesBackWhatWasSent: down to an index, and over a restart.
func TestLandedTakesBackWhatWasSent(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "state"))
	c, err := s.OpenCursor("ping")
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		do    func(uint64) error
		index uint64
		sent  uint64
	}{{c.SetSent, 80, 80}, {c.SetSent, 70, 80}, {c.Landed, 90, 80}, {c.Landed, 60, 60}, {c.SetSent, 61, 61}} {
		if err := step.do(step.index); err != nil || c.Sent() != step.sent {
			t.Errorf("sent up to %d after %d, %v, want %d", c.Sent(), step.index, err, step.sent)
		}
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if c, err = s.OpenCursor("ping"); err != nil || c.Sent() != 61 {
		t.Errorf("sent up to %d, %v", c.Sent(), err)
	}
	c.Close()
}
