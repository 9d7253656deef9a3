package sdk_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	plugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	"github.com/holdfast-bot/holdfast/sdk"
	"github.com/holdfast-bot/holdfast/sdk/wire"
)

// The test binary is also the plugin of these tests, and a host that is killed.
func TestMain(m *testing.M) {
	switch os.Getenv("SDK_TEST_MODE") {
	case "plugin":
		talkative().Run()
	case "host":
		hostForever()
	default:
		os.Exit(m.Run())
	}
}

func talkative() *sdk.Plugin {
	p := sdk.New("talkative")
	sdk.OnRaw(p, "MESSAGE_CREATE", func(ctx context.Context, bot *sdk.Bot, data json.RawMessage) error {
		switch string(data) {
		case `"log"`:
			bot.Log.Warn("kelp", "depth", 7)
		case `"print"`:
			fmt.Println("printed to stdout")
			fmt.Fprintln(os.Stderr, "printed to stderr")
		case `"ask"`:
			guild, err := bot.Guild(ctx, "1")
			if err != nil {
				return err
			}
			bot.Log.Info("guild", "name", guild.Name)
		case `"panic"`:
			panic("on purpose")
		case `"die"`:
			go panic("really on purpose")
			select {}
		case `"hang"`:
			select {}
		}
		return nil
	})
	return p
}

// client starts this binary as a plugin.
func client(t testing.TB, stderr, printed io.Writer) (*plugin.Client, wire.PluginClient) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	sockets, err := os.MkdirTemp("", "sdk")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), "SDK_TEST_MODE=plugin", "TMPDIR="+sockets)
	c := plugin.NewClient(&plugin.ClientConfig{
		HandshakeConfig: wire.Handshake(), Plugins: plugin.PluginSet{wire.PluginKind: &wire.Glue{}}, Cmd: cmd,
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC}, Logger: hclog.NewNullLogger(), GRPCDialOptions: wire.DialOptions(),
		UnixSocketConfig: &plugin.UnixSocketConfig{TempDir: sockets}, Stderr: stderr, SyncStdout: printed, SyncStderr: printed,
	})
	t.Cleanup(func() {
		c.Kill()
		os.RemoveAll(sockets)
	})
	protocol, err := c.Client()
	if err != nil {
		t.Fatal(err)
	}
	dispensed, err := protocol.Dispense(wire.PluginKind)
	if err != nil {
		t.Fatal(err)
	}
	return c, dispensed.(wire.PluginClient)
}

// lines collects what a process writes; it can be waited for.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) wait(t *testing.T, part string) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		l.mu.Lock()
		text := l.text.String()
		l.mu.Unlock()
		if strings.Contains(text, part) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("no %q in %s", part, text)
		}
	}
}

type answering struct{ wire.UnimplementedHostServer }

func (answering) Do(_ context.Context, r *wire.RestRequest) (*wire.RestResponse, error) {
	if r.GetPath() != "/guilds/1?with_counts=true" {
		return &wire.RestResponse{Status: 404}, nil
	}
	return &wire.RestResponse{Status: 200, Body: []byte(`{"id":"1","name":"Kelp Forest"}`)}, nil
}

// TestRealProcess goes through all the ways in which a plugin speaks.
func TestRealProcess(t *testing.T) {
	var stderr, printed lines
	_, p := client(t, &stderr, &printed)
	dir, err := os.MkdirTemp("", "sdk")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	listener, err := net.Listen("unix", filepath.Join(dir, "h.sock"))
	if err != nil {
		t.Fatal(err)
	}
	host := grpc.NewServer(wire.ServerOptions()...)
	wire.RegisterHostServer(host, answering{})
	var serving sync.WaitGroup
	serving.Go(func() { _ = host.Serve(listener) })
	defer serving.Wait()
	defer host.Stop()

	m, err := p.Describe(t.Context(), &wire.DescribeRequest{})
	if err != nil || m.GetName() != "talkative" {
		t.Fatalf("%v, %v", m, err)
	}
	if _, err := p.Start(t.Context(), &wire.StartRequest{HostSocket: listener.Addr().String()}); err != nil {
		t.Fatal(err)
	}
	stream, err := p.Events(t.Context(), grpc.ForceCodecV2(wire.StreamCodec()))
	if err != nil {
		t.Fatal(err)
	}
	for n, data := range []string{"log", "print", "ask", "panic"} {
		e := wire.Event{Index: uint64(n), Guild: 5, Lane: 5, Seq: 77, Name: "MESSAGE_CREATE", Data: []byte(`"` + data + `"`)}
		var batch wire.Batch
		batch.Add(&e)
		if err := stream.SendMsg(&batch); err != nil {
			t.Fatal(err)
		}
		acks, err := stream.Recv()
		if err != nil || len(acks.GetIndexes()) != 1 || acks.GetIndexes()[0] != uint64(n) {
			t.Fatalf("%s: %v, %v", data, acks, err)
		}
	}
	stderr.wait(t, `"@level":"warn","@message":"kelp"`)
	stderr.wait(t, `"depth":7,"event":"MESSAGE_CREATE","guild":5,"seq":77,"shard":0`)
	stderr.wait(t, `"name":"Kelp Forest"`)
	stderr.wait(t, `"error":"panic: on purpose"`)
	stderr.wait(t, `"stack":`)
	printed.wait(t, "printed to stdout")
	printed.wait(t, "printed to stderr")
}

