package state

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
)

const (
	scanBuffer = 256 << 10
	// resyncWork bounds how many bytes are passed over and summed in search of the
	// next whole frame after damage, whatever the bytes are and however many.
	resyncWork = 64 << 20
)

// scanner reads the frames of one segment in order. It steps over damage to the
// next whole frame.
type scanner struct {
	src     io.ReaderAt
	mem     []byte // instead of src
	off     int64  // of the next frame
	last    uint64 // index of the last frame; the next one is above it
	end     int64  // of the last whole frame
	skipped int64  // bytes of damage between whole frames

	buf   []byte // buf[0] is at start
	start int64
	names map[string]string
}

// open makes the scanner read another segment from its first frame on.
func (s *scanner) open(src io.ReaderAt, mem []byte, first uint64) {
	s.src, s.mem, s.off, s.end, s.skipped = src, mem, segmentHeader, segmentHeader, 0
	s.last = max(first, 1) - 1
	s.buf, s.start = s.buf[:0], 0
}

// next fills r with the next frame of a segment that has size bytes. False means
// that there is none. r.Data is valid until the next call.
func (s *scanner) next(size int64, r *Record) (bool, error) {
	if s.off >= size {
		return false, nil
	}
	n, err := s.frame(s.off, size, r)
	if err != nil {
		return false, err
	}
	if n == 0 {
		bad := s.off
		if n, err = s.resync(size, r); err != nil {
			return false, err
		}
		if n == 0 {
			s.off = size
			return false, nil
		}
		s.skipped += s.off - bad
	}
	s.off += n
	s.end, s.last = s.off, r.Index
	return true, nil
}

// frame fills r with the frame at off and returns its length, 0 if there is no
// whole one.
func (s *scanner) frame(off, size int64, r *Record) (int64, error) {
	if size-off < frameHeader+frameFixed {
		return 0, nil
	}
	head, err := s.view(off, frameHeader+8, size)
	if err != nil {
		return 0, err
	}
	if !s.plausible(head, size-off) {
		return 0, nil
	}
	n := int64(binary.LittleEndian.Uint32(head))
	sum := binary.LittleEndian.Uint32(head[4:])
	body, err := s.view(off+frameHeader, n, size)
	if err != nil {
		return 0, err
	}
	if crc32.Checksum(body, castagnoli) != sum || !parseBody(body, r, s.name) {
		return 0, nil
	}
	return frameHeader + n, nil
}

// plausible judges length and index before anything is summed or allocated.
func (s *scanner) plausible(head []byte, left int64) bool {
	n := int64(binary.LittleEndian.Uint32(head))
	index := binary.LittleEndian.Uint64(head[frameHeader:])
	return n >= frameFixed && n <= left-frameHeader && index > s.last && index <= maxIndex
}

// resync moves off to the next whole frame and returns its length, 0 if there is none.
func (s *scanner) resync(size int64, r *Record) (int64, error) {
	work := int64(resyncWork)
	for off := s.off + 1; size-off >= frameHeader+frameFixed && work > 0; off++ {
		work--
		head, err := s.view(off, frameHeader+8, size)
		if err != nil {
			return 0, err
		}
		if !s.plausible(head, size-off) {
			continue
		}
		work -= int64(binary.LittleEndian.Uint32(head))
		n, err := s.frame(off, size, r)
		if err != nil {
			return 0, err
		}
		if n != 0 {
			s.off = off
			return n, nil
		}
	}
	return 0, nil
}

// view is n bytes at off, of which there are size altogether. It allocates for
// no more than what the segment has.
func (s *scanner) view(off, n, size int64) ([]byte, error) {
	if s.mem != nil {
		return s.mem[off : off+n], nil
	}
	if from := off - s.start; from >= 0 && from+n <= int64(len(s.buf)) {
		return s.buf[from : from+n], nil
	}
	want := max(n, min(scanBuffer, size-off))
	if int64(cap(s.buf)) < want || cap(s.buf) > 4*scanBuffer && want <= scanBuffer {
		s.buf = make([]byte, 0, max(want, scanBuffer))
	}
	s.buf, s.start = s.buf[:want], off
	if got, err := s.src.ReadAt(s.buf, off); int64(got) < want {
		s.buf = s.buf[:0]
		return nil, fmt.Errorf("read journal segment: %w", err)
	}
	return s.buf[:n], nil
}

// name makes a string of a name without allocating for one seen before.
func (s *scanner) name(b []byte) string {
	if name, ok := s.names[string(b)]; ok {
		return name
	}
	name := string(b)
	if s.names == nil {
		s.names = map[string]string{}
	}
	if len(s.names) < 1<<10 { // Discord has a tenth of it; a foreign file may have more
		s.names[name] = name
	}
	return name
}
