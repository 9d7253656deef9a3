package sdk

import (
	"context"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"reflect"
	"strings"
	"testing"

	"github.com/switchupcb/disgo"
)

// eventTypes are the events that disgo has handlers for, by our name: disgo
// keeps a list of functions of each event type in Handlers.
func eventTypes() map[string]reflect.Type {
	types := make(map[string]reflect.Type)
	for field := range reflect.TypeFor[disgo.Handlers]().Fields() {
		if field.IsExported() {
			kind := field.Type.Elem().In(0).Elem()
			types[eventName(reflect.New(kind).Interface())] = kind
		}
	}
	return types
}

// TestEveryEventHasItsName asks disgo itself: it takes a handler only under the
// right name.
func TestEveryEventHasItsName(t *testing.T) {
	client := &disgo.Client{Handlers: new(disgo.Handlers), Config: disgo.DefaultConfig()}
	types := eventTypes()
	for name, kind := range types {
		function := reflect.MakeFunc(reflect.FuncOf([]reflect.Type{reflect.PointerTo(kind)}, nil, false), nil)
		if err := client.Handle(name, function.Interface()); err != nil {
			t.Errorf("%v is called %q: %v", kind, name, err)
		}
	}
	if len(types) != 64 {
		t.Errorf("%d names, disgo has 64 events", len(types))
	}
}

// TestTheUnionIsComplete reads events.go: reflection cannot see a union.
func TestTheUnionIsComplete(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "events.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	inUnion := make(map[string]bool)
	ast.Inspect(file, func(n ast.Node) bool {
		if union, ok := n.(*ast.InterfaceType); ok {
			ast.Inspect(union, func(n ast.Node) bool {
				if s, ok := n.(*ast.SelectorExpr); ok {
					inUnion["disgo."+s.Sel.Name] = true
				}
				return true
			})
		}
		return true
	})
	for name, kind := range eventTypes() {
		if !inUnion[kind.String()] {
			t.Errorf("%s (%v) is not in Event", name, kind)
		}
		delete(inUnion, kind.String())
	}
	for kind := range inUnion {
		t.Errorf("%s is in Event, but disgo has no such event", kind)
	}
}

func TestOnInfersTheEvent(t *testing.T) {
	p := New("test")
	On(p, func(context.Context, *Bot, *disgo.MessageCreate) error { return nil })
	On(p, func(context.Context, *Bot, *disgo.GuildMemberAdd) error { return nil }, WithGuild())
	On(p, func(context.Context, *Bot, *disgo.MessageCreate) error { return nil })
	var got []string
	for _, s := range p.manifest().GetEvents() {
		got = append(got, fmt.Sprintf("%s %t %d", s.GetEvent(), s.GetWithGuild(), s.GetGuildParts()))
	}
	want := "MESSAGE_CREATE false 0|GUILD_MEMBER_ADD true 15"
	if text := strings.Join(got, "|"); text != want {
		t.Errorf("got %s, want %s", text, want)
	}
}
