package state

import (
	"errors"
	"io/fs"
	"os"
	"sort"
)

// Reader reads the journal in order. It belongs to one goroutine; there
// may be any number of them.
type Reader struct {
	j    *Journal
	next uint64 // index of what Next answers next

	seg     *segment
	file    *os.File
	scan    scanner
	head    Record
	have    bool // head has not been answered yet
	damaged bool // damage in seg has been told
	closed  bool
	missing *segment
	past    uint64 // what is up to it cannot be read
}

// Read makes a Reader that begins at the index from. The caller closes it.
func (j *Journal) Read(from uint64) *Reader { return &Reader{j: j, next: max(from, 1)} }

// Index is that of the event which Next answers next.
func (r *Reader) Index() uint64 { return r.next }

// Close gives the Reader's file free.
func (r *Reader) Close() error {
	r.leave()
	r.closed = true
	return nil
}

// Next fills rec with the next event, or with what is lost in its place (see
// [Record].Lost), so that each index is answered once. False means that all
// appended events have been read; later there may be more. rec.Data is valid
// until the next call.
//
// An event is lost when its segment was dropped before the Reader came to it, or
// is damaged. A segment that is being read is read to its end.
func (r *Reader) Next(rec *Record) (bool, error) {
	if r.closed || r.j.closed.Load() {
		return false, errJournalClosed
	}
	limit := r.j.last.Load() // first: all up to it is readable, or gone
	if r.next > limit {
		return false, nil
	}
	if err := r.fill(); err != nil {
		return false, err
	}
	until := limit
	if r.have {
		until = min(limit, r.head.Index-1)
	}
	if r.next <= until {
		r.lose(rec, until)
		return true, nil
	}
	*rec = r.head
	r.have = false
	r.next = rec.Index + 1
	return true, nil
}

// lose answers events that are not kept any more, as many as have one name.
func (r *Reader) lose(rec *Record, until uint64) {
	r.j.writing.Lock()
	name, count := r.j.names.run(r.next, until)
	r.j.writing.Unlock()
	*rec = Record{Index: r.next, Name: name, Lost: count}
	r.next += count
}

// fill finds the next event that is kept, if there is one.
func (r *Reader) fill() error {
	for !r.have {
		above := max(r.next-1, r.past)
		if r.seg != nil {
			above = max(above, r.seg.last.Load()) // before size: the bytes are there
			ok, err := r.scan.next(r.seg.size.Load(), &r.head)
			if err != nil {
				return err
			}
			r.tellDamage()
			if ok {
				r.have = r.head.Index >= r.next
				continue
			}
		}
		found := r.j.find(above)
		if found == nil {
			return nil
		}
		if found == r.seg {
			continue // it has grown meanwhile
		}
		err := r.enter(found)
		if errors.Is(err, fs.ErrNotExist) {
			if found == r.missing { // somebody else has removed it
				r.past = found.last.Load()
			}
			r.missing = found // dropped just now, it is not found again
			continue
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (r *Reader) tellDamage() {
	if r.scan.skipped > 0 && !r.damaged {
		r.damaged = true
		r.j.log.Warn("journal segment is damaged, its events there are lost", "file", r.seg.path, "bytes", r.scan.skipped)
	}
}

func (r *Reader) enter(seg *segment) error {
	r.leave()
	var src *os.File
	if seg.mem == nil {
		f, err := os.Open(seg.path)
		if err != nil {
			return err
		}
		src = f
	}
	r.seg, r.file, r.damaged = seg, src, false
	r.scan.open(src, seg.mem, seg.first)
	return nil
}

func (r *Reader) leave() {
	if r.file != nil {
		_ = r.file.Close() // it was only read
	}
	r.seg, r.file, r.have = nil, nil, false
}

// openScanner opens a segment for reading; file is nil in memory.
func openScanner(seg *segment) (s *scanner, file *os.File, err error) {
	if seg.mem == nil {
		if file, err = os.Open(seg.path); err != nil {
			return nil, nil, err
		}
	}
	s = new(scanner)
	s.open(file, seg.mem, seg.first)
	return s, file, nil
}

// find is the first segment with an event above index, nil if there is none.
func (j *Journal) find(index uint64) *segment {
	j.mu.Lock()
	defer j.mu.Unlock()
	i := sort.Search(len(j.segs), func(i int) bool { return j.segs[i].last.Load() > index })
	if i == len(j.segs) {
		return nil
	}
	return j.segs[i]
}
