package sdk

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/holdfast-bot/holdfast/sdk/wire"
)

// maxFailure bounds what the host is told about one failure, in bytes.
const maxFailure = 500

// prepare fills in what handlers see of the event, but for its client, which
// comes to life with the handler's context.
func (d *delivery) prepare(j *job) {
	j.route = d.routes[j.event.Name]
	j.log = eventLog{Logger: d.log, facts: &j.bot.Facts}
	j.bot = Bot{
		Client: &j.client.client,
		Raw:    j.event.Data,
		Log:    &j.log,
		line:   d.line,

		left:         &j.detached,
		guildVersion: j.event.GuildVersion,
		Facts: Facts{
			Event:       j.event.Name,
			guild:       j.event.Guild,
			Shard:       j.event.Shard,
			Seq:         j.event.Seq,
			Received:    time.Unix(0, j.event.Received),
			Redelivered: j.event.Flags&wire.Redelivered != 0,
		},
	}
}

// handle runs the event's handlers one after another: the one that answers it,
// then the others in the order of their registration.
func (d *delivery) handle(stream context.Context, j *job) {
	if j.route == nil {
		return // not asked for; acknowledged all the same
	}
	j.ctx.begin(stream, j.started.Add(d.timeout), d.late)
	ctx := &j.ctx
	ticket := d.line.events.issue(ctx)
	defer func() {
		d.line.events.revoke(ticket) // before the end, so that errors tell why
		ctx.end()
	}()
	j.bot.ticket = ticket
	d.line.fillClient(&j.client, clientHeader(ticket, j.event.Name))
	if j.route.hasCommands {
		if e, a := d.answeringFor(j); a != nil {
			d.note(j, a.from, d.runAnswering(ctx, j, e, a))
		}
	}
	for n := range j.route.handlers {
		if j.state.Load() != running {
			return
		}
		h := &j.route.handlers[n]
		d.note(j, h.name, protected(func() error { return h.call(ctx, j) }))
	}
}

// panicError is a panic of a handler.
type panicError struct {
	value any
	stack []byte
}

func (e *panicError) Error() string { return fmt.Sprintf("panic: %v", e.value) }

// protected turns a panic into an error with its stack.
func protected(f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &panicError{value: v, stack: debug.Stack()}
		}
	}()
	return f()
}

// note logs what went wrong in a handler and keeps the first of it for the
// acknowledgement. An abandoned event has been acknowledged: its late end is
// not told again.
func (d *delivery) note(j *job, handler string, err error) {
	if err == nil || j.state.Load() != running {
		return
	}
	text := tell(err)
	values := append(factsOf(j), "handler", handler, "error", text)
	reason, message := wire.Failure_ERROR, "handler failed"
	panicked, hasPanicked := errors.AsType[*panicError](err)
	switch {
	case isUnreadable(err):
		reason, message = wire.Failure_UNREADABLE, "event not readable: handler skipped"
	case hasPanicked:
		message = "handler panicked"
		values = append(values, "stack", mask(string(panicked.stack)))
	}
	if failed, ok := errors.AsType[*commandError](err); ok {
		values = append(values, "command", failed.command, "reference", failed.reference)
	}
	d.log.Error(message, values...)
	if j.failure == nil {
		j.failure = failureOf(j, reason, text)
	}
}

func failureOf(j *job, reason wire.Failure_Reason, message string) *wire.Failure {
	if len(message) > maxFailure {
		message = message[:maxFailure] + "…"
	}
	return &wire.Failure{Shard: j.event.Shard, Index: j.event.Index, Reason: reason, Message: message}
}

// factsOf are the event's values for a log line.
func factsOf(j *job) []any {
	return placeOf(j.event.Name, j.event.Guild, j.event.Shard, j.event.Seq)
}
