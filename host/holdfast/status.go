package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/holdfast-bot/holdfast/host/control"
)

// statusTimeout is how long a host may take to answer its operator.
const statusTimeout = 5 * time.Second

// States of a plugin that the table treats in their own way.
const (
	stateRunning = "running"
	stateFailed  = "failed"
)

type statusCmd struct {
	Host whichHost `embed:""`
	JSON bool      `name:"json" help:"Print JSON."`
}

// Run prints how the host that runs on the state folder is.
func (c *statusCmd) Run(ctx context.Context, around surroundings) error {
	settings, err := c.Host.settings(around)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, statusTimeout)
	defer cancel()
	status, err := settings.AskStatus(ctx)
	if err != nil {
		return err
	}
	if c.JSON {
		encoder := json.NewEncoder(around.stdout)
		encoder.SetIndent("", "  ")
		return encoder.Encode(status)
	}
	return printStatus(around.stdout, status)
}

// printStatus shows a person what matters; --json has all of it.
func printStatus(w io.Writer, s control.Status) error {
	bot := "not yet known"
	if s.Bot != nil {
		bot = fmt.Sprintf("%s (%s)", s.Bot.Name, s.Bot.ID)
	}
	phase := ""
	if s.Phase != "" {
		phase = s.Phase + ", "
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "holdfast\t%s, %spid %d, up %s\n", s.Version, phase, s.PID, uptime(s).Round(time.Second))
	printProcess(t, s.Process)
	fmt.Fprintf(t, "bot\t%s\n", bot)
	if s.Doing != "" {
		fmt.Fprintf(t, "doing\t%s\n", plain(s.Doing))
	}
	fmt.Fprintf(t, "events\t%d received, %d delivered, %d dropped\n", s.Events.Received, s.Events.Delivered, s.Events.Dropped)
	printRequests(t, s)
	if i := s.Interactions; i != nil {
		fmt.Fprintf(t, "interactions\t%d waiting, %d deferred, %d unavailable, %d silent, %d refused, %d expired\n", i.Waiting, i.Deferred, i.Unavailable, i.Silent, i.Refused, i.Expired)
	}
	printCommandSync(t, s.CommandSync)
	printKept(t, s)
	fmt.Fprintf(t, "plugins\t%s\n", s.PluginsDir)
	printIdentifies(t, s)
	printShards(t, s)
	fmt.Fprintf(t, "\nPLUGIN\tSTATE\tGENERATION\tPID\tEVENTS\tCOMMANDS\tQUEUED\tIN FLIGHT\tACKED\tREDELIVERED\tDROPPED\tDEAD LETTERS\tERRORS\tRESTARTS\n")
	for _, p := range s.Plugins {
		generation := p.Generation
		if p.State == stateFailed {
			generation = 0 // no instance is current
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\n", pluginName(p), p.State, orDash(generation), orDash(p.PID),
			len(p.Events), p.Commands, p.Queued, p.InFlight, p.Acked, p.Redelivered, p.Dropped, p.DeadLetters, p.Errors, p.Restarts)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	printNotes(w, s)
	return nil
}

// pluginName is the plugin's own name, with its file's beside it if that is another:
// settings go by the file's.
func pluginName(p control.Plugin) string {
	file := filepath.Base(p.File)
	if p.File == "" || strings.TrimSuffix(file, filepath.Ext(file)) == p.Name {
		return p.Name
	}
	return p.Name + " (" + file + ")"
}

// printNotes lists what is not well with shards and plugins, one a line.
func printNotes(w io.Writer, s control.Status) {
	gap := "\n" // between the tables and the list
	for _, shard := range s.Shards {
		if note := guildNote(shard); note != "" {
			fmt.Fprintf(w, "%s%s\n", gap, note)
			gap = ""
		}
	}
	for _, note := range requestNotes(s) {
		fmt.Fprintf(w, "%s%s\n", gap, note)
		gap = ""
	}
	for _, p := range s.Plugins {
		if p.Behind > 0 {
			fmt.Fprintf(w, "%s%s: behind, %d events wait for it in the journal\n", gap, p.Name, p.Behind)
			gap = ""
		}
		if p.ReloadResult != "" && p.State != stateFailed { // what failed has told it as its error
			fmt.Fprintf(w, "%s%s: reload %s %s ago: %s\n", gap, p.Name, p.ReloadResult, age(s.Started.Add(uptime(s)).Sub(p.ReloadAt)), plain(p.ReloadDetail))
			gap = ""
		}
		if p.LastError == "" {
			continue
		}
		past := ""
		if p.State == stateRunning { // it has recovered
			past = "last error: "
			if !p.LastErrorAt.IsZero() {
				// The host's clock, which wrote the time of the error as well.
				past = fmt.Sprintf("last error %s ago: ", age(s.Started.Add(uptime(s)).Sub(p.LastErrorAt)))
			}
		}
		fmt.Fprintf(w, "%s%s: %s%s\n", gap, p.Name, past, strings.ReplaceAll(p.LastError, "\n", " "))
		gap = ""
	}
}

func uptime(s control.Status) time.Duration {
	return time.Duration(s.UptimeSeconds * float64(time.Second))
}

// age rounds down to the largest unit that fits: how old an error is needs no more.
func age(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d >= day:
		return fmt.Sprintf("%dd", d/day)
	case d >= time.Hour:
		return fmt.Sprintf("%dh", d/time.Hour)
	case d >= time.Minute:
		return fmt.Sprintf("%dm", d/time.Minute)
	default: // a clock that was set back makes no error of the future
		return fmt.Sprintf("%ds", max(d, 0)/time.Second)
	}
}

func latency(ms float64) string {
	switch {
	case ms == 0:
		return "-"
	case ms < 10:
		return fmt.Sprintf("%.1f ms", ms)
	default:
		return fmt.Sprintf("%.0f ms", ms)
	}
}

func orDash(n int) string {
	if n == 0 {
		return "-"
	}
	return strconv.Itoa(n)
}
