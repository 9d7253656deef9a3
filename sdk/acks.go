package sdk

import (
	"context"
	"sync"

	"github.com/holdfast-bot/holdfast/sdk/wire"
)

// acks gathers acknowledgements for the one goroutine that sends them: it takes
// all that are there each time, without waiting for more. There are at most as
// many as events in flight, which the host bounds.
type acks struct {
	wake chan struct{} // something is there; capacity 1

	mu      sync.Mutex
	next    *wire.Acks
	sending bool
	flushed chan struct{} // closed when nothing is left, nil when nobody waits
}

func newAcks() *acks {
	return &acks{wake: make(chan struct{}, 1), next: new(wire.Acks)}
}

// add acknowledges the job's event; failure is nil when all went well.
func (a *acks) add(j *job, failure *wire.Failure) {
	e := &j.event
	a.mu.Lock()
	first := len(a.next.GetIndexes()) == 0
	a.next.Shards = append(a.next.Shards, e.Shard)
	a.next.Indexes = append(a.next.Indexes, e.Index)
	if failure != nil {
		a.next.Failures = append(a.next.Failures, failure)
	}
	if j.detached.Load() {
		a.next.Detached = append(a.next.Detached, e.Index)
	}
	a.mu.Unlock()
	if first {
		select {
		case a.wake <- struct{}{}:
		default:
		}
	}
}

// send is the sender: it runs until ctx or the stream ends.
func (a *acks) send(ctx context.Context, stream interface{ Send(acks *wire.Acks) error }) {
	spare := new(wire.Acks)
	for {
		select {
		case <-a.wake:
		case <-ctx.Done():
			return
		}
		a.mu.Lock()
		batch := a.next
		a.next, a.sending = spare, true
		a.mu.Unlock()
		if stream.Send(batch) != nil {
			return // the receiver of the stream sees why
		}
		batch.Shards, batch.Indexes, batch.Failures = batch.GetShards()[:0], batch.GetIndexes()[:0], batch.GetFailures()[:0]
		batch.Detached = batch.GetDetached()[:0]
		spare = batch
		a.sent()
	}
}

func (a *acks) sent() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.sending = false
	if a.flushed != nil && len(a.next.GetIndexes()) == 0 {
		close(a.flushed)
		a.flushed = nil
	}
}

// flush waits until all that was added is on the stream, or ctx ends.
func (a *acks) flush(ctx context.Context) error {
	a.mu.Lock()
	if !a.sending && len(a.next.GetIndexes()) == 0 {
		a.mu.Unlock()
		return nil
	}
	if a.flushed == nil {
		a.flushed = make(chan struct{})
	}
	flushed := a.flushed
	a.mu.Unlock()
	select {
	case <-flushed:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
