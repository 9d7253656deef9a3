package state

import "time"

const identifyFile = "identify.json"

// LastIdentify is when this bot last identified, the zero time if that is not
// known. Discord counts identifies over restarts, so a host must too.
func (s *State) LastIdentify() (time.Time, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var last time.Time
	err := load(s, identifyFile, &last)
	return last, err
}

// SetLastIdentify remembers an identify. It returns when it is on disk.
func (s *State) SetLastIdentify(at time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return store(s, identifyFile, at)
}
