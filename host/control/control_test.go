package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
)

// fixed is a source that always says the same and counts how often it was asked.
type fixed struct {
	noWork
	status Status
	asked  atomic.Int64
}

func (f *fixed) Status() Status {
	f.asked.Add(1)
	return f.status
}

// noWork is a source that has nothing to do.
type noWork struct{}

var errNotAsked = errors.New("nobody should have asked for this")

func (noWork) Reload(context.Context, ReloadOptions) (ReloadReport, error) {
	return ReloadReport{}, errNotAsked
}

func (noWork) RestartShard(context.Context, ShardRestart, func(string)) error { return errNotAsked }
func (noWork) Commands(context.Context) (Commands, error)                     { return Commands{}, errNotAsked }
func (noWork) Reshard(context.Context, Reshard, func(string)) error           { return errNotAsked }

func full() Status {
	return Status{
		Version: "v1", Phase: "running", PID: 7, Started: time.Unix(1700000000, 0).UTC(), UptimeSeconds: 1.5, Doing: "z", DoingFor: "me", StateDir: "/s", PluginsDir: "/p",
		Bot:     &User{ID: "18446744073709551615", Name: "bot", ApplicationID: "2"},
		Beside:  []Shard{{Shard: 2, State: "ready", Seq: 1, LatencyMS: 1, Connections: 1, Identifies: 1, Resumes: 1, Guilds: new(1), GuildLimit: 1, Lost: 1, Gaps: 1}},
		Shards:  []Shard{{Shard: 1, State: "ready", Seq: 1 << 60, LatencyMS: 41.5, Connections: 3, Identifies: 1, Resumes: 2, Guilds: new(5), GuildLimit: 6, Lost: 3, Gaps: 4}},
		Plugins: []Plugin{{Name: "hello", Version: "1", File: "hello", State: "running", Generation: 2, PID: 9, Events: []string{"MESSAGE_CREATE"}, Commands: 10, Queued: 1, Behind: 10, QueuedBytes: 2, InFlight: 3, Delivered: 4, Acked: 5, Redelivered: 6, Dropped: 7, DeadLetters: 12, Errors: 8, Restarts: 9, Unlogged: 11, ReloadResult: "refused", ReloadDetail: "y", ReloadAt: time.Unix(1700000002, 0).UTC(), LastError: "x", LastErrorAt: time.Unix(1700000001, 0).UTC()}},
		REST: REST{
			Requests: 1, Limited: 2, Invalid: 3, Queued: 4, InvalidLimit: 5, Standing: "good", PausedUntil: time.Unix(7, 0).UTC(), Banned: true, Stopped: "why",
			Callers: []Caller{{Name: "ping", Requests: 1, Limited: 2, Invalid: 3, Stopped: 4, Queued: 5, Standing: "stopped", Route: "GET /x"}},
		},
		Process: Process{Goroutines: 1, OpenFiles: 2, MemoryBytes: 3},
		Events:  Events{Received: 1, Delivered: 2, Dropped: 3, DroppedByName: map[string]uint64{"TYPING_START": 3}},
		Identifies: &Identifies{
			Total: 1, Remaining: 2, Reset: time.Unix(1700000004, 0).UTC(), Reserve: 3, Waiting: 4, Until: time.Unix(1700000005, 0).UTC(),
		},
		Journal: &Journal{Bytes: 1, LimitBytes: 2, InMemory: "as set", Oldest: time.Unix(1700000002, 0).UTC()},
		Cache: &Cache{
			Guilds: 1, Bytes: 2, LimitBytes: 3, Hits: 4, Misses: 5, Loads: 6, Failed: 7, Missing: map[string]uint64{"refused": 8},
			Evicted: 9, Expired: 10, Rejected: 11, Loading: 12, Awaited: 13, Remembered: 14, Guard: "open", GuardUntil: time.Unix(1700000003, 0).UTC(), Tokens: 1.5,
		},
		Interactions: &Interactions{Waiting: 1, Deferred: 2, Late: 3, Unavailable: 4, Silent: 7, Refused: 5, Expired: 6},
		CommandSync:  &CommandSync{Error: "x", Attempts: 2, Next: new(time.Unix(1700000006, 0).UTC())},
	}
}

