package state

import (
	"errors"
	"fmt"
	"math/bits"
	"os"
	"sync"
	"sync/atomic"
)

// CursorWindow is how many events above the oldest one that is not acknowledged
// a cursor can tell apart: a handler that hangs for its 30 s holds up a shard
// with 5,000 events a second by 150,000.
const CursorWindow = 1 << 18

// A mark is a file of 64-bit words: these, then a ring of bits.
const (
	wordMagic  = iota
	wordForm   // version and shard
	wordLow    // all up to it are acknowledged
	wordPlaced // 1 once the plugin has a position
	wordSent   // all up to it may have been sent
)

const (
	markHeader = 8 // words before the ring

	markMagic   = 0x726f737275436648 // "HfCursor"
	markVersion = 1
	// The ring is twice the window. Bits are cleared after the low-water mark has
	// passed them; a kill in between leaves them in the half that is never read
	// and is swept when the file is opened.
	ringBits  = 2 * CursorWindow
	ringWords = ringBits / 64
)

// mark is a cursor in one shard's journal.
type mark struct {
	mu    sync.Mutex
	words words
	ring  []atomic.Uint64
}

func openMark(path string, shard uint32) (*mark, error) {
	w, fresh, err := mapWords(path, markHeader+ringWords)
	if err != nil {
		return nil, err
	}
	m := &mark{words: w, ring: w.word[markHeader:]}
	form := uint64(markVersion)<<32 | uint64(shard)
	if fresh || blank(w.word[:markHeader]) { // blank: killed while it was new
		w.word[wordForm].Store(form)
		w.word[wordMagic].Store(markMagic)
	}
	if err := m.check(path, form); err != nil {
		return nil, errors.Join(err, w.close())
	}
	low := m.words.word[wordLow].Load()
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

func (m *mark) check(path string, form uint64) error {
	w := m.words.word
	switch magic, got := w[wordMagic].Load(), w[wordForm].Load(); {
	case magic != markMagic:
		return fmt.Errorf("%w: it is not a cursor", errDamaged)
	case got>>32 > markVersion:
		return fmt.Errorf("%s was written by a newer holdfast: run that one, or give another --state", path)
	case got != form:
		return fmt.Errorf("%w: it is of another shard", errDamaged)
	case w[wordPlaced].Load() > 1 || w[wordLow].Load() > maxIndex || w[wordSent].Load() > maxIndex:
		return fmt.Errorf("%w: its marks are out of range", errDamaged)
	}
	return nil
}

func (m *mark) close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	err := m.words.close()
	m.words, m.ring = words{}, nil
	return err
}

// read is a word of the header, 0 after close.
func (m *mark) read(word int) uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.ring == nil {
		return 0
	}
	return m.words.word[word].Load()
}

func (m *mark) sent(index uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.ring != nil && index > m.words.word[wordSent].Load() {
		m.words.word[wordSent].Store(index)
	}
}

func (m *mark) landed(index uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.ring != nil && index < m.words.word[wordSent].Load() {
		m.words.word[wordSent].Store(index)
	}
}

func (m *mark) acked(index uint64) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.ring == nil {
		return false
	}
	low := m.words.word[wordLow].Load()
	return index <= low || index-low <= CursorWindow && m.has(index)
}

func (m *mark) has(index uint64) bool {
	return m.ring[index%ringBits/64].Load()&(1<<(index%64)) != 0
}

func (m *mark) ack(first, last uint64) error {
	if last > maxIndex {
		return fmt.Errorf("acknowledge event %d: no journal has that many", last)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.ring == nil {
		return os.ErrClosed
	}
	if m.words.word[wordPlaced].Load() == 0 {
		m.words.word[wordPlaced].Store(1)
	}
	low := m.words.word[wordLow].Load()
	switch {
	case last <= low:
		return nil
	case first <= low+1:
		m.advance(low, last)
		return nil
	case last-low > CursorWindow:
		return fmt.Errorf("%w: event %d, oldest open one %d", ErrWindow, last, low+1)
	}
	for i := first; i <= last; i++ {
		w := &m.ring[i%ringBits/64]
		w.Store(w.Load() | 1<<(i%64))
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
	m.words.word[wordLow].Store(to)
	if to > low+1 {
		m.clear(low+1, min(to, low+ringBits))
	}
}

// clear takes away the bits from first to last, at most a ring of them.
func (m *mark) clear(first, last uint64) {
	for i := first; i <= last; {
		n := min(64-i%64, last-i+1)
		mask := ^uint64(0) >> (64 - n) << (i % 64)
		w := &m.ring[i%ringBits/64]
		if was := w.Load(); was&mask != 0 {
			w.Store(was &^ mask)
		}
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
	if w.word[wordMagic].Load() != markMagic || w.word[wordLow].Load() > maxIndex || w.word[wordSent].Load() > maxIndex {
		return 0
	}
	m := mark{words: w, ring: w.word[markHeader:]}
	low := w.word[wordLow].Load()
	high := max(low, w.word[wordSent].Load())
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
