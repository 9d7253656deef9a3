package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"

	"github.com/holdfast-bot/holdfast/host"
	"github.com/holdfast-bot/holdfast/host/control"
)

// demoHostCmd is holdfast run for the demo, which kills it and starts it again.
type demoHostCmd struct {
	Host runCmd `embed:""`
}

// Run runs the bot until ctx ends. It ends at once when its standard input does:
// that is a pipe of the demo's, and the host must not outlive the demo, however
// that ends.
func (c *demoHostCmd) Run(ctx context.Context, around surroundings) error {
	go func() { // it lives as long as the process: nobody waits for it
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(exitFailure)
	}()
	return c.Host.Run(ctx, around)
}

// hosted is the host of the demo, in a process of its own: this program, run
// once more. Its methods are for one goroutine at a time.
type hosted struct {
	settings host.Settings
	token    string
	record   string // what the record plugin is to write
	environ  []string
	log      io.Writer
	// fell is called with the reason when the host ends without being asked to.
	fell context.CancelCauseFunc

	now *hostProcess
}

// hostProcess is one life of the host.
type hostProcess struct {
	cmd   *exec.Cmd
	asked atomic.Bool // to end
	ended chan struct{}
	err   error // why it ended; to be read when ended is closed
}

// start starts the host and returns at once. The one before must have ended.
func (h *hosted) start() error {
	config := filepath.Join(filepath.Dir(h.record), "holdfast.yaml")
	if err := os.WriteFile(config, fmt.Appendf(nil, "plugins:\n  record:\n    env:\n      RECORD_FILE: %q\n", h.record), 0o600); err != nil {
		return fmt.Errorf("write the host's settings: %w", err)
	}
	program, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program, to run it as the host: %w", err)
	}
	cmd := exec.CommandContext(context.Background(), program, "demo-host", "--config", config, "--log-level", "info",
		"--plugins", h.settings.PluginsDir, "--state", h.settings.StateDir, "--api-url", h.settings.APIURL)
	cmd.Args[0] = os.Args[0] // the binary of a test goes by its name
	cmd.Stdout, cmd.Stderr = h.log, h.log
	for _, pair := range h.environ { // what the operator has set is for a bot of his own
		if !strings.HasPrefix(pair, "HOLDFAST_") && !strings.HasPrefix(pair, "DISCORD_TOKEN=") {
			cmd.Env = append(cmd.Env, pair)
		}
	}
	cmd.Env = append(cmd.Env, "DISCORD_TOKEN="+h.token)
	// A terminal's Ctrl-C is for the demo: it stops the host when its story is told.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if _, err := cmd.StdinPipe(); err != nil { // held as long as this process lives
		return fmt.Errorf("start the host: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start the host: %w", err)
	}
	p := &hostProcess{cmd: cmd, ended: make(chan struct{})}
	h.now = p
	go func() { // end waits for it
		p.err = cmd.Wait()
		if !p.asked.Load() { // told before it shows
			h.fell(fmt.Errorf("the host has ended by itself: %s: its log tells why", cmd.ProcessState))
		}
		close(p.ended)
	}()
	return nil
}

// stop ends the host in order.
func (h *hosted) stop() error {
	if err := h.end(syscall.SIGTERM); err != nil {
		return fmt.Errorf("stop the host: %w: its log tells why", err)
	}
	return nil
}

// kill ends the host as nothing else does, if it still runs.
func (h *hosted) kill() {
	_ = h.end(syscall.SIGKILL) // that it was killed is no news
}

// end signals the host and waits until it has ended.
func (h *hosted) end(how syscall.Signal) error {
	if h.now == nil {
		return nil
	}
	h.now.asked.Store(true)
	if err := h.now.cmd.Process.Signal(how); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-h.now.ended
	return h.now.err
}

// gone tells whether the host has ended.
func (h *hosted) gone() bool {
	select {
	case <-h.now.ended:
		return true
	default:
		return false
	}
}

// status asks the host; all is zero while it does not answer.
func (h *hosted) status() control.Status {
	ctx, cancel := context.WithTimeout(context.Background(), statusTimeout)
	defer cancel()
	status, err := h.settings.AskStatus(ctx)
	if err != nil {
		return control.Status{} // it starts, or has ended
	}
	return status
}

// up tells whether the host runs with all shards.
func (h *hosted) up() bool {
	status := h.status()
	for _, shard := range status.Shards {
		if shard.State != "ready" {
			return false
		}
	}
	return status.Phase == "running" && len(status.Shards) == demoShards
}

// shard is the zero value while the host does not answer.
func (h *hosted) shard(n int) control.Shard {
	if shards := h.status().Shards; n < len(shards) {
		return shards[n]
	}
	return control.Shard{}
}

// plugin is the zero value while the host does not answer.
func (h *hosted) plugin(name string) control.Plugin { return pluginIn(h.status(), name) }

func pluginIn(status control.Status, name string) control.Plugin {
	for _, p := range status.Plugins {
		if p.Name == name {
			return p
		}
	}
	return control.Plugin{}
}
