package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/holdfast-bot/holdfast/host"
	"github.com/holdfast-bot/holdfast/host/simulator"
)

type demoCmd struct {
	For     time.Duration `help:"End by itself after this time (default: run until Ctrl-C)."`
	Seed    uint64        `default:"1" help:"Seed of the built-in Discord's world."`
	Verbose bool          `short:"v" help:"Show the host's log as well."`
}

const (
	demoShards = 2
	demoGuilds = 8    // where people talk
	coldGuilds = 1500 // where nobody does
	// examples are the plugins that the demo builds and runs.
	helloExample   = "github.com/holdfast-bot/holdfast/examples/hello"
	recordExample  = "github.com/holdfast-bot/holdfast/examples/record"
	counterExample = "github.com/holdfast-bot/holdfast/examples/counter"
	welcomeExample = "github.com/holdfast-bot/holdfast/examples/welcome"
	// keptLog is how much of the log a failing demo shows, in bytes.
	keptLog = 16 << 10
)

// errNotWhole is the demo's verdict when anything was not as promised.
var errNotWhole = errors.New("the demo lost an event, saw one twice or out of order, or broke a rule or a promise: see above")

// Run runs the demo until ctx ends or its time is up.
func (c *demoCmd) Run(ctx context.Context, around surroundings) (err error) {
	dir, remove, err := newDemoFolder()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove()) }()
	show := newNarrator(around.stdout)
	show.sayf("building the example plugins hello, record, counter and welcome")
	folder := filepath.Join(dir, "plugins")
	if err := os.Mkdir(folder, 0o700); err != nil {
		return fmt.Errorf("make the plugins folder: %w", err)
	}
	if err := build(ctx, folder, "", helloExample, recordExample, counterExample, welcomeExample); err != nil {
		return stoppedOr(ctx, err)
	}
	sim, err := simulator.Start(simulator.Config{
		Seed: c.Seed, Shards: demoShards, MaxConcurrency: demoShards,
		World: simulator.World{Guilds: demoGuilds + coldGuilds, MembersPerGuild: 1000, GuildBytes: simulator.Spread(c.Seed, 4<<10, 200<<10)},
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, sim.Close()) }()
	show.sayf("a Discord of our own listens on %s: %d guilds, %d shards", sim.URL(), demoGuilds+coldGuilds, demoShards)

	log := &recentLog{}
	var out io.Writer = log
	if c.Verbose {
		out = around.stderr
	}
	h := &hosted{
		settings: host.Settings{PluginsDir: folder, StateDir: filepath.Join(dir, "state"), APIURL: sim.URL()},
		token:    sim.Token(), record: filepath.Join(dir, "recorded"), environ: around.environ, log: out,
	}
	defer h.kill() // if it has not stopped
	err = c.perform(ctx, &story{sim: sim, host: h, show: show, witness: newWitness(h.record)})
	if err != nil && !c.Verbose {
		fmt.Fprintf(around.stderr, "--- the end of the host's log\n%s---\n", log)
	}
	return err
}

// perform runs the host, lets the story happen, and compares at the end.
func (c *demoCmd) perform(ctx context.Context, s *story) error {
	hosting, fell := context.WithCancelCause(ctx)
	defer fell(nil)
	s.host.fell = fell
	if err := s.host.start(); err != nil {
		return err
	}
	if err := s.awaitSessions(hosting); err != nil {
		return stoppedOr(ctx, err)
	}
	acting := hosting
	if c.For > 0 {
		var cancel context.CancelFunc
		acting, cancel = context.WithTimeout(hosting, c.For)
		defer cancel()
	}
	s.play(acting)
	if s.host.gone() {
		return context.Cause(hosting)
	}
	s.show.sayf("the story ends; the plugins finish what they have")
	s.settle()
	totals := s.totals()
	if err := s.host.stop(); err != nil {
		return err
	}
	s.show.sayf("host and plugins have stopped")
	return totals.report(s.show)
}

// build compiles example plugins into folder. Other linker flags make another
// build of the same program.
func build(ctx context.Context, folder, linker string, examples ...string) error {
	args := append([]string{"build", "-ldflags", linker, "-o", folder + string(filepath.Separator)}, examples...)
	command := exec.CommandContext(ctx, "go", args...)
	// A compiler that is interrupted tidies up after itself, and one that cannot
	// has its files among the demo's. A terminal's Ctrl-C is for the demo alone.
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	command.Cancel = func() error { return syscall.Kill(-command.Process.Pid, syscall.SIGINT) }
	command.WaitDelay = patience
	command.Env = append(os.Environ(), "GOTMPDIR="+filepath.Dir(folder))
	var said bytes.Buffer
	command.Stdout, command.Stderr = &said, &said
	if err := command.Run(); err != nil {
		first, _, _ := strings.Cut(strings.TrimSpace(said.String()), "\n")
		return fmt.Errorf("build the example plugins: %w: %s: run the demo in a checkout of Holdfast, with Go installed", err, first)
	}
	return nil
}

func stoppedOr(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil //nolint:nilerr // who asked to stop has got what he asked for
	}
	return err
}

// narrator prints the story with its clock.
type narrator struct {
	mu      sync.Mutex
	out     io.Writer
	started time.Time
}

func newNarrator(out io.Writer) *narrator { return &narrator{out: out, started: time.Now()} }

func (n *narrator) sayf(format string, args ...any) {
	n.mu.Lock()
	defer n.mu.Unlock()
	fmt.Fprintf(n.out, "%6.1fs  %s\n", time.Since(n.started).Seconds(), fmt.Sprintf(format, args...))
}

// recentLog keeps the end of a log.
type recentLog struct {
	mu   sync.Mutex
	kept []byte
}

// Write implements io.Writer. It never fails.
func (l *recentLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.kept = append(l.kept, p...)
	if over := len(l.kept) - keptLog; over > 0 {
		l.kept = append(l.kept[:0], l.kept[over:]...)
	}
	return len(p), nil
}

func (l *recentLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.kept)
}