// TestProcessEnds holds that nothing keeps a plugin alive when its host is
// done with it, not even handlers that hang.
func TestProcessEnds(t *testing.T) {
	tests := []struct {
		name, data string
		end        func(*plugin.Client, context.CancelFunc)
	}{
		{"stream ended", "hang", func(_ *plugin.Client, cancel context.CancelFunc) { cancel() }},
		{"asked by go-plugin", "hang", func(c *plugin.Client, _ context.CancelFunc) { c.Kill() }},
		{"panic outside of a handler", "die", func(*plugin.Client, context.CancelFunc) {}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var stderr lines
			c, p := client(t, &stderr, io.Discard)
			if _, err := p.Start(t.Context(), &wire.StartRequest{HostSocket: "/nowhere"}); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			stream, err := p.Events(ctx)
			if err != nil {
				t.Fatal(err)
			}
			hang := wire.Event{Index: 1, Lane: 1, Name: "MESSAGE_CREATE", Data: []byte(`"` + test.data + `"`)}
			log := wire.Event{Index: 2, Lane: 2, Name: "MESSAGE_CREATE", Data: []byte(`"log"`)}
			if err := stream.Send(&wire.EventBatch{Frames: log.AppendFrame(hang.AppendFrame(nil))}); err != nil {
				t.Fatal(err)
			}
			if test.data == "hang" {
				if _, err := stream.Recv(); err != nil {
					t.Fatal(err)
				}
			}
			test.end(c, cancel)
			for deadline := time.Now().Add(20 * time.Second); !c.Exited(); time.Sleep(5 * time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatal("the process lives on")
				}
			}
			if test.data == "die" {
				stderr.wait(t, "panic: really on purpose")
			}
		})
	}
}

func TestStartedByHand(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), "SDK_TEST_MODE=plugin")
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 2 {
		t.Errorf("ended with %v", err)
	}
	const want = "talkative is a Holdfast plugin: copy it into the plugins folder of a host (holdfast run --plugins DIR)\n"
	if string(out) != want {
		t.Errorf("said %q", out)
	}
}

// hostForever starts a plugin that never gets a stream, and waits to be killed.
func hostForever() {
	self, err := os.Executable()
	if err != nil {
		panic(err)
	}
	cmd := exec.Command(self)
	cmd.Env = []string{"SDK_TEST_MODE=plugin", "TMPDIR=" + os.TempDir()}
	c := plugin.NewClient(&plugin.ClientConfig{
		HandshakeConfig: wire.Handshake(), Plugins: plugin.PluginSet{wire.PluginKind: &wire.Glue{}}, Cmd: cmd,
		SkipHostEnv:      true, // else the plugin would be a host, and start a host
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC}, Logger: hclog.NewNullLogger(),
	})
	if _, err := c.Client(); err != nil {
		panic(err)
	}
	fmt.Println(cmd.Process.Pid)
	select {}
}

// TestHostKilledBeforeTheStream leaves a plugin that nobody has opened a
// stream to.
func TestHostKilledBeforeTheStream(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	sockets, err := os.MkdirTemp("", "sdk") // t.TempDir is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(sockets)
	host := exec.Command(self)
	host.Env = append(os.Environ(), "SDK_TEST_MODE=host", "TMPDIR="+sockets)
	stdout, err := host.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := host.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		t.Fatal(err)
	}
	_ = host.Process.Kill()
	_ = host.Wait()
	for deadline := time.Now().Add(20 * time.Second); alive(pid); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			_ = syscall.Kill(pid, syscall.SIGKILL)
			t.Fatal("the plugin outlived its host")
		}
	}
}

// alive says whether the process runs; one that waits to be reaped does not.
func alive(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return false
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err != nil || !strings.Contains(string(stat), ") Z ")
}
