package wire

import (
	"errors"
	"io"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const (
	// MaxInline is the largest body in bytes that travels within Do. Larger ones
	// take Upload: grpc reads a message whole, in three copies, before anybody
	// can say that there is no room for it.
	MaxInline = 1 << 20
	// MaxBody is the largest body in bytes that the host takes: 25 MiB of files,
	// and what surrounds them.
	MaxBody = 26 << 20
	// chunkSize keeps a message below 32,000 bytes, where grpc's buffers cost
	// least.
	chunkSize = 31 << 10
)

// SendUpload is the plugin's side of Upload. Its errors are grpc's.
func SendUpload(stream grpc.BidiStreamingClient[UploadRequest, UploadResponse], r *RestRequest) (*RestResponse, error) {
	head := &RestRequest{Method: r.GetMethod(), Path: r.GetPath(), Header: r.GetHeader()}
	rest := r.GetBody()
	err := stream.Send(&UploadRequest{Head: head, Size: uint64(len(rest))})
	if err == nil || errors.Is(err, io.EOF) { // io.EOF: Recv tells why
		if _, err := stream.Recv(); err != nil { // the host has room
			return nil, err
		}
	}
	for err == nil && len(rest) > 0 {
		n := min(len(rest), chunkSize)
		err = stream.Send(&UploadRequest{Chunk: rest[:n]})
		rest = rest[n:]
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if err := stream.CloseSend(); err != nil {
		return nil, err
	}
	response, err := stream.Recv()
	if err != nil {
		return nil, err
	}
	if response.GetAnswer() == nil {
		return nil, status.Error(codes.Internal, "the host asked for the body twice: report this")
	}
	if _, err := stream.Recv(); !errors.Is(err, io.EOF) { // read to its end, the stream is given back
		return nil, status.Error(codes.Internal, "the host went on after its answer: report this")
	}
	return response.GetAnswer(), nil
}

// ReceiveUpload is the host's side of Upload, up to the answer. It holds no more
// than a head until admit, which may wait, returns nil for a body of size bytes.
func ReceiveUpload(stream grpc.BidiStreamingServer[UploadRequest, UploadResponse], admit func(size int) error) (*RestRequest, error) {
	first, err := stream.Recv()
	if err != nil {
		return nil, err
	}
	r, size := first.GetHead(), first.GetSize()
	switch {
	case r == nil || len(r.GetBody())+len(first.GetChunk()) > 0:
		return nil, status.Error(codes.InvalidArgument, "an upload begins with the request's head, and nothing of its body")
	case size > MaxBody:
		return nil, status.Errorf(codes.InvalidArgument, "a body of %d bytes: the host takes %d at most", size, MaxBody)
	}
	if err := admit(int(size)); err != nil {
		return nil, err
	}
	if err := stream.Send(&UploadResponse{}); err != nil {
		return nil, err
	}
	r.Body = make([]byte, 0, size)
	for uint64(len(r.Body)) < size {
		next, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil, status.Errorf(codes.InvalidArgument, "the body ended after %d bytes of %d", len(r.Body), size)
		}
		if err != nil {
			return nil, err
		}
		if n := len(next.GetChunk()); n == 0 || uint64(len(r.Body)+n) > size {
			return nil, status.Errorf(codes.InvalidArgument, "a chunk of %d bytes after %d bytes of %d", n, len(r.Body), size)
		}
		r.Body = append(r.Body, next.GetChunk()...)
	}
	return r, nil
}
