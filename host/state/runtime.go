package state

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

const runtimeFile = "runtime.json"

// Runtime tells other commands of the operator how to reach the running host.
type Runtime struct {
	PID     int       `json:"pid"`
	Socket  string    `json:"socket"` // absolute path of the control socket
	Started time.Time `json:"started"`
}

// ErrNotRunning says that no host has announced itself in a state folder.
var ErrNotRunning = errors.New("no holdfast is running")

// SetRuntime announces the running host. Close takes the announcement back.
func (s *State) SetRuntime(r Runtime) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return store(s, runtimeFile, r)
}

// ReadRuntime tells how to reach the host that runs on the state folder dir,
// without opening or locking it. The error wraps [ErrNotRunning] if nobody has
// announced himself. After a kill the announcement may outlive its host: then
// nothing answers on the socket.
func ReadRuntime(dir string) (Runtime, error) {
	path := filepath.Join(dir, runtimeFile)
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Runtime{}, fmt.Errorf("%w on state folder %s: start one (holdfast run --state %s), or give its --state", ErrNotRunning, dir, dir)
	}
	if err != nil {
		return Runtime{}, fmt.Errorf("read %s: %w: ask as the user that runs holdfast", path, reason(err))
	}
	var doc document[Runtime]
	if err := json.Unmarshal(raw, &doc); err != nil || doc.Content.Socket == "" {
		return Runtime{}, fmt.Errorf("read %s: it is damaged: restart holdfast", path)
	}
	return doc.Content, nil
}
