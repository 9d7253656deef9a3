package state

import (
	"errors"
	"fmt"
	"math/bits"
	"sync/atomic"
)

// CursorWindow is how many events above the oldest one that is not acknowledged
// a cursor can tell apart: a handler that hangs for its 30 s holds up a host with
// 50,000 events a second by 1,500,000.
const CursorWindow = 1 << 21

// A mark is a file of 64-bit words: these, then a ring of bits.
const (
	wordMagic  = iota
	wordForm   // version
	wordLow    // all up to it are acknowledged
	wordPlaced // 1 once the plugin has a position
	wordSent   // all up to it may have been sent
)

const (
	markHeader = 8 // words before the ring

	markMagic   = 0x726f737275436648 // "HfCursor"
	markVersion = 2
	// The ring is twice the window. Bits are cleared after the low-water mark has
	// passed them; a kill in between leaves them in the half that is never read
	// and is swept when the file is opened.
	ringBits  = 2 * CursorWindow
	ringWords = ringBits / 64
)

// mark is the file of a cursor.
type mark struct {
	words words
	ring  []atomic.Uint64
}

func openMark(path string) (*mark, error) {
	w, fresh, err := mapWords(path, markHeader+ringWords)
	if err != nil {
		return nil, err
	}
	m := &mark{words: w, ring: w.word[markHeader:]}
	if fresh || blank(w.word[:markHeader]) { // blank: killed while it was new
		m.write(wordForm, markVersion)
		m.write(wordMagic, markMagic)
	}
	if err := m.check(path); err != nil {
		return nil, errors.Join(err, w.close())
	}
	low := m.read(wordLow)
	m.clear(low+CursorWindow+1, low+ringBits) // what a kill has left behind the mark
	return m, nil
}

func blank(word []atomic.Uint64) bool {
	for i := range word {
		if word[i].Load() != 0 {
			return false
		}
	}
	return true
}

func (m *mark) check(path string) error {
	switch form := m.read(wordForm); {
	case m.read(wordMagic) != markMagic:
		return fmt.Errorf("%w: it is not a cursor", errDamaged)
	case form > markVersion:
		return fmt.Errorf("%s was written by a newer holdfast: run that one, or give another --state", path)
	case form != markVersion:
		return fmt.Errorf("%w: it has the form of an older holdfast", errDamaged)
	case m.read(wordPlaced) > 1 || m.read(wordLow) > maxIndex || m.read(wordSent) > maxIndex:
		return fmt.Errorf("%w: its marks are out of range", errDamaged)
	}
	return nil
}

func (m *mark) read(word int) uint64 { return m.words.word[word].Load() }

func (m *mark) write(word int, value uint64) { m.words.word[word].Store(value) }

func (m *mark) acked(index uint64) bool {
	low := m.read(wordLow)
	return index <= low || index-low <= CursorWindow && m.has(index)
}

func (m *mark) has(index uint64) bool {
	return m.ring[index%ringBits/64].Load()&(1<<(index%64)) != 0
}

func (m *mark) ack(first, last uint64) error {
	if last > maxIndex {
		return fmt.Errorf("acknowledge event %d: no journal has that many", last)
	}
	if m.read(wordPlaced) == 0 {
		m.write(wordPlaced, 1)
	}
	low := m.read(wordLow)
	switch {
	case last <= low:
	case first <= low+1:
		m.advance(low, last)
	case last-low > CursorWindow:
		return fmt.Errorf("%w: event %d, oldest open one %d", ErrWindow, last, low+1)
	default:
		m.each(first, last, func(w *atomic.Uint64, mask uint64) { w.Store(w.Load() | mask) })
	}
	return nil
}

// advance raises the low-water mark from low to at least mark, and over all that
// is acknowledged above it. The mark moves first: were bits cleared before, a
// kill in between would take acknowledgements back.
func (m *mark) advance(low, mark uint64) {
	to := mark
	end := low + CursorWindow // above it bits mean nothing
	for to < end {
		next := to + 1
		word := m.ring[next%ringBits/64].Load() >> (next % 64)
		ones := uint64(bits.TrailingZeros64(^word))
		if ones == 0 {
			break
		}
		to = min(to+ones, end)
	}
	m.write(wordLow, to)
	if to > low+1 {
		m.clear(low+1, min(to, low+ringBits))
	}
}

// clear takes away the bits from first to last, at most a ring of them.
func (m *mark) clear(first, last uint64) {
	m.each(first, last, func(w *atomic.Uint64, mask uint64) {
		if was := w.Load(); was&mask != 0 {
			w.Store(was &^ mask)
		}
	})
}

// each calls do with each word of the ring that has bits of first to last, and
// with these.
func (m *mark) each(first, last uint64, do func(w *atomic.Uint64, mask uint64)) {
	for i := first; i <= last; {
		n := min(64-i%64, last-i+1)
		do(&m.ring[i%ringBits/64], ^uint64(0)>>(64-n)<<(i%64))
		i += n
	}
}

// highest is the highest index that a mark file knows of, 0 if it is damaged:
// the journal never gives out an index again that somebody has acknowledged.
func highest(path string) uint64 {
	w, fresh, err := mapWords(path, markHeader+ringWords)
	if err != nil || fresh {
		return 0
	}
	defer func() { _ = w.close() }()
	m := mark{words: w, ring: w.word[markHeader:]}
	if m.check(path) != nil {
		return 0
	}
	low := m.read(wordLow)
	high := max(low, m.read(wordSent))
	for i := low + CursorWindow; i > high; i-- {
		if m.has(i) {
			return i
		}
		if m.ring[i%ringBits/64].Load() == 0 {
			i -= min(i%64, i-high-1) // nothing in the rest of this word
		}
	}
	return high
}
