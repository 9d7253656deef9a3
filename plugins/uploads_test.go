package plugins

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/holdfast-bot/holdfast/sdk/wire"
)

// uploading is an instance's server whose requests to Discord arrive at a
// channel and end when the test says so, or with their contexts.
type uploading struct {
	t       *testing.T
	host    wire.HostClient
	ctx     context.Context
	arrived chan int // the body's size in bytes
	let     chan struct{}
}

func newUploading(t *testing.T) *uploading {
	t.Helper()
	u := &uploading{t: t, arrived: make(chan int), let: make(chan struct{})}
	s, err := serveInstance(t.TempDir(), "uploads", 1, u.rest, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.close)
	conn, err := grpc.NewClient("unix:"+s.socket, append(wire.DialOptions(), grpc.WithTransportCredentials(insecure.NewCredentials()))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	u.host, u.ctx = wire.NewHostClient(conn), metadata.AppendToOutgoingContext(t.Context(), wire.TicketKey, s.ticket)
	return u
}

func (u *uploading) rest(ctx context.Context, _ string, r *wire.RestRequest) (*wire.RestResponse, error) {
	select {
	case u.arrived <- len(r.GetBody()):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	select {
	case <-u.let:
		return &wire.RestResponse{Status: 200, Body: []byte(r.GetPath())}, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// begin opens an upload and sends its head.
func (u *uploading) begin(ctx context.Context, size uint64) grpc.BidiStreamingClient[wire.UploadRequest, wire.UploadResponse] {
	u.t.Helper()
	stream, err := u.host.Upload(ctx)
	if err != nil {
		u.t.Fatal(err)
	}
	err = stream.Send(&wire.UploadRequest{Head: &wire.RestRequest{Method: "POST", Path: "/large"}, Size: size})
	if err != nil && !errors.Is(err, io.EOF) { // io.EOF: it was refused already, and Recv tells why
		u.t.Fatal(err)
	}
	return stream
}

// TestUploadsWaitForRoom: a body is asked for when there is room for it; what
// waits takes nothing from others and gives way when it is called off.
func TestUploadsWaitForRoom(t *testing.T) {
	u := newUploading(t)
	for range 2 {
		if _, err := u.begin(u.ctx, wire.MaxBody).Recv(); err != nil { // admitted: the host waits for the body
			t.Fatal(err)
		}
	}
	off, callOff := context.WithCancel(u.ctx)
	waits := u.begin(off, wire.MaxBody)
	small := make(chan error, 1)
	go func() { // the test waits for it
		_, err := u.host.Do(u.ctx, &wire.RestRequest{Method: "GET", Path: "/small"})
		small <- err
	}()
	if n := <-u.arrived; n != 0 {
		t.Errorf("a body of %d bytes came to Discord, want the small request", n)
	}
	u.let <- struct{}{}
	if err := <-small; err != nil {
		t.Errorf("a small request: %v", err)
	}
	callOff()
	if _, err := waits.Recv(); status.Code(err) != codes.Canceled {
		t.Errorf("called off while it waited: %v", err)
	}
}

// TestUploadsGiveTheirRoomBack sends more than there is room for, one after the
// other, whole, broken off and called off under way.
func TestUploadsGiveTheirRoomBack(t *testing.T) {
	u := newUploading(t)
	body := bytes.Repeat([]byte("kelp"), wire.MaxBody/4)
	for range 4 {
		whole := make(chan error, 1)
		go func() { // the test waits for it
			stream, err := u.host.Upload(u.ctx)
			if err == nil {
				_, err = wire.SendUpload(stream, &wire.RestRequest{Method: "POST", Path: "/large", Body: body})
			}
			whole <- err
		}()
		if n := <-u.arrived; n != len(body) {
			t.Errorf("%d bytes arrived of %d", n, len(body))
		}
		u.let <- struct{}{}
		if err := <-whole; err != nil {
			t.Error(err)
		}
		broken := u.begin(u.ctx, wire.MaxBody)
		_ = broken.CloseSend() // a body of nothing
		for _, want := range []codes.Code{codes.OK, codes.InvalidArgument} {
			if _, err := broken.Recv(); status.Code(err) != want {
				t.Errorf("broken off: %v, want %s", err, want)
			}
		}
		off, callOff := context.WithCancel(u.ctx)
		under := u.begin(off, wire.MaxBody)
		if _, err := under.Recv(); err != nil {
			t.Error(err)
		}
		callOff()
	}
}

func TestUploadsNeedTheTicket(t *testing.T) {
	u := newUploading(t)
	if _, err := u.begin(t.Context(), 5).Recv(); status.Code(err) != codes.Unauthenticated {
		t.Errorf("without a ticket: %v", err)
	}
	if _, err := u.begin(u.ctx, wire.MaxBody+1).Recv(); status.Code(err) != codes.InvalidArgument {
		t.Errorf("too large: %v", err)
	}
	if _, err := u.host.Do(u.ctx, &wire.RestRequest{Method: "POST", Path: "/large", Body: make([]byte, wire.MaxInline+512<<10)}); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("a large body in Do: %v", err)
	}
}
