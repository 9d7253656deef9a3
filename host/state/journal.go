package state

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
)

const (
	journalFolder = "journal"

	defaultJournalBytes = 256 << 20
	leastJournalBytes   = 512 << 10
	defaultJournalAge   = 15 * time.Minute
	defaultJournalSync  = time.Second

	// maxIndex is beyond what any journal reaches; sums with it do not overflow.
	maxIndex = 1 << 62
)

// errJournalClosed is what a method of a closed Journal answers.
var errJournalClosed = errors.New("journal is closed")

// Record is one event in the journal.
type Record struct {
	Index    uint64 // its place in the journal, from 1; given by [Journal.Append]
	Shard    uint32 // the one that it came by
	Seq      uint64 // Discord's sequence number in the session it came by
	Received int64  // Unix nanoseconds
	Guild    uint64
	Lane     uint64
	Name     string // at most 255 bytes
	Data     []byte // Discord's d, untouched

	// Lost is 0 for an event. A [Reader] sets it to how many events, from Index
	// on, the journal does not have any more, all of this Name ("" if it is not
	// known); nothing else is set then.
	Lost uint64
}

// JournalOptions bound a journal. The zero value is the default.
type JournalOptions struct {
	Bytes  int64         // 256 MiB
	Age    time.Duration // of the oldest event; at least 7/8 of it are kept if Bytes allow; 15 min
	Sync   time.Duration // between fsyncs, and between looks at the age; 1 s
	Memory bool          // keep nothing on disk: the same within memory, gone with the process
}

// Journal keeps the events of the host until they are handled, within its bounds.
// It is one sequence over all shards, so that a guild's events stay in order when
// it moves to another shard, as it does when their number changes.
//
// The events are in segments: files, or memory, that are appended to in order and
// dropped whole, the oldest first. When the journal is nearly full and presences
// and typing take more than an eighth of it, the oldest segments are rewritten
// without them before whole segments go.
//
// Its methods may be called from several goroutines at once. One goroutine, ended
// by Close, fsyncs, thins and drops. kick wakes it and is never closed. Locks are
// taken in the order writing, mu.
type Journal struct {
	opts JournalOptions
	dir  string // "" in memory
	log  hclog.Logger

	last    atomic.Uint64 // what readers may see
	total   atomic.Int64  // bytes of all segments, and what is reserved
	light   atomic.Int64  // of these, bytes of droppable events
	closed  atomic.Bool
	fallen  atomic.Bool  // the disk did not take events: some are in memory
	triedAt atomic.Int64 // Unix nanoseconds of the last attempt at it
	kick    chan struct{}
	stop    context.CancelFunc
	stopped chan struct{}

	writing sync.Mutex // the order of appends
	active  *segment   // nil until there is something to write
	buf     []byte
	names   nameList
	newest  map[uint32]*Record // of each shard, without Data

	mu      sync.Mutex
	segs    []*segment // by index, active last
	unsaved []*segment // sealed, to be fsynced and closed
}

// OpenJournal opens the journal in the state folder, or one in memory. It is
// opened once and closed by its caller. Indices go on where the last host's
// ended; they never fall back behind what a cursor has acknowledged.
//
// A torn end of the newest segment is cut, damage inside is skipped; both are
// said in one line. A journal in memory removes what one on disk has left.
func (s *State) OpenJournal(o JournalOptions) (*Journal, error) {
	o, err := o.checked()
	if err != nil {
		return nil, err
	}
	j := &Journal{opts: o, log: s.log, kick: make(chan struct{}, 1), stopped: make(chan struct{}), newest: make(map[uint32]*Record)}
	j.names.reset(1)
	if err := j.recover(s); err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	ctx, stop := context.WithCancel(context.Background())
	j.stop = stop
	go j.keep(ctx) // Close waits for it
	return j, nil
}

func (o JournalOptions) checked() (JournalOptions, error) {
	if o.Bytes == 0 {
		o.Bytes = defaultJournalBytes
	}
	if o.Age == 0 {
		o.Age = defaultJournalAge
	}
	if o.Sync == 0 {
		o.Sync = defaultJournalSync
	}
	if o.Bytes < leastJournalBytes {
		return o, fmt.Errorf("journal of %d bytes is too small to hold events: give at least %d", o.Bytes, leastJournalBytes)
	}
	if o.Age < 0 || o.Sync < 0 {
		return o, fmt.Errorf("journal of age %s, synced each %s: give durations above 0", o.Age, o.Sync)
	}
	return o, nil
}

// Close ends the journal's goroutine and brings to the disk what is not there
// yet. Readers and appends answer with an error afterwards.
func (j *Journal) Close() error {
	if j.closed.Swap(true) {
		return nil
	}
	j.stop()
	<-j.stopped
	j.writing.Lock()
	if j.active != nil {
		j.seal()
	}
	j.writing.Unlock()
	fault := j.save()
	j.triedAt.Store(0)
	if err := j.rescue(time.Now()); err != nil {
		fault = errors.Join(fault, fmt.Errorf("close journal: %d bytes of it are lost, they were in memory: %w: make room on the disk and the state folder writable", j.unkept(), err))
	}
	return fault
}

// Bytes is how much the journal takes, never more than [JournalOptions].Bytes.
func (j *Journal) Bytes() int64 { return j.total.Load() }

// Oldest is when the oldest event that is kept came, zero if there is none.
func (j *Journal) Oldest() time.Time {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, seg := range j.segs {
		if !seg.empty() {
			return time.Unix(0, seg.at.Load())
		}
	}
	return time.Time{}
}

// Range is the first event that is kept and the last that was appended. If none
// is kept, first is last+1. Presences and typing within it may be gone.
func (j *Journal) Range() (first, last uint64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	last = j.last.Load()
	for _, seg := range j.segs {
		if !seg.empty() {
			return min(seg.first, last+1), last
		}
	}
	return last + 1, last
}

// Newest is the newest event that came by a shard, without its data: after a kill
// its Seq may be ahead of the session's, for an event is journaled first. False
// means that none is kept.
func (j *Journal) Newest(shard uint32) (Record, bool) {
	j.writing.Lock()
	defer j.writing.Unlock()
	r, ok := j.newest[shard]
	if !ok {
		return Record{}, false
	}
	return *r, true
}

// setNewest remembers that r is its shard's newest. The caller holds writing.
func (j *Journal) setNewest(r *Record) {
	newest := j.newest[r.Shard]
	if newest == nil {
		newest = new(Record)
		j.newest[r.Shard] = newest
	}
	*newest = *r
	newest.Data = nil
}

// droppable are the kinds that go first: the next one of them says more.
func droppable(name string) bool { return name == "PRESENCE_UPDATE" || name == "TYPING_START" }
