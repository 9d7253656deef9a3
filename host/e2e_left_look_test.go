package host_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/holdfast-bot/holdfast/host/control"
)

// taken is what a host takes of its machine while nothing happens. The gate keeps
// connections to Discord open for a while, as many as were needed at once: each is
// a descriptor and two goroutines, which are not counted here.
type taken struct {
	goroutines, files int
	memory            int64
	plugin            int // descriptors of a plugin that is never reloaded
}

func (n taken) String() string {
	return fmt.Sprintf("%d goroutines, %d descriptors, %d KiB, a plugin's descriptors %d", n.goroutines, n.files, n.memory>>10, n.plugin)
}

// look counts once, when no connection comes or goes meanwhile.
func (l *leftHouse) look() (n taken) {
	l.t.Helper()
	eventually(l.t, "the host's connections stand still", func() bool {
		before := l.connections()
		s, ok := l.h.status()
		if !ok || l.connections() != before {
			return false
		}
		n = taken{goroutines: s.Process.Goroutines - 2*before, files: s.Process.OpenFiles - before, memory: s.Process.MemoryBytes}
		return true
	})
	if n.files > 0 { // there is a /proc
		open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", l.h.plugin("farewell").PID))
		if err != nil {
			l.t.Fatal(err)
		}
		n.plugin = len(open)
	}
	return n
}

// connections counts those that go to the simulator.
func (l *leftHouse) connections() (n int) {
	l.t.Helper()
	where, err := url.Parse(l.sim.URL())
	if err != nil {
		l.t.Fatal(err)
	}
	port, err := strconv.ParseUint(where.Port(), 10, 16)
	if err != nil {
		l.t.Fatal(err)
	}
	raw, err := os.ReadFile("/proc/net/tcp")
	if err != nil {
		return 0 // not Linux
	}
	for line := range strings.Lines(string(raw)) {
		// number, local address, remote address, state, queues, timer, retransmits, uid, timeout, inode
		fields := strings.Fields(line)
		if len(fields) > 9 && strings.HasSuffix(fields[2], fmt.Sprintf(":%04X", port)) && fields[9] != "0" {
			n++
		}
	}
	return n
}

// settled counts when the numbers fall no more: what ends in its own time, such
// as pipes of ended processes, has ended.
func (l *leftHouse) settled() taken {
	l.t.Helper()
	l.tidy()
	const still = time.Second
	least, since := l.look(), time.Now()
	eventually(l.t, "the numbers stand still", func() bool {
		n := l.look()
		if n.goroutines < least.goroutines || n.files < least.files || n.plugin < least.plugin {
			least = taken{min(n.goroutines, least.goroutines), min(n.files, least.files), n.memory, min(n.plugin, least.plugin)}
			since = time.Now()
		}
		return time.Since(since) > still
	})
	l.t.Logf("after the first round: %v", least)
	return least
}

// noMoreThan waits until the host takes no more than it did.
func (l *leftHouse) noMoreThan(base taken) {
	l.t.Helper()
	const room = 96 << 20 // Go gives memory back in its own time
	var n taken
	defer func() { l.t.Logf("now %v", n) }()
	eventually(l.t, fmt.Sprintf("no more than %v", base), func() bool {
		n = l.look()
		return n.goroutines <= base.goroutines && n.files <= base.files && n.plugin <= base.plugin
	})
	if grown := n.memory - base.memory; grown > room {
		l.t.Errorf("the host's memory grew by %d KiB", grown>>10)
	}
}

