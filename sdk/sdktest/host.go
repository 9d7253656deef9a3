package sdktest

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/switchupcb/disgo"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"

	"github.com/holdfast-bot/holdfast/sdk"
	"github.com/holdfast-bot/holdfast/sdk/wire"
)

const (
	// ApplicationID is the application of the bot under test.
	ApplicationID = "1000000000000000001"
	// BotUserID is its user.
	BotUserID = "1000000000000000002"

	applicationID = 1000000000000000001
	botUserID     = 1000000000000000002

	ticket     = "the ticket of the test"
	bufferSize = 1 << 20
	stopGrace  = 2 * time.Second
	closeLimit = 10 * time.Second
)

// Options of Start. The zero value is ready.
type Options struct {
	// HandlerTimeout is a handler's deadline. Default 30 s.
	HandlerTimeout time.Duration
	// Log takes the plugin's lines. Default: the test's log.
	Log hclog.Logger
	// State is restored before the plugin starts, as after a reload. Default:
	// none, as at the first start.
	State *State
}

// Host is the host of one plugin under test.
type Host struct {
	wire.UnimplementedHostServer
	t        testing.TB
	options  Options
	end      func() // stops the plugin and waits for everything, once
	plugin   wire.PluginClient
	manifest *wire.Manifest
	ordinal  uint64 // the generation
	stream   grpc.BidiStreamingClient[wire.EventBatch, wire.Acks]
	received chan struct{} // closed when receive has ended

	sending sync.Mutex // one frame at a time on the stream

	mu         sync.Mutex
	last       uint64 // index, seq and id given out
	deliveries map[uint64]*Delivery
	gone       error // why the stream ended
	requests   []Request
	patterns   map[string]http.HandlerFunc
	mux        *http.ServeMux // of patterns
	defaults   *http.ServeMux

	guilds       map[uint64]*wire.GuildResponse // that were set, missed or read
	guildVersion uint64                         // the last one given out

	presences   []sdk.Presence
	voiceStates []disgo.GatewayVoiceStateUpdate
	members     map[uint64][]json.RawMessage // that were set, by guild
	noMembers   map[uint64]string            // why there are none
}

// Start serves the plugin, starts it, and stops it when the test ends. It fails
// the test if the plugin does not start, or if a handler does not end.
func Start(t testing.TB, p *sdk.Plugin, o Options) *Host {
	t.Helper()
	ctx, h := serve(t, p, o)
	if o.State != nil {
		h.restore(ctx, *o.State)
	}
	h.begin(ctx)
	return h
}

// serve makes a plugin that is described and not started. Its calls belong to
// the context, which ends with the host.
func serve(t testing.TB, p *sdk.Plugin, o Options) (context.Context, *Host) {
	t.Helper()
	log := o.Log
	if log == nil {
		log = testLog(t)
	}
	h := &Host{
		t:          t,
		options:    o,
		ordinal:    1,
		received:   make(chan struct{}),
		last:       firstID,
		deliveries: make(map[uint64]*Delivery),
		patterns:   make(map[string]http.HandlerFunc),
		mux:        http.NewServeMux(),
		guilds:     make(map[uint64]*wire.GuildResponse),
		members:    make(map[uint64][]json.RawMessage),
		noMembers:  make(map[uint64]string),
	}
	h.defaults = h.defaultAnswers()

	toHost, toPlugin := bufconn.Listen(bufferSize), bufconn.Listen(bufferSize)
	server := p.Server(sdk.ServerConfig{
		Log:      log,
		DialHost: func(ctx context.Context, _ string) (net.Conn, error) { return toHost.DialContext(ctx) },
	})
	options := append(wire.ServerOptions(), grpc.WaitForHandlers(true))
	hostServer, pluginServer := grpc.NewServer(options...), grpc.NewServer(options...)
	wire.RegisterHostServer(hostServer, h)
	wire.RegisterPluginServer(pluginServer, server)
	var serving sync.WaitGroup
	serving.Go(func() { _ = hostServer.Serve(toHost) })
	serving.Go(func() { _ = pluginServer.Serve(toPlugin) })
	conn, err := grpc.NewClient("passthrough:///plugin", append(wire.DialOptions(),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return toPlugin.DialContext(ctx) }))...)
	if err != nil {
		t.Fatalf("connect to the plugin: %v", err)
	}
	h.plugin = wire.NewPluginClient(conn)
	ctx, cancel := context.WithCancel(context.Background())
	h.end = sync.OnceFunc(func() {
		h.stop(ctx)
		cancel()
		closing, done := context.WithTimeout(context.Background(), closeLimit)
		defer done()
		if err := server.Close(closing); err != nil {
			t.Errorf("%v: a handler is still running %s after the end of its context", err, closeLimit)
		}
		if h.stream != nil {
			<-h.received
		}
		_ = conn.Close()
		pluginServer.Stop()
		hostServer.Stop()
		serving.Wait()
	})
	t.Cleanup(func() {
		h.end()
		outliveCleaner()
	})
	if h.manifest, err = h.plugin.Describe(ctx, &wire.DescribeRequest{}); err != nil {
		t.Fatalf("ask for the manifest: %v", err)
	}
	return ctx, h
}

// cleanerLife is longer than what fasthttp's client needs to end its goroutine
// after the last request.
const cleanerLife = 2 * time.Second

// outliveCleaner waits for the goroutine of disgo's HTTP client where that
// costs nothing and must be: in a synctest bubble, which ends by a panic if
// somebody still sleeps in it.
func outliveCleaner() {
	defer func() { _ = recover() }() // Wait panics outside of bubbles
	synctest.Wait()
	time.Sleep(cleanerLife)
}

// begin starts the plugin and opens its stream.
func (h *Host) begin(ctx context.Context) {
	h.t.Helper()
	_, err := h.plugin.Start(ctx, &wire.StartRequest{
		HostSocket: "in memory", Ticket: ticket, ApplicationId: applicationID, BotUserId: botUserID, Generation: h.ordinal,
		HandlerTimeoutMs: uint64(h.options.HandlerTimeout.Milliseconds()),
	})
	if err != nil {
		h.t.Fatalf("start the plugin: %v", err)
	}
	if h.stream, err = h.plugin.Events(ctx); err != nil {
		h.t.Fatalf("open the event stream: %v", err)
	}
	go h.receive() // end waits for received
}

// stop asks the plugin to end its handlers.
func (h *Host) stop(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, closeLimit)
	defer cancel()
	_, _ = h.plugin.Stop(ctx, &wire.StopRequest{GraceMs: uint64(stopGrace.Milliseconds())}) // Close tells what hangs
}

// Manifest is what the plugin says of itself. Do not change it.
func (h *Host) Manifest() *wire.Manifest { return h.manifest }

// nextID returns a number that was not given out before.
func (h *Host) nextID() uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.last++
	return h.last
}

// firstID lets made-up ids look like Discord's.
const firstID = 1100000000000000000

// testLog writes to the test's log as long as the test runs: what comes later
// would be a panic of package testing.
func testLog(t testing.TB) hclog.Logger {
	w := &testWriter{t: t}
	t.Cleanup(func() {
		w.mu.Lock()
		w.t = nil
		w.mu.Unlock()
	})
	return hclog.New(&hclog.LoggerOptions{Level: hclog.Debug, Output: w, DisableTime: true})
}

type testWriter struct {
	mu sync.Mutex
	t  testing.TB
}

func (w *testWriter) Write(line []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.t != nil {
		w.t.Logf("%s", line)
	}
	return len(line), nil
}
