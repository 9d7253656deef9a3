package main

import (
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/alecthomas/kong"
)

// habits turns what people type out of habit into what kong knows.
func habits(args []string) []string {
	switch {
	case len(args) == 0:
		return []string{"--help"}
	case args[0] == "help":
		return append(args[1:len(args):len(args)], "--help")
	case len(args) == 1 && (args[0] == "--version" || args[0] == "-v"):
		return []string{"version"}
	default:
		return args
	}
}

// describe adds to a setting's help the default, where no placeholder shows it
// already, and the environment variable that sets it.
func describe(value *kong.Value) string {
	key := value.Tag.Get("yaml")
	if key == "" {
		return kong.DefaultHelpValueFormatter(value)
	}
	also := "$HOLDFAST_" + strings.ToUpper(key)
	if value.HasDefault && value.Tag.PlaceHolder != "" {
		also = "default " + value.Default + "; " + also
	}
	return strings.TrimSuffix(value.Help, ".") + " (" + also + ")."
}

// readDuration reads a flag's duration and says what the settings file's reader
// says when it is none.
func readDuration(ctx *kong.DecodeContext, target reflect.Value) error {
	var text string
	if err := ctx.Scan.PopValueInto("duration", &text); err != nil {
		return err
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return fmt.Errorf("%q is not a duration: write it like 30s or 5m", text)
	}
	target.SetInt(int64(d))
	return nil
}
