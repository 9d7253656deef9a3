package sdk

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"runtime"

	"github.com/switchupcb/disgo"
)

// interactionCreate is the one event that does not wait in a lane.
const interactionCreate = disgo.FlagGatewayEventNameInteractionCreate

// route is what happens with one kind of event.
type route struct {
	event      string
	subscribed bool // by On, OnAs or OnRaw: the manifest asks for it
	guild      Part // what is wanted of it beforehand; 0: nothing
	handlers   []handler
	types      []reflect.Type // that handlers want decoded; their places are slots

	hasCommands bool // of INTERACTION_CREATE: Command was called
	commandSlot int  // of their decoded interaction
}

// handler is one registered function.
type handler struct {
	name string // of the function, for logs
	call func(context.Context, *job) error
}

// slot is the place of a type among the decoded forms of one event, so that
// handlers of one type share one decode.
func (r *route) slot(t reflect.Type) int {
	for n, have := range r.types {
		if have == t {
			return n
		}
	}
	r.types = append(r.types, t)
	return len(r.types) - 1
}

// Option changes what On, OnAs or OnRaw ask for.
type Option func(*route)

// WithGuild asks the host to have the event's guild at hand before the handler
// runs, so that Bot.Guild need not wait. While the guild is loaded the lane of
// the event waits, at most 3 s (an interaction 1 s), and holds up nobody else.
// The event is delivered in any case: when the guild could not be loaded, or
// was not, because events of its kind come in masses, Bot.Guild returns a
// *GuildError that says why. Hosts that keep no guilds deliver as usual.
//
// Each part is one request to Discord when the guild is not there. Who does not
// need all of them names those that the handler reads, such as
// WithGuild(sdk.PartGuild) for Bot.Role; what several handlers of an event want
// is loaded together.
func WithGuild(parts ...Part) Option {
	return func(r *route) { r.guild |= union(parts) }
}

// On registers a handler for the event that its last parameter names: a
// func(ctx, bot, *disgo.MessageCreate) error handles MESSAGE_CREATE.
//
// Events of one guild (of one channel in direct messages) are handled one
// after another in Discord's order, those of different guilds in parallel, and
// interactions at once. Handlers of one event run in the order of their
// registration, and share the decoded event: who changes it changes it for the
// next. An error or a panic is logged and the event counts as handled. The
// context ends at the handler's deadline (30 s unless the host says otherwise).
//
// A payload that disgo cannot decode is repaired first: components that it
// does not know are left out, see Bot.Raw for the whole.
func On[E Event](p *Plugin, handler func(ctx context.Context, bot *Bot, event *E) error, options ...Option) {
	name := eventName(new(E))
	switch name {
	case disgo.FlagGatewayEventNameHello, disgo.FlagGatewayEventNameReconnect, disgo.FlagGatewayEventNameInvalidSession:
		panic("sdk.On: " + name + " is no event of the gateway but part of its protocol: the host handles it")
	}
	r := p.subscribe("sdk.On", name, handler == nil)
	r.add(funcName(handler), typed(r, handler), options)
}

// OnAs registers a handler for any dispatch by name, decoded with
// encoding/json into a T: a struct of your own, another library's, or a disgo
// type. Use it for events and fields that are newer than disgo. Handlers of
// one event and type share the decoded value.
func OnAs[T any](p *Plugin, event string, handler func(ctx context.Context, bot *Bot, event *T) error, options ...Option) {
	r := p.subscribe("sdk.OnAs", event, handler == nil)
	r.add(funcName(handler), typed(r, handler), options)
}

// OnRaw registers a handler for any dispatch by name that gets Discord's bytes
// as they are, without the cost of decoding. They are shared: do not change
// them, and copy what you keep for long.
func OnRaw(p *Plugin, event string, handler func(ctx context.Context, bot *Bot, data json.RawMessage) error, options ...Option) {
	r := p.subscribe("sdk.OnRaw", event, handler == nil)
	r.add(funcName(handler), func(ctx context.Context, j *job) error {
		return handler(ctx, &j.bot, j.event.Data)
	}, options)
}

// subscribe finds the route of an event that a handler shall join, or panics
// with what is wrong.
func (p *Plugin) subscribe(who, event string, isNil bool) *route {
	p.mustBeOpen(who)
	if !regexp.MustCompile(`^[A-Z0-9_]{1,255}$`).MatchString(event) {
		panic(fmt.Sprintf("%s: the event %q: use Discord's dispatch name, such as MESSAGE_CREATE", who, event))
	}
	if isNil {
		panic(fmt.Sprintf("%s: the handler for %s is nil", who, event))
	}
	r := p.routeOf(event)
	r.subscribed = true
	return r
}

func (r *route) add(name string, call func(context.Context, *job) error, options []Option) {
	r.handlers = append(r.handlers, handler{name: name, call: call})
	for _, option := range options {
		option(r)
	}
}

// typed is a call that decodes first.
func typed[T any](r *route, handler func(context.Context, *Bot, *T) error) func(context.Context, *job) error {
	slot := r.slot(reflect.TypeFor[T]())
	return func(ctx context.Context, j *job) error {
		value, err := decoded[T](j, slot)
		if err != nil {
			return err
		}
		return handler(ctx, &j.bot, value)
	}
}

// unreadableError says that an event did not decode; its handler was not called.
type unreadableError struct{ err error }

func (e *unreadableError) Error() string { return e.err.Error() }
func (e *unreadableError) Unwrap() error { return e.err }

// decoded returns the event as a T, decoding at most once per type.
func decoded[T any](j *job, slot int) (*T, error) {
	if j.decoded == nil {
		j.decoded = make([]any, len(j.route.types))
	}
	switch have := j.decoded[slot].(type) {
	case *T:
		return have, nil
	case *unreadableError:
		return nil, have
	}
	value := new(T)
	repaired, err := decode(j.event.Name, j.event.Data, value)
	if err != nil {
		unreadable := &unreadableError{err}
		j.decoded[slot] = unreadable
		return nil, unreadable
	}
	if repaired {
		j.bot.Log.Debug("event repaired before decoding: disgo does not know all of it")
	}
	j.decoded[slot] = value
	return value, nil
}

// isUnreadable says whether the handler was skipped because of its event.
func isUnreadable(err error) bool {
	_, ok := errors.AsType[*unreadableError](err)
	return ok
}

// funcName is the name of a function as its author knows it.
func funcName(function any) string {
	v := reflect.ValueOf(function)
	if v.Kind() != reflect.Func || v.IsNil() {
		return ""
	}
	if f := runtime.FuncForPC(v.Pointer()); f != nil {
		return f.Name()
	}
	return ""
}
