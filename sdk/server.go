package sdk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/holdfast-bot/holdfast/sdk/wire"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// ServerConfig says how a Server runs.
type ServerConfig struct {
	// Log takes the plugin's lines. Default: none.
	Log hclog.Logger
	// DialHost connects to the host's socket. Default: as a unix socket.
	DialHost func(ctx context.Context, socket string) (net.Conn, error)
}

// Server is a plugin as its host sees it: wire.PluginServer. Run makes one by
// itself; sdktest, or a program that serves the plugin in another way, makes
// its own. It is good for one life: at most one RestoreState, then one Start and
// one Events.
type Server struct {
	wire.UnimplementedPluginServer
	plugin *Plugin
	config ServerConfig
	ended  chan struct{} // closed when the event stream has ended

	calls sync.Mutex // held through Start, SaveState and RestoreState, one at a time
	phase phase      // guarded by calls

	mu       sync.Mutex
	line     *line
	timeout  time.Duration
	delivery *delivery
	cancel   context.CancelFunc // ends the handlers' contexts
}

var _ wire.PluginServer = (*Server)(nil)

// Server ends registration and makes a server of the plugin.
func (p *Plugin) Server(c ServerConfig) *Server {
	p.serving = true
	if c.Log == nil {
		c.Log = hclog.NewNullLogger()
	}
	return &Server{plugin: p, config: c, ended: make(chan struct{})}
}

// Describe implements wire.PluginServer.
func (s *Server) Describe(context.Context, *wire.DescribeRequest) (*wire.Manifest, error) {
	return s.plugin.manifest(), nil
}

// Start implements wire.PluginServer: it opens the line to the host and runs
// what OnStart registered.
func (s *Server) Start(ctx context.Context, r *wire.StartRequest) (*wire.StartResponse, error) {
	if !s.calls.TryLock() {
		return nil, status.Error(codes.FailedPrecondition, "Start was called while another call goes on")
	}
	defer s.calls.Unlock()
	if s.phase == refused {
		return nil, status.Error(codes.FailedPrecondition, "Start was called after the state was refused: start another process")
	}
	line, err := s.begin(r)
	if err != nil {
		return nil, err
	}
	s.phase = starting
	for _, start := range s.plugin.onStart {
		if err := protected(func() error { return start(ctx, line.detachedBot(s.config.Log)) }); err != nil {
			return nil, status.Error(codes.Aborted, "OnStart: "+tell(err))
		}
	}
	s.phase = started
	return &wire.StartResponse{}, nil
}

func (s *Server) begin(r *wire.StartRequest) (*line, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.line != nil {
		return nil, status.Error(codes.FailedPrecondition, "Start was called twice")
	}
	line, err := openLine(r, s.config.DialHost)
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	s.line = line
	if s.timeout = time.Duration(r.GetHandlerTimeoutMs()) * time.Millisecond; s.timeout <= 0 {
		s.timeout = defaultTimeout
	}
	return line, nil
}

// Events implements wire.PluginServer. Its own goroutine receives; beside it
// one sends acknowledgements and one watches over handlers, and both have ended
// when it returns. The goroutines of lanes are waited for by Stop and Close.
func (s *Server) Events(stream grpc.BidiStreamingServer[wire.EventBatch, wire.Acks]) error {
	ctx, cancel := context.WithCancel(stream.Context())
	defer cancel()
	d, err := s.open(cancel)
	if err != nil {
		return err
	}
	defer close(s.ended)
	var beside sync.WaitGroup
	// Acknowledgements go on when Stop has ended the handlers' contexts.
	sending, stopSending := context.WithCancel(stream.Context())
	beside.Go(func() { d.acks.send(sending, stream) })
	beside.Go(func() { d.watch(ctx) })
	err = receive(ctx, stream, d)
	cancel()
	if err == nil {
		err = d.acks.flush(sending) // the host has said its last, but still listens
	}
	stopSending()
	beside.Wait()
	return err
}

// open makes the one delivery of the server's life.
func (s *Server) open(cancel context.CancelFunc) (*delivery, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.line == nil {
		return nil, status.Error(codes.FailedPrecondition, "Events was called before Start")
	}
	if s.delivery != nil {
		return nil, status.Error(codes.FailedPrecondition, "Events was called twice")
	}
	s.delivery = newDelivery(s.plugin, s.line, s.config.Log, s.timeout)
	s.cancel = cancel
	return s.delivery, nil
}

// receive hands events to their lanes until the stream ends.
func receive(ctx context.Context, stream grpc.BidiStreamingServer[wire.EventBatch, wire.Acks], d *delivery) error {
	var batch wire.EventBatch
	var jobs []*job
	for {
		if err := stream.RecvMsg(&batch); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		jobs = jobs[:0]
		for rest := batch.GetFrames(); len(rest) > 0; {
			j := new(job)
			var err error
			if rest, err = wire.ParseFrame(rest, &j.event, d.names); err != nil {
				return status.Error(codes.InvalidArgument, err.Error())
			}
			d.prepare(j)
			jobs = append(jobs, j)
		}
		d.push(ctx, jobs)
		clear(jobs)
	}
}

// Stop implements wire.PluginServer: nothing new is begun, handlers may end
// within the grace, then their contexts end; the answer comes when all have
// ended and their acknowledgements are sent.
func (s *Server) Stop(ctx context.Context, r *wire.StopRequest) (*wire.StopResponse, error) {
	s.mu.Lock()
	d, cancel := s.delivery, s.cancel
	s.mu.Unlock()
	if d == nil {
		return &wire.StopResponse{}, nil
	}
	d.refuse()
	grace, done := context.WithTimeout(ctx, time.Duration(r.GetGraceMs())*time.Millisecond)
	defer done()
	_ = d.waitIdle(grace) // whether in time or not, what follows is the same
	cancel()
	if err := errors.Join(d.waitIdle(ctx), d.acks.flush(ctx)); err != nil {
		return nil, status.FromContextError(fmt.Errorf("wait for handlers: %w", ctx.Err())).Err()
	}
	return &wire.StopResponse{}, nil
}

// Done is closed when the event stream has ended: the plugin's life is over.
func (s *Server) Done() <-chan struct{} { return s.ended }

// Close ends the contexts of handlers, waits for them until ctx ends, and
// closes the line to the host. Call it when the gRPC server has stopped, or to
// stop it hard.
func (s *Server) Close(ctx context.Context) error {
	s.mu.Lock()
	d, cancel, line := s.delivery, s.cancel, s.line
	s.mu.Unlock()
	var err error
	if d != nil {
		d.refuse()
		cancel()
		err = d.waitIdle(ctx)
	}
	if line != nil {
		line.close()
	}
	if err != nil {
		return fmt.Errorf("wait for handlers: %w", err)
	}
	return nil
}
