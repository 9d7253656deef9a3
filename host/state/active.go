package state

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"strings"
)

const (
	activeFile = "active"
	activeHead = "holdfast active 1\n"
)

// ActiveGuilds returns the guilds that were in the cache when they were last
// saved, none if that never was. A damaged file is set aside and told in the log.
//
// The file is
//
//	holdfast active 1
//	8 bytes a guild, the id in little-endian order
//	4 bytes: CRC-32 (IEEE) of all before
func (s *State) ActiveGuilds() ([]uint64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, errClosed
	}
	raw, err := readWhole(s.path(activeFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil && !errors.Is(err, errDamaged) {
		return nil, fmt.Errorf("read %s: %w: make it readable for this user, or remove it", s.path(activeFile), reason(err))
	}
	var guilds []uint64
	if err == nil {
		guilds, err = readActive(raw)
	}
	if err != nil {
		return nil, s.setAside(activeFile, err)
	}
	return guilds, nil
}

func readActive(raw []byte) ([]uint64, error) {
	list, found := strings.CutPrefix(string(raw), activeHead)
	switch {
	case !found:
		return nil, fmt.Errorf("%w: it does not begin with %q", errDamaged, activeHead)
	case len(list)%8 != 4:
		return nil, fmt.Errorf("%w: it has %d bytes, which is no number of guilds", errDamaged, len(raw))
	}
	end := len(raw) - 4
	if sum := crc32.ChecksumIEEE(raw[:end]); sum != binary.LittleEndian.Uint32(raw[end:]) {
		return nil, fmt.Errorf("%w: its sum is not that of what it says", errDamaged)
	}
	guilds := make([]uint64, 0, len(list)/8)
	for rest := raw[len(activeHead):end]; len(rest) > 0; rest = rest[8:] {
		guilds = append(guilds, binary.LittleEndian.Uint64(rest))
	}
	return guilds, nil
}

// SaveActiveGuilds replaces what ActiveGuilds returns.
func (s *State) SaveActiveGuilds(guilds []uint64) error {
	raw := make([]byte, 0, len(activeHead)+8*len(guilds)+4)
	raw = append(raw, activeHead...)
	for _, id := range guilds {
		raw = binary.LittleEndian.AppendUint64(raw, id)
	}
	raw = binary.LittleEndian.AppendUint32(raw, crc32.ChecksumIEEE(raw))
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return errClosed
	}
	if err := writeAtomic(s.path(activeFile), raw); err != nil {
		return fmt.Errorf("write %s: %w: make room on the disk and the state folder writable", s.path(activeFile), reason(err))
	}
	return nil
}

// ForgetActiveGuilds removes what would not be true any more.
func (s *State) ForgetActiveGuilds() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return errClosed
	}
	if err := os.Remove(s.path(activeFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove %s: %w: remove it", s.path(activeFile), reason(err))
	}
	return nil
}
