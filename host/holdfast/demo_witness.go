package main

import (
	"bytes"
	"os"
	"strconv"
	"strings"
)

// witness reads what the record plugin writes, and judges it. It knows nothing
// of what the host says of itself.
type witness struct {
	path   string
	offset int64 // of what has not been read yet
	times  map[uint64]int
	last   map[uint64]uint64 // the newest message of each guild
	// again counts what was marked as delivered again; repeated counts those of
	// them that had been handled before.
	again, repeated int
	twice           int // handled before, and not marked
	disorder        int
}

func newWitness(path string) *witness {
	return &witness{path: path, times: make(map[uint64]int), last: make(map[uint64]uint64)}
}

// recorded is one line of the record plugin.
type recorded struct {
	guild, message uint64
	again          bool
}

// read takes in what has been written since it read last. A line that is not
// whole yet waits.
func (w *witness) read() {
	file, err := os.Open(w.path)
	if err != nil {
		return // nothing was handled yet, which the totals would tell
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil || info.Size() <= w.offset {
		return
	}
	fresh := make([]byte, info.Size()-w.offset)
	n, _ := file.ReadAt(fresh, w.offset) // what it did not read comes next time
	fresh = fresh[:bytes.LastIndexByte(fresh[:n], '\n')+1]
	w.offset += int64(len(fresh))
	for line := range strings.Lines(string(fresh)) {
		if r, ok := parseRecorded(line); ok {
			w.judge(r)
		}
	}
}

func parseRecorded(line string) (r recorded, ok bool) {
	fields := strings.Fields(line)
	if len(fields) != 3 {
		return r, false
	}
	var bad, worse error
	r.guild, bad = strconv.ParseUint(fields[0], 10, 64)
	r.message, worse = strconv.ParseUint(fields[1], 10, 64)
	r.again = fields[2] == "again"
	return r, bad == nil && worse == nil
}

func (w *witness) judge(r recorded) {
	w.times[r.message]++
	before := w.times[r.message] > 1
	switch {
	case r.again:
		w.again++
		if before {
			w.repeated++
		}
	case before:
		w.twice++
	case r.message < w.last[r.guild]:
		w.disorder++
	}
	w.last[r.guild] = max(w.last[r.guild], r.message)
}

// missing counts those of the messages that are not recorded yet.
func (w *witness) missing(said map[uint64][]uint64) (n int) {
	for _, messages := range said {
		for _, id := range messages {
			if w.times[id] == 0 {
				n++
			}
		}
	}
	return n
}
