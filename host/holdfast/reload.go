package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/holdfast-bot/holdfast/host"
	"github.com/holdfast-bot/holdfast/host/control"
)

type reloadCmd struct {
	Names  []string `arg:"" optional:"" name:"NAME" help:"Plugins to reload, also if they are unchanged (default: all that have changed)."`
	Force  bool     `help:"Cancel handlers that do not end within drain_timeout; their events come again, marked."`
	DryRun bool     `help:"Show the plan, commands too, and change nothing; new builds are started, checked and ended."`
	Prune  bool     `help:"Remove the commands of plugins whose files are gone."`
	// Reidentify lets new builds have other intents than the sessions.
	Reidentify bool      `help:"Replace the sessions where a new build needs gateway intents that they do not have."`
	Host       whichHost `embed:""`
	JSON       bool      `name:"json" help:"Print JSON."`
}

// Run has the host that runs on the state folder reload plugins, and waits until
// it has.
func (c *reloadCmd) Run(ctx context.Context, around surroundings) error {
	settings, err := c.Host.settings(around)
	if err != nil {
		return err
	}
	asker := fmt.Sprintf("%d-%d", os.Getpid(), time.Now().UnixNano()) // processes of two containers may have one number
	if c.Reidentify {
		asker = "" // its own sessions take long enough to be told of
	}
	defer sayWaiting(ctx, settings, asker, around.stderr)()
	report, err := askReload(ctx, settings, control.ReloadOptions{
		Names: c.Names, Force: c.Force, DryRun: c.DryRun, Prune: c.Prune, Reidentify: c.Reidentify, Asker: asker,
	})
	if err != nil {
		return err
	}
	if c.JSON {
		encoder := json.NewEncoder(around.stdout)
		encoder.SetIndent("", "  ")
		err = encoder.Encode(report)
	} else {
		err = printReload(around.stdout, report)
	}
	return errors.Join(err, verdict(report, c.DryRun))
}

// waitingEvery is how often a command that waits asks what for.
const waitingEvery = 2 * time.Second

// sayWaiting tells what the host does for others as long as an answer to asker does
// not come, each thing once, until the returned function is called.
func sayWaiting(ctx context.Context, settings host.Settings, asker string, w io.Writer) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(waitingEvery)
		defer tick.Stop()
		told := ""
		for {
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
			status, err := settings.AskStatus(ctx)
			if err != nil || ctx.Err() != nil || asker != "" && status.DoingFor == asker {
				continue
			}
			if status.Doing != told && status.Doing != "" {
				told = status.Doing
				fmt.Fprintln(w, "holdfast: waiting: "+plain(told))
			}
		}
	}()
	return func() {
		cancel()
		<-ended
	}
}

func askReload(ctx context.Context, settings host.Settings, o control.ReloadOptions) (report control.ReloadReport, err error) {
	err = askHost(ctx, settings, func(socket string) error {
		report, err = control.Reload(ctx, socket, o)
		return err
	})
	return report, err
}

// verdict is an error if a step is not done: who asked in a script must notice.
func verdict(r control.ReloadReport, dry bool) error {
	undone := 0
	for _, step := range r.Steps {
		if !step.OK() {
			undone++
		}
	}
	if undone == 0 {
		if r.SessionsError != "" {
			return errors.New("the plugins are reloaded, the sessions are those of before: " + plain(r.SessionsError))
		}
		return nil
	}
	if dry {
		return fmt.Errorf("%d of %d plugins would not be reloaded: the reason and what to do stand with each", undone, len(r.Steps))
	}
	return fmt.Errorf("%d of %d plugins not reloaded: the reason and what to do stand with each", undone, len(r.Steps))
}

// printReload shows a person what was done. Plugins that are merely kept are
// named in one line.
func printReload(w io.Writer, r control.ReloadReport) error {
	var table bytes.Buffer
	var kept []string
	t := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "PLUGIN\tACTION\tRESULT\tGENERATION\tPAUSE\tDETAIL\n")
	for _, step := range r.Steps {
		if isKept(step) {
			kept = append(kept, plain(nameOf(step)))
			continue
		}
		result := step.Result
		if result == "" {
			result = "-"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", plain(nameOf(step)), step.Action, result, orDash(step.Generation), latency(step.PauseMS), plain(step.Detail))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if len(kept) < len(r.Steps) {
		for line := range strings.Lines(table.String()) {
			fmt.Fprintln(w, strings.TrimRight(line, " \n")) // no blanks in place of an empty detail
		}
	} else {
		fmt.Fprintln(w, "no plugin's file has changed (reload NAME restarts one all the same)")
	}
	if len(kept) > 0 {
		fmt.Fprintf(w, "unchanged: %s\n", strings.Join(kept, ", "))
	}
	if said := plain(r.Commands); said != "" {
		if !strings.HasPrefix(said, "commands") { // else it is a sentence of its own
			said = "commands: " + said
		}
		fmt.Fprintln(w, said)
	}
	if said := plain(r.Sessions); said != "" {
		fmt.Fprintln(w, "sessions: "+said)
	}
	return nil
}

// isKept tells whether there is nothing to say of a step but its name.
func isKept(s control.ReloadStep) bool {
	return s.Action == control.ActionKeep && s.OK() && s.Detail == ""
}

// nameOf is the plugin's name; its file's name stands beside if it is another.
func nameOf(s control.ReloadStep) string {
	file := ""
	if s.File != "" {
		file = filepath.Base(s.File)
	}
	switch {
	case s.Plugin == "":
		return file
	case file == "", file == s.Plugin:
		return s.Plugin
	default:
		return s.Plugin + " (" + file + ")"
	}
}

// plain puts a text into one line and one cell of a table.
func plain(text string) string { return strings.Join(strings.Fields(text), " ") }
