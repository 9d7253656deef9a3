package plugins

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"github.com/holdfast-bot/holdfast/sdk/wire"
	"golang.org/x/sync/semaphore"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// REST carries one request of the plugin called caller to Discord. Its error
// is one about the way there; Discord's own answers are responses.
type REST func(ctx context.Context, caller string, r *wire.RestRequest) (*wire.RestResponse, error)

// services are what the host offers to one instance, on a unix socket of its
// own in a folder that only this user can enter. The ticket keeps instances
// apart that run as the same user by mistake, not on purpose: the README says
// what isolation holds.
type services struct {
	wire.UnimplementedHostServer
	server   *grpc.Server
	listener *fewConnections
	socket   string
	ticket   string
	plugin   string
	rest     REST
	guilds   Guilds
	gateway  Gateway
	room     *semaphore.Weighted // for uploads, in bytes
	done     chan struct{}
}

const (
	// maxConnections bounds the connections of one instance; the SDK opens one.
	maxConnections = 16
	// maxCalls bounds the requests that one instance may have open at a time;
	// further ones wait in the plugin. grpc reads each whole before the gate's
	// bounds can refuse it.
	maxCalls = 32
	// maxCall bounds one message in bytes: a body that needs no upload, and what
	// surrounds it.
	maxCall = wire.MaxInline + 256<<10
	// maxUploads bounds the bodies of one instance's uploads, in bytes; further
	// ones wait in the plugin. Two of the largest find room at a time.
	maxUploads = 64 << 20
)

// serveInstance opens the socket; number is unique among all instances, so
// that the path stays short whatever the plugin is called.
func serveInstance(dir, plugin string, number uint64, rest REST, guilds Guilds, gateway Gateway) (*services, error) {
	s := &services{
		socket:  filepath.Join(dir, fmt.Sprintf("%d.sock", number)),
		ticket:  rand.Text(),
		plugin:  plugin,
		rest:    rest,
		guilds:  guilds,
		gateway: gateway,
		room:    semaphore.NewWeighted(maxUploads),
		done:    make(chan struct{}),
	}
	listener, err := new(net.ListenConfig).Listen(context.Background(), "unix", s.socket)
	if err != nil {
		return nil, fmt.Errorf("open socket for plugin %s: %w", plugin, err)
	}
	if err := os.Chmod(s.socket, 0o600); err != nil {
		listener.Close()
		return nil, fmt.Errorf("open socket for plugin %s: %w", plugin, err)
	}
	s.listener = atMost(maxConnections, listener)
	s.server = grpc.NewServer(append(wire.ServerOptions(),
		grpc.MaxConcurrentStreams(maxCalls),
		grpc.MaxRecvMsgSize(maxCall),
		grpc.WaitForHandlers(true), // close ends their contexts; gate and cache outlive them
		grpc.UnaryInterceptor(s.authorize),
		grpc.StreamInterceptor(s.authorizeStream))...)
	wire.RegisterHostServer(s.server, s)
	go func() {
		defer close(s.done)
		_ = s.server.Serve(s.listener) // ends with close, which is no error to tell
	}()
	return s, nil
}

// close ends every call that is under way and removes the socket.
func (s *services) close() {
	s.server.Stop()
	<-s.done
}

func (s *services) authorize(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	if err := s.admit(ctx); err != nil {
		return nil, err
	}
	return handler(ctx, req)
}

func (s *services) authorizeStream(srv any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	if err := s.admit(stream.Context()); err != nil {
		return err
	}
	return handler(srv, stream)
}

func (s *services) admit(ctx context.Context) error {
	md, _ := metadata.FromIncomingContext(ctx)
	given := md.Get(wire.TicketKey)
	if len(given) != 1 || subtle.ConstantTimeCompare([]byte(given[0]), []byte(s.ticket)) != 1 {
		return status.Error(codes.Unauthenticated, "the call lacks the ticket of its plugin's start")
	}
	return nil
}

// Do implements wire.HostServer.
func (s *services) Do(ctx context.Context, r *wire.RestRequest) (*wire.RestResponse, error) {
	response, err := s.rest(ctx, s.plugin, r)
	switch {
	case err == nil:
		return response, nil
	case ctx.Err() != nil:
		return nil, status.FromContextError(ctx.Err()).Err()
	default:
		return nil, status.Error(codes.Unavailable, err.Error())
	}
}

// Member implements wire.HostServer.
func (s *services) Member(ctx context.Context, r *wire.MemberRequest) (*wire.MemberResponse, error) {
	if s.guilds == nil {
		return nil, status.Error(codes.Unimplemented, "this host keeps no guilds")
	}
	response, err := s.guilds.Member(ctx, s.plugin, r)
	switch {
	case err == nil:
		return response, nil
	case ctx.Err() != nil:
		return nil, status.FromContextError(ctx.Err()).Err()
	default:
		return nil, status.Error(codes.Unavailable, err.Error())
	}
}

// Upload implements wire.HostServer.
func (s *services) Upload(stream grpc.BidiStreamingServer[wire.UploadRequest, wire.UploadResponse]) error {
	ctx, held := stream.Context(), int64(0)
	defer func() { s.room.Release(held) }()
	request, err := wire.ReceiveUpload(stream, func(size int) error {
		if err := s.room.Acquire(ctx, int64(size)); err != nil {
			return status.FromContextError(err).Err()
		}
		held = int64(size)
		return nil
	})
	if err != nil {
		return err
	}
	answer, err := s.Do(ctx, request)
	if err != nil {
		return err
	}
	return stream.Send(&wire.UploadResponse{Answer: answer})
}

// Guild implements wire.HostServer.
func (s *services) Guild(ctx context.Context, r *wire.GuildRequest) (*wire.GuildResponse, error) {
	if s.guilds == nil {
		return nil, status.Error(codes.Unimplemented, "this host keeps no guilds")
	}
	response, err := s.guilds.Guild(ctx, r)
	switch {
	case err == nil:
		return response, nil
	case ctx.Err() != nil:
		return nil, status.FromContextError(ctx.Err()).Err()
	default:
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
}
