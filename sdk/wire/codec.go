package wire

import (
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
)

const (
	// shareAbove is the size in bytes from which an event's data travels as a
	// buffer of its own. Below it one copy into the batch costs less than the
	// bookkeeping of a shared buffer (see BenchmarkBatch).
	shareAbove = 4 << 10
	// prefixSpace is kept free for the protobuf tag and length before the
	// frames, which are known only when the batch is full.
	prefixSpace = 6
)

// Batch is an EventBatch in the making, on the host's side: frames in one
// pooled buffer, large data shared instead of copied, so that a large event
// for sixteen plugins is in memory once. Sending it on a stream with
// StreamCodec empties it. It is not safe for concurrent use.
type Batch struct {
	count, size int
	buf         *[]byte
	shared      []shared
}

// shared is data that belongs after the first end bytes of the buffer.
type shared struct {
	end  int
	data mem.SliceBuffer
}

// Add appends the frame of e. The batch may share e.Data from now on.
func (b *Batch) Add(e *Event) {
	if b.buf == nil {
		b.buf = mem.DefaultBufferPool().Get(prefixSpace + MaxBatch)
		*b.buf = (*b.buf)[:prefixSpace]
	}
	*b.buf = e.AppendHeader(*b.buf)
	if len(e.Data) > shareAbove {
		b.shared = append(b.shared, shared{end: len(*b.buf), data: e.Data})
	} else {
		*b.buf = append(*b.buf, e.Data...)
	}
	b.count++
	b.size += e.FrameSize()
}

// Fits says whether e can join the batch: always when it is empty, else as
// long as it stays below MaxBatch.
func (b *Batch) Fits(e *Event) bool {
	return b.count == 0 || b.size+e.FrameSize() <= MaxBatch
}

// Len is the number of frames.
func (b *Batch) Len() int { return b.count }

// take turns the batch into the buffers of one protobuf message and empties it.
func (b *Batch) take() mem.BufferSlice {
	if b.count == 0 {
		return nil
	}
	var space [prefixSpace]byte
	prefix := protowire.AppendTag(space[:0], 1, protowire.BytesType)
	prefix = protowire.AppendVarint(prefix, uint64(b.size))
	start := prefixSpace - len(prefix)
	copy((*b.buf)[start:], prefix)

	whole := mem.NewBuffer(b.buf, mem.DefaultBufferPool())
	defer whole.Free()
	out := make(mem.BufferSlice, 0, 1+2*len(b.shared))
	for i := range b.shared {
		s := &b.shared[i]
		out = append(out, whole.Slice(start, s.end), &s.data)
		start = s.end
	}
	if start < whole.Len() {
		out = append(out, whole.Slice(start, whole.Len()))
	}
	*b = Batch{}
	return out
}

// StreamCodec is for the host's side of the event stream
// (grpc.ForceCodecV2): it sends a *Batch as it is and is the ordinary protobuf
// codec for everything else. Nothing is registered process-wide.
func StreamCodec() encoding.CodecV2 {
	return streamCodec{encoding.GetCodecV2(proto.Name)}
}

type streamCodec struct{ encoding.CodecV2 }

// Marshal implements encoding.CodecV2.
func (c streamCodec) Marshal(v any) (mem.BufferSlice, error) {
	if b, ok := v.(*Batch); ok {
		return b.take(), nil
	}
	return c.CodecV2.Marshal(v)
}