// folder is a private folder with a short path.
func folder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "hf")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// serve runs a server until the test ends, or until stop is called.
func serve(t *testing.T, path string, source Source, log hclog.Logger) (stop func()) {
	t.Helper()
	s, err := Listen(path, source, log)
	if err != nil {
		t.Fatal(err)
	}
	return run(t, s)
}

// run serves until the test ends, or until stop is called.
func run(t *testing.T, s *Server) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	t.Cleanup(stop)
	return stop
}

func TestStatusArrivesWhole(t *testing.T) {
	path := filepath.Join(folder(t), "control")
	want := full()
	eachFieldIsSet(t, reflect.ValueOf(want), "Status")
	serve(t, path, &fixed{status: want}, nil)
	got, err := GetStatus(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

// eachFieldIsSet keeps the round trip honest when fields are added.
func eachFieldIsSet(t *testing.T, v reflect.Value, name string) {
	t.Helper()
	switch v.Kind() {
	case reflect.Pointer:
		eachFieldIsSet(t, v.Elem(), name)
	case reflect.Slice:
		if v.Len() == 0 {
			t.Errorf("%s is empty in the test's status", name)
			return
		}
		eachFieldIsSet(t, v.Index(0), name)
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			return
		}
		for f, field := range v.Fields() {
			eachFieldIsSet(t, field, name+"."+f.Name)
		}
	default:
		if v.IsZero() {
			t.Errorf("%s is zero in the test's status", name)
		}
	}
}

func TestOnlyTheOwnerMayOpenTheSocket(t *testing.T) {
	path := filepath.Join(folder(t), "control")
	serve(t, path, &fixed{}, nil)
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 || info.Mode().Type() != os.ModeSocket {
		t.Errorf("the socket has mode %v", info.Mode())
	}
}

func TestStopRemovesTheSocketAndTheClientSaysSo(t *testing.T) {
	path := filepath.Join(folder(t), "control")
	if _, err := GetStatus(t.Context(), path); !errors.Is(err, ErrNotRunning) {
		t.Errorf("before: %v", err)
	}
	stop := serve(t, path, &fixed{}, nil)
	if _, err := GetStatus(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	stop()
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket is still there: %v", err)
	}
	if _, err := GetStatus(t.Context(), path); !errors.Is(err, ErrNotRunning) {
		t.Errorf("after: %v", err)
	}
}

func TestALeftoverSocketIsReplaced(t *testing.T) {
	path := filepath.Join(folder(t), "control")
	old, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	old.SetUnlinkOnClose(false) // as a kill leaves it
	old.Close()
	if _, err := GetStatus(t.Context(), path); !errors.Is(err, ErrNotRunning) {
		t.Errorf("a dead socket: %v", err)
	}
	serve(t, path, &fixed{status: full()}, nil)
	if _, err := GetStatus(t.Context(), path); err != nil {
		t.Error(err)
	}
}

func TestListenRefuses(t *testing.T) {
	dir := folder(t)
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct{ path, want string }{
		"a file":         {file, "another kind of file is there"},
		"long path":      {filepath.Join(dir, strings.Repeat("x", socketLimit)), "give a shorter --state"},
		"missing folder": {filepath.Join(dir, "no", "control"), "no such file or directory"},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := Listen(test.path, &fixed{}, nil)
			if err == nil {
				s.Close()
			}
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
	if raw, err := os.ReadFile(file); err != nil || string(raw) != "precious" {
		t.Errorf("the file was touched: %q %v", raw, err)
	}
}

func TestTheLongestPathCanBeBound(t *testing.T) {
	dir := folder(t)
	path := filepath.Join(dir, strings.Repeat("x", socketLimit-len(dir)-1))
	if len(path) != socketLimit {
		t.Fatalf("path has %d bytes", len(path))
	}
	serve(t, path, &fixed{}, nil)
	if _, err := GetStatus(t.Context(), path); err != nil {
		t.Error(err)
	}
}

func TestManyOperatorsAtOnce(t *testing.T) {
	path := filepath.Join(folder(t), "control")
	source := &fixed{status: full()}
	serve(t, path, source, nil)
	const operators = 50
	var all sync.WaitGroup
	for range operators {
		all.Go(func() {
			if got, err := GetStatus(t.Context(), path); err != nil || got.PID != 7 {
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
	all.Wait()
	if n := source.asked.Load(); n != operators {
		t.Errorf("asked %d times, want %d", n, operators)
	}
}

// stuck is a source that answers only when it is let go.
type stuck struct {
	noWork
	entered, free chan struct{}
}

func (s stuck) Status() Status {
	close(s.entered)
	<-s.free
	return Status{PID: 1}
}

func TestARequestUnderWayIsAnsweredAtStop(t *testing.T) {
	path := filepath.Join(folder(t), "control")
	source := stuck{entered: make(chan struct{}), free: make(chan struct{})}
	stop := serve(t, path, source, nil)
	answer := make(chan error, 1)
	go func() {
		got, err := GetStatus(t.Context(), path)
		if err == nil && got.PID != 1 {
			err = errors.New("wrong status")
		}
		answer <- err
	}()
	<-source.entered
	stopped := make(chan struct{})
	go func() { stop(); close(stopped) }()
	// The socket goes first of all: then the server is stopping.
	for {
		if _, err := os.Lstat(path); errors.Is(err, os.ErrNotExist) {
			break
		}
		time.Sleep(time.Millisecond)
	}
	close(source.free)
	if err := <-answer; err != nil {
		t.Error(err)
	}
	<-stopped
}

func TestTheClientGivesUpWithItsContext(t *testing.T) {
	path := filepath.Join(folder(t), "control")
	source := stuck{entered: make(chan struct{}), free: make(chan struct{})}
	serve(t, path, source, nil)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-source.entered; cancel() }()
	_, err := GetStatus(ctx, path)
	close(source.free)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestAServerThatFailsSaysSo(t *testing.T) {
	s, err := Listen(filepath.Join(folder(t), "control"), &fixed{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil { // the socket breaks under the server
		t.Fatal(err)
	}
	if err := s.Serve(t.Context()); err == nil || !strings.Contains(err.Error(), s.Path()) {
		t.Errorf("got %v", err)
	}
}

func TestOtherRequestsAreRefused(t *testing.T) {
	path := filepath.Join(folder(t), "control")
	source := &fixed{}
	var log bytes.Buffer
	serve(t, path, source, hclog.New(&hclog.LoggerOptions{Output: &log, Level: hclog.Debug}))
	for request, want := range map[string]string{
		"GET /v1/nothing HTTP/1.0\r\n\r\n": "404",
		"POST /v1/status HTTP/1.0\r\n\r\n": "405",
		"nonsense\r\n\r\n":                 "400",
		"GET /v1/status HTTP/1.0\r\nX: " + strings.Repeat("x", 64<<10) + "\r\n\r\n":          "431",
		"GET /v1/status/../status HTTP/1.0\r\nContent-Length: 999999999999\r\n\r\n":          "307",
		"GET http://169.254.169.254/latest HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n": "404",
	} {
		conn, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Write([]byte(request)); err != nil {
			t.Logf("%.20q: %v", request, err) // refused before all was read
		}
		answer := make([]byte, 64)
		n, _ := conn.Read(answer)
		conn.Close()
		if !strings.Contains(string(answer[:n]), " "+want+" ") {
			t.Errorf("%.40q: got %.40q, want %s", request, answer[:n], want)
		}
	}
	if n := source.asked.Load(); n != 0 {
		t.Errorf("the source was asked %d times", n)
	}
}

func TestFieldNames(t *testing.T) {
	raw, err := json.Marshal(full())
	if err != nil {
		t.Fatal(err)
	}
	// What scripts rely on.
	for _, key := range []string{`"version"`, `"phase"`, `"pid"`, `"started"`, `"uptime_seconds"`, `"bot"`, `"application_id"`, `"shards"`, `"latency_ms"`, `"plugins"`, `"queued_bytes"`, `"in_flight"`, `"commands"`, `"last_error"`, `"last_error_at"`, `"rest"`, `"limited"`, `"events"`, `"dropped_by_name"`} {
		if !bytes.Contains(raw, []byte(key+":")) {
			t.Errorf("no %s in %s", key, raw)
		}
	}
}
