package state

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// chunkBytes is how much is written at once.
const chunkBytes = 256 << 10

// Append puts records behind each other in their shards' journals, with one
// write for each shard, and sets their Index. Nothing of them is kept by
// reference. When it has returned, they survive a kill of the process.
//
// A disk that takes nothing is no error: events are kept in memory until it does.
// After an error those with Index 0 are not in the journal, because they are too
// large for it; the others are.
func (j *Journal) Append(records []Record) error {
	for i := range records {
		records[i].Index = 0
	}
	var faults error
	for i := range records {
		if !seen(records[:i], records[i].Shard) {
			faults = errors.Join(faults, j.appendShard(records[i:], records[i].Shard))
		}
	}
	return faults
}

// seen says whether one of records is of this shard; most often the last is.
func seen(records []Record, shard uint32) bool {
	for i := range slices.Backward(records) {
		if records[i].Shard == shard {
			return true
		}
	}
	return false
}

// appendShard appends those of records that are of this shard.
func (j *Journal) appendShard(records []Record, shard uint32) error {
	t := j.tape(shard)
	t.mu.Lock()
	defer t.mu.Unlock()
	if j.closed.Load() {
		return errJournalClosed
	}
	var faults error
	chunk := int(min(chunkBytes, j.segmentLimit()-segmentHeader))
	from, index := 0, t.last.Load()
	t.buf = t.buf[:0]
	for i := range records {
		r := &records[i]
		if r.Shard != shard {
			continue
		}
		size := frameSize(r)
		if err := j.fits(r, size); err != nil {
			faults = errors.Join(faults, err)
			continue
		}
		if len(t.buf) > 0 && len(t.buf)+size > chunk {
			if err := j.flush(t, records[from:i]); err != nil {
				return errors.Join(faults, err)
			}
			from = i
		}
		index++
		t.buf = appendFrame(t.buf, r, index)
		r.Index = index
	}
	if len(t.buf) == 0 {
		return faults
	}
	return errors.Join(faults, j.flush(t, records[from:]))
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

// flush writes t.buf, which holds those of records that are of its shard and have
// an index, and publishes them. If it cannot, it takes their indices back.
func (j *Journal) flush(t *tape, records []Record) error {
	size := int64(len(t.buf))
	err := j.write(t, t.last.Load()+1, size)
	if cap(t.buf) > 4*chunkBytes {
		t.buf = nil // one huge event is no reason to keep its room
	}
	t.buf = t.buf[:0]
	light, newest := int64(0), (*Record)(nil)
	for i := range records {
		r := &records[i]
		if r.Shard != t.shard || r.Index == 0 {
			continue
		}
		if err != nil {
			r.Index = 0
			continue
		}
		t.names.set(r.Index, r.Name)
		if droppable(r.Name) {
			light += int64(frameSize(r))
		}
		newest = r
	}
	if err != nil {
		return err
	}
	t.newest = *newest
	t.newest.Data = nil
	seg := t.active
	if seg.empty() {
		seg.at.Store(time.Now().UnixNano())
	}
	if light > 0 {
		seg.light.Add(light)
		j.light.Add(light)
	}
	// In this order: who sees last finds the bytes.
	seg.size.Add(size)
	seg.last.Store(t.newest.Index)
	t.last.Store(t.newest.Index)
	if !seg.dirty.Load() {
		seg.dirty.Store(true)
	}
	return nil
}

// write puts t.buf into the active segment, a new one if it is full, after making
// room within the bound. The caller holds t.mu.
func (j *Journal) write(t *tape, first uint64, size int64) error {
	if seg := t.active; seg != nil && !seg.empty() && seg.size.Load()+size > j.segmentLimit() {
		j.seal(t)
	}
	if seg := t.active; seg != nil && seg.mem != nil && seg.size.Load()+size > int64(len(seg.mem)) {
		j.seal(t)
	}
	j.total.Add(size + segmentHeader)
	if !j.makeRoom(t) {
		j.total.Add(-size - segmentHeader)
		return errors.New("append to journal: the other shards' newest events fill it: allow the journal more bytes")
	}
	if t.active == nil {
		j.begin(t, first, size)
	} else {
		j.total.Add(-segmentHeader)
	}
	broken, err := t.active.write(t.buf)
	if err == nil {
		return nil
	}
	j.fallBack(err)
	if broken || t.active.empty() {
		j.abandon(t)
	} else {
		j.seal(t)
	}
	j.total.Add(segmentHeader)
	j.beginInMemory(t, first, size)
	_, err = t.active.write(t.buf) // memory takes it
	return err
}
