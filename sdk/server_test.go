package sdk_test

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	"github.com/holdfast-bot/holdfast/sdk"
	"github.com/holdfast-bot/holdfast/sdk/sdktest"
	"github.com/holdfast-bot/holdfast/sdk/wire"
)

// bare serves the plugin without sdktest, which would stop it by itself.
func bare(t *testing.T, p *sdk.Plugin) (wire.PluginClient, *sdk.Server) {
	t.Helper()
	server := p.Server(sdk.ServerConfig{})
	listener := bufconn.Listen(1 << 20)
	g := grpc.NewServer(wire.ServerOptions()...)
	wire.RegisterPluginServer(g, server)
	var serving sync.WaitGroup
	serving.Go(func() { _ = g.Serve(listener) })
	conn, err := grpc.NewClient("passthrough:///x", append(wire.DialOptions(), grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = conn.Close()
		g.Stop()
		serving.Wait()
		if err := server.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return wire.NewPluginClient(conn), server
}

func start(t *testing.T, c wire.PluginClient) grpc.BidiStreamingClient[wire.EventBatch, wire.Acks] {
	t.Helper()
	if _, err := c.Start(t.Context(), &wire.StartRequest{HostSocket: "/nowhere", HandlerTimeoutMs: 60_000}); err != nil {
		t.Fatal(err)
	}
	stream, err := c.Events(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return stream
}

func send(t *testing.T, stream grpc.BidiStreamingClient[wire.EventBatch, wire.Acks], events ...wire.Event) {
	t.Helper()
	var frames []byte
	for _, e := range events {
		frames = e.AppendFrame(frames)
	}
	if err := stream.Send(&wire.EventBatch{Frames: frames}); err != nil {
		t.Fatal(err)
	}
}

// acked receives acknowledgements until there are n.
func acked(t *testing.T, stream grpc.BidiStreamingClient[wire.EventBatch, wire.Acks], n int) (indexes []uint64) {
	t.Helper()
	for len(indexes) < n {
		a, err := stream.Recv()
		if err != nil {
			t.Fatalf("after %v: %v", indexes, err)
		}
		indexes = append(indexes, a.GetIndexes()...)
	}
	return indexes
}

func event(index, lane uint64) wire.Event {
	return wire.Event{Index: index, Lane: lane, Guild: lane, Name: "MESSAGE_CREATE", Data: []byte(`{}`)}
}

// TestStop has handlers that end within the grace, one that needs its context
// to end, and events that were not begun.
func TestStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var ended []uint64
		p := sdk.New("stop")
		sdk.OnRaw(p, "MESSAGE_CREATE", func(ctx context.Context, bot *sdk.Bot, _ json.RawMessage) error {
			if bot.GuildID() == "2" {
				<-ctx.Done() // until the grace has passed
			} else {
				time.Sleep(time.Second)
			}
			mu.Lock()
			ended = append(ended, bot.Seq)
			mu.Unlock()
			return nil
		})
		c, server := bare(t, p)
		stream := start(t, c)
		var events []wire.Event
		for n := range uint64(3) { // 1 s each: all within the grace
			e := event(n+1, 1)
			e.Seq = n + 1
			events = append(events, e)
		}
		for n := range uint64(2) { // the second waits for the first
			e := event(n+11, 2)
			e.Seq = n + 11
			events = append(events, e)
		}
		send(t, stream, events...)
		synctest.Wait()

		began := time.Now()
		if _, err := c.Stop(t.Context(), &wire.StopRequest{GraceMs: 5000}); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took != 5*time.Second {
			t.Errorf("stopped after %s, want the grace of 5 s", took)
		}
		if got := acked(t, stream, 4); !slices.Equal(got, []uint64{1, 2, 3, 11}) {
			t.Errorf("acknowledged %v: 12 was never begun", got)
		}
		if !slices.Equal(ended, []uint64{1, 2, 3, 11}) {
			t.Errorf("ended %v", ended)
		}
		send(t, stream, event(20, 3))
		if err := stream.CloseSend(); err != nil {
			t.Fatal(err)
		}
		if a, err := stream.Recv(); err == nil {
			t.Errorf("acknowledged %v after Stop", a)
		}
		<-server.Done()
	})
}

func TestStopAnswersAtOnceWhenNothingRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := sdk.New("idle")
		sdk.OnRaw(p, "MESSAGE_CREATE", func(context.Context, *sdk.Bot, json.RawMessage) error { return nil })
		c, _ := bare(t, p)
		if _, err := c.Stop(t.Context(), &wire.StopRequest{GraceMs: 5000}); err != nil {
			t.Errorf("before Start: %v", err)
		}
		stream := start(t, c)
		send(t, stream, event(1, 1))
		acked(t, stream, 1)
		began := time.Now()
		if _, err := c.Stop(t.Context(), &wire.StopRequest{GraceMs: 5000}); err != nil || time.Since(began) > 0 {
			t.Errorf("after %s: %v", time.Since(began), err)
		}
	})
}

