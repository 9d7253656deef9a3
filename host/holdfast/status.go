package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/holdfast-bot/holdfast/host"
	"github.com/holdfast-bot/holdfast/host/control"
)

// statusTimeout is how long a host may take to answer its operator.
const statusTimeout = 5 * time.Second

type statusCmd struct {
	Config string `env:"HOLDFAST_CONFIG" placeholder:"FILE" help:"Settings file, for its state_dir (default holdfast.yaml, if there is one)."`
	State  string `yaml:"state_dir" placeholder:"DIR" help:"State folder of the running host."`
	JSON   bool   `name:"json" help:"Print JSON."`
}

// Run prints how the host that runs on the state folder is.
func (c *statusCmd) Run(ctx context.Context, around surroundings) error {
	settings, err := host.LoadSettings(c.Config, around.environ)
	settings = settings.With(host.Settings{StateDir: c.State}, around.given...)
	// Other settings may be wrong while a host runs well: they matter only if the
	// folder might have been among them.
	if err != nil && c.State == "" {
		return usageError{err}
	}
	socket, err := settings.ControlSocket()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, statusTimeout)
	defer cancel()
	status, err := control.GetStatus(ctx, socket)
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
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "holdfast\t%s, pid %d, up %s\n", s.Version, s.PID, time.Duration(s.UptimeSeconds*float64(time.Second)).Round(time.Second))
	fmt.Fprintf(t, "bot\t%s\n", bot)
	fmt.Fprintf(t, "events\t%d received, %d delivered, %d dropped\n", s.Events.Received, s.Events.Delivered, s.Events.Dropped)
	fmt.Fprintf(t, "requests\t%d sent, %d queued, %d rate limited, %d invalid\n", s.REST.Requests, s.REST.Queued, s.REST.Limited, s.REST.Invalid)
	fmt.Fprintf(t, "plugins\t%s\n", s.PluginsDir)

	fmt.Fprintf(t, "\nSHARD\tSTATE\tSEQ\tLATENCY\tCONNECTIONS\tIDENTIFIES\tRESUMES\n")
	for _, shard := range s.Shards {
		fmt.Fprintf(t, "%d\t%s\t%d\t%s\t%d\t%d\t%d\n", shard.Shard, shard.State, shard.Seq, latency(shard.LatencyMS), shard.Connections, shard.Identifies, shard.Resumes)
	}
	fmt.Fprintf(t, "\nPLUGIN\tSTATE\tGENERATION\tPID\tQUEUED\tIN FLIGHT\tACKED\tREDELIVERED\tDROPPED\tERRORS\tRESTARTS\n")
	for _, p := range s.Plugins {
		fmt.Fprintf(t, "%s\t%s\t%d\t%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\n", p.Name, p.State, p.Generation, orDash(p.PID), p.Queued, p.InFlight, p.Acked, p.Redelivered, p.Dropped, p.Errors, p.Restarts)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, p := range s.Plugins {
		if p.LastError != "" {
			fmt.Fprintf(w, "\n%s: %s\n", p.Name, strings.ReplaceAll(p.LastError, "\n", " "))
		}
	}
	return nil
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
