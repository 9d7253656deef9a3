package main

import (
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/alecthomas/kong"
)

func TestLines(t *testing.T) {
	one, two := errors.New("one"), errors.New("two")
	for name, test := range map[string]struct {
		err  error
		want string
	}{
		"single":       {one, `["one"]`},
		"joined":       {errors.Join(one, two), `["one" "two"]`},
		"nested":       {usageError{errors.Join(one, errors.Join(two, one))}, `["one" "two" "one"]`},
		"a sentence":   {fmt.Errorf("%w because of %w", one, two), `["one because of two"]`},
		"wrapped join": {fmt.Errorf("stop: %w", errors.Join(one, two)), `["stop: one; two"]`},
	} {
		t.Run(name, func(t *testing.T) {
			if got := fmt.Sprintf("%q", lines(test.err)); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

// TestCacheKeepOnceForEachKind: what a flag says twice is added up.
func TestCacheKeepOnceForEachKind(t *testing.T) {
	var c runCmd
	parser, err := kong.New(&c, kong.TypeMapper(reflect.TypeFor[time.Duration](), kong.MapperFunc(readDuration)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parser.Parse([]string{"--cache-keep", "role=name", "--cache-keep=channel=name,topic"}); err != nil {
		t.Fatal(err)
	}
	if got := c.Flags.CacheKeep.String(); got != "channel=name,topic role=name" {
		t.Errorf("kept %q", got)
	}
}
