package state

import (
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"sync"
	"time"
)

const (
	sessionsFile  = "sessions.json"
	sequencesFile = "sessions.seq"

	// maxShards bounds the file of sequence numbers to 1 MiB.
	maxShards = 1 << 16
	seqBits   = 40 // the rest of the word tells which session the number is of
	seqMask   = 1<<seqBits - 1
)

// SessionValues are what a session can be resumed by.
type SessionValues struct {
	ID        string    `json:"id"`
	ResumeURL string    `json:"resume_url"`
	Shard     uint32    `json:"shard"`
	Count     uint32    `json:"count"`
	Intents   uint64    `json:"intents"`
	Seq       uint64    `json:"seq"`       // the last event that was journaled or skipped
	Ready     time.Time `json:"ready"`     // when READY came
	At        time.Time `json:"at"`        // when the event of Seq came
	Journaled uint64    `json:"journaled"` // index of the journal's last event when READY was handled
}

// Sessions keeps the values of all sessions: what READY tells in a file that is
// replaced whole, and the sequence numbers, which change with each event, in a
// mapped one. Its methods may be called from several goroutines at once. It is
// opened once and closed by its caller.
type Sessions struct {
	state *State

	mu     sync.Mutex
	values map[uint32]SessionValues // Seq and At as of READY
	tags   map[uint32]uint64        // of their ids
	words  words                    // two for each shard: number with tag, time
}

// OpenSessions opens the session values in the state folder. What is damaged is
// set aside and said in one line; its sessions are gone then.
func (s *State) OpenSessions() (*Sessions, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []SessionValues
	if err := load(s, sessionsFile, &list); err != nil {
		return nil, err
	}
	w, fresh, err := mapWords(s.path(sequencesFile), 2*maxShards)
	if errors.Is(err, errDamaged) {
		if err := s.setAside(sequencesFile, err); err != nil {
			return nil, err
		}
		w, fresh, err = mapWords(s.path(sequencesFile), 2*maxShards)
	}
	if err == nil && fresh && len(list) > 0 {
		// A resume from READY's own number would repeat the whole session.
		s.log.Warn("sessions are identified anew, their sequence numbers are lost", "file", s.path(sequencesFile), "sessions", len(list))
		list = nil
		err = store(s, sessionsFile, list)
	}
	if err != nil {
		return nil, fmt.Errorf("open %s: %w: make room on the disk and the state folder writable", s.path(sequencesFile), reason(err))
	}
	values := make(map[uint32]SessionValues, len(list))
	tags := make(map[uint32]uint64, len(list))
	for _, v := range list {
		if v.Shard < maxShards && v.ID != "" {
			values[v.Shard], tags[v.Shard] = v, tag(v.ID)
		}
	}
	return &Sessions{state: s, values: values, tags: tags, words: w}, nil
}

// Save keeps a session's values: at READY, or when a session set takes over. It
// replaces what its shard had, and returns when it is on disk.
func (s *Sessions) Save(v SessionValues) error {
	if v.Shard >= maxShards || v.ID == "" {
		return fmt.Errorf("save session of shard %d: it has no id, or its shard is not below %d", v.Shard, maxShards)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.words.word == nil {
		return errClosed
	}
	old, had := s.values[v.Shard]
	s.values[v.Shard] = v
	if err := s.write(); err != nil {
		delete(s.values, v.Shard)
		if had {
			s.values[v.Shard] = old
		}
		delete(s.tags, v.Shard) // what is counted from now on is not the old session's
		return err
	}
	if v.At.IsZero() {
		v.At = v.Ready
	}
	s.tags[v.Shard] = tag(v.ID)
	s.put(v.Shard, v.Seq, v.At.UnixNano())
	return nil
}

// Replace keeps these sessions' values in the place of all that were saved, at
// once, and returns when they are on disk. After an error nothing is counted any
// more, and what is on disk may be the old or the new.
func (s *Sessions) Replace(list []SessionValues) error {
	values := make(map[uint32]SessionValues, len(list))
	for _, v := range list {
		if v.Shard >= maxShards || v.ID == "" {
			return fmt.Errorf("save session of shard %d: it has no id, or its shard is not below %d", v.Shard, maxShards)
		}
		values[v.Shard] = v
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.words.word == nil {
		return errClosed
	}
	old := s.values
	s.values = values
	clear(s.tags) // the numbers on disk are the old sessions'
	if err := s.write(); err != nil {
		s.values = old
		return err
	}
	for shard, v := range values {
		s.tags[shard] = tag(v.ID)
		s.put(shard, v.Seq, v.At.UnixNano())
	}
	return nil
}

// Forget removes the values of a shard's session, which Discord does not know any more.
func (s *Sessions) Forget(shard uint32) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.words.word == nil {
		return errClosed
	}
	old, had := s.values[shard]
	if !had {
		return nil
	}
	delete(s.values, shard)
	if err := s.write(); err != nil {
		s.values[shard] = old
		return err
	}
	delete(s.tags, shard)
	return nil
}

// write is called with s.mu held.
func (s *Sessions) write() error {
	s.state.mu.Lock()
	defer s.state.mu.Unlock()
	return store(s.state, sessionsFile, s.list())
}

func (s *Sessions) list() []SessionValues {
	list := make([]SessionValues, 0, len(s.values))
	for _, v := range s.values {
		list = append(list, v)
	}
	slices.SortFunc(list, func(a, b SessionValues) int { return int(a.Shard) - int(b.Shard) })
	return list
}

// SetSeq remembers the last event of a shard's session that was journaled or
// skipped, and when it came (Unix nanoseconds). It costs nanoseconds and survives
// a kill. A shard without a saved session is left alone.
func (s *Sessions) SetSeq(shard uint32, seq uint64, received int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tags[shard] != 0 && s.words.word != nil {
		s.put(shard, seq, received)
	}
}

// SetWhole remembers up to when a session (by its id) has missed nothing; what came
// before then is handled. It costs as little as SetSeq. A session that is not saved is
// left alone.
func (s *Sessions) SetWhole(shard uint32, id string, at int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.words.word != nil && id != "" && s.tags[shard] == tag(id) {
		s.words.word[2*shard+1].Store(uint64(at))
	}
}

// put stores number and tag as one word: a number is never taken for that of the
// session before, whenever the process is killed.
func (s *Sessions) put(shard uint32, seq uint64, received int64) {
	s.words.word[2*shard+1].Store(uint64(received))
	s.words.word[2*shard].Store(s.tags[shard]<<seqBits | seq&seqMask)
}

// tag is never 0, so that a word of zeroes belongs to no session.
func tag(id string) uint64 {
	return uint64(crc32.ChecksumIEEE([]byte(id)))>>8 | 1<<23
}

// All are the values of all sessions, by shard.
func (s *Sessions) All() []SessionValues {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := s.list()
	if s.words.word == nil {
		return list
	}
	for i := range list {
		word := s.words.word[2*list[i].Shard].Load()
		if word>>seqBits == tag(list[i].ID) {
			list[i].Seq = word & seqMask
			list[i].At = time.Unix(0, int64(s.words.word[2*list[i].Shard+1].Load()))
		}
	}
	return list
}

// Close gives the mapped file free. Nothing needs to be saved.
func (s *Sessions) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.words
	s.words = words{}
	return w.close()
}
