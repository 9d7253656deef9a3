package state

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"sync"
	"syscall"
)

const (
	interactionsFile = "interactions"
	// interactionSlots is how many steps of interactions are kept, the latest ones:
	// about a minute of 500 a second. Then the file has 1.5 MiB.
	interactionSlots = 1 << 16
	interactionSlot  = 24 // bytes: number 8, id 8, step 1, nothing 3, CRC-32 4
)

// Interactions remembers what a host has told Discord of interactions, so that
// the next one does not answer them again after a kill. It is a ring of slots of
// equal size, each written with one call and none of them synced: a killed process
// loses nothing, and the loss of power only what nobody can answer any more when
// the machine is back. Neither a token nor what was answered is in it. Its methods
// are for any goroutine.
type Interactions struct {
	mu   sync.Mutex
	file *os.File
	last uint64 // number of the last step, 0 for none
}

// OpenInteractions opens what is remembered, and returns the last step of each
// interaction by its id. Slots that are torn or damaged are left out.
func (s *State) OpenInteractions() (*Interactions, map[uint64]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, nil, errClosed
	}
	path := s.path(interactionsFile)
	file, err := openRing(path)
	if errors.Is(err, errDamaged) {
		if err = s.setAside(interactionsFile, err); err == nil {
			file, err = openRing(path)
		}
	}
	if err != nil {
		return nil, nil, fmt.Errorf("open %s: %w: make it readable and writable for this user, or remove it", path, reason(err))
	}
	raw, err := io.ReadAll(io.LimitReader(file, interactionSlots*interactionSlot))
	if err != nil {
		_ = file.Close()
		return nil, nil, fmt.Errorf("read %s: %w: remove it", path, reason(err))
	}
	k := &Interactions{file: file}
	steps := k.read(raw)
	return k, steps, nil
}

func openRing(path string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, fileMode)
	if err != nil {
		return nil, err
	}
	if info, err := file.Stat(); err != nil || !info.Mode().IsRegular() {
		_ = file.Close()
		return nil, errors.Join(errDamaged, err)
	}
	return file, nil
}

// read takes the steps in the order of their numbers.
func (k *Interactions) read(raw []byte) map[uint64]byte {
	steps, numbers := make(map[uint64]byte), make(map[uint64]uint64)
	for ; len(raw) >= interactionSlot; raw = raw[interactionSlot:] {
		slot := raw[:interactionSlot]
		if crc32.ChecksumIEEE(slot[:20]) != binary.BigEndian.Uint32(slot[20:]) {
			continue
		}
		number, id := binary.BigEndian.Uint64(slot), binary.BigEndian.Uint64(slot[8:])
		if number == 0 || number < numbers[id] {
			continue
		}
		steps[id], numbers[id] = slot[16], number
		k.last = max(k.last, number)
	}
	return steps
}

// Set remembers the latest step of an interaction.
func (k *Interactions) Set(id uint64, step byte) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.last++
	var slot [interactionSlot]byte
	binary.BigEndian.PutUint64(slot[:], k.last)
	binary.BigEndian.PutUint64(slot[8:], id)
	slot[16] = step
	binary.BigEndian.PutUint32(slot[20:], crc32.ChecksumIEEE(slot[:20]))
	if _, err := k.file.WriteAt(slot[:], int64(k.last%interactionSlots)*interactionSlot); err != nil {
		return fmt.Errorf("write %s: %w: make room on its disk", k.file.Name(), reason(err))
	}
	return nil
}

// Close closes the file.
func (k *Interactions) Close() error { return k.file.Close() }
