package plugins

import (
	"github.com/holdfast-bot/holdfast/sdk/wire"
)

// CursorWindow is how many events above the oldest one that is not acknowledged
// a [Cursor] must tell apart.
const CursorWindow = 1 << 21

// Journal keeps the events until the plugins have handled them, in one sequence
// over all shards. Its methods are for any goroutine.
type Journal interface {
	// Last is the last index, 0 if there is none yet.
	Last() uint64
	// Read reads the events from an index on.
	Read(from uint64) Reader
}

// Cursors keeps what the plugins have acknowledged, also in earlier lives of the
// host. Its methods are for any goroutine.
type Cursors interface {
	// Cursor opens that of the plugin of this name, once at a time.
	Cursor(plugin string) (Cursor, error)
	// Cursors are the names of the plugins that have one.
	Cursors() ([]string, error)
	// Forget removes the cursor of a plugin whose file is gone. It is closed.
	Forget(plugin string) error
}

// Cursor is what one plugin has acknowledged of the journal. What is acknowledged
// stays so when the host is killed. Its methods are for any
// goroutine, and cost nanoseconds.
type Cursor interface { //nolint:interfacebloat // one thing, and the queue needs all of it
	// AckRange acknowledges all events from first to last, which is at most
	// [CursorWindow] above the oldest that is not, unless first is that one.
	AckRange(first, last uint64) error
	Acked(index uint64) bool
	// Position tells up to where all events are acknowledged, and up to where
	// they have been handed to a process of the plugin; known is false for
	// a plugin that is new.
	Position() (low, sent uint64, known bool)
	// SetSent remembers that events up to index are handed to a process.
	SetSent(index uint64) error
	// Landed takes that back down to index: no open event above it is with a
	// process any more, or was with one that died.
	Landed(index uint64) error
	Close() error
}

// Reader reads the journal in order. It belongs to one goroutine.
type Reader interface {
	// Next fills e with the next event; false means that there is none yet. If
	// lost is above 0, so many events from e's index on are gone, all of e's name
	// ("" if it is not known). The data is valid until the next call.
	Next(e *wire.Event) (lost uint64, ok bool, err error)
	// Index is that of the event which Next fills next.
	Index() uint64
	Close() error
}
