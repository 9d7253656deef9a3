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
	for _, t := range *j.tapes.Load() {
		t.mu.Lock()
		seg := t.active
		t.mu.Unlock()
		if seg != nil && seg.file != nil && seg.dirty.Swap(false) {
			// A sealed segment's file may be closed meanwhile: then it is below.
			if err := seg.file.Sync(); err != nil && !errors.Is(err, fs.ErrClosed) {
				seg.dirty.Store(true)
				faults = append(faults, err)
			}
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
	for _, t := range *j.tapes.Load() {
		t.mu.Lock()
		if seg := t.active; seg != nil && !seg.empty() && seg.at.Load() <= early {
			j.seal(t)
			j.restart(t)
		}
		t.mu.Unlock()
	}
	for j.drop(now.Add(-j.opts.Age).UnixNano()) {
	}
}

// makeRoom drops segments until the reserved bytes fit. The caller holds t.mu.
func (j *Journal) makeRoom(t *tape) bool {
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
		if t.active == nil || t.active.empty() {
			return false
		}
		j.seal(t)
	}
	return true
}

// drop removes the oldest sealed segment if it is not younger than at.
func (j *Journal) drop(at int64) bool {
	j.mu.Lock()
	var from *tape
	for _, t := range *j.tapes.Load() {
		if len(t.segs) == 0 || !t.segs[0].sealed.Load() || t.segs[0].at.Load() > at {
			continue
		}
		if from == nil || t.segs[0].at.Load() < from.segs[0].at.Load() {
			from = t
		}
	}
	if from == nil {
		j.mu.Unlock()
		return false
	}
	seg := from.segs[0]
	from.segs[0] = nil
	from.segs = from.segs[1:]
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
