package sdk

import (
	"encoding/json"
	"fmt"
	"reflect"

	goccy "github.com/goccy/go-json"
	"github.com/switchupcb/disgo"
)

// decode reads Discord's bytes of an event into value, a pointer to a struct.
// What disgo cannot decode is repaired and tried again. It never panics: the
// decoders below it are foreign, and the bytes too.
func decode(event string, data []byte, value any) (repaired bool, err error) {
	if eventName(value) != event {
		if err := guarded(func() error { return json.Unmarshal(data, value) }); err != nil {
			return false, fmt.Errorf("decode %s into %T: %w", event, value, err)
		}
		return false, nil
	}
	first := guarded(func() error { return decodeDirect(data, value) })
	if first == nil {
		return false, nil
	}
	better, changed := repair(data)
	if changed {
		reflect.ValueOf(value).Elem().SetZero() // the first attempt may have filled half of it
		if guarded(func() error { return decodeDirect(better, value) }) == nil {
			return true, nil
		}
	}
	return false, fmt.Errorf("decode %s into %T: %w", event, value, first)
}

// decodeDirect skips the wrappers of the events that are a message or an
// interaction: disgo decodes those twice over otherwise (see
// BenchmarkDecode).
func decodeDirect(data []byte, value any) error {
	switch event := value.(type) {
	case *disgo.MessageCreate:
		event.Message = new(disgo.Message)
		return event.Message.UnmarshalJSON(data)
	case *disgo.MessageUpdate:
		event.Message = new(disgo.Message)
		return event.Message.UnmarshalJSON(data)
	case *disgo.InteractionCreate:
		event.Interaction = new(disgo.Interaction)
		return event.Interaction.UnmarshalJSON(data)
	}
	return goccy.Unmarshal(data, value)
}

// guarded turns a panic into an error.
func guarded(f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("the decoder panicked: %v", v)
		}
	}()
	return f()
}
