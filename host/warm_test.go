package host

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"
)

// diskOfActive keeps ids as the state folder does.
type diskOfActive struct {
	sync.Mutex // the test looks while the goroutine saves
	saved      []uint64
	saves      int
	full       bool
}

var errFull = errors.New("no space left on device")

func (d *diskOfActive) ActiveGuilds() ([]uint64, error) {
	d.Lock()
	defer d.Unlock()
	if d.full {
		return nil, errFull
	}
	return d.saved, nil
}

func (d *diskOfActive) SaveActiveGuilds(guilds []uint64) error {
	d.Lock()
	defer d.Unlock()
	d.saves++
	if d.full {
		return errFull
	}
	d.saved = slices.Sorted(slices.Values(guilds))
	return nil
}

func (d *diskOfActive) ForgetActiveGuilds() error {
	d.Lock()
	defer d.Unlock()
	d.saved = nil
	return nil
}

// notes is a log that is read while it is written.
type notes struct {
	mu   sync.Mutex
	text strings.Builder
}

func (n *notes) Write(b []byte) (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.text.Write(b)
}

func (n *notes) String() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.text.String()
}

// fill has the disk be full, or not any more.
func (d *diskOfActive) fill(full bool) {
	d.Lock()
	defer d.Unlock()
	d.full = full
}

func TestWarmRemembersActiveGuilds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := &diskOfActive{saved: []uint64{1, 2, 3}}
		log := new(notes)
		var keptNow sync.Mutex
		kept := []uint64{7}
		open := func(mode string) *warm {
			w := newWarm(Settings{Warm: mode, CacheIdle: time.Hour}, disk, hclog.New(&hclog.LoggerOptions{Output: log}))
			w.begin(func() []uint64 {
				keptNow.Lock()
				defer keptNow.Unlock()
				return slices.Clone(kept)
			})
			return w
		}
		holds := func(what string, want ...uint64) {
			t.Helper()
			disk.Lock()
			defer disk.Unlock()
			if !slices.Equal(disk.saved, want) {
				t.Errorf("%s: kept %v, want %v", what, disk.saved, want)
			}
		}
		w := open("active")
		if !w.wants(1) || w.wants(1) || w.wants(9) {
			t.Error("the one that was active is wanted once, others are not")
		}
		time.Sleep(saveActive + time.Second)
		holds("what is in the cache and what may still come", 2, 3, 7)
		disk.fill(true)
		time.Sleep(10 * saveActive)
		if n := strings.Count(log.String(), "no space left"); n != 1 {
			t.Errorf("told %d times: %s", n, log.String())
		}
		disk.fill(false)
		time.Sleep(time.Hour)
		holds("what has not come within the idle time", 7)
		if w.wants(2) {
			t.Error("a guild that is idle by now is wanted")
		}
		keptNow.Lock()
		kept = []uint64{8, 9}
		keptNow.Unlock()
		w.close()
		holds("at the stop", 8, 9)
		time.Sleep(time.Hour)
		if n := disk.saves; n < 60 || n > 80 {
			t.Errorf("saved %d times in an hour", n)
		}

		w = open("active")
		if !w.wants(8) || !w.wants(9) {
			t.Error("the next host does not know them")
		}
		w.close()
		w = open("all")
		for range 2 {
			if !w.wants(1) {
				t.Error("all are wanted")
			}
		}
		w.close()
		holds("what an earlier host has left would be old") // nothing
		disk.saved = []uint64{1}
		w = open("none")
		if w.wants(1) {
			t.Error("none is wanted")
		}
		w.close()
		holds("nothing")
		disk.fill(true)
		w = open("active")
		if w.wants(1) || !strings.Contains(log.String(), "not known which guilds were active") {
			t.Errorf("a folder that cannot be read: %s", log.String())
		}
		w.close()
	})
}
