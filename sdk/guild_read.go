package sdk

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/holdfast-bot/holdfast/sdk/wire"
)

// guildReader reads guilds from the host, for all handlers of the plugin.
// Those who ask for the same at the same time share one call.
type guildReader struct {
	line   *line
	copies *guildCopies

	mu      sync.Mutex
	calls   map[guildAsk]*guildCall
	closed  bool
	running sync.WaitGroup // calls
}

// guildAsk is what a call asks for. The event is the name of the one whose
// handler asks: the host refuses some before others, so they share no call.
type guildAsk struct {
	guild uint64
	parts Part
	event string
}

// guildNeed says how new a guild must be. The zero value takes any.
type guildNeed struct {
	ticket  uint64 // of the event: what the host answers after it was issued is new enough
	version uint64 // of the guild at the event; what is as new is new enough. 0: unknown
}

// guildCall is one call to the host, on a goroutine of its own: it goes on as
// long as somebody waits for it.
type guildCall struct {
	begun   uint64 // the last ticket that was issued before it
	had     uint64 // the version of the copy before it
	done    chan struct{}
	cancel  context.CancelFunc
	waiting int // guarded by guildReader.mu

	guild *Guild // these two are there when done is closed
	err   error
}

// errStops is why calls fail when the line is closed.
var errStops = errors.New("the plugin stops")

func newGuildReader(l *line) *guildReader {
	return &guildReader{line: l, copies: newGuildCopies(maxCopies), calls: make(map[guildAsk]*guildCall)}
}

// read takes the copy if it is known to be new enough and has the parts, else it
// asks the host and waits until ctx ends. A call that was under way when the
// event came may have an answer from before the event: then read asks again,
// together with all who waited for that call, and mostly gets back that the
// guild is unchanged. Likewise when the answer is older than other parts that
// the plugin had by then: a handler that reads twice never goes back in time.
func (r *guildReader) read(ctx context.Context, ask guildAsk, need guildNeed) (*Guild, error) {
	for {
		have := r.copies.get(ask.guild)
		if need.version != 0 && have != nil && have.Version >= need.version && have.Has(ask.parts) {
			return have, nil
		}
		call := r.join(ask)
		select {
		case <-call.done:
		case <-ctx.Done():
			r.leave(ask, call)
			return nil, context.Cause(ctx)
		}
		switch {
		case call.err == nil && have != nil && call.guild.Version < have.Version && call.had < have.Version:
			continue
		case call.err == nil && need.version != 0 && call.guild.Version >= need.version:
			return call.guild, nil
		case call.begun < need.ticket:
			continue
		case call.err == nil && call.guild.Version < need.version:
			return nil, fmt.Errorf("the host answered version %d, which is older than the event's %d: report this", call.guild.Version, need.version)
		default:
			return call.guild, call.err
		}
	}
}

// join returns the call that is under way, or begins one.
func (r *guildReader) join(ask guildAsk) *guildCall {
	r.mu.Lock()
	defer r.mu.Unlock()
	if call, ok := r.calls[ask]; ok {
		call.waiting++
		return call
	}
	ctx, cancel := context.WithCancel(context.Background())
	call := &guildCall{begun: r.line.events.issued(), done: make(chan struct{}), cancel: cancel, waiting: 1}
	have := r.copies.get(ask.guild)
	if have != nil {
		call.had = have.Version
	}
	if r.closed {
		call.err = errStops
		cancel()
		close(call.done)
		return call
	}
	r.calls[ask] = call
	r.running.Go(func() { // close waits for it
		call.guild, call.err = r.ask(ctx, ask, have)
		r.forget(ask, call)
		cancel()
		close(call.done)
	})
	return call
}

// leave ends a call when nobody waits for it any more.
func (r *guildReader) leave(ask guildAsk, call *guildCall) {
	r.mu.Lock()
	call.waiting--
	left := call.waiting == 0
	if left && r.calls[ask] == call {
		delete(r.calls, ask) // who comes now shall not join what is cancelled
	}
	r.mu.Unlock()
	if left {
		call.cancel()
	}
}

func (r *guildReader) forget(ask guildAsk, call *guildCall) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.calls[ask] == call {
		delete(r.calls, ask)
	}
}

// close waits for the calls; the line has been closed, which ends them.
func (r *guildReader) close() {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.running.Wait()
}

// ask makes the call, with the version and the parts that the plugin has.
func (r *guildReader) ask(ctx context.Context, ask guildAsk, have *Guild) (*Guild, error) {
	request := &wire.GuildRequest{Guild: ask.guild, Event: ask.event, Parts: uint32(ask.parts)}
	if have != nil {
		request.Version, request.Have = have.Version, uint32(have.parts())
	}
	answer, err := r.line.host.Guild(r.line.outgoing(ctx), request)
	switch {
	case status.Code(err) == codes.Unimplemented:
		return r.request(ctx, ask)
	case err != nil:
		return nil, callError(ctx, err)
	case answer.GetMissing() != nil:
		return nil, newGuildError(ask.guild, answer.GetMissing())
	case answer.GetVersion() == 0:
		return nil, errors.New("the host answered neither a guild nor why there is none: report this")
	case hasParts(answer):
		return r.take(ask, answer, have)
	case answer.GetVersion() != request.GetVersion():
		return nil, fmt.Errorf("the host answered that version %d is unchanged, the plugin has %d: report this", answer.GetVersion(), request.GetVersion())
	default:
		return r.keep(ask, have)
	}
}

func hasParts(answer *wire.GuildResponse) bool {
	return len(answer.GetGuild())+len(answer.GetChannels())+len(answer.GetThreads())+len(answer.GetMember()) > 0
}

// take decodes the answer and keeps it, unless a copy as new came meanwhile.
func (r *guildReader) take(ask guildAsk, answer *wire.GuildResponse, have *Guild) (*Guild, error) {
	if newer := r.copies.get(ask.guild); newer != nil && newer.Version >= answer.GetVersion() && newer.Has(ask.parts) {
		return newer, nil
	}
	guild, err := decodeGuild(answer, have)
	if err != nil {
		return nil, err
	}
	if have != nil && have.Version == guild.Version {
		guild = joined(have, guild)
	}
	return r.keep(ask, guild)
}

// keep puts a guild among the copies and returns it, if it is what was asked for.
func (r *guildReader) keep(ask guildAsk, guild *Guild) (*Guild, error) {
	if !guild.Has(ask.parts) {
		return nil, fmt.Errorf("the host answered %s, which is less than %s: report this", guild.parts(), ask.parts)
	}
	return r.copies.put(ask.guild, guild), nil
}

// request asks Discord, as hosts without the call want it. There is no version,
// so nothing is kept.
func (r *guildReader) request(ctx context.Context, ask guildAsk) (*Guild, error) {
	if ask.parts != wholeGuild && ask.parts != PartGuild {
		return nil, fmt.Errorf("read %s: this host keeps no guilds: run a newer one", ask.parts)
	}
	body, err := r.line.call(ctx, "GET", "/guilds/"+strconv.FormatUint(ask.guild, 10)+"?with_counts=true", nil)
	if err != nil {
		return nil, err
	}
	return decodeGuild(&wire.GuildResponse{Guild: body, Parts: uint32(PartGuild)}, nil)
}
