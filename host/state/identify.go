package state

import (
	"encoding/json"
	"time"
)

const identifyFile = "identify.json"

// Identifies is what is known of a bot's IDENTIFYs. Discord counts them over
// restarts, so a host must too.
type Identifies struct {
	// Last is when this folder's bot last identified, zero if that is not known.
	Last time.Time `json:"last"`
	// Bot is the user id that what follows belongs to.
	Bot uint64 `json:"bot"`
	// Total is how many IDENTIFYs Discord allows in a day, Remaining how many are
	// left until Reset. A Total of 0 stands for: not known.
	Total     int       `json:"total"`
	Remaining int       `json:"remaining"`
	Reset     time.Time `json:"reset"`
	// Starts are when hosts had to identify, oldest first, none of whose sessions
	// have settled since.
	Starts []time.Time `json:"starts,omitempty"`
}

// UnmarshalJSON reads also what earlier hosts have written: the last time alone.
func (i *Identifies) UnmarshalJSON(raw []byte) error {
	var last time.Time
	if err := json.Unmarshal(raw, &last); err == nil {
		*i = Identifies{Last: last}
		return nil
	}
	type plain Identifies // without this method
	return json.Unmarshal(raw, (*plain)(i))
}

// Identifies is what was last set; the zero value if nothing was. If it cannot be
// read back, the bot may have identified a moment ago: Last is now.
func (s *State) Identifies() (Identifies, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var known Identifies
	aside, err := loadOrAside(s, identifyFile, &known)
	if aside && err == nil {
		known.Last = time.Now().UTC().Round(0)
		err = store(s, identifyFile, known) // for the next host, should this one not come so far
	}
	return known, err
}

// SetIdentifies remembers what is known. It returns when it is on disk.
func (s *State) SetIdentifies(known Identifies) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return store(s, identifyFile, known)
}
