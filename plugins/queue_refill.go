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
		if err := q.readOn(ctx, claims); err != nil && ctx.Err() == nil {
			q.tell("read the journal", err)
			select {
			case <-time.After(refillPause):
			case <-ctx.Done():
			}
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

// readOn queues what was left to the journal, as far as there is room.
func (q *queue) readOn(ctx context.Context, claims func(*wire.Event) bool) error {
	k := &q.kept
	for q.mayRead(ctx) {
		if k.reader == nil {
			k.reader = k.journal.Read(max(k.next, k.gone))
		}
		e := new(wire.Event)
		lost, ok, err := k.reader.Next(e)
		switch {
		case err != nil:
			// Another reader may find what this one stumbled over.
			err = errors.Join(err, k.reader.Close())
			k.reader = nil
			return fmt.Errorf("event %d: %w", k.next, err)
		case !ok:
			q.atEnd()
		default:
			q.receive(e, lost, e.Name != interactionCreate || lost > 0 || claims(e))
		}
	}
	return nil
}

// mayRead says whether there is something to read, and room for it, in memory and
// in what the cursor can tell apart.
func (q *queue) mayRead(ctx context.Context) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return ctx.Err() == nil && q.kept.behind && q.fits() && q.passGone() && q.inWindow(q.kept.next)
}

// atEnd ends the reading when the plugin has caught up, unless more has come
// meanwhile.
func (q *queue) atEnd() {
	q.mu.Lock()
	defer q.mu.Unlock()
	k := &q.kept
	k.next = k.reader.Index()
	if q.caughtUp() {
		_ = k.reader.Close() // it was only read
		k.reader = nil
	}
}

// receive takes one event that was read, or what is lost in its place.
func (q *queue) receive(e *wire.Event, lost uint64, mine bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	k := &q.kept
	k.next = k.reader.Index()
	handled, ahead := k.ahead[e.Index]
	maybe := e.Index <= k.maybe || e.Name == interactionCreate && e.Index <= k.opened
	switch {
	case lost > 0:
		k.next, k.gone = e.Index, k.next
		q.countLost(e.Name, lost)
		q.passGone()
	case ahead:
		delete(k.ahead, e.Index)
		if handled {
			q.acknowledged(e.Index, e.Index)
		}
	case k.cursor != nil && k.cursor.Acked(e.Index):
	case !mine || !q.wanted.takes(e):
		q.acknowledged(e.Index, e.Index)
	case e.Name == interactionCreate && q.tooOld(e):
		q.count.dropped[e.Name]++
		q.acknowledged(e.Index, e.Index)
	default:
		e.Data = bytes.Clone(e.Data)
		i := q.newItem(e)
		if maybe {
			i.flags |= wire.Redelivered
		}
		q.append(i)
		q.signal(q.wake)
	}
}

// tooOld says of an interaction that waited in the journal whether it is too old to
// be handled, where nobody knows better. What an earlier life of the host may have
// handed to a process comes again all the same.
func (q *queue) tooOld(e *wire.Event) bool {
	return q.asked == nil && e.Index > q.kept.maybe && q.now().Sub(time.Unix(0, e.Received)) > interactionAnswer
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