// tidy waits until the host is quiet, and looks at what is there beside it.
func (l *leftHouse) tidy() {
	l.t.Helper()
	l.h.await("all is handled", func(s control.Status) bool {
		for _, p := range s.Plugins {
			if p.State != "running" || p.Queued+p.InFlight > 0 || p.Behind > 0 {
				return false
			}
		}
		return s.REST.Queued == 0
	})
	plugins := l.plugins()
	pids := l.h.pids()
	if len(pids) != len(plugins) {
		l.t.Errorf("processes %v for plugins %v", pids, plugins)
	}
	eventually(l.t, "no processes but the plugins' and the guardian's", func() bool {
		return len(children(l.t, l.h.cmd.Process.Pid)) == len(pids)+1
	})
	// Each plugin listens on a socket, and the host on one for each; one is the
	// operator's.
	if sockets := filesIn(l, filepath.Dir(l.h.socket())); len(sockets) != 1+2*len(plugins) {
		l.t.Errorf("sockets %v for plugins %v", sockets, plugins)
	}
	if staged, want := names(l, filepath.Join(l.h.state, "staged")), slices.Sorted(maps.Keys(l.hashes())); !slices.Equal(staged, want) {
		l.t.Errorf("staged %v, in the folder are %v", staged, want)
	}
	if cursors := names(l, filepath.Join(l.h.state, "cursors")); !slices.Equal(cursors, plugins) {
		l.t.Errorf("cursors %v, plugins %v", cursors, plugins)
	}
	if saved := names(l, filepath.Join(l.h.state, "saved")); len(saved) != 0 {
		l.t.Errorf("saved although it was restored: %v", saved)
	}
	l.journalFits()
}

// emptied waits until the guilds, which nobody asks for any more, have left the cache.
func (l *leftHouse) emptied() {
	l.t.Helper()
	l.h.await("the guild cache is empty", func(s control.Status) bool { return s.Cache.Guilds == 0 && s.Cache.Bytes == 0 })
}

// stop ends the host in order, and looks at what it has left.
func (l *leftHouse) stop() {
	l.t.Helper()
	processes := append(children(l.t, l.h.cmd.Process.Pid), l.h.pids()...)
	l.h.stop()
	for _, pid := range processes {
		if alive(pid) {
			l.t.Errorf("process %d is left", pid)
		}
	}
	l.journalFits()
	kept := []string{"bot.json", "commands.json", "guilds/0", "guilds/1", "identify.json", "interactions", "ledger", "lock", "saved/counter.state", "sessions.json", "sessions.seq"}
	for _, name := range l.plugins() {
		kept = append(kept, "cursors/"+name, "declared/"+name+".manifest")
	}
	for hash := range l.hashes() {
		kept = append(kept, "staged/"+hash)
	}
	slices.Sort(kept)
	if found := slices.DeleteFunc(filesIn(l, l.h.state), func(name string) bool { return filepath.Dir(name) == "journal" }); !slices.Equal(found, kept) {
		l.t.Errorf("in the state folder are %v\nexpected are %v", found, kept)
	}
	if found := filesIn(l, l.temp); len(found) != 0 {
		l.t.Errorf("temporary files left: %v", found)
	}
	if found := names(l, l.h.state); slices.Contains(found, "run") {
		l.t.Error("the folder of sockets is left")
	}
}

func (l *leftHouse) journalFits() {
	l.t.Helper()
	var bytes int64
	err := filepath.WalkDir(filepath.Join(l.h.state, "journal"), func(_ string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		info, err := e.Info()
		if err == nil {
			bytes += info.Size()
		}
		return err
	})
	if err != nil {
		l.t.Fatal(err)
	}
	if bytes > leftBound {
		l.t.Errorf("the journal has %d bytes, its bound is %d", bytes, leftBound)
	}
}

// plugins are the files in the plugins folder, sorted.
func (l *leftHouse) plugins() []string { return names(l, l.h.plugins) }

// hashes are the hashes of these files.
func (l *leftHouse) hashes() map[string]bool {
	l.t.Helper()
	out := make(map[string]bool)
	for _, name := range l.plugins() {
		sum := sha256.Sum256(mustRead(l.t, filepath.Join(l.h.plugins, name)))
		out[hex.EncodeToString(sum[:])] = true
	}
	return out
}

func names(l *leftHouse, dir string) (out []string) {
	l.t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		l.t.Fatal(err)
	}
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

// filesIn are all files, sockets and the like in dir, sorted, relative to it.
func filesIn(l *leftHouse, dir string) (out []string) {
	l.t.Helper()
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		out = append(out, name)
		return err
	})
	if err != nil {
		l.t.Fatal(err)
	}
	slices.Sort(out)
	return out
}
