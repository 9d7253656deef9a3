package plugins

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
	plugin "github.com/hashicorp/go-plugin"
	"github.com/hashicorp/go-plugin/runner"
	"github.com/holdfast-bot/holdfast/sdk/wire"
	"google.golang.org/grpc"
)

// link is a started process with its handshake done.
type link struct {
	client  *plugin.Client
	process *process
	plugin  wire.PluginClient
	output  *output
	socket  string // folder of its socket
}

// launch starts the staged file and shakes hands. ctx ends the attempt only.
// This file is the one that knows go-plugin.
func launch(ctx context.Context, f File, env []string, sockets string, timeout time.Duration, s *starter, g *guardian, log hclog.Logger) (*link, error) {
	out := &output{log: log, level: hclog.Info}
	proc := newProcess(f.Staged, f.Name, s, g, &output{log: log, level: hclog.Info}, log)
	l := &link{process: proc, output: out}
	l.client = plugin.NewClient(&plugin.ClientConfig{
		HandshakeConfig:  wire.Handshake(),
		Plugins:          plugin.PluginSet{wire.PluginKind: &wire.Glue{}},
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC},
		SkipHostEnv:      true,
		StartTimeout:     timeout,
		UnixSocketConfig: &plugin.UnixSocketConfig{TempDir: sockets},
		RunnerFunc: func(_ hclog.Logger, cmd *exec.Cmd, dir string) (runner.Runner, error) {
			l.socket = dir
			proc.cmd.Env = slices.Concat(cmd.Env, env)
			return proc, nil
		},
		// The host reads a plugin's lines itself: a null logger keeps
		// go-plugin from doing it too.
		Logger:     hclog.NewNullLogger(),
		Stderr:     out,
		SyncStdout: &output{log: log, level: hclog.Info},
		SyncStderr: &output{log: log, level: hclog.Info},
		GRPCDialOptions: append(wire.DialOptions(),
			grpc.WithDisableRetry()), // it would keep copies of what was sent
	})
	stop := context.AfterFunc(ctx, func() { _ = proc.Kill(context.Background()) })
	defer stop()
	protocol, err := l.client.Client()
	if err != nil {
		return nil, explainStart(ctx, f, l.end(), timeout, err)
	}
	dispensed, err := protocol.Dispense(wire.PluginKind)
	if err != nil {
		return nil, explainStart(ctx, f, l.end(), timeout, err)
	}
	var ok bool
	if l.plugin, ok = dispensed.(wire.PluginClient); !ok {
		l.kill()
		return nil, fmt.Errorf("start plugin %s: go-plugin dispensed a %T", f.Name, dispensed)
	}
	return l, nil
}

// kill ends the process and its group at once and waits for both.
func (l *link) kill() {
	_ = l.process.Kill(context.Background())
	if l.process.number() != 0 {
		<-l.process.exited
	}
	l.client.Kill()
	if l.socket != "" {
		_ = os.RemoveAll(l.socket) // go-plugin leaves it when the start failed
	}
}

// end kills the process unless it exits by itself within a moment, and says in
// a few words how it ended: its own exit says more than our kill.
func (l *link) end() string {
	own := false
	if l.process.number() != 0 {
		select {
		case <-l.process.exited:
			own = true
		case <-time.After(exitMargin):
		}
	}
	l.kill()
	words := said(l.output.lastWords())
	if !own {
		return words
	}
	how := "exit status 0"
	if err := l.process.exit; err != nil {
		how = err.Error()
	}
	return ", it ended with " + how + words
}

// stop asks the process to end, and kills its group when it has not after
// stopLimit. go-plugin's own 2 s begin only when the process has answered.
func (l *link) stop() {
	late := time.AfterFunc(stopLimit, func() { _ = l.process.Kill(context.Background()) })
	defer late.Stop()
	l.client.Kill()
	l.kill()
}

// explainStart says in one line why a plugin did not come up and what to do.
func explainStart(ctx context.Context, f File, how string, timeout time.Duration, err error) error {
	text := err.Error()
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("start plugin %s: %w", f.Name, ctx.Err())
	case strings.Contains(text, "timeout while waiting"):
		return fmt.Errorf("start plugin %s: no handshake within %s: does its main call Run?", f.Name, timeout)
	case strings.Contains(text, "incompatible API version"):
		return fmt.Errorf("start plugin %s: built for another version of the plugin protocol (this host speaks %d): rebuild it with this host's SDK", f.Name, wire.ProtocolVersion)
	case strings.Contains(text, "Unrecognized remote plugin message"), strings.Contains(text, "incompatible core API"), strings.Contains(text, "unsupported plugin protocol"):
		return fmt.Errorf("start plugin %s: it is no Holdfast plugin (no handshake%s): build it with the SDK, or take %s out of the folder", f.Name, how, f.Path)
	case errors.Is(err, os.ErrPermission):
		return fmt.Errorf("start plugin %s: %w: is the state folder mounted noexec? name another with --state", f.Name, err)
	case strings.Contains(text, "exec format error"):
		return fmt.Errorf("start plugin %s: not a program for this machine: build it here, or with its GOOS and GOARCH", f.Name)
	case strings.Contains(text, "plugin exited"):
		return fmt.Errorf("start plugin %s: no handshake%s: run it by hand to see why", f.Name, how)
	default:
		return fmt.Errorf("start plugin %s: %s%s", f.Name, firstLine(text), how)
	}
}

func said(words string) string {
	if words == "" {
		return ""
	}
	return fmt.Sprintf(", it printed %q", firstLine(words))
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	if len(line) > 300 {
		line = line[:300] + "…"
	}
	return line
}