func TestEventsThatNobodyAskedForAreAcknowledged(t *testing.T) {
	p := sdk.New("other")
	sdk.OnRaw(p, "MESSAGE_CREATE", func(context.Context, *sdk.Bot, json.RawMessage) error { return nil })
	c, _ := bare(t, p)
	stream := start(t, c)
	other := event(1, 1)
	other.Name = "A_NAME_OF_THE_FUTURE"
	send(t, stream, other, event(2, 1))
	if got := acked(t, stream, 2); !slices.Equal(got, []uint64{1, 2}) {
		t.Errorf("acknowledged %v", got)
	}
}

func TestCallsOutOfOrder(t *testing.T) {
	p := sdk.New("order")
	c, _ := bare(t, p)
	expect := func(what string, err error, want codes.Code) {
		t.Helper()
		if status.Code(err) != want {
			t.Errorf("%s: %v, want %s", what, err, want)
		}
	}
	stream, err := c.Events(t.Context())
	if err == nil {
		_, err = stream.Recv()
	}
	expect("Events before Start", err, codes.FailedPrecondition)
	stream = start(t, c)
	_, err = c.Start(t.Context(), &wire.StartRequest{HostSocket: "/nowhere"})
	expect("second Start", err, codes.FailedPrecondition)
	if err := stream.Send(&wire.EventBatch{Frames: []byte("no frame at all")}); err != nil {
		t.Fatal(err)
	}
	_, err = stream.Recv()
	expect("malformed frame", err, codes.InvalidArgument)
	stream, err = c.Events(t.Context())
	if err == nil {
		_, err = stream.Recv()
	}
	expect("second Events", err, codes.FailedPrecondition)
}

// TestStreamThatEnds cancels handlers: their host is gone.
func TestStreamThatEnds(t *testing.T) {
	began, cause := make(chan struct{}), make(chan error, 1)
	p := sdk.New("ends")
	sdk.OnRaw(p, "MESSAGE_CREATE", func(ctx context.Context, _ *sdk.Bot, _ json.RawMessage) error {
		close(began)
		<-ctx.Done()
		cause <- ctx.Err()
		return nil
	})
	c, server := bare(t, p)
	if _, err := c.Start(t.Context(), &wire.StartRequest{HostSocket: "/nowhere"}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	stream, err := c.Events(ctx)
	if err != nil {
		t.Fatal(err)
	}
	send(t, stream, event(1, 1))
	<-began
	cancel()
	<-server.Done()
	if err := <-cause; !errors.Is(err, context.Canceled) {
		t.Errorf("the handler's context: %v", err)
	}
}

func TestOnStart(t *testing.T) {
	var order []string
	var kept *sdk.Bot
	p := sdk.New("starting")
	p.OnStart(func(ctx context.Context, bot *sdk.Bot) error {
		order, kept = append(order, "first"), bot
		if guild, err := bot.Guild(ctx, "1"); err != nil || guild.ID != "1" {
			t.Errorf("no answer from the host: %v", err)
		}
		return nil
	})
	p.OnStart(func(context.Context, *sdk.Bot) error {
		order = append(order, "second")
		return nil
	})
	sdk.OnRaw(p, "MESSAGE_CREATE", func(ctx context.Context, _ *sdk.Bot, _ json.RawMessage) error {
		if _, err := kept.Guild(ctx, "2"); err != nil { // its bot lives as long as the plugin
			t.Errorf("later: %v", err)
		}
		return nil
	})
	h := sdktest.Start(t, p, sdktest.Options{})
	if err := h.Send("MESSAGE_CREATE", `{"guild_id":"1"}`); err != nil {
		t.Error(err)
	}
	if !slices.Equal(order, []string{"first", "second"}) {
		t.Errorf("order %v", order)
	}
}

func TestOnStartThatFails(t *testing.T) {
	for name, f := range map[string]func(context.Context, *sdk.Bot) error{
		"error": func(context.Context, *sdk.Bot) error { return errors.New("no database") },
		"panic": func(context.Context, *sdk.Bot) error { panic("no database") },
	} {
		p := sdk.New("failing")
		p.OnStart(f)
		c, _ := bare(t, p)
		_, err := c.Start(t.Context(), &wire.StartRequest{HostSocket: "/nowhere"})
		if status.Code(err) != codes.Aborted || err == nil || !slices.Contains([]string{"OnStart: no database", "OnStart: panic: no database"}, status.Convert(err).Message()) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
