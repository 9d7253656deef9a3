package plugins

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/holdfast-bot/holdfast/sdk/wire"
)

const (
	// refillChunk is how many events refill reads before it looks at the next
	// shard.
	refillChunk = 512
	// refillPause is how long refill leaves a journal alone that cannot be read.
	refillPause = time.Second
	// interactionAnswer is how long an interaction waits for its first answer
	// (Discord's documentation, "Receiving and Responding"): one that no handler
	// has seen by then nobody can answer any more.
	interactionAnswer = 3 * time.Second
)

// refill reads from the journal what was left there, as there is room for it,
// until ctx ends. claims says of an interaction whether it is for this plugin.
func (q *queue) refill(ctx context.Context, claims func(*wire.Event) bool) {
	for ctx.Err() == nil {
		more := false
		for _, f := range q.feedsBehind() {
			again, err := q.readOn(ctx, f, claims)
			if err != nil && ctx.Err() == nil {
				q.tell("read the journal", err)
				select {
				case <-time.After(refillPause):
				case <-ctx.Done():
				}
				again = true
			}
			more = more || again
		}
		if more {
			continue
		}
		select {
		case <-q.hungry:
		case <-ctx.Done():
		}
	}
}

func (q *queue) tell(what string, err error) {
	q.mu.Lock()
	fault := q.kept.fault
	q.mu.Unlock()
	fault(what, err)
}

func (q *queue) feedsBehind() []*feed {
	q.mu.Lock()
	defer q.mu.Unlock()
	var out []*feed
	for _, f := range q.kept.feeds {
		if f.behind {
			out = append(out, f)
		}
	}
	return out
}

// readOn queues a chunk of one shard's events. It reports whether it could go on
// at once.
func (q *queue) readOn(ctx context.Context, f *feed, claims func(*wire.Event) bool) (more bool, err error) {
	if f.reader == nil {
		f.reader = q.kept.journal.Read(f.shard, max(f.next, f.gone))
	}
	for range refillChunk {
		if !q.mayRead(ctx, f) {
			return false, nil
		}
		e := new(wire.Event)
		lost, ok, err := f.reader.Next(e)
		switch {
		case err != nil:
			// Another reader may find what this one stumbled over.
			err = errors.Join(err, f.reader.Close())
			f.reader = nil
			return false, fmt.Errorf("event %d of shard %d: %w", f.next, f.shard, err)
		case !ok:
			return q.atEnd(f), nil
		}
		mine := e.Name != interactionCreate || lost > 0 || claims(e)
		q.receive(f, e, lost, mine)
	}
	return true, nil
}

// mayRead says whether there is room for an event more, in memory and in what
// the cursor can tell apart.
func (q *queue) mayRead(ctx context.Context, f *feed) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return ctx.Err() == nil && q.fits() && q.passGone(f) && q.inWindow(f, f.next)
}

// atEnd ends the reading of a shard that has caught up. It reports whether more
// has come meanwhile.
func (q *queue) atEnd(f *feed) (more bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	f.next = f.reader.Index()
	if !q.caughtUp(f) {
		return true
	}
	_ = f.reader.Close() // it was only read
	f.reader = nil
	return false
}

// receive takes one event that was read, or what is lost in its place.
func (q *queue) receive(f *feed, e *wire.Event, lost uint64, mine bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	f.next = f.reader.Index()
	handled, ahead := f.ahead[e.Index]
	maybe := e.Index <= f.maybe || e.Name == interactionCreate && e.Index <= f.opened
	switch {
	case lost > 0:
		f.next, f.gone = e.Index, f.next
		q.countLost(e.Name, lost)
		q.passGone(f)
	case ahead:
		delete(f.ahead, e.Index)
		if handled {
			q.acknowledged(f.shard, e.Index, e.Index)
		}
	case q.kept.cursor != nil && q.kept.cursor.Acked(f.shard, e.Index):
	case !mine || !q.wanted.takes(e):
		q.acknowledged(f.shard, e.Index, e.Index)
	case e.Name == interactionCreate && e.Index > f.maybe && q.now().Sub(time.Unix(0, e.Received)) > interactionAnswer:
		q.count.dropped[e.Name]++
		q.acknowledged(f.shard, e.Index, e.Index)
	default:
		e.Data = bytes.Clone(e.Data)
		i := q.newItem(e, f)
		if maybe {
			i.flags |= wire.Redelivered
		}
		q.append(i)
		q.signal(q.wake)
	}
}

// countLost counts what the journal had to let go before the plugin came to it.
func (q *queue) countLost(name string, lost uint64) {
	if name == "" {
		name = "unknown"
	} else if !q.wanted.names(name) {
		return
	}
	q.count.dropped[name] += lost
	q.kept.fault("events are lost", fmt.Errorf("%d of %s: the plugin was away longer than the journal reaches, or the journal was in memory: give it more bytes or age, or keep it on disk", lost, name))
}
