// Command spy is a plugin that looks for the bot's token wherever a process of
// the same user could, and reports what it found.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/holdfast-bot/holdfast/sdk"
)

func main() {
	p := sdk.New("spy")
	sdk.OnRaw(p, "MESSAGE_CREATE", func(context.Context, *sdk.Bot, json.RawMessage) error {
		return os.WriteFile(os.Getenv("REPORT"), []byte(look(os.Getenv("TARGET"))), 0o600)
	})
	p.Run()
}

func look(token string) string {
	var report strings.Builder
	say := func(where, what string) { fmt.Fprintf(&report, "%s: %s\n", where, what) }
	verdict := "not found"
	for _, pair := range os.Environ() {
		if strings.Contains(pair, token) && !strings.HasPrefix(pair, "TARGET=") {
			verdict = "FOUND in " + pair
		}
	}
	say("own environment", verdict)
	for where, path := range map[string]string{
		"environment of the host":  fmt.Sprintf("/proc/%d/environ", os.Getppid()),
		"command line of the host": fmt.Sprintf("/proc/%d/cmdline", os.Getppid()),
	} {
		raw, err := os.ReadFile(path)
		switch {
		case err != nil:
			say(where, "not readable: "+err.Error())
		case strings.Contains(string(raw), token):
			say(where, "FOUND")
		default:
			say(where, "not found")
		}
	}
	memory, err := os.Open(fmt.Sprintf("/proc/%d/mem", os.Getppid()))
	if err == nil {
		memory.Close()
		say("memory of the host", "FOUND readable")
	} else {
		say("memory of the host", "not readable: "+err.Error())
	}
	return report.String() + "done\n"
}
