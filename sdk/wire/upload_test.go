package wire_test

import (
	"bytes"
	"context"
	"io"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/holdfast-bot/holdfast/sdk/wire"
)

// fromPlugin is the host's end of a stream with these messages and no more.
type fromPlugin struct {
	grpc.BidiStreamingServer[wire.UploadRequest, wire.UploadResponse]
	messages []*wire.UploadRequest
	sent     int
}

func (f *fromPlugin) Recv() (*wire.UploadRequest, error) {
	if len(f.messages) == 0 {
		return nil, io.EOF
	}
	next := f.messages[0]
	f.messages = f.messages[1:]
	return next, nil
}

func (f *fromPlugin) Send(*wire.UploadResponse) error { f.sent++; return nil }

// TestReceiveUploadIsStrict has plugins that do not keep to the contract.
func TestReceiveUploadIsStrict(t *testing.T) {
	head := func(size uint64) *wire.UploadRequest {
		return &wire.UploadRequest{Head: &wire.RestRequest{Method: "POST", Path: "/x"}, Size: size}
	}
	chunk := func(n int) *wire.UploadRequest { return &wire.UploadRequest{Chunk: bytes.Repeat([]byte("k"), n)} }
	tests := []struct {
		name     string
		messages []*wire.UploadRequest
		want     string
	}{
		{"whole", []*wire.UploadRequest{head(5), chunk(3), chunk(2)}, ""},
		{"empty", []*wire.UploadRequest{head(0)}, ""},
		{"no head", []*wire.UploadRequest{chunk(3)}, "begins with the request's head"},
		{"a body in the head", []*wire.UploadRequest{{Head: &wire.RestRequest{Body: []byte("k")}, Size: 1}}, "nothing of its body"},
		{"a chunk beside the head", []*wire.UploadRequest{{Head: &wire.RestRequest{}, Size: 1, Chunk: []byte("k")}}, "nothing of its body"},
		{"too large", []*wire.UploadRequest{head(wire.MaxBody + 1)}, "the host takes"},
		{"beyond all numbers", []*wire.UploadRequest{head(1 << 63)}, "the host takes"},
		{"too short", []*wire.UploadRequest{head(5), chunk(3)}, "ended after 3 bytes of 5"},
		{"too long", []*wire.UploadRequest{head(5), chunk(3), chunk(3)}, "a chunk of 3 bytes after 3 bytes of 5"},
		{"nothing, for ever", slices.Concat([]*wire.UploadRequest{head(5)}, slices.Repeat([]*wire.UploadRequest{chunk(0)}, 9)), "a chunk of 0 bytes"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			stream, admitted := &fromPlugin{messages: test.messages}, -1
			r, err := wire.ReceiveUpload(stream, func(size int) error {
				if stream.sent > 0 {
					t.Error("the body was asked for before there was room")
				}
				admitted = size
				return nil
			})
			if test.want == "" {
				if err != nil || len(r.GetBody()) != admitted || r.GetPath() != "/x" || stream.sent != 1 {
					t.Errorf("%v, %d bytes of %d", err, len(r.GetBody()), admitted)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), test.want) || status.Code(err) != codes.InvalidArgument {
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
}

func TestReceiveUploadAsksForNothingWithoutRoom(t *testing.T) {
	stream := &fromPlugin{messages: []*wire.UploadRequest{{Head: &wire.RestRequest{}, Size: 9}}}
	if _, err := wire.ReceiveUpload(stream, func(int) error { return context.Canceled }); err == nil || stream.sent != 0 {
		t.Errorf("%v after %d messages", err, stream.sent)
	}
}
