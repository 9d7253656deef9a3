package host

import (
	"encoding"
	"errors"
	"fmt"
	"iter"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"
)

// environmentPrefix stands before a key in capitals.
const environmentPrefix = "HOLDFAST_"

// settingField is one field of Settings that has a textual form.
type settingField struct {
	index    []int
	key      string // in the file
	kind     string // "", path, url, address, list or lists
	fallback string // the default's text
	enum     []string
	least    string // the least value's text
	most     string // the greatest value's text
}

// settingFields yields all fields but Plugins.
func settingFields() iter.Seq[settingField] {
	return fieldsOf(reflect.TypeFor[Settings]())
}

func fieldsOf(t reflect.Type) iter.Seq[settingField] {
	return func(yield func(settingField) bool) {
		for f := range t.Fields() {
			if f.Tag.Get("name") == "" {
				continue
			}
			one := settingField{index: f.Index, key: f.Tag.Get("yaml"), kind: f.Tag.Get("kind"), fallback: f.Tag.Get("default"), least: f.Tag.Get("least"), most: f.Tag.Get("most")}
			if enum := f.Tag.Get("enum"); enum != "" {
				one.enum = strings.Split(enum, ",")
			}
			if !yield(one) {
				return
			}
		}
	}
}

// variable is the environment variable of the field.
func (f settingField) variable() string { return environmentPrefix + strings.ToUpper(f.key) }

// parse reads text into the field's value if it is in order.
func (f settingField) parse(text string, into reflect.Value) error {
	fresh := reflect.New(into.Type())
	switch p := fresh.Interface().(type) {
	case *string:
		*p = text
		if f.kind == "url" {
			*p = strings.TrimRight(text, "/")
		}
	case *time.Duration:
		d, err := time.ParseDuration(text)
		if err != nil {
			return fmt.Errorf("%q is not a duration: write it like 30s or 5m", text)
		}
		if d == 0 { // which check would take for unset
			return errNotPositive
		}
		*p = d
	case encoding.TextUnmarshaler:
		if err := p.UnmarshalText([]byte(text)); err != nil {
			return err
		}
	default:
		return fmt.Errorf("%s has no textual form", into.Type())
	}
	if value := fresh.Elem(); !value.IsZero() {
		if err := f.check(value); err != nil {
			return err
		}
	}
	into.Set(fresh.Elem())
	return nil
}

var errNotPositive = errors.New("a duration must be longer than nothing: write it like 30s or 5m")

// check judges a value that is not zero.
func (f settingField) check(value reflect.Value) error {
	switch v := value.Interface().(type) {
	case string:
		if f.enum != nil && !slices.Contains(f.enum, v) {
			return fmt.Errorf("%q is none of %s", v, strings.Join(f.enum, ", "))
		}
		if f.kind == "url" {
			return checkURL(v)
		}
		if f.kind == "address" {
			return checkAddress(v)
		}
		if strings.ContainsRune(v, 0) {
			return errors.New("it holds a zero byte: remove it")
		}
	case time.Duration:
		if v < 0 {
			return errNotPositive
		}
	case Rate:
		if !positive(float64(v)) {
			return notARate(v.String())
		}
	case Count:
		if v < 0 {
			return notACount(v.String())
		}
	case Intents:
		return v.checkDenied()
	case Shards:
		return v.check()
	case KeepLists:
		return v.check()
	}
	return f.checkBounds(value)
}

// checkBounds judges a duration or a size.
func (f settingField) checkBounds(value reflect.Value) error {
	least, err := f.bound(f.least, value)
	if err != nil {
		return err
	}
	most, err := f.bound(f.most, value)
	switch {
	case err != nil:
		return err
	case f.least != "" && value.Int() < least:
		return fmt.Errorf("%v is too little: give at least %s", value, f.least)
	case f.most != "" && value.Int() > most:
		return fmt.Errorf("%v is too much: give at most %s", value, f.most)
	}
	return nil
}

// bound reads a bound for such a value; there may be none.
func (settingField) bound(text string, value reflect.Value) (int64, error) {
	if text == "" {
		return 0, nil
	}
	bound := reflect.New(value.Type()).Elem()
	if err := (settingField{}).parse(text, bound); err != nil {
		return 0, err
	}
	return bound.Int(), nil
}

// With returns the settings with those of these keys (the file's names) replaced
// by another value's, such as those that were given as flags.
func (s Settings) With(from Settings, keys ...string) Settings {
	to, src := reflect.ValueOf(&s).Elem(), reflect.ValueOf(from)
	for f := range settingFields() {
		if slices.Contains(keys, f.key) {
			to.FieldByIndex(f.index).Set(src.FieldByIndex(f.index))
		}
	}
	return s
}

// takeEnvironment reads the HOLDFAST_ variables of environ (NAME=value). An empty
// one counts as unset. A name that nearly is one of ours is a fault; others are
// not ours to judge: clusters set some after the names of their parts.
func takeEnvironment(s *Settings, environ []string) error {
	var faults []error
	byName := map[string]settingField{}
	for f := range settingFields() {
		byName[f.variable()] = f
	}
	for _, entry := range environ {
		name, text, _ := strings.Cut(entry, "=")
		if !strings.HasPrefix(name, environmentPrefix) || text == "" {
			continue
		}
		f, ok := byName[name]
		if !ok {
			if near := nearest(name, slices.Collect(maps.Keys(byName)), 2); near != "" {
				faults = append(faults, fmt.Errorf("unknown environment variable %s: did you mean %s?", name, near))
			}
			continue
		}
		if err := f.parse(text, reflect.ValueOf(s).Elem().FieldByIndex(f.index)); err != nil {
			faults = append(faults, fmt.Errorf("environment variable %s: %w", name, err))
		}
	}
	return errors.Join(faults...)
}

// beside makes a path of a settings file relative to that file.
func (f settingField) beside(folder, text string) string {
	if f.kind != "path" || text == "" || filepath.IsAbs(text) {
		return text
	}
	return filepath.Join(folder, text)
}

// nearest returns the candidate that takes the fewest changed letters, "" if
// all take more than limit.
func nearest(word string, candidates []string, limit int) string {
	best, least := "", limit+1
	for _, c := range slices.Sorted(slices.Values(candidates)) {
		if d := distance(word, c); d < least {
			best, least = c, d
		}
	}
	return best
}

// distance is Levenshtein's: letters put in, left out or changed.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}

// sorted yields a map in the order of its keys, so that faults come in one order.
func sorted[V any](m map[string]V) iter.Seq2[string, V] {
	return func(yield func(string, V) bool) {
		for _, k := range slices.Sorted(maps.Keys(m)) {
			if !yield(k, m[k]) {
				return
			}
		}
	}
}
