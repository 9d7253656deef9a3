package state

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"
)

const handoverFile = "handover.json"

// Handover is a moment at which other sessions begin to deliver. Until EndHandover a host
// that is killed leaves nobody who knows what the ones have shown and the others have not.
type Handover struct {
	Since     time.Time `json:"since"`
	Journaled uint64    `json:"journaled"` // index of the journal's last event before it
}

// BeginHandover keeps a handover, and returns when it is on disk. One that has not ended
// stays as it is.
func (s *State) BeginHandover(h Handover) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var before Handover
	if err := load(s, handoverFile, &before); err != nil || !before.Since.IsZero() {
		return err
	}
	return store(s, handoverFile, h)
}

// Handover returns the one that has not ended; its Since is zero if there is none.
func (s *State) Handover() (h Handover, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	err = load(s, handoverFile, &h)
	return h, err
}

// EndHandover forgets it.
func (s *State) EndHandover() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return errClosed
	}
	if err := os.Remove(s.path(handoverFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove %s: %w: make the state folder writable", s.path(handoverFile), reason(err))
	}
	return nil
}
