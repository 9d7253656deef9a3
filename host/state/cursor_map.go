package state

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"unsafe"
)

// words is a file mapped into memory as 64-bit words. A store into it costs
// nanoseconds and survives a killed process; aligned and atomic, it is never
// torn. Words are in the machine's byte order: a state folder stays where it is.
type words struct {
	raw  []byte
	word []atomic.Uint64
}

// mapWords maps the private file at path, which is created with all words zero
// if it is missing. fresh says that it was. A file of another size,
// and what is no file, are errDamaged.
func mapWords(path string, count int) (w words, fresh bool, err error) {
	size := int64(count) * 8
	f, err := os.OpenFile(path, os.O_RDWR|syscall.O_NOFOLLOW, fileMode)
	if errors.Is(err, fs.ErrNotExist) {
		fresh = true
		f, err = createZeroes(path, size)
	}
	if errors.Is(err, syscall.ELOOP) || errors.Is(err, syscall.EISDIR) {
		return words{}, false, fmt.Errorf("%w: it is no regular file", errDamaged)
	}
	if err != nil {
		return words{}, false, err
	}
	defer f.Close() // the mapping holds the file by itself
	info, err := f.Stat()
	if err != nil {
		return words{}, false, err
	}
	if info.Size() != size {
		return words{}, false, fmt.Errorf("%w: it has %d bytes instead of %d", errDamaged, info.Size(), size)
	}
	raw, err := syscall.Mmap(int(f.Fd()), 0, int(size), syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	if err != nil {
		return words{}, false, fmt.Errorf("map %s into memory: %w", path, err)
	}
	return words{raw, overlay(raw)}, fresh, nil
}

// errDamaged says that a file is not what was written into it.
var errDamaged = errors.New("the file is damaged")

// createZeroes makes a file whose blocks are really there: storing into a hole
// of a mapped file on a full disk would kill the process. It appears under its
// name only when it is whole.
func createZeroes(path string, size int64) (*os.File, error) {
	temp, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+temporaryMark) // 0600
	if err != nil {
		return nil, err
	}
	_, err = temp.Write(make([]byte, size))
	if err == nil {
		err = temp.Sync() // the blocks are promised only now
	}
	if err == nil {
		err = os.Rename(temp.Name(), path)
	}
	if err != nil {
		_ = temp.Close()
		_ = os.Remove(temp.Name())
		return nil, err
	}
	return temp, nil
}

func (w words) close() error {
	if w.raw == nil {
		return nil
	}
	if err := syscall.Munmap(w.raw); err != nil {
		return fmt.Errorf("unmap: %w", err)
	}
	return nil
}

// overlay sees raw, which is aligned and a multiple of 8 long, as words.
func overlay(raw []byte) []atomic.Uint64 {
	return unsafe.Slice((*atomic.Uint64)(unsafe.Pointer(unsafe.SliceData(raw))), len(raw)/8) //nolint:gosec // a mapping is aligned to a page
}
