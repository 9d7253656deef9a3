package state

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
)

// thin rewrites the oldest segments without droppable events while the journal
// is nearly full of them. Only the journal's goroutine calls it.
func (j *Journal) thin() error {
	for j.total.Load() > j.opts.Bytes/8*7 && j.light.Load() > j.opts.Bytes/8 {
		old := j.thickest()
		if old == nil {
			return nil
		}
		// Both are there for a moment.
		size := old.size.Load()
		if j.total.Add(size) > j.opts.Bytes {
			j.total.Add(-size)
			j.drop(1<<63 - 1)
			continue
		}
		thin, err := j.rewrite(old)
		j.total.Add(-size)
		if errors.Is(err, fs.ErrNotExist) {
			continue // dropped meanwhile
		}
		if err != nil {
			return err
		}
		j.swap(old, thin)
	}
	return nil
}

// thickest is the oldest sealed segment that has droppable events.
func (j *Journal) thickest() *segment {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, seg := range j.segs {
		if seg.sealed.Load() && seg.light.Load() > 0 {
			return seg
		}
	}
	return nil
}

// rewrite is a copy of old without droppable events, under another name.
func (j *Journal) rewrite(old *segment) (*segment, error) {
	thin := &segment{first: old.first, thinned: true}
	thin.sealed.Store(true)
	thin.at.Store(old.at.Load())
	thin.last.Store(old.last.Load())
	buf := appendHeader(make([]byte, 0, old.size.Load()-old.light.Load()), old.first)
	var r Record
	in, file, err := openScanner(old)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	for {
		ok, err := in.next(old.size.Load(), &r)
		if err != nil {
			return nil, err
		}
		if !ok {
			break
		}
		if !droppable(r.Name) {
			buf = appendFrame(buf, &r)
		}
	}
	thin.size.Store(int64(len(buf)))
	if old.mem != nil {
		thin.mem = buf
		return thin, nil
	}
	thin.path = filepath.Join(j.dir, segmentName(old.first, thinnedEnding))
	if err := writeAtomic(thin.path, buf); err != nil {
		return nil, fmt.Errorf("write %s: %w", thin.path, reason(err))
	}
	return thin, nil
}

// swap puts thin in the place of old, unless old has been dropped meanwhile.
func (j *Journal) swap(old, thin *segment) {
	j.total.Add(thin.size.Load())
	j.mu.Lock()
	i := slices.Index(j.segs, old)
	if i >= 0 {
		j.segs[i] = thin
	}
	if i >= 0 && thin.empty() {
		j.segs = slices.Delete(j.segs, i, i+1)
	}
	j.mu.Unlock()
	if i >= 0 {
		j.discard(old)
	}
	if i < 0 || thin.empty() {
		j.discard(thin)
	}
}
