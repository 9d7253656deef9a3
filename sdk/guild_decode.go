package sdk

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	goccy "github.com/goccy/go-json"
	"github.com/switchupcb/disgo"

	"github.com/holdfast-bot/holdfast/sdk/wire"
)

// decodeGuild makes a guild of the parts in an answer. A part that is byte for
// byte that of old, which may be nil, is taken from there: a change of a guild
// mostly is one of a single part, and decoding is what a new version costs
// (BenchmarkGuild).
func decodeGuild(answer *wire.GuildResponse, old *Guild) (*Guild, error) {
	if old == nil {
		old = new(Guild)
	}
	g := &Guild{Version: answer.GetVersion()}
	if parts := Part(answer.GetParts()); parts != 0 {
		g.missing = wholeGuild &^ parts
	}
	var err error
	if g.Has(PartGuild) {
		if g.Raw.Guild, g.Guild, err = decodePart("the guild", answer.GetGuild(), old.Raw.Guild, old.Guild, decodeGuildObject); err != nil {
			return nil, err
		}
	}
	if g.Raw.Channels, g.Channels, err = decodePart("its channels", answer.GetChannels(), old.Raw.Channels, old.Channels, decodeChannels); err != nil {
		return nil, err
	}
	if g.Raw.Threads, g.Threads, err = decodePart("its threads", answer.GetThreads(), old.Raw.Threads, old.Threads, decodeChannels); err != nil {
		return nil, err
	}
	if g.Raw.Member, g.Member, err = decodePart("its member", answer.GetMember(), old.Raw.Member, old.Member, decodeMember); err != nil {
		return nil, err
	}
	return g, nil
}

func decodePart[T any](name string, raw, oldRaw json.RawMessage, old T, decode func([]byte) (T, error)) (json.RawMessage, T, error) {
	if len(raw) > 0 && bytes.Equal(raw, oldRaw) {
		return oldRaw, old, nil
	}
	value, err := decode(raw)
	if err != nil {
		err = fmt.Errorf("decode %s: %w", name, err)
	}
	return raw, value, err
}

// decodeGuildObject never is null.
func decodeGuildObject(data []byte) (guild disgo.Guild, err error) {
	if isAbsent(data) {
		return guild, fmt.Errorf("%q is no object", data)
	}
	err = decodeObject(data, &guild)
	return guild, err
}

func decodeMember(data []byte) (*disgo.GuildMember, error) {
	if isAbsent(data) {
		return nil, nil //nolint:nilnil // a member that is unknown is no error
	}
	member := new(disgo.GuildMember)
	if err := decodeObject(data, member); err != nil {
		return nil, err
	}
	return member, nil
}

func decodeChannels(data []byte) (channels []*disgo.Channel, err error) {
	if isAbsent(data) {
		return nil, nil
	}
	if guarded(func() error { return goccy.Unmarshal(data, &channels) }) != nil {
		channels = nil
		if err := decodeElements(data, reflect.ValueOf(&channels).Elem()); err != nil {
			return nil, err
		}
	}
	return slices.DeleteFunc(channels, func(c *disgo.Channel) bool { return c == nil }), nil
}

func isAbsent(data []byte) bool {
	data = bytes.TrimSpace(data)
	return len(data) == 0 || string(data) == "null"
}

// decodeObject reads a JSON object into a struct of disgo's. What disgo cannot
// decode is left out: the fields that fail, of lists the elements.
func decodeObject[T any](data []byte, into *T) error {
	if guarded(func() error { return goccy.Unmarshal(data, into) }) == nil {
		return nil
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(data, &fields); err != nil {
		return err
	}
	*into = *new(T) // the first attempt may have filled half of it
	value := reflect.ValueOf(into).Elem()
	for field := range value.Type().Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if raw, ok := fields[name]; ok {
			decodeField(raw, value.FieldByIndex(field.Index))
		}
	}
	return nil
}

// decodeField sets a field if its value can be decoded, wholly or, if it is a
// list, in part.
func decodeField(raw []byte, field reflect.Value) {
	value := reflect.New(field.Type())
	if guarded(func() error { return goccy.Unmarshal(raw, value.Interface()) }) == nil {
		field.Set(value.Elem())
	} else if field.Kind() == reflect.Slice {
		_ = decodeElements(raw, field) // no list: the field is left out
	}
}

// decodeElements appends to a list those elements that can be decoded.
func decodeElements(raw []byte, list reflect.Value) error {
	var elements []json.RawMessage
	if err := json.Unmarshal(raw, &elements); err != nil {
		return err
	}
	for _, each := range elements {
		value := reflect.New(list.Type().Elem())
		if guarded(func() error { return goccy.Unmarshal(each, value.Interface()) }) == nil {
			list.Set(reflect.Append(list, value.Elem()))
		}
	}
	return nil
}
