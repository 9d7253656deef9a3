package wire

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
)

func sampleEvent(r *rand.Rand, size int) Event {
	e := Event{
		Index: r.Uint64(), Shard: r.Uint32(), Seq: r.Uint64(), Received: r.Int64(),
		Flags: Redelivered, Guild: r.Uint64(), Lane: r.Uint64(), GuildVersion: r.Uint64(),
		Name: "MESSAGE_CREATE", Data: make([]byte, size),
	}
	for i := range e.Traceparent {
		e.Traceparent[i] = byte(r.Uint32())
	}
	for i := range e.Data {
		e.Data[i] = byte(r.Uint32())
	}
	return e
}

func sameEvent(a, b *Event) bool {
	x, y := *a, *b
	x.Data, y.Data = nil, nil
	return x.Index == y.Index && x.Shard == y.Shard && x.Seq == y.Seq && x.Received == y.Received &&
		x.Flags == y.Flags && x.Guild == y.Guild && x.Lane == y.Lane && x.GuildVersion == y.GuildVersion &&
		x.Traceparent == y.Traceparent && x.Name == y.Name && bytes.Equal(a.Data, b.Data)
}

// TestBatchReadsBack sends batches of every mixture of copied and shared data
// through the codec and reads them as an ordinary protobuf reader does.
func TestBatchReadsBack(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	sizes := [][]int{{0}, {10}, {1000, 1000, 1000}, {shareAbove + 1}, {10, shareAbove + 1, 20}, {shareAbove + 1, shareAbove + 1}, {2 << 20}}
	for _, batch := range sizes {
		var b Batch
		var sent []Event
		for _, size := range batch {
			e := sampleEvent(r, size)
			sent = append(sent, e)
			b.Add(&e)
		}
		buffers, err := StreamCodec().Marshal(&b)
		if err != nil {
			t.Fatal(err)
		}
		var got EventBatch
		if err := proto.Unmarshal(buffers.Materialize(), &got); err != nil {
			t.Fatalf("sizes %v: not an EventBatch: %v", batch, err)
		}
		buffers.Free()
		if b.Len() != 0 {
			t.Errorf("sizes %v: the batch is not empty after sending", batch)
		}
		rest := got.GetFrames()
		for i := range sent {
			var e Event
			if rest, err = ParseFrame(rest, &e, nil); err != nil {
				t.Fatalf("sizes %v frame %d: %v", batch, i, err)
			}
			if !sameEvent(&e, &sent[i]) {
				t.Errorf("sizes %v frame %d differs: got %+v", batch, i, e)
			}
		}
		if len(rest) != 0 {
			t.Errorf("sizes %v: %d bytes left", batch, len(rest))
		}
	}
}

// TestLaterHeaderFieldsAreSkipped holds the promise that fields can be added
// behind the name without a new protocol version.
func TestLaterHeaderFieldsAreSkipped(t *testing.T) {
	e := sampleEvent(rand.New(rand.NewPCG(3, 4)), 50)
	frame := e.AppendFrame(nil)
	at := headerOffset + fixedHeader + len(e.Name)
	longer := append(append(bytes.Clone(frame[:at]), 1, 2, 3), frame[at:]...)
	longer[3] += 3
	longer[5] += 3
	var got Event
	rest, err := ParseFrame(longer, &got, nil)
	if err != nil || len(rest) != 0 || !sameEvent(&got, &e) {
		t.Fatalf("got %+v, %d left, %v", got, len(rest), err)
	}
}

func TestNamesAreInterned(t *testing.T) {
	e := sampleEvent(rand.New(rand.NewPCG(5, 6)), 50)
	frame := e.AppendFrame(nil)
	names := map[string]string{e.Name: e.Name}
	var got Event
	if n := testing.AllocsPerRun(100, func() {
		if _, err := ParseFrame(frame, &got, names); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations a frame, want 0", n)
	}
}

func TestLongNameIsCut(t *testing.T) {
	e := Event{Name: strings.Repeat("X", 300)}
	var got Event
	if _, err := ParseFrame(e.AppendFrame(nil), &got, nil); err != nil || len(got.Name) != 255 {
		t.Fatalf("name of %d bytes, %v", len(got.Name), err)
	}
}

func FuzzParseFrame(f *testing.F) {
	e := sampleEvent(rand.New(rand.NewPCG(7, 8)), 20)
	whole := e.AppendFrame(nil)
	f.Add(whole)
	f.Add(whole[:len(whole)-1])
	f.Add([]byte{0, 0, 0, 0, 0, 0})
	f.Add([]byte{255, 255, 255, 255, 255, 255, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		var e Event
		rest, err := ParseFrame(b, &e, nil)
		if err != nil {
			if !errors.Is(err, ErrFrame) {
				t.Fatalf("error without ErrFrame: %v", err)
			}
			return
		}
		if len(rest) >= len(b) {
			t.Fatal("no progress")
		}
		again := e.AppendFrame(nil)
		var second Event
		if _, err := ParseFrame(again, &second, nil); err != nil || !sameEvent(&e, &second) {
			t.Fatalf("does not survive writing: %v", err)
		}
	})
}

func BenchmarkBatch(b *testing.B) {
	r := rand.New(rand.NewPCG(9, 10))
	for _, size := range []int{200, 1024, 4000, 8000} {
		e := sampleEvent(r, size)
		codec := StreamCodec()
		b.Run(byteSize(size), func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(e.FrameSize()))
			var batch Batch
			for b.Loop() {
				if !batch.Fits(&e) {
					buffers, err := codec.Marshal(&batch)
					if err != nil {
						b.Fatal(err)
					}
					buffers.Free()
				}
				batch.Add(&e)
			}
		})
	}
}

func byteSize(n int) string {
	if n < 1000 {
		return "small"
	}
	return map[bool]string{true: "copied", false: "shared"}[n <= shareAbove]
}
