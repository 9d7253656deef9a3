package sdk

import (
	"context"
	"encoding/json"
	"net"
	"sync"
	"syscall"
	"testing"

	goccy "github.com/goccy/go-json"
	"github.com/hashicorp/go-hclog"
	"github.com/switchupcb/disgo"

	"github.com/holdfast-bot/holdfast/sdk/wire"
)

// BenchmarkDecode compares disgo's way, by the wrapper, with ours.
func BenchmarkDecode(b *testing.B) {
	events := captured(b)
	message, interaction := events["MESSAGE_CREATE"][0], events["INTERACTION_CREATE"][0]
	trap := json.RawMessage(`{"id":"1","channel_id":"2","content":"hi","components":[{"type":17}]}`)
	run := func(name string, size int, f func() error) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(size))
			for b.Loop() {
				if err := f(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	ours := func(name string, data []byte, value func() any) func() error {
		return func() error { _, err := decode(name, data, value()); return err }
	}
	run("message/wrapper", len(message), func() error { return goccy.Unmarshal(message, new(disgo.MessageCreate)) })
	run("message/direct", len(message), ours("MESSAGE_CREATE", message, func() any { return new(disgo.MessageCreate) }))
	run("interaction/wrapper", len(interaction), func() error { return goccy.Unmarshal(interaction, new(disgo.InteractionCreate)) })
	run("interaction/direct", len(interaction), ours("INTERACTION_CREATE", interaction, func() any { return new(disgo.InteractionCreate) }))
	run("repaired", len(trap), ours("MESSAGE_CREATE", trap, func() any { return new(disgo.MessageCreate) }))
}

// discard counts acknowledgements.
type discard struct {
	mu    sync.Mutex
	count int
	some  *sync.Cond
}

func (d *discard) Send(a *wire.Acks) error {
	d.mu.Lock()
	d.count += len(a.GetIndexes())
	d.mu.Unlock()
	d.some.Signal()
	return nil
}

func (d *discard) waitFor(n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for d.count < n {
		d.some.Wait()
	}
}

// cpu is the time that all cores have spent on this process, in nanoseconds:
// on a shared machine it says more than the clock.
func cpu() int64 {
	var usage syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return usage.Utime.Nano() + usage.Stime.Nano()
}

// BenchmarkDispatch takes frames as they come off the stream through lanes, a
// raw handler and acknowledgement, at most 256 in flight as a host allows.
func BenchmarkDispatch(b *testing.B) {
	data := captured(b)["MESSAGE_CREATE"][0]
	for _, lanes := range []uint64{1, 16, 256} {
		b.Run(map[uint64]string{1: "one lane", 16: "16 lanes", 256: "256 lanes"}[lanes], func(b *testing.B) {
			p := New("bench")
			OnRaw(p, "MESSAGE_CREATE", func(context.Context, *Bot, json.RawMessage) error { return nil })
			l, err := openLine(&wire.StartRequest{HostSocket: "/nowhere"}, func(context.Context, string) (net.Conn, error) { return nil, net.ErrClosed })
			if err != nil {
				b.Fatal(err)
			}
			defer l.close()
			d := newDelivery(p, l, hclog.NewNullLogger(), defaultTimeout)
			ctx, cancel := context.WithCancel(b.Context())
			defer cancel()
			sink := new(discard)
			sink.some = sync.NewCond(&sink.mu)
			go d.acks.send(ctx, sink)
			const batch = 25 // 31 KB of 1.2 KB events
			frames := make([]byte, 0, batch*(&wire.Event{Data: data}).FrameSize())
			jobs := make([]*job, 0, batch)
			b.ReportAllocs()
			b.SetBytes(int64(len(data)))
			b.ResetTimer()
			before := cpu()
			for n := 0; n < b.N; {
				frames, jobs = frames[:0], jobs[:0]
				for range min(batch, b.N-n) {
					e := wire.Event{Name: "MESSAGE_CREATE", Data: data, Index: uint64(n), Lane: uint64(n) % lanes}
					frames = e.AppendFrame(frames)
					n++
				}
				for rest := frames; len(rest) > 0; {
					j := new(job)
					if rest, err = wire.ParseFrame(rest, &j.event, d.names); err != nil {
						b.Fatal(err)
					}
					d.prepare(j)
					jobs = append(jobs, j)
				}
				d.push(ctx, jobs)
				sink.waitFor(n - 256)
			}
			sink.waitFor(b.N)
			b.ReportMetric(float64(cpu()-before)/float64(b.N), "cpu-ns/op")
		})
	}
}
