package state

import "slices"

const commandsFile = "commands.json"

// OwnedCommands returns the keys of the application commands on Discord that
// this host registered, sorted. What a key says (scope, type, name) is decided
// by the one who sets them. Without a file, or with a damaged one, none is ours:
// then a sync treats all that is registered as foreign and carries it along.
func (s *State) OwnedCommands() ([]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var keys []string
	if err := load(s, commandsFile, &keys); err != nil {
		return nil, err
	}
	return keys, nil
}

// SetOwnedCommands replaces the keys by the given ones. It returns when they are
// on disk.
func (s *State) SetOwnedCommands(keys []string) error {
	sorted := slices.Clone(keys)
	slices.Sort(sorted)
	s.mu.Lock()
	defer s.mu.Unlock()
	return store(s, commandsFile, slices.Compact(sorted))
}
