package sdk

import (
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"

	"github.com/holdfast-bot/holdfast/sdk/wire"
)

const (
	// maxState bounds a state in bytes (wire.proto).
	maxState = 16 << 20
	// jsonSchema is the schema of what State saves.
	jsonSchema = 1
)

// stateForm is how a plugin's state becomes bytes and comes back.
type stateForm struct {
	by      string // State or SaveRestore
	schema  uint32
	save    func() ([]byte, error)
	restore func(schema uint32, data []byte) error
}

// State keeps what v points to over reloads: it is saved from the process that
// ends and restored in the next one, before OnStart. The form is that of
// encoding/json, so fields must be exported; the schema is 1. What comes back
// is decoded into *v as it is then: fields and keys that were not saved stay
// as the plugin made them, and what the type has no place for any more is
// dropped. A build whose type cannot take what was saved is refused, and the
// old one goes on: SaveRestore reads older forms.
//
// The state is saved when no handler runs and restored before any does: *v
// needs no lock for that. Goroutines of the plugin's own are not waited for;
// what they share with *v needs json.Marshaler and json.Unmarshaler methods
// that lock. (A handler that was given up because it did not end is one of
// them.) A reload may be called off after saving: then this process goes on.
//
// A reload hands the state over, and an orderly stop of the host keeps it for
// the next start; a plugin that crashes begins without. Keep at most 16 MiB in
// it, and what must not be lost in a database.
func (p *Plugin) State(v any) {
	p.mustKeepNoState("State")
	value := reflect.ValueOf(v)
	if value.Kind() != reflect.Pointer || value.IsNil() {
		panic(fmt.Sprintf("State: %T cannot be restored: give a pointer to what shall be kept", v))
	}
	mustEncode(value.Type())
	p.state = &stateForm{
		by:     "State",
		schema: jsonSchema,
		save:   func() ([]byte, error) { return json.Marshal(v) },
		restore: func(_ uint32, data []byte) error {
			if err := json.Unmarshal(data, v); err != nil {
				return fmt.Errorf("%w: keep a type that reads what is saved, or read it with SaveRestore (State's schema is %d)", err, jsonSchema)
			}
			return nil
		},
	}
}

// SaveRestore is State for a form of the plugin's own. schema counts the
// versions of that form, from 1 (which State's JSON has). save returns the
// state, at most 16 MiB, and changes nothing: a reload may be called off after
// it. restore gets what a process before saved, with the schema it had then,
// which is never above schema: a state of a newer build is refused without
// asking. It may keep data. An error or a panic in either calls the reload off,
// and the old process goes on.
//
// When they run, and beside what, is as for State.
func (p *Plugin) SaveRestore(schema uint32, save func() ([]byte, error), restore func(schema uint32, data []byte) error) {
	p.mustKeepNoState("SaveRestore")
	switch {
	case schema == 0:
		panic("SaveRestore: the schema is 0: count from 1, and one up with each new form")
	case save == nil:
		panic("SaveRestore: the save function is nil")
	case restore == nil:
		panic("SaveRestore: the restore function is nil")
	}
	p.state = &stateForm{by: "SaveRestore", schema: schema, save: save, restore: restore}
}

func (p *Plugin) mustKeepNoState(what string) {
	p.mustBeOpen(what)
	if p.state != nil {
		panic(fmt.Sprintf("%s: the plugin has its state from %s already: register one, once", what, p.state.by))
	}
}

// mustEncode panics for types of which encoding/json would save nothing, or
// not a word of which it can save. The rest shows when there are values.
func mustEncode(pointer reflect.Type) {
	_, marshals := reflect.TypeAssert[json.Marshaler](reflect.Zero(pointer))
	_, writes := reflect.TypeAssert[encoding.TextMarshaler](reflect.Zero(pointer))
	if marshals || writes {
		return
	}
	t := pointer.Elem()
	if t.Kind() == reflect.Struct && !hasOpenField(t) {
		panic(fmt.Sprintf("State: %s has no exported fields, so nothing would be kept: export them, or use SaveRestore", t))
	}
	_, err := json.Marshal(reflect.New(t).Interface())
	if _, ok := errors.AsType[*json.UnsupportedTypeError](err); ok {
		panic(fmt.Sprintf("State: %s cannot be kept: %v: leave it out with the tag `json:\"-\"`, or use SaveRestore", t, err))
	}
}

// hasOpenField says whether encoding/json sees a field of the struct.
func hasOpenField(t reflect.Type) bool {
	for _, f := range reflect.VisibleFields(t) {
		if f.IsExported() && f.Tag.Get("json") != "-" {
			return true
		}
	}
	return false
}

// saved calls save and bounds what it returns.
func (f *stateForm) saved() (*wire.State, error) {
	s := &wire.State{Schema: f.schema}
	err := protected(func() (err error) {
		s.Data, err = f.save()
		return err
	})
	if err != nil {
		return nil, err
	}
	if size := len(s.GetData()); size > maxState {
		return nil, &tooLargeError{size}
	}
	return s, nil
}

// restored calls restore with what it can read.
func (f *stateForm) restored(s *wire.State) error {
	switch schema, size := s.GetSchema(), len(s.GetData()); {
	case schema == 0:
		return errors.New("it has no schema")
	case schema > f.schema:
		return fmt.Errorf("it has schema %d and this build reads up to %d (%s): build from newer sources", schema, f.schema, f.by)
	case size > maxState:
		return &tooLargeError{size}
	}
	return protected(func() error { return f.restore(s.GetSchema(), s.GetData()) })
}

// tooLargeError is a state beyond maxState.
type tooLargeError struct{ size int }

func (e *tooLargeError) Error() string {
	return fmt.Sprintf("it has %d bytes, and %d (16 MiB) can be handed over: keep less in memory, or a database", e.size, maxState)
}
