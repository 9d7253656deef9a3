package host

import (
	"context"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
)

// saveActive is how often it is written down which guilds are in the cache.
const saveActive = time.Minute

// keptActive is where the ids of active guilds outlive the host.
type keptActive interface {
	ActiveGuilds() ([]uint64, error)
	SaveActiveGuilds(guilds []uint64) error
	ForgetActiveGuilds() error
}

// warm says which guilds the cache keeps of those that Discord sends when a
// session begins (setting warm), and remembers for the next start which are in
// the cache. Its goroutine writes them down; close ends it and writes the last.
type warm struct {
	kept  keptActive // nil unless the setting is active
	all   bool
	since time.Time
	idle  time.Duration
	log   hclog.Logger
	told  bool // that the disk does not take them; the goroutine's, then close's

	mu     sync.Mutex
	before map[uint64]struct{} // were active when the host last stopped, and have not come yet

	guilds func() []uint64 // in the cache
	end    context.CancelFunc
	ended  chan struct{}
}

// newWarm reads what an earlier host has left. A folder that cannot be read
// leaves the cache cold and is told.
func newWarm(s Settings, kept keptActive, log hclog.Logger) *warm {
	w := &warm{all: s.Warm == "all", since: time.Now(), idle: s.CacheIdle, log: log, before: make(map[uint64]struct{})}
	if s.Warm != "active" {
		if err := kept.ForgetActiveGuilds(); err != nil {
			log.Warn("what an earlier host has left of active guilds is not removed", "error", err)
		}
		return w
	}
	w.kept = kept
	list, err := kept.ActiveGuilds()
	if err != nil {
		log.Warn("it is not known which guilds were active: they are loaded when somebody wants them", "error", err)
	}
	for _, id := range list {
		w.before[id] = struct{}{}
	}
	return w
}

// wants says whether a guild that Discord sends when a session begins is to be
// kept. Each that was active is so once: what is idle since is not warmed again.
func (w *warm) wants(guild uint64) bool {
	if w.all {
		return true
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	_, was := w.before[guild]
	delete(w.before, guild)
	return was
}

// begin writes down from time to time which guilds are in the cache.
func (w *warm) begin(guilds func() []uint64) {
	if w.kept == nil {
		return
	}
	var ctx context.Context
	ctx, w.end = context.WithCancel(context.Background())
	w.guilds, w.ended = guilds, make(chan struct{})
	go func() { // close waits for it
		defer close(w.ended)
		tick := time.NewTicker(saveActive)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				w.save()
			case <-ctx.Done():
				return
			}
		}
	}()
}

// close writes down what is in the cache, which must not be closed yet.
func (w *warm) close() {
	if w.ended == nil {
		return
	}
	w.end()
	<-w.ended
	w.save()
}

// save writes down what is in the cache, and what may still come: a host that
// ends while its sessions begin would else forget it.
func (w *warm) save() {
	err := w.kept.SaveActiveGuilds(append(w.guilds(), w.rest()...))
	if err != nil && !w.told {
		w.log.Warn("active guilds are not kept: the next start is cold", "error", err)
	}
	w.told = err != nil
}

// rest are the guilds of before that have not come yet; after the idle time they
// are not active any more.
func (w *warm) rest() (all []uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if time.Since(w.since) >= w.idle {
		clear(w.before)
	}
	for id := range w.before {
		all = append(all, id)
	}
	return all
}
