package plugins

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/holdfast-bot/holdfast/sdk/wire"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// What a plugin has in memory outlives an orderly stop of the host: it is saved
// when the last handler has returned, and given to the first instance that
// begins after the next start. It belongs to what the cursor says: a crash
// afterwards does not bring it back.

const (
	savedEnding   = ".state"
	refusedEnding = ".refused" // for its author to look at
	restoreTries  = 3
)

// save asks the running instance for its state and keeps it on disk. Its queue
// has ended and nothing is in flight.
func (p *Plugin) save(ctx context.Context) error {
	p.mu.Lock()
	in, path := p.instance, p.savedPath()
	p.mu.Unlock()
	if in == nil || !in.manifest.GetHasState() || path == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, p.set.config.stateTimeout)
	defer cancel()
	state, err := in.link.plugin.SaveState(ctx, new(wire.SaveStateRequest))
	if err != nil {
		return fmt.Errorf("save the state of plugin %s: %w: it begins anew with the next start", p.Name(), answered(err, p.set.config.stateTimeout))
	}
	raw, err := proto.Marshal(state)
	if err == nil {
		err = writeWhole(path, raw)
	}
	if err != nil {
		return fmt.Errorf("save the state of plugin %s: %w: it begins anew with the next start", p.Name(), err)
	}
	return nil
}

// savedPath is where the plugin's state is kept, "" for nowhere. The caller
// holds p.mu.
func (p *Plugin) savedPath() string {
	if p.set.config.Saved == "" || p.manifest == nil {
		return ""
	}
	return filepath.Join(p.set.config.Saved, p.manifest.GetName()+savedEnding) // checkManifest allows nothing odd
}

// restoreSaved gives a new instance what the last host's has left. A state that
// is refused, or not taken in time by restoreTries instances, is set aside: the
// next instance begins without it.
func (p *Plugin) restoreSaved(ctx context.Context, in *instance) error {
	p.mu.Lock()
	path := p.savedPath()
	p.mu.Unlock()
	if path == "" || !in.manifest.GetHasState() {
		return nil
	}
	raw, err := readSaved(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	state := new(wire.State)
	if err == nil {
		err = proto.Unmarshal(raw, state)
	}
	if err == nil {
		restoring, cancel := context.WithTimeout(ctx, p.set.config.stateTimeout)
		defer cancel()
		_, err = in.link.plugin.RestoreState(restoring, state)
		switch {
		case err == nil:
		case ctx.Err() != nil:
			return fmt.Errorf("restore the state of before: %w", ctx.Err())
		case status.Code(err) == codes.DeadlineExceeded && p.triesAgain(): // it may come before the clock here says so
			return fmt.Errorf("restore the state of before: %w: it is tried again", answered(err, p.set.config.stateTimeout))
		}
	}
	if err == nil {
		return nil
	}
	aside := path + refusedEnding
	if renamed := os.Rename(path, aside); renamed != nil {
		return fmt.Errorf("set the refused state aside: %w: remove it", renamed)
	}
	return fmt.Errorf("restore the state of before: %w: it is kept in %s, and the plugin begins without it", answered(err, p.set.config.stateTimeout), aside)
}

// triesAgain counts an instance that has not taken its state in time, and says
// whether another one may try: the machine may only have been busy.
func (p *Plugin) triesAgain() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.slowMemory++
	return p.slowMemory < restoreTries
}

// readSaved reads what save has written, and nothing that it cannot have: a pipe
// would be waited for.
func readSaved(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, errors.New("it is no regular file")
	case info.Size() > wire.MaxMessage:
		return nil, fmt.Errorf("it has %d bytes, more than %d", info.Size(), wire.MaxMessage)
	}
	return io.ReadAll(f)
}

// forgetSaved removes a state that has been restored, or whose plugin is gone.
func (s *Set) forgetSaved(path string) {
	if path == "" {
		return
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		s.config.Log.Error("a state that was restored is restored again after the next start: remove it", "file", path, "error", err)
	}
}

// sweepSaved removes the states whose files' names are fit for it.
func (s *Set) sweepSaved(fit func(file string) bool) {
	if s.config.Saved == "" {
		return
	}
	entries, err := os.ReadDir(s.config.Saved)
	if err != nil {
		s.config.Log.Warn("states of plugins that are gone not removed", "error", err)
		return
	}
	for _, e := range entries {
		if e.Type().IsRegular() && fit(e.Name()) {
			s.forgetSaved(filepath.Join(s.config.Saved, e.Name()))
		}
	}
}

// halfWritten tells a file that writeWhole had not finished when its host was killed.
func halfWritten(file, ending string) bool {
	_, number, found := strings.Cut(file, ending)
	return found && number != "" && strings.HasPrefix(file, ".") && strings.Trim(number, "0123456789") == ""
}

// writeWhole writes a private file that is either the old or the new one.
func writeWhole(path string, raw []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)) // 0600
	if err != nil {
		return err
	}
	_, err = f.Write(raw)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}
