package state

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"time"
)

// unsavedMost bounds the sealed segments that wait for their fsync with an open file.
const unsavedMost = 64

// keep is the journal's goroutine.
func (j *Journal) keep(ctx context.Context) {
	defer close(j.stopped)
	tick := time.NewTicker(j.opts.Sync)
	defer tick.Stop()
	well, thins := true, true
	for {
		select {
		case <-ctx.Done():
			return
		case <-j.kick:
		case <-tick.C:
			err := j.save()
			if err != nil && well {
				j.log.Warn("journal cannot be made safe against power loss: look at the disk", "error", err)
			}
			well = err == nil
			now := time.Now()
			if err := j.rescue(now); err != nil {
				j.log.Debug("journal stays in memory", "error", err)
			}
			j.expire(now)
		}
		err := j.thin()
		if err != nil && thins {
			j.log.Warn("journal cannot be thinned, whole segments are dropped instead: make room on the disk", "error", err)
		}
		thins = err == nil
	}
}

// save fsyncs what has been written since the last call. Only one goroutine calls
// it at a time.
func (j *Journal) save() error {
	var faults []error
	j.writing.Lock()
	active := j.active
	j.writing.Unlock()
	if active != nil && active.file != nil && active.dirty.Swap(false) {
		// A sealed segment's file may be closed meanwhile: then it is below.
		if err := active.file.Sync(); err != nil && !errors.Is(err, fs.ErrClosed) {
			active.dirty.Store(true)
			faults = append(faults, err)
		}
	}
	j.mu.Lock()
	unsaved := j.unsaved
	j.unsaved = nil
	j.mu.Unlock()
	for _, seg := range unsaved {
		faults = append(faults, seg.file.Sync(), seg.file.Close())
	}
	return errors.Join(faults...)
}

// expire seals segments early enough and drops those that are too old.
func (j *Journal) expire(now time.Time) {
	early := now.Add(-j.opts.Age / 8).UnixNano()
	j.writing.Lock()
	if seg := j.active; seg != nil && !seg.empty() && seg.at.Load() <= early {
		j.seal()
		j.restart()
	}
	j.writing.Unlock()
	for j.drop(now.Add(-j.opts.Age).UnixNano()) {
	}
}

// makeRoom drops segments until the reserved bytes fit, as they do when all are
// dropped: an event takes at most a quarter, and so does each segment that the
// journal's goroutine is copying or removing. The caller holds writing.
func (j *Journal) makeRoom() {
	if total := j.total.Load(); total > j.opts.Bytes/8*7 && j.light.Load() > j.opts.Bytes/8 {
		select {
		case j.kick <- struct{}{}:
		default: // it is awake
		}
	}
	for j.total.Load() > j.opts.Bytes {
		if j.drop(1<<63 - 1) {
			continue
		}
		if j.active == nil || j.active.empty() {
			return
		}
		j.seal()
	}
}

// drop removes the oldest sealed segment if it is not younger than at.
func (j *Journal) drop(at int64) bool {
	j.mu.Lock()
	if len(j.segs) == 0 || !j.segs[0].sealed.Load() || j.segs[0].at.Load() > at {
		j.mu.Unlock()
		return false
	}
	seg := j.segs[0]
	j.segs[0] = nil
	j.segs = j.segs[1:]
	j.mu.Unlock()
	j.discard(seg)
	return true
}

// discard removes a segment that is in no list any more. Who reads it goes on.
func (j *Journal) discard(seg *segment) {
	if seg.path != "" {
		if err := os.Remove(seg.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			j.log.Warn("old journal segment cannot be removed: remove it", "file", seg.path, "error", reason(err))
		}
	}
	j.total.Add(-seg.size.Load())
	j.light.Add(-seg.light.Load())
}
