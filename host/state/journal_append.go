package state

import (
	"errors"
	"fmt"
	"time"
)

// chunkBytes is how much is written at once.
const chunkBytes = 256 << 10

// Append puts records behind each other in the journal, with one write for a
// batch of ordinary size, and sets their Index. Nothing of them is kept by
// reference. When it has returned, they survive a kill of the process.
//
// A disk that takes nothing is no error: events are kept in memory until it does.
// After an error those with Index 0 are not in the journal, because they are too
// large for it; the others are.
func (j *Journal) Append(records []Record) error {
	for i := range records {
		records[i].Index = 0
	}
	j.writing.Lock()
	defer j.writing.Unlock()
	if j.closed.Load() {
		return errJournalClosed
	}
	var faults error
	chunk := int(min(chunkBytes, j.segmentLimit()-segmentHeader))
	from, index := 0, j.last.Load()
	for i := range records {
		r := &records[i]
		size := frameSize(r)
		if err := j.fits(r, size); err != nil {
			faults = errors.Join(faults, err)
			continue
		}
		if len(j.buf) > 0 && len(j.buf)+size > chunk {
			j.flush(records[from:i])
			from = i
		}
		index++
		r.Index = index
		j.buf = appendFrame(j.buf, r)
	}
	if len(j.buf) > 0 {
		j.flush(records[from:])
	}
	return faults
}

func (j *Journal) fits(r *Record, size int) error {
	if len(r.Name) > maxName {
		return fmt.Errorf("append event of shard %d to journal: its name has %d bytes, more than %d", r.Shard, len(r.Name), maxName)
	}
	if int64(size) > j.opts.Bytes/4 {
		return fmt.Errorf("append event %s of shard %d to journal: it has %d bytes, more than a quarter of the journal: allow the journal more bytes", r.Name, r.Shard, size)
	}
	return nil
}

// flush writes buf, which holds those of records that have an index, and publishes
// them.
func (j *Journal) flush(records []Record) {
	size := int64(len(j.buf))
	j.write()
	if cap(j.buf) > 4*chunkBytes {
		j.buf = nil // one huge event is no reason to keep its room
	}
	j.buf = j.buf[:0]
	light, last := int64(0), uint64(0)
	for i := range records {
		r := &records[i]
		if r.Index == 0 {
			continue
		}
		last = r.Index
		j.names.set(last, r.Name)
		j.setNewest(r)
		if droppable(r.Name) {
			light += int64(frameSize(r))
		}
	}
	seg := j.active
	if seg.empty() {
		seg.at.Store(time.Now().UnixNano())
	}
	if light > 0 {
		seg.light.Add(light)
		j.light.Add(light)
	}
	// In this order: who sees last finds the bytes.
	seg.size.Add(size)
	seg.last.Store(last)
	j.last.Store(last)
	if !seg.dirty.Load() {
		seg.dirty.Store(true)
	}
}

// write puts buf into the active segment, a new one if it is full, after making
// room within the bound; into memory, if the disk does not take it. The caller
// holds writing.
func (j *Journal) write() {
	size := int64(len(j.buf))
	if seg := j.active; seg != nil && !seg.empty() && seg.size.Load()+size > j.segmentLimit() {
		j.seal()
	}
	if seg := j.active; seg != nil && seg.mem != nil && seg.size.Load()+size > int64(len(seg.mem)) {
		j.seal()
	}
	j.total.Add(size + segmentHeader)
	j.makeRoom()
	if j.active == nil {
		j.begin(size)
	} else {
		j.total.Add(-segmentHeader)
	}
	broken, err := j.active.write(j.buf)
	if err == nil {
		return
	}
	j.fallBack(err)
	if broken || j.active.empty() {
		j.abandon()
	} else {
		j.seal()
	}
	j.total.Add(segmentHeader)
	j.beginInMemory(size)
	_, _ = j.active.write(j.buf) // memory takes it
}
