package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"github.com/holdfast-bot/holdfast/host"
)

// Exit codes.
const (
	exitOK       = 0
	exitFailure  = 1
	exitSettings = 2
)

// cli is the command line. Each command has a Run method.
type cli struct {
	Run     runCmd     `cmd:"" help:"Run the bot until SIGINT or SIGTERM."`
	Status  statusCmd  `cmd:"" help:"Show how a running host is."`
	Reload  reloadCmd  `cmd:"" help:"Have a running host take in plugins that are new, changed or gone."`
	Reshard reshardCmd `cmd:"" help:"Have a running host change the number of its shards."`
	Shard   shardCmd   `cmd:"" help:"Look after one shard of a running host."`
	// Commands has no effects.
	Commands commandsCmd `cmd:"" help:"Show the application commands, and what a sync would do with them."`
	Demo     demoCmd     `cmd:"" help:"Run a bot of example plugins on a built-in Discord: no token, no network."`
	// Simulate is for who writes a plugin.
	Simulate simulateCmd `cmd:"" help:"Run a Discord of its own, to try a bot on: no token, no network."`
	// DemoHost is what the demo runs as its host.
	DemoHost demoHostCmd `cmd:"" hidden:""`
	Version  versionCmd  `cmd:"" help:"Print the version."`
}

// surroundings is what a command sees of the process. A command logs and reports
// to stderr; stdout is for what it was asked for.
type surroundings struct {
	stdout  io.Writer
	stderr  io.Writer
	environ []string
	given   []string // settings' keys that were given as flags
}

// usageError marks faults of the command line and of the settings: exit code 2.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func main() {
	ctx, stop := untilSignal(func() {
		fmt.Fprintln(os.Stderr, "holdfast: stopped at once")
		os.Exit(exitFailure)
	})
	code := execute(ctx, os.Args[1:], surroundings{stdout: os.Stdout, stderr: os.Stderr, environ: os.Environ()})
	stop()
	os.Exit(code)
}

// execute runs one command line and returns the exit code.
func execute(ctx context.Context, args []string, around surroundings) int {
	err := dispatch(ctx, args, around)
	if err == nil {
		return exitOK
	}
	for _, line := range lines(err) {
		fmt.Fprintln(around.stderr, "holdfast: "+line)
	}
	if _, wrong := errors.AsType[usageError](err); wrong {
		return exitSettings
	}
	return exitFailure
}

func dispatch(ctx context.Context, args []string, around surroundings) error {
	exited := false
	parser, err := kong.New(&cli{},
		kong.Name("holdfast"),
		kong.Description("A plugin host for Discord bots."),
		kong.Writers(around.stdout, around.stderr),
		// After printing a help text kong goes on parsing unless Exit ends the process.
		kong.Exit(func(int) { exited = true }),
		kong.ValueFormatter(describe),
		kong.TypeMapper(reflect.TypeFor[time.Duration](), kong.MapperFunc(readDuration)),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
	)
	if err != nil {
		return fmt.Errorf("describe the command line: %w", err)
	}
	parsed, err := parser.Parse(habits(args))
	if exited {
		return nil
	}
	if err != nil {
		return usageError{fmt.Errorf("%w (see %s --help)", err, meant(err))}
	}
	for _, element := range parsed.Path {
		if element.Flag == nil || element.Flag.Tag.Get("yaml") == "" {
			continue
		}
		// Nothing stands for the default in Settings: whoever writes it means something else.
		if d, ok := reflect.TypeAssert[time.Duration](element.Flag.Target); ok && d <= 0 {
			return usageError{fmt.Errorf("--%s: a duration must be longer than nothing: write it like 30s or 5m", element.Flag.Name)}
		}
		around.given = append(around.given, element.Flag.Tag.Get("yaml"))
	}
	parsed.BindTo(ctx, (*context.Context)(nil))
	return parsed.Run(around)
}

// meant is as much of the command as could be read: its help lists the flags.
func meant(err error) string {
	wrong, ok := errors.AsType[*kong.ParseError](err)
	if !ok || wrong.Context == nil {
		return "holdfast"
	}
	words := []string{"holdfast"}
	for _, element := range wrong.Context.Path {
		if element.Command != nil {
			words = append(words, element.Command.Name)
		}
	}
	return strings.Join(words, " ")
}

// lines lists the single faults of a joined error, each as one line.
func lines(err error) []string {
	if wrong, ok := err.(usageError); ok { //nolint:errorlint // only the outermost error decides how it is printed
		return lines(wrong.error)
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		parts := joined.Unwrap()
		var texts, all []string
		for _, one := range parts {
			texts = append(texts, one.Error())
			all = append(all, lines(one)...)
		}
		// An error that has a sentence of its own round its parts stays whole.
		if strings.Join(texts, "\n") == err.Error() {
			return all
		}
	}
	return []string{strings.ReplaceAll(strings.TrimSpace(err.Error()), "\n", "; ")}
}

type versionCmd struct{}

// Run prints the version.
func (versionCmd) Run(around surroundings) error {
	_, err := fmt.Fprintln(around.stdout, "holdfast", host.Version())
	return err
}
