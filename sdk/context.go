package sdk

import (
	"context"
	"sync"
	"time"
)

// eventContext is the context of one event's handlers. Most handlers never
// look at it, so its timer and channel are made at the first look: half of what
// dispatching an event would cost otherwise (BenchmarkDispatch). It is part of
// its job's allocation.
type eventContext struct {
	stream   context.Context //nolint:containedctx // it is a context: its parent
	deadline time.Time
	late     error // the cause at the deadline

	mu     sync.Mutex
	ended  bool
	real   context.Context //nolint:containedctx // it is a context: what it stands for
	cancel context.CancelFunc
}

// begin makes it a child of stream that ends at the deadline or with end.
func (c *eventContext) begin(stream context.Context, deadline time.Time, late error) {
	c.stream, c.deadline, c.late = stream, deadline, late
}

// end cancels the context.
func (c *eventContext) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended = true
	if c.cancel != nil {
		c.cancel()
	}
}

func (c *eventContext) made() context.Context {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.real == nil {
		c.real, c.cancel = context.WithDeadlineCause(c.stream, c.deadline, c.late)
		if c.ended {
			c.cancel()
		}
	}
	return c.real
}

// Deadline implements context.Context.
func (c *eventContext) Deadline() (time.Time, bool) { return c.deadline, true }

// Done implements context.Context.
func (c *eventContext) Done() <-chan struct{} { return c.made().Done() }

// Err implements context.Context.
func (c *eventContext) Err() error { return c.made().Err() }

// Value implements context.Context. It finds the real context too, so that
// children are cancelled without a goroutine of their own.
func (c *eventContext) Value(key any) any { return c.made().Value(key) }
