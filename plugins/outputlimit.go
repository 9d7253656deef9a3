package plugins

import (
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
)

const (
	// maxOutputRate is how many lines a second of a plugin go to the host's log, and
	// maxOutputBurst how many at once after a quiet time: a loop that prints must not
	// fill the host's disk. A long line counts as one for each outputUnit bytes begun.
	maxOutputRate  = 100
	maxOutputBurst = 5000
	outputUnit     = 1 << 10
	// outputReport is how often the log says how many lines were left out.
	outputReport = 10 * time.Second
)

// outputLimit bounds what a plugin prints, over all its instances. Its methods are
// for any goroutine.
type outputLimit struct {
	log hclog.Logger
	now func() time.Time

	mu       sync.Mutex
	room     float64 // lines
	filled   time.Time
	dropped  uint64 // lines, over all
	reported uint64 // of these, told in the log
	telling  bool   // a timer is to tell of the rest
}

func newOutputLimit(now func() time.Time, log hclog.Logger) *outputLimit {
	return &outputLimit{log: log, now: now, room: maxOutputBurst, filled: now()}
}

// take says whether a line of so many bytes may be logged.
func (l *outputLimit) take(bytes int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	l.room = min(l.room+now.Sub(l.filled).Seconds()*maxOutputRate, maxOutputBurst)
	l.filled = now
	cost := float64(1 + bytes/outputUnit)
	if l.room >= cost {
		l.room -= cost
		return true
	}
	l.dropped++
	if !l.telling {
		l.telling = true
		l.log.Warn("the plugin prints too much: lines are left out of this log", "most_per_second", maxOutputRate)
		time.AfterFunc(outputReport, l.tell) // it ends by itself when nothing more is left out
	}
	return false
}

// tell says how many lines were left out since it last did.
func (l *outputLimit) tell() {
	l.mu.Lock()
	defer l.mu.Unlock()
	lines := l.dropped - l.reported
	if l.reported = l.dropped; lines == 0 {
		l.telling = false
		return
	}
	l.log.Warn("lines of the plugin were left out of this log", "lines", lines, "over_all", l.dropped)
	time.AfterFunc(outputReport, l.tell)
}

// refill lets a plugin that dies say why.
func (l *outputLimit) refill() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.room = maxOutputBurst
}

func (l *outputLimit) lines() (dropped uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.dropped
}
