package state

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
)

const (
	segmentMost = 4 << 20
	// segmentParts is how many segments of equal size there could be: what cannot
	// be dropped, the active one, is a small part of the bound.
	segmentParts = 16

	segmentEnding = ".segment"
	thinnedEnding = ".thinned" // rewritten without droppable events
)

// segment is a run of events. It is written by the holder of [Journal].writing as
// long as it is active; sealed, it never changes. What is published by size and
// last may be read at any time.
type segment struct {
	first   uint64 // no event in it has a lower index
	path    string
	file    *os.File // the writer's; nil in memory and after a restart
	mem     []byte   // in memory, for good or until the disk takes it: all that it may grow to
	thinned bool

	size   atomic.Int64
	last   atomic.Uint64 // index of its last event, first-1 if it has none
	at     atomic.Int64  // Unix nanoseconds when its oldest event was appended
	light  atomic.Int64  // bytes of droppable events
	sealed atomic.Bool
	dirty  atomic.Bool // written since the last fsync
}

func segmentName(first uint64, ending string) string { return fmt.Sprintf("%020d%s", first, ending) }

// parseSegmentName is the reverse of segmentName.
func parseSegmentName(name string) (first uint64, thinned, ok bool) {
	ending := filepath.Ext(name)
	if ending != segmentEnding && ending != thinnedEnding {
		return 0, false, false
	}
	first, err := strconv.ParseUint(strings.TrimSuffix(name, ending), 10, 64)
	ok = err == nil && first > 0 && first <= maxIndex && name == segmentName(first, ending)
	return first, ending == thinnedEnding, ok
}

// ofOlderForm says whether a file is a segment of version 1, when each shard had a
// journal of its own: its number stands before the first index.
func ofOlderForm(name string) bool {
	shard, rest, _ := strings.Cut(name, "-")
	_, err := strconv.ParseUint(shard, 10, 32)
	_, _, ok := parseSegmentName(rest)
	return err == nil && ok
}

// segmentLimit is the size at which a segment is sealed.
func (j *Journal) segmentLimit() int64 { return min(segmentMost, j.opts.Bytes/segmentParts) }

// begin makes a new active segment for the events that come, with room for need
// bytes; in memory, if the disk does not take it. The caller holds writing and has
// reserved its header.
func (j *Journal) begin(need int64) {
	if j.dir == "" {
		j.beginInMemory(need)
		return
	}
	first := j.last.Load() + 1
	seg := &segment{first: first, path: filepath.Join(j.dir, segmentName(first, segmentEnding))}
	if err := seg.create(appendHeader(nil, first)); err != nil {
		j.fallBack(err)
		j.beginInMemory(need)
		return
	}
	j.activate(seg)
}

func (j *Journal) beginInMemory(need int64) {
	seg := &segment{first: j.last.Load() + 1, mem: make([]byte, max(j.segmentLimit(), segmentHeader+need))}
	copy(seg.mem, appendHeader(nil, seg.first))
	j.activate(seg)
}

func (j *Journal) activate(seg *segment) {
	seg.size.Store(segmentHeader)
	seg.last.Store(seg.first - 1)
	seg.dirty.Store(true)
	j.active = seg
	j.mu.Lock()
	j.segs = append(j.segs, seg)
	kept := j.segs[0].first
	j.mu.Unlock()
	j.names.keep(kept)
}

// create makes the file. One of its name is left by a failed attempt and has no events.
func (seg *segment) create(header []byte) (err error) {
	f, err := os.OpenFile(seg.path, os.O_RDWR|os.O_CREATE|os.O_TRUNC|syscall.O_NOFOLLOW, fileMode)
	if err != nil {
		return err
	}
	if _, err := f.WriteAt(header, 0); err != nil {
		_ = f.Close()
		_ = os.Remove(seg.path)
		return err
	}
	seg.file = f
	return nil
}

// write puts b behind what the segment has, without publishing it. If it cannot,
// the segment is as before; if even that fails, it is broken.
func (seg *segment) write(b []byte) (broken bool, err error) {
	size := seg.size.Load()
	if seg.mem != nil {
		copy(seg.mem[size:], b)
		return false, nil
	}
	if _, err := seg.file.WriteAt(b, size); err != nil {
		return seg.file.Truncate(size) != nil, err
	}
	return false, nil
}

// restart begins a segment without events, whose name says where the indices go
// on. The caller holds writing.
func (j *Journal) restart() {
	j.total.Add(segmentHeader)
	j.begin(0)
}

// abandon gives up the active segment, which has bytes behind its end that could
// not be taken back. The caller holds writing.
func (j *Journal) abandon() {
	seg := j.active
	if !seg.empty() {
		j.seal()
		return
	}
	j.active = nil
	j.mu.Lock()
	j.segs = j.segs[:len(j.segs)-1] // the next one has its name
	j.mu.Unlock()
	_ = seg.file.Close()
	j.total.Add(-seg.size.Load())
}

func (seg *segment) empty() bool { return seg.size.Load() <= segmentHeader }

// seal ends the active segment. The caller holds writing.
func (j *Journal) seal() {
	seg := j.active
	j.active = nil
	j.mu.Lock()
	defer j.mu.Unlock()
	seg.sealed.Store(true)
	if seg.file == nil {
		return
	}
	if len(j.unsaved) < unsavedMost {
		j.unsaved = append(j.unsaved, seg)
		return
	}
	_ = seg.file.Close() // the disk is too slow to fsync all; the kernel writes it in its time
}
