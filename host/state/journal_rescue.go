package state

import (
	"fmt"
	"path/filepath"
	"time"
)

// rescuePause is how long a journal that fell back to memory waits before it
// tries the disk again.
const rescuePause = 5 * time.Second

// fallBack says that the disk does not take events: until it does they are kept
// in memory, within the same bound, and survive all but a kill.
func (j *Journal) fallBack(err error) {
	j.triedAt.Store(time.Now().UnixNano())
	if !j.fallen.Swap(true) {
		j.log.Error("journal is kept in memory for now: what is not handled is lost if the host is killed: make room on the disk and the state folder writable",
			"folder", j.dir, "error", reason(err))
	}
}

// Fallen says whether the disk does not take events at this moment: some are in memory.
func (j *Journal) Fallen() bool { return j.fallen.Load() }

// rescue tries the disk again and moves there what was kept in memory meanwhile.
// Only the journal's goroutine calls it, and Close after that has ended.
func (j *Journal) rescue(now time.Time) error {
	if j.dir == "" || !j.fallen.Load() || now.UnixNano()-j.triedAt.Load() < int64(rescuePause) {
		return nil
	}
	j.triedAt.Store(now.UnixNano())
	j.fallen.Store(false) // first: an append that fails meanwhile says so anew
	j.writing.Lock()
	if j.active != nil && j.active.mem != nil && !j.active.empty() {
		j.seal() // the next append begins one on the disk, if it can
	}
	j.writing.Unlock()
	for _, seg := range j.inMemory() {
		if err := j.moveToDisk(seg); err != nil {
			j.fallen.Store(true)
			return err
		}
	}
	if !j.fallen.Load() {
		j.log.Info("journal is on the disk again", "folder", j.dir)
	}
	return nil
}

// inMemory are the sealed segments that are.
func (j *Journal) inMemory() (found []*segment) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, seg := range j.segs {
		if seg.mem != nil && seg.sealed.Load() {
			found = append(found, seg)
		}
	}
	return found
}

func (j *Journal) moveToDisk(seg *segment) error {
	ending := segmentEnding
	if seg.thinned {
		ending = thinnedEnding
	}
	disk := &segment{
		first: seg.first, thinned: seg.thinned,
		path: filepath.Join(j.dir, segmentName(seg.first, ending)),
	}
	disk.sealed.Store(true)
	disk.size.Store(seg.size.Load())
	disk.last.Store(seg.last.Load())
	disk.at.Store(seg.at.Load())
	disk.light.Store(seg.light.Load())
	if err := writeAtomic(disk.path, seg.mem[:seg.size.Load()]); err != nil {
		return fmt.Errorf("write %s: %w", disk.path, reason(err))
	}
	j.light.Add(disk.light.Load()) // discard takes it off for the one that goes
	j.swap(seg, disk)
	return nil
}

// unkept is how many bytes a closing journal leaves in memory.
func (j *Journal) unkept() (bytes int64) {
	for _, seg := range j.inMemory() {
		bytes += seg.size.Load() - segmentHeader
	}
	return bytes
}
