package state

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
)

const (
	proxyKeyFile = "proxy.key"
	// proxyKeyLeast is how long a key must be at least: shorter ones can be guessed.
	proxyKeyLeast = 16
)

// ProxyKey is the key that programs send to the host's REST proxy as their bot token: what the private file proxy.key
// holds, which an operator may change. Without a file it is the one that invent returns, from then on.
func (s *State) ProxyKey(invent func() string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return "", errClosed
	}
	path := s.path(proxyKeyFile)
	raw, err := readWhole(path)
	if errors.Is(err, fs.ErrNotExist) {
		key := invent()
		if err := writeAtomic(path, []byte(key+"\n")); err != nil {
			return "", fmt.Errorf("write %s: %w: make room on the disk and the state folder writable", path, reason(err))
		}
		return key, nil
	}
	if err != nil {
		return "", fmt.Errorf("read %s: %w: make it readable for this user, or remove it for a new one", path, reason(err))
	}
	key := strings.TrimSpace(string(raw))
	if len(key) < proxyKeyLeast {
		return "", fmt.Errorf("%s holds a key of %d letters: give it %d at least, or remove it for a new one", path, len(key), proxyKeyLeast)
	}
	for _, c := range []byte(key) {
		if c <= ' ' || c > '~' {
			return "", fmt.Errorf("%s holds characters that no key may have: one line of letters, digits and signs, or remove it for a new one", path)
		}
	}
	return key, nil
}

// ProxyKeyPath is where ProxyKey keeps the key.
func (s *State) ProxyKeyPath() string { return s.path(proxyKeyFile) }
