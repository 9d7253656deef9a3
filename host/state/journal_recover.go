package state

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// recover reads what the last host has left, before anybody else uses j.
func (j *Journal) recover(s *State) error {
	path := s.path(journalFolder)
	if j.opts.Memory {
		// Whoever wants no content on disk wants none of yesterday's either.
		if _, err := os.Lstat(path); err == nil {
			j.log.Info("journal is in memory, the one on disk is removed", "folder", path)
		}
		if err := os.RemoveAll(path); err != nil {
			return fmt.Errorf("remove %s: %w: remove it", path, reason(err))
		}
	} else {
		dir, err := s.folder(journalFolder)
		if err != nil {
			return err
		}
		j.dir = dir
		if err := j.load(); err != nil {
			return err
		}
	}
	if err := j.passCursors(s); err != nil {
		return err
	}
	j.expire(time.Now())
	for j.total.Load() > j.opts.Bytes && j.drop(1<<63-1) {
	}
	if len(j.segs) == 0 && j.dir != "" {
		j.restart()
	}
	return nil
}

// load finds the segments on disk.
func (j *Journal) load() error {
	entries, err := os.ReadDir(j.dir)
	if err != nil {
		return fmt.Errorf("read %s: %w: make it readable for this user", j.dir, reason(err))
	}
	var found []*segment
	older := 0
	for _, e := range entries {
		path := filepath.Join(j.dir, e.Name())
		leftOver := strings.Contains(e.Name(), temporaryMark)
		if leftOver || ofOlderForm(e.Name()) {
			if err := os.Remove(path); err != nil {
				return fmt.Errorf("remove left-over %s: %w: remove it", path, reason(err))
			}
			if !leftOver {
				older++
			}
			continue
		}
		if first, thinned, ok := parseSegmentName(e.Name()); ok && e.Type().IsRegular() {
			found = append(found, &segment{first: first, path: path, thinned: thinned})
		}
	}
	if older > 0 {
		j.log.Warn("journal of an older holdfast is removed, the events that plugins had not handled are lost", "folder", j.dir, "segments", older)
	}
	slices.SortFunc(found, func(a, b *segment) int {
		if a.thinned == b.thinned || a.first != b.first {
			return cmp.Compare(a.first, b.first)
		}
		return cmp.Compare(strconv.FormatBool(b.thinned), strconv.FormatBool(a.thinned))
	})
	return j.loadSegments(found)
}

// loadSegments reads what was found, sorted by first index.
func (j *Journal) loadSegments(found []*segment) error {
	if len(found) > 0 {
		j.names.reset(found[0].first)
	}
	for i, seg := range found {
		if i > 0 && seg.first == found[i-1].first {
			j.discard(seg) // a kill came between rewriting and removing it
			continue
		}
		below := uint64(maxIndex)
		for _, later := range found[i+1:] {
			if later.first > seg.first {
				below = later.first
				break
			}
		}
		if err := j.loadSegment(seg, below); err != nil {
			return err
		}
		j.last.Store(max(j.last.Load(), seg.first-1, seg.last.Load()))
		if i < len(found)-1 && seg.empty() {
			j.discard(seg)
			continue
		}
		j.segs = append(j.segs, seg)
		if seg.empty() {
			return j.adopt(seg)
		}
		seg.sealed.Store(true)
	}
	return nil
}

// loadSegment reads a segment through: what is in it, what is damaged. Events
// from the index below on belong to a later segment, or were never appended.
func (j *Journal) loadSegment(seg *segment, below uint64) error {
	seg.last.Store(seg.first - 1)
	var r Record
	in, file, err := openScanner(seg)
	if err != nil {
		return fmt.Errorf("read journal: %w: make it readable for this user", err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return fmt.Errorf("read journal: %w", err)
	}
	whole, err := judgeHeader(seg, file)
	if err != nil {
		return err
	}
	size, end := info.Size(), int64(segmentHeader)
	for {
		ok, err := in.next(size, &r)
		if err != nil {
			return fmt.Errorf("%w: remove %s if the disk is damaged", err, seg.path)
		}
		if !ok || r.Index >= below {
			break
		}
		j.note(seg, &r, info.ModTime())
		end = in.end
	}
	if in.skipped > 0 {
		j.log.Warn("journal segment is damaged, its events there are lost", "file", seg.path, "bytes", in.skipped)
	}
	if size != end {
		if err := cut(seg.path, end, seg); err != nil {
			return err
		}
	}
	if size > end {
		j.log.Warn("journal segment had a torn end, which was cut", "file", seg.path, "bytes", size-end)
	}
	if !whole && in.skipped == 0 && size <= end { // one line is enough
		j.log.Warn("journal segment's header is damaged, its events are read all the same", "file", seg.path)
	}
	seg.size.Store(end)
	j.total.Add(end)
	j.light.Add(seg.light.Load())
	return nil
}

// judgeHeader refuses what a newer holdfast has written. A damaged header costs
// nothing: the file's name says the same.
func judgeHeader(seg *segment, file *os.File) (whole bool, err error) {
	var header [segmentHeader]byte
	n, _ := file.ReadAt(header[:], 0)
	version, err := readHeader(header[:n])
	if err == nil && version > segmentVersion {
		return false, fmt.Errorf("%s was written by a newer holdfast: run that one, or give another --state", seg.path)
	}
	return err == nil || n < segmentHeader, nil
}

// note remembers what the scan of a segment tells about one event.
func (j *Journal) note(seg *segment, r *Record, modified time.Time) {
	if seg.at.Load() == 0 {
		at := r.Received
		if at <= 0 || at > time.Now().UnixNano() {
			at = modified.UnixNano()
		}
		seg.at.Store(at)
	}
	if droppable(r.Name) {
		seg.light.Add(int64(frameSize(r)))
	}
	seg.last.Store(r.Index)
	j.names.grow(r.Index)
	j.names.set(r.Index, r.Name)
	j.setNewest(r)
}

// cut shortens a file to its whole frames, with a whole header.
func cut(path string, end int64, seg *segment) error {
	err := os.Truncate(path, end)
	if err == nil && end == segmentHeader {
		err = rewriteHeader(path, seg)
	}
	if err != nil {
		return fmt.Errorf("cut torn end of %s: %w: make it writable for this user, or remove it", path, reason(err))
	}
	return nil
}

func rewriteHeader(path string, seg *segment) error {
	f, err := os.OpenFile(path, os.O_WRONLY|syscall.O_NOFOLLOW, fileMode)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(appendHeader(nil, seg.first), 0)
	return errors.Join(err, f.Close())
}

// adopt makes an empty segment the active one.
func (j *Journal) adopt(seg *segment) error {
	f, err := os.OpenFile(seg.path, os.O_RDWR|syscall.O_NOFOLLOW, fileMode)
	if err != nil {
		return fmt.Errorf("open journal segment %s: %w: make it writable for this user", seg.path, reason(err))
	}
	seg.file = f
	seg.at.Store(time.Now().UnixNano())
	j.active = seg
	return nil
}

// passCursors sees to it that no index is given out again that a plugin has
// acknowledged: a journal may be in memory, removed, or cut by a power loss.
func (j *Journal) passCursors(s *State) error {
	names, err := s.Cursors()
	if err != nil {
		return err
	}
	for _, name := range names {
		path, err := s.cursorPath(name)
		if err != nil {
			continue // no cursor of ours
		}
		if high := highest(path); high > j.last.Load() {
			j.last.Store(high)
			j.names.grow(high)
		}
	}
	return nil
}
