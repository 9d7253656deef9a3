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
	segmentMost  = 4 << 20
	segmentLeast = 32 << 10
	// segmentParts is how many segments of equal size each shard could have: what
	// cannot be dropped, the active ones, is a small part of the bound.
	segmentParts = 16

	segmentEnding = ".segment"
	thinnedEnding = ".thinned" // rewritten without droppable events
)

// segment is a run of one shard's events. It is written by the holder of its
// tape's mu as long as it is active; sealed, it never changes. What is published
// by size and last may be read at any time.
type segment struct {
	shard   uint32
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

func segmentName(shard uint32, first uint64, ending string) string {
	return fmt.Sprintf("%010d-%020d%s", shard, first, ending)
}

// parseSegmentName is the reverse of segmentName.
func parseSegmentName(name string) (shard uint32, first uint64, thinned, ok bool) {
	stem, ending := strings.TrimSuffix(name, filepath.Ext(name)), filepath.Ext(name)
	left, right, cut := strings.Cut(stem, "-")
	if !cut || ending != segmentEnding && ending != thinnedEnding {
		return 0, 0, false, false
	}
	s, err1 := strconv.ParseUint(left, 10, 32)
	first, err2 := strconv.ParseUint(right, 10, 64)
	ok = err1 == nil && err2 == nil && first > 0 && first <= maxIndex && name == segmentName(uint32(s), first, ending)
	return uint32(s), first, ending == thinnedEnding, ok
}

// segmentLimit is the size at which a segment is sealed.
func (j *Journal) segmentLimit() int64 {
	shards := int64(max(1, len(*j.tapes.Load())))
	return min(segmentMost, max(segmentLeast, j.opts.Bytes/segmentParts/shards))
}

// begin makes a new active segment for events from first on, with room for need
// bytes; in memory, if the disk does not take it. The caller holds t.mu and has
// reserved its header.
func (j *Journal) begin(t *tape, first uint64, need int64) {
	if j.dir == "" {
		j.beginInMemory(t, first, need)
		return
	}
	seg := &segment{shard: t.shard, first: first, path: filepath.Join(j.dir, segmentName(t.shard, first, segmentEnding))}
	if err := seg.create(appendHeader(nil, t.shard, first)); err != nil {
		j.fallBack(err)
		j.beginInMemory(t, first, need)
		return
	}
	j.activate(t, seg)
}

func (j *Journal) beginInMemory(t *tape, first uint64, need int64) {
	seg := &segment{shard: t.shard, first: first, mem: make([]byte, max(j.segmentLimit(), segmentHeader+need))}
	copy(seg.mem, appendHeader(nil, t.shard, first))
	j.activate(t, seg)
}

func (j *Journal) activate(t *tape, seg *segment) {
	seg.size.Store(segmentHeader)
	seg.last.Store(seg.first - 1)
	seg.dirty.Store(true)
	t.active = seg
	j.mu.Lock()
	t.segs = append(t.segs, seg)
	kept := t.segs[0].first
	j.mu.Unlock()
	t.names.keep(kept)
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
// on. The caller holds t.mu.
func (j *Journal) restart(t *tape) {
	j.total.Add(segmentHeader)
	j.begin(t, t.last.Load()+1, 0)
}

// abandon gives up the active segment, which has bytes behind its end that could
// not be taken back. The caller holds t.mu.
func (j *Journal) abandon(t *tape) {
	seg := t.active
	if !seg.empty() {
		j.seal(t)
		return
	}
	t.active = nil
	j.mu.Lock()
	t.segs = t.segs[:len(t.segs)-1] // the next one has its name
	j.mu.Unlock()
	_ = seg.file.Close()
	j.total.Add(-seg.size.Load())
}

func (seg *segment) empty() bool { return seg.size.Load() <= segmentHeader }

// seal ends the active segment of t. The caller holds t.mu.
func (j *Journal) seal(t *tape) {
	seg := t.active
	t.active = nil
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
