package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/holdfast-bot/holdfast/host/control"
)

type commandsCmd struct {
	Host whichHost `embed:""`
	Diff bool      `help:"Show what a sync would change, as each start and each reload does one."`
	JSON bool      `name:"json" help:"Print JSON."`
}

// Run shows the application commands that the host that runs on the state folder
// knows of. It asks Discord and changes nothing.
func (c *commandsCmd) Run(ctx context.Context, around surroundings) error {
	settings, err := c.Host.settings(around)
	if err != nil {
		return err
	}
	var commands control.Commands
	err = askHost(ctx, settings, func(socket string) error {
		commands, err = control.GetCommands(ctx, socket)
		return err
	})
	if err != nil {
		return err
	}
	if c.Diff {
		commands.Commands = changing(commands.Commands)
	}
	if c.JSON {
		encoder := json.NewEncoder(around.stdout)
		encoder.SetIndent("", "  ")
		err = encoder.Encode(commands)
	} else {
		err = printCommands(around.stdout, commands, c.Diff)
	}
	for _, fault := range commands.Errors {
		err = errors.Join(err, errors.New(plain(fault)))
	}
	return err
}

// printCommandSync tells of a sync that failed.
func printCommandSync(w io.Writer, c *control.CommandSync) {
	if c == nil {
		return
	}
	again := "the next reload tries again"
	if c.Next != nil {
		again = "tried again in " + max(0, time.Until(*c.Next)).Round(time.Second).String()
	}
	fmt.Fprintf(w, "commands\tnot registered (attempt %d; %s): %s\n", c.Attempts, again, plain(c.Error))
}

// Actions of the host on a command.
const (
	actionKeep    = "keep"    // leaves it as it is
	actionForeign = "foreign" // leaves it as it is
	actionUnknown = "unknown" // the host cannot say
)

// changing leaves out what stays as it is.
func changing(all []control.Command) []control.Command {
	some := []control.Command{}
	for _, command := range all {
		if command.Action != actionKeep && command.Action != actionForeign {
			some = append(some, command)
		}
	}
	return some
}

// printCommands shows them to a person.
func printCommands(w io.Writer, c control.Commands, diff bool) error {
	if note := commandsNote(c); note != "" {
		fmt.Fprintln(w, note)
	}
	if diff {
		fmt.Fprintln(w, "compared with the plugins that run: what changed in the folder counts from the next reload on (reload --dry-run shows it)")
	}
	if len(c.Commands) == 0 {
		switch {
		case len(c.Errors) > 0:
			fmt.Fprintln(w, "nothing is known of what could not be read; nothing else to show")
		case diff:
			fmt.Fprintln(w, "nothing to do: what is registered is what the plugins declare")
		default:
			fmt.Fprintln(w, "no commands")
		}
		return nil
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	last := "REGISTERED"
	if diff {
		last = "A SYNC WOULD"
	}
	fmt.Fprintf(t, "SCOPE\tTYPE\tNAME\tOWNER\t%s\n", last)
	for _, command := range c.Commands {
		state := "yes"
		switch {
		case diff:
			state = wouldDo(command)
		case command.Action == actionUnknown:
			state = "not known: " + plain(command.Fault)
		case command.Fault != "":
			state = "no: " + plain(command.Fault)
		case !command.Registered:
			state = "not yet"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", scopeOf(command), typeOf(command), plain(command.Name), ownerOf(command), state)
	}
	return t.Flush()
}

// commandsNote says what the settings make of it all.
func commandsNote(c control.Commands) string {
	var notes []string
	if c.DevGuild != "" {
		notes = append(notes, "dev_guild: all commands are registered in guild "+c.DevGuild+", and what is registered elsewhere is left alone")
	}
	if c.Mode == "off" {
		notes = append(notes, "commands: off: nothing is written")
	}
	return strings.Join(notes, "\n")
}

// wouldDo tells in words what a sync would do.
func wouldDo(c control.Command) string {
	said := c.Action
	switch {
	case c.Action == "wait" && c.Stopped:
		said = "keep it, its plugin is not running (holdfast status tells why)"
	case c.Action == "wait":
		said = "keep it, its plugin is gone (reload --prune removes it)"
	case c.Action == actionUnknown:
		said = "not known: " + plain(c.Fault)
	case c.Fault != "":
		said += ", which fails: " + plain(c.Fault)
	case c.Action == "adopt":
		said = "take it over from another program as it is"
	}
	if len(c.Differs) > 0 {
		said += ": " + plain(strings.Join(c.Differs, ", "))
	}
	return said
}

func scopeOf(c control.Command) string {
	if c.Guild == "" {
		return "global"
	}
	return c.Guild
}

// typeOf names the kind as Discord's documentation does, in short.
func typeOf(c control.Command) string {
	switch c.Type {
	case 1:
		return "chat"
	case 2:
		return "user"
	case 3:
		return "message"
	case 4:
		return "entry"
	default:
		return strconv.Itoa(c.Type)
	}
}

// ownerOf names the plugin; what none has declared since this was counted is an
// older host's, or another program's.
func ownerOf(c control.Command) string {
	switch {
	case c.Plugin != "":
		return plain(c.Plugin)
	case c.Foreign:
		return "(foreign)"
	default:
		return "(unknown)"
	}
}
