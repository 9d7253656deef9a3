package plugins

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strings"
	"syscall"
	"time"
)

// File is one plugin binary in the folder, and the copy of it that runs.
type File struct {
	// Name is the file's name without its extension; settings use it.
	Name string
	// Path is where the operator put it.
	Path string
	// Hash is the sha256 of what was staged, in hex.
	Hash string
	// Staged is the copy in the state folder.
	Staged string
}

// quiet is how long a file must not have changed before it is read: a build
// or a copy may still be writing it.
const quiet = 300 * time.Millisecond

// candidate is a file worth staging.
type candidate struct {
	name, path string
	changed    time.Time
}

// scan lists the plugins in dir, by name. Dot files, temporary files, folders
// and what is not executable are left alone; skipped names the last kind, for
// a word to the operator.
func scan(dir string) (found []candidate, skipped []string, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, nil, fmt.Errorf("read plugins folder %s: %w: create it, or name another with --plugins", dir, unwrapPath(err))
	}
	for _, entry := range entries {
		name := entry.Name()
		if temporary(name) {
			continue
		}
		path := filepath.Join(dir, name)
		info, err := os.Stat(path) // a link to a binary is a plugin
		if err != nil || !info.Mode().IsRegular() {
			continue
		}
		if info.Mode().Perm()&0o111 == 0 {
			skipped = append(skipped, name)
			continue
		}
		found = append(found, candidate{
			name:    strings.TrimSuffix(name, filepath.Ext(name)),
			path:    path,
			changed: info.ModTime(),
		})
	}
	sort.Slice(found, func(a, b int) bool { return found[a].path < found[b].path })
	return found, skipped, nil
}

// temporary names are those that editors, compilers and copiers leave.
func temporary(name string) bool {
	return strings.HasPrefix(name, ".") || strings.HasSuffix(name, "~") ||
		strings.HasSuffix(name, ".tmp") || strings.HasSuffix(name, ".part") || strings.HasSuffix(name, ".swp") ||
		strings.Contains(name, "-go-tmp-umask")
}

// unwrapPath takes the path out of an error that names it once already.
func unwrapPath(err error) error {
	if path, ok := errors.AsType[*fs.PathError](err); ok {
		return path.Err
	}
	return err
}

// errStaging says that the host's own folder does not take a copy.
var errStaging = errors.New("free some space, or name another folder with --state")

// stage copies the candidate into dir under its hash. What was hashed is what
// runs: hash and copy are made from the same read. The error wraps errStaging
// when it is about dir.
func stage(c candidate, dir string) (File, error) {
	f := File{Name: c.name, Path: c.path}
	src, err := os.Open(c.path)
	if err != nil {
		return f, fmt.Errorf("read %s: %w: make it readable for the host's user", c.path, unwrapPath(err))
	}
	defer src.Close()
	if f.Hash, err = hashOf(src); err != nil {
		return f, fmt.Errorf("read %s: %w", c.path, unwrapPath(err))
	}
	if f.Staged = filepath.Join(dir, f.Hash); isCopy(f.Staged, f.Hash) {
		return f, nil // of an earlier life, or of another name: a full disk does not matter
	}
	if _, err := src.Seek(0, io.SeekStart); err != nil {
		return f, fmt.Errorf("read %s: %w", c.path, unwrapPath(err))
	}
	hash, temp, err := copyExecutable(src, dir)
	if err != nil {
		return f, fmt.Errorf("copy %s to %s: %w: %w", c.path, dir, unwrapPath(err), errStaging)
	}
	f.Hash, f.Staged = hash, filepath.Join(dir, hash)
	if err := os.Rename(temp, f.Staged); err != nil {
		os.Remove(temp)
		return f, fmt.Errorf("copy %s to %s: %w: %w", c.path, dir, err, errStaging)
	}
	return f, nil
}

func hashOf(src io.Reader) (string, error) {
	sum := sha256.New()
	if _, err := io.Copy(sum, src); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// isCopy says whether a staged file is whole: a power loss may have cut it.
func isCopy(path, hash string) bool {
	info, err := os.Lstat(path)
	if err != nil || !info.Mode().IsRegular() || info.Mode().Perm()&0o100 == 0 {
		return false
	}
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	got, err := hashOf(f)
	return err == nil && got == hash
}

// copyExecutable writes src to a temporary executable in dir. ForkLock keeps
// other goroutines from starting a process meanwhile: the child would inherit
// the open file, and running the copy would fail with "text file busy".
func copyExecutable(src io.Reader, dir string) (hash, temp string, err error) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	dst, err := os.CreateTemp(dir, ".staging-*")
	if err != nil {
		return "", "", err
	}
	sum := sha256.New()
	_, err = io.Copy(io.MultiWriter(dst, sum), src)
	err = errors.Join(err, dst.Chmod(0o700), dst.Close())
	if err != nil {
		os.Remove(dst.Name())
		return "", "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), dst.Name(), nil
}

// copies are the names that stage gives.
var copies = regexp.MustCompile(`^([0-9a-f]{64}|\.staging-.*)$`)

// sweep removes staged copies that nothing in keep refers to, so that the
// folder does not grow with every build, and nothing else.
func sweep(dir string, keep map[string]bool) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("read staging folder: %w", err)
	}
	var errs []error
	for _, entry := range entries {
		if entry.Type().IsRegular() && copies.MatchString(entry.Name()) && !keep[entry.Name()] {
			errs = append(errs, os.Remove(filepath.Join(dir, entry.Name())))
		}
	}
	return errors.Join(errs...)
}
