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
	output  *output // standard error
	printed *output // standard output
	socket  string  // folder of its socket
}

// launch starts the staged file and shakes hands. ctx ends the attempt only.
// This file is the one that knows go-plugin.
func launch(ctx context.Context, f File, env []string, sockets string, timeout time.Duration, s *starter, g *guardian, allows *outputLimit, log hclog.Logger) (*link, error) {
	stream := func() *output { return &output{log: log, level: hclog.Info, allows: allows} }
	l := &link{output: stream(), printed: stream()}
	proc := newProcess(f.Staged, f.Name, s, g, l.printed, log)
	l.process = proc
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
		Stderr:     l.output,
		SyncStdout: stream(),
		SyncStderr: stream(),
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

// ending is how a process ended.
type ending struct {
	own   bool  // by itself; else it was killed
	exit  error // if own; nil is exit status 0
	words string
}

// String is empty, or begins with a comma: it goes on from what the host saw.
func (e ending) String() string {
	if !e.own {
		return said(e.words)
	}
	how := "exit status 0"
	if e.exit != nil {
		how = e.exit.Error()
	}
	return ", it ended with " + how + said(e.words)
}

// end kills the process unless it exits by itself within a moment, and says how
// it ended: its own exit says more than our kill.
func (l *link) end() ending {
	var e ending
	if l.process.number() != 0 {
		select {
		case <-l.process.exited:
			e.own = true
		case <-time.After(exitMargin):
		}
	}
	l.kill()
	if e.own {
		e.exit = l.process.exit
	}
	if e.words = l.output.lastWords(); e.words == "" {
		e.words = l.printed.lastWords()
	}
	return e
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
func explainStart(ctx context.Context, f File, e ending, timeout time.Duration, err error) error {
	text := err.Error()
	because := func(format string, args ...any) error {
		return fmt.Errorf("start plugin %s: %w", f.Name, fmt.Errorf(format, args...))
	}
	switch {
	case ctx.Err() != nil:
		return because("%w", ctx.Err())
	case strings.Contains(text, "timeout while waiting") && e.words != "":
		return because("no handshake within %s%s: it is no Holdfast plugin, or its main does not come to Run: mend it, or take %s out of the folder", timeout, said(e.words), f.Path) // go-plugin has killed it
	case strings.Contains(text, "timeout while waiting"):
		return because("no handshake within %s: does its main call Run?", timeout)
	case strings.Contains(text, "incompatible API version"):
		return because("built for another version of the plugin protocol (this host speaks %d): rebuild it with this host's SDK", wire.ProtocolVersion)
	case strings.Contains(text, "incompatible core API"), strings.Contains(text, "unsupported plugin protocol"):
		return because("it speaks another go-plugin protocol than this host (%s): rebuild it with this host's SDK", firstLine(text))
	case errors.Is(err, os.ErrPermission):
		return because("%w: is the state folder mounted noexec? name another with --state", err)
	case strings.Contains(text, "exec format error"):
		return because("not a program for this machine: build it here, or with its GOOS and GOARCH")
	case !strings.Contains(text, "plugin exited") && !strings.Contains(text, "Unrecognized remote plugin message"):
		return because("%s%s", firstLine(text), e)
	case e.own && e.exit == nil:
		return because("it is no Holdfast plugin (no handshake%s): build it with the SDK and call Run in its main, or take %s out of the folder", e, f.Path)
	default:
		return because("no handshake%s: it ended before Run: mend what it says, all that it printed is in the host's log", e)
	}
}

func said(words string) string {
	if words == "" {
		return ""
	}
	if strings.Contains(words, `"`) { // the log quotes the whole once more, and would not escape what is escaped here
		return fmt.Sprintf(", it printed %#q", words)
	}
	return fmt.Sprintf(", it printed %q", words)
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	if len(line) > 300 {
		line = line[:300] + "…"
	}
	return line
}
