package sdk

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/hashicorp/go-hclog"
	plugin "github.com/hashicorp/go-plugin"
	"github.com/holdfast-bot/holdfast/sdk/wire"
	"google.golang.org/grpc"
)

const (
	// lastMoment is what handlers get when the host is gone: nothing that they
	// do reaches Discord any more, but they may close files.
	lastMoment = 500 * time.Millisecond
	// parentEvery is how often the plugin looks whether its parent is another
	// one: then its host is gone, however it died.
	parentEvery = time.Second
	// exitUsage is the exit code of a plugin that no host has started.
	exitUsage = 2
)

// Run serves the plugin to the host that started this process and returns when
// the host is done with it. The process ends with its host, whatever handlers
// do. Started by hand it says what it is and exits with code 2.
//
// Lines of Bot.Log and panics go to the host's log by standard error. What is
// printed to standard output goes there too, before Run in whole lines.
func (p *Plugin) Run() {
	if os.Getenv(wire.CookieKey) != wire.CookieValue {
		fmt.Fprintf(os.Stderr, "%s is a Holdfast plugin: copy it into the plugins folder of a host (holdfast run --plugins DIR)\n", p.name)
		os.Exit(exitUsage)
	}
	// go-plugin replaces os.Stderr; lines go to what it is now, by one hop.
	stderr := os.Stderr
	log := hclog.New(&hclog.LoggerOptions{Level: hclog.Trace, Output: stderr, JSONFormat: true})
	server := p.Server(ServerConfig{Log: log})
	go exitWithHost(server) // ends with the process
	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig: wire.Handshake(),
		Plugins:         plugin.PluginSet{wire.PluginKind: &wire.Glue{Plugin: server}},
		GRPCServer: func(options []grpc.ServerOption) *grpc.Server {
			return grpc.NewServer(append(options, wire.ServerOptions()...)...)
		},
		Logger: hclog.New(&hclog.LoggerOptions{Level: hclog.Warn, Output: stderr, JSONFormat: true}),
	})
	finish(server)
}

// exitWithHost ends the process when the event stream has ended or the host
// is gone before there was one.
func exitWithHost(s *Server) {
	parent := os.Getppid()
	tick := time.Tick(parentEvery)
	for {
		select {
		case <-s.Done():
		case <-tick:
			if os.Getppid() == parent {
				continue
			}
		}
		finish(s)
		os.Exit(0)
	}
}

func finish(s *Server) {
	ctx, cancel := context.WithTimeout(context.Background(), lastMoment)
	defer cancel()
	_ = s.Close(ctx) // what has not ended now ends with the process
}
