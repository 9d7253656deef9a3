package plugins

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
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
	"github.com/holdfast-bot/holdfast/sdk/wire"
	"google.golang.org/grpc"
)

// The test binary is also the plugin of these tests, written against the bare
// contract: what it does is named by MODE.
func TestMain(m *testing.M) {
	if os.Getenv(wire.CookieKey) == "" {
		os.Exit(m.Run())
	}
	mode := os.Getenv("MODE")
	if later := laterBuild(); later != "" {
		mode = later
	}
	switch mode {
	case "garbage":
		fmt.Println("hello, I am a shell script")
		time.Sleep(time.Hour)
	case "silent":
		time.Sleep(time.Hour)
	case "socket":
		readSocket(os.Getenv("FILE"))
	case "panic":
		panic("no config file")
	case "exit":
		fmt.Fprintln(os.Stderr, "cannot open /etc/bot.conf")
		os.Exit(3)
	case "exits":
		fmt.Println("reading bot.conf")
		for n := range 5 {
			fmt.Fprintf(os.Stderr, "bot.conf:%d: unknown key\n", n)
		}
		fmt.Fprint(os.Stderr, "giving up") // no end of the line
		os.Exit(1)
	case "prints and ends":
		fmt.Println("hello world")
	case "version":
		fmt.Println("1|99|unix|/nowhere|grpc")
		time.Sleep(time.Hour)
	default:
		if mode == "prints first" {
			fmt.Println("connecting to the database")
			fmt.Print("ready? ")
		}
		plugin.Serve(&plugin.ServeConfig{
			HandshakeConfig: wire.Handshake(),
			Plugins:         plugin.PluginSet{wire.PluginKind: &wire.Glue{Plugin: &bare{mode: mode}}},
			GRPCServer:      func(o []grpc.ServerOption) *grpc.Server { return grpc.NewServer(append(o, wire.ServerOptions()...)...) },
			Logger:          hclog.NewNullLogger(),
		})
	}
}

// buildMark stands before the mode that a later build of this plugin has: the
// loader does not look at what follows a program. It is put together here, so
// that it is not found in the program itself.
func buildMark() string { return strings.Join([]string{"later", "build:"}, " ") }

// laterBuild is the mode behind the mark at the end of this program, if any.
func laterBuild() string {
	self, err := os.Executable()
	if err != nil {
		return ""
	}
	file, err := os.Open(self)
	if err != nil {
		return ""
	}
	defer file.Close()
	tail := make([]byte, 64)
	if _, err := file.Seek(-int64(len(tail)), io.SeekEnd); err != nil {
		return ""
	}
	if _, err := io.ReadFull(file, tail); err != nil {
		return ""
	}
	_, mode, _ := strings.Cut(string(tail), buildMark())
	return mode
}

// bare is a plugin without the SDK: it writes the number of each event to FILE
// and acknowledges it.
type bare struct {
	wire.UnimplementedPluginServer
	mode   string
	memory []byte // of mode memory: what was restored, and a byte an event
}

func (b *bare) Describe(context.Context, *wire.DescribeRequest) (*wire.Manifest, error) {
	name := os.Getenv("NAME")
	m := &wire.Manifest{Name: name, Events: []*wire.Subscription{{Event: "MESSAGE_CREATE"}}}
	if b.mode == "both" {
		m.Events = append(m.Events, &wire.Subscription{Event: "MESSAGE_DELETE"})
	}
	m.HasState = b.mode == "memory" || b.mode == "forgetful"
	if b.mode == "impostor" {
		m.Name = "another"
	}
	if b.mode == "badmanifest" {
		m.Name = "no spaces, please"
	}
	return m, nil
}

func (b *bare) Start(context.Context, *wire.StartRequest) (*wire.StartResponse, error) {
	switch b.mode {
	case "refuse":
		return nil, errors.New("database is locked")
	case "fork", "escape":
		child := exec.Command("/bin/sleep", "3600")
		child.Stderr = os.NewFile(2, "stderr") // keeps the host's pipe open
		child.SysProcAttr = &syscall.SysProcAttr{Setsid: b.mode == "escape"}
		if err := child.Start(); err != nil {
			return nil, err
		}
		return &wire.StartResponse{}, os.WriteFile(os.Getenv("FILE"), []byte(strconv.Itoa(child.Process.Pid)), 0o600)
	}
	return &wire.StartResponse{}, nil
}

func (b *bare) SaveState(context.Context, *wire.SaveStateRequest) (*wire.State, error) {
	return &wire.State{Schema: 7, Data: b.memory}, nil
}

func (b *bare) RestoreState(_ context.Context, s *wire.State) (*wire.RestoreStateResponse, error) {
	if b.mode == "forgetful" {
		time.Sleep(time.Hour)
	}
	if string(s.GetData()) == "of another kind" {
		return nil, errors.New("unknown schema")
	}
	b.memory = s.GetData()
	return new(wire.RestoreStateResponse), nil
}

func (b *bare) Stop(context.Context, *wire.StopRequest) (*wire.StopResponse, error) {
	if b.mode == "stuck" {
		time.Sleep(time.Hour)
	}
	return &wire.StopResponse{}, nil
}

func (b *bare) Events(stream grpc.BidiStreamingServer[wire.EventBatch, wire.Acks]) error {
	var file *os.File
	if path := os.Getenv("FILE"); path != "" {
		var err error
		if file, err = os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600); err != nil {
			return err
		}
		defer file.Close()
	}
	for {
		batch, err := stream.Recv()
		if err != nil {
			return err
		}
		acks := new(wire.Acks)
		for rest := batch.GetFrames(); len(rest) > 0; {
			var e wire.Event
			if rest, err = wire.ParseFrame(rest, &e, nil); err != nil {
				return err
			}
			number := binary.BigEndian.Uint64(e.Data)
			if b.mode == "poison" && number == 7 {
				_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			}
			if b.mode == "stuck" {
				continue
			}
			b.memory = append(b.memory, 'x')
			if file != nil {
				fmt.Fprintf(file, "%d %d\n", number, e.Flags)
			}
			acks.Shards = append(acks.Shards, e.Shard)
			acks.Indexes = append(acks.Indexes, e.Index)
		}
		if err := stream.Send(acks); err != nil {
			return err
		}
	}
}

// folder is a plugins folder with a Set over it.
type folder struct {
	t      testing.TB
	dir    string
	log    *lockedBuilder
	config Config
}

func newFolder(t testing.TB) *folder {
	t.Helper()
	base, err := os.MkdirTemp("", "hf") // short: sockets live in it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(base) })
	f := &folder{t: t, dir: filepath.Join(base, "plugins"), log: new(lockedBuilder)}
	for _, dir := range []string{"plugins", "staging", "saved", "run"} {
		if err := os.Mkdir(filepath.Join(base, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	f.config = Config{
		Dir: f.dir, Staging: filepath.Join(base, "staging"), Saved: filepath.Join(base, "saved"), Sockets: filepath.Join(base, "run"),
		Env: map[string][]string{},
		REST: func(context.Context, string, *wire.RestRequest) (*wire.RestResponse, error) {
			return &wire.RestResponse{Status: 204}, nil
		},
		Log: hclog.New(&hclog.LoggerOptions{Output: f.log, Level: hclog.Debug}),
	}
	return f
}

// add puts the test binary into the folder as a plugin.
func (f *folder) add(name, mode string, env ...string) {
	f.t.Helper()
	self, err := os.Executable()
	if err != nil {
		f.t.Fatal(err)
	}
	if err := os.Symlink(self, filepath.Join(f.dir, name)); err != nil {
		f.t.Fatal(err)
	}
	f.config.Env[name] = append(env, "MODE="+mode, "NAME="+name)
}

// load brings the folder up and returns its set, which is closed with the test.
func (f *folder) load() *Set {
	f.t.Helper()
	s, err := New(f.config)
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() {
		if err := s.Close(); err != nil {
			f.t.Errorf("close: %v", err)
		}
		f.nothingLeft()
	})
	if err := s.Load(f.t.Context(), func(*wire.Manifest) error { return nil }); err != nil {
		f.t.Fatal(err)
	}
	return s
}

// nothingLeft checks that no socket outlives the set.
func (f *folder) nothingLeft() {
	f.t.Helper()
	left, err := os.ReadDir(f.config.Sockets)
	if err != nil {
		f.t.Fatal(err)
	}
	for _, entry := range left {
		f.t.Errorf("left in the sockets' folder: %s", entry.Name())
	}
}

func only(t *testing.T, s *Set) *Plugin {
	t.Helper()
	all := s.Plugins()
	if len(all) != 1 {
		t.Fatalf("%d plugins, want 1: %+v", len(all), s.Status())
	}
	return all[0]
}

// numbered is an event that carries its number.
func numbered(n uint64) *wire.Event {
	return &wire.Event{Index: n, Lane: n % 5, Name: "MESSAGE_CREATE", Data: binary.BigEndian.AppendUint64(nil, n)}
}

func deliver(t *testing.T, p *Plugin, from, to uint64) {
	t.Helper()
	for n := from; n < to; n++ {
		p.Deliver(numbered(n))
	}
}

// alive says whether a process exists and is no zombie.
func alive(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return false
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return !errors.Is(err, os.ErrNotExist)
	}
	_, after, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(after, "Z")
}

// halt stops a process, and waits until each of its threads stands still: until then
// they go on with what comes.
func halt(t *testing.T, pid int) {
	t.Helper()
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	until(t, "the process stands still", func() bool {
		threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
		if err != nil {
			t.Fatal(err)
		}
		for _, thread := range threads {
			stat, err := os.ReadFile(thread)
			if errors.Is(err, os.ErrNotExist) {
				continue // it has ended
			}
			if _, after, _ := strings.Cut(string(stat), ") "); err != nil || !strings.HasPrefix(after, "T") {
				return false
			}
		}
		return true
	})
}

// until polls what another process does; it judges no speed.
func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	for range 6000 {
		if done() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("never: %s", what)
}

func TestEventsReachTheProcess(t *testing.T) {
	f := newFolder(t)
	file := filepath.Join(t.TempDir(), "seen")
	f.add("echo", "", "FILE="+file)
	s := f.load()
	s.Run()
	deliver(t, only(t, s), 0, 2000)
	if err := s.Drain(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	seen := make(map[uint64]int)
	last := map[uint64]uint64{}
	for _, l := range readLines(t, file) {
		if l.flags != 0 {
			t.Errorf("event %d is marked", l.number)
		}
		if l.number > 4 && l.number <= last[l.number%5] {
			t.Errorf("event %d after %d", l.number, last[l.number%5])
		}
		last[l.number%5] = l.number
		seen[l.number]++
	}
	for n := range uint64(2000) {
		if seen[n] != 1 {
			t.Fatalf("event %d seen %d times", n, seen[n])
		}
	}
}

type line struct{ number, flags uint64 }

func readLines(t *testing.T, file string) []line {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var out []line
	for text := range strings.Lines(string(raw)) {
		var l line
		if _, err := fmt.Sscanf(text, "%d %d\n", &l.number, &l.flags); err != nil {
			t.Fatalf("line %q: %v", text, err)
		}
		out = append(out, l)
	}
	return out
}

func TestKilledProcessIsStartedAgain(t *testing.T) {
	f := newFolder(t)
	file := filepath.Join(t.TempDir(), "seen")
	f.add("echo", "", "FILE="+file)
	s := f.load()
	s.Run()
	p := only(t, s)
	deliver(t, p, 0, 100)
	for n := range uint64(5) {
		// An event that is alone in flight at two further crashes becomes a dead
		// letter, so every kill finds other events.
		until(t, "what was delivered again is handled", func() bool { return p.status().Acked >= 100*n && p.status().PID != 0 })
		first := p.status().PID
		if err := syscall.Kill(first, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		deliver(t, p, 100*(n+1), 100*(n+2))
		until(t, "another instance", func() bool { pid := p.status().PID; return pid != 0 && pid != first })
	}
	if err := s.Drain(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	times := make(map[uint64]int)
	for _, l := range readLines(t, file) {
		if times[l.number]++; times[l.number] > 1 && l.flags == 0 {
			t.Errorf("event %d came again unmarked", l.number)
		}
	}
	for n := range uint64(600) {
		if times[n] == 0 {
			t.Errorf("event %d lost", n)
		}
	}
	if restarts := p.status().Restarts; restarts != 5 {
		t.Errorf("%d restarts, want 5", restarts)
	}
}

func TestPoisonBecomesDeadLetter(t *testing.T) {
	f := newFolder(t)
	file := filepath.Join(t.TempDir(), "seen")
	f.add("poison", "poison", "FILE="+file)
	s := f.load()
	s.Run()
	p := only(t, s)
	deliver(t, p, 0, 20)
	if err := s.Drain(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	st := p.status()
	if st.DeadLetters != 1 || st.Restarts != 3 {
		t.Errorf("%d dead letters after %d restarts, want 1 after 3", st.DeadLetters, st.Restarts)
	}
	seen := make(map[uint64]bool)
	for _, l := range readLines(t, file) {
		seen[l.number] = true
	}
	if len(seen) != 19 || seen[7] {
		t.Errorf("%d events handled, want all but 7: %v", len(seen), seen)
	}
}

func TestForkedChildrenEndWithTheirPlugin(t *testing.T) {
	for _, how := range []string{"killed", "closed"} {
		t.Run(how, func(t *testing.T) {
			f := newFolder(t)
			file := filepath.Join(t.TempDir(), "pid")
			f.add("fork", "fork", "FILE="+file)
			s := f.load()
			s.Run()
			p := only(t, s)
			until(t, "running", func() bool { return p.status().PID != 0 })
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			child, err := strconv.Atoi(string(raw))
			if err != nil || !alive(child) {
				t.Fatalf("child %q: %v", raw, err)
			}
			if how == "killed" {
				pid := p.status().PID
				if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
					t.Fatal(err)
				}
			} else if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			until(t, "the forked child is gone", func() bool { return !alive(child) })
		})
	}
}

// TestEscapedChildHoldsUpNobody: a child that left its process group holds the
// host's pipe, which go-plugin reads to its end.
func TestEscapedChildHoldsUpNobody(t *testing.T) {
	f := newFolder(t)
	file := filepath.Join(t.TempDir(), "pid")
	f.add("escape", "escape", "FILE="+file)
	s := f.load()
	s.Run()
	p := only(t, s)
	var escaped []int
	t.Cleanup(func() {
		for _, pid := range escaped {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	})
	child := func() {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		pid, err := strconv.Atoi(string(raw))
		if err != nil {
			t.Fatal(err)
		}
		escaped = append(escaped, pid)
	}
	until(t, "running", func() bool { return p.status().PID != 0 })
	child()
	first := p.status().PID
	if err := syscall.Kill(first, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	until(t, "another instance", func() bool { pid := p.status().PID; return pid != 0 && pid != first })
	child()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestCloseEndsAStoppedProcess(t *testing.T) {
	f := newFolder(t)
	f.add("echo", "")
	s := f.load()
	s.Run()
	p := only(t, s)
	until(t, "running", func() bool { return p.status().PID != 0 })
	pid := p.status().PID
	halt(t, pid)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if alive(pid) {
		t.Errorf("process %d outlived Close", pid)
	}
}

// TestFoldersInOneAnother: the host cleans up its own folder, so it must not be
// the operator's.
func TestFoldersInOneAnother(t *testing.T) {
	base := t.TempDir()
	inner := filepath.Join(base, "inner")
	if err := os.Mkdir(inner, 0o700); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(inner, link); err != nil {
		t.Fatal(err)
	}
	for _, pair := range [][2]string{{base, base}, {base, inner}, {inner, base}, {link, inner}, {inner, link}} {
		s, err := New(Config{Dir: pair[0], Staging: pair[1], Log: hclog.NewNullLogger()})
		if err == nil || !strings.Contains(err.Error(), "give another --plugins or --state") {
			t.Errorf("plugins in %s, copies in %s: %v", pair[0], pair[1], err)
		}
		if s != nil {
			_ = s.Close()
		}
	}
}

func TestSweepRemovesOnlyCopies(t *testing.T) {
	dir := t.TempDir()
	hash := strings.Repeat("b", 64)
	for _, name := range []string{hash, "hello", ".staging-1"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, strings.Repeat("c", 64)), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := sweep(dir, nil); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 2 || entries[1].Name() != "hello" {
		t.Errorf("left: %v", entries)
	}
}

func TestBrokenPluginsAreToldInOneLine(t *testing.T) {
	for mode, want := range map[string]string{
		"garbage":     `no handshake within 1s, it printed "hello, I am a shell script": it is no Holdfast plugin, or its main does not come to Run`,
		"silent":      "no handshake within 1s: does its main call Run?",
		"panic":       `it ended with exit status 2, it printed "panic: no config file"`,
		"exit":        `it ended with exit status 3, it printed "cannot open /etc/bot.conf"`,
		"exits":       `it ended with exit status 1, it printed "bot.conf:3: unknown key / bot.conf:4: unknown key / giving up": it ended before Run`,
		"version":     "rebuild it with this host's SDK",
		"badmanifest": "use 1 to 64 letters",

		"prints and ends": `it is no Holdfast plugin (no handshake, it ended with exit status 0, it printed "hello world"): build it with the SDK`,
	} {
		t.Run(mode, func(t *testing.T) {
			f := newFolder(t)
			f.config.StartTimeout = time.Second
			if raceEnabled {
				f.config.StartTimeout = 10 * time.Second
				want = strings.Replace(want, "1s", "10s", 1)
			}
			f.add("broken", mode)
			f.add("good", "")
			s := f.load()
			if p := only(t, s); p.Name() != "good" {
				t.Errorf("the plugin that came up is %s", p.Name())
			}
			for _, st := range s.Status() {
				if st.Name != "broken" {
					continue
				}
				if st.State != Failed || !strings.Contains(st.LastError, want) || strings.Contains(st.LastError, "\n") {
					t.Errorf("%s: %q, want one line with %q", st.State, st.LastError, want)
				}
			}
		})
	}
}

// TestWhatAPluginPrintsBeforeRunIsLogged: standard output carries the handshake, and
// a line before it is no reason to refuse a plugin.
func TestWhatAPluginPrintsBeforeRunIsLogged(t *testing.T) {
	f := newFolder(t)
	file := filepath.Join(t.TempDir(), "seen")
	f.add("echo", "prints first", "FILE="+file)
	s := f.load()
	s.Run()
	deliver(t, only(t, s), 0, 10)
	if err := s.Drain(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	if got := len(readLines(t, file)); got != 10 {
		t.Errorf("%d events handled, want 10", got)
	}
	for _, want := range []string{`line="connecting to the database"`, `line=ready?`} {
		if !strings.Contains(f.log.String(), want) {
			t.Errorf("no %s in\n%s", want, f.log)
		}
	}
}

func TestNotAProgram(t *testing.T) {
	f := newFolder(t)
	if err := os.WriteFile(filepath.Join(f.dir, "text"), []byte("not a program"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(f.dir, "README"), []byte("not executable"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(f.dir, ".hidden"), []byte("hidden"), 0o700); err != nil {
		t.Fatal(err)
	}
	s := f.load()
	all := s.Status()
	if len(all) != 1 || !strings.Contains(all[0].LastError, "not a program for this machine") {
		t.Fatalf("status %+v", all)
	}
	if log := f.log.String(); !strings.Contains(log, "README") || strings.Contains(log, "hidden") {
		t.Errorf("log %s", log)
	}
}

func TestRefusedStartIsRetried(t *testing.T) {
	f := newFolder(t)
	f.add("refuse", "refuse")
	s := f.load()
	s.Run()
	p := only(t, s)
	until(t, "two restarts", func() bool { return p.status().Restarts >= 2 })
	if e := p.status().LastError; !strings.Contains(e, "database is locked") {
		t.Errorf("last error %q", e)
	}
}

func TestCloseEndsAStuckPlugin(t *testing.T) {
	f := newFolder(t)
	f.add("stuck", "stuck")
	s := f.load()
	s.Run()
	p := only(t, s)
	deliver(t, p, 0, 10)
	until(t, "running", func() bool { return p.status().InFlight == 10 })
	pid := p.status().PID
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if alive(pid) {
		t.Errorf("process %d outlived Close", pid)
	}
	if st := p.status(); st.InFlight != 10 || st.State != Stopped {
		t.Errorf("after Close: %+v", st)
	}
}

func TestHungProcessIsStartedAgain(t *testing.T) {
	f := newFolder(t)
	f.config.HandlerTimeout, f.config.hangMargin = time.Millisecond, 500*time.Millisecond
	f.add("stuck", "stuck")
	s := f.load()
	s.Run()
	p := only(t, s)
	deliver(t, p, 0, 10)
	until(t, "a restart", func() bool { return p.status().Restarts >= 1 })
	if e := p.status().LastError; !strings.Contains(e, "hung: MESSAGE_CREATE not acknowledged for 501ms") {
		t.Errorf("last error %q", e)
	}
}

func TestStoppedProcessIsStartedAgain(t *testing.T) {
	f := newFolder(t)
	f.config.HandlerTimeout, f.config.hangMargin = time.Millisecond, 500*time.Millisecond
	f.add("echo", "", "FILE="+filepath.Join(t.TempDir(), "seen"))
	s := f.load()
	s.Run()
	p := only(t, s)
	// One that is stopped while it starts has not run, so that it would be no restart.
	deliver(t, p, 0, 1)
	until(t, "running", func() bool { st := p.status(); return st.State == Running && st.PID != 0 && st.Acked == 1 })
	halt(t, p.status().PID)
	deliver(t, p, 1, 11)
	until(t, "everything handled by another process", func() bool { return p.status().Acked == 11 })
	if st := p.status(); st.Restarts != 1 || st.Redelivered != 10 {
		t.Errorf("%d restarts, %d redelivered, want 1 and 10", st.Restarts, st.Redelivered)
	}
}

func TestSameNameTwice(t *testing.T) {
	f := newFolder(t)
	f.add("first", "")
	f.add("second", "")
	f.config.Env["second"] = []string{"MODE=", "NAME=first"}
	s := f.load()
	only(t, s)
	if e := s.Status()[1].LastError; !strings.Contains(e, `called "first"`) {
		t.Errorf("last error %q", e)
	}
}

func TestEnvironmentIsScrubbed(t *testing.T) {
	t.Setenv("DISCORD_TOKEN", "secret-token")
	t.Setenv("AWS_SECRET", "secret")
	f := newFolder(t)
	f.config.Env["x"] = []string{"A=1", wire.CookieKey + "=forged"}
	s := &Set{config: f.config}
	for _, pair := range s.environment("x") {
		if strings.Contains(pair, "secret") || strings.Contains(pair, "forged") {
			t.Errorf("a plugin gets %s", pair)
		}
	}
	if env := strings.Join(s.environment("x"), " "); !strings.Contains(env, "A=1") || !strings.Contains(env, "PATH=") {
		t.Errorf("environment %s", env)
	}
}

func TestStagingKeepsOnlyWhatRuns(t *testing.T) {
	f := newFolder(t)
	f.add("echo", "")
	old := filepath.Join(f.config.Staging, strings.Repeat("a", 64))
	if err := os.WriteFile(old, []byte("an old build"), 0o700); err != nil {
		t.Fatal(err)
	}
	f.load()
	entries, err := os.ReadDir(f.config.Staging)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 1 || entries[0].Name() == filepath.Base(old) {
		t.Errorf("staged: %v", entries)
	}
}

// TestHostKilled runs a set in a process of its own, kills that with SIGKILL
// and looks for what it left.
func TestHostKilled(t *testing.T) {
	if dir := os.Getenv("HOLDFAST_TEST_HOST_DIR"); dir != "" {
		hostToBeKilled(t, dir)
		return
	}
	dir := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	host := exec.Command(self, "-test.run=^TestHostKilled$")
	host.Env = append(os.Environ(), "HOLDFAST_TEST_HOST_DIR="+dir, "TMPDIR="+dir)
	if err := host.Start(); err != nil {
		t.Fatal(err)
	}
	var pids []int
	until(t, "the host's plugin and its child run", func() bool {
		raw, err := os.ReadFile(filepath.Join(dir, "pids"))
		if err != nil {
			return false
		}
		pids = nil
		for field := range strings.FieldsSeq(string(raw)) {
			pid, err := strconv.Atoi(field)
			if err != nil {
				return false
			}
			pids = append(pids, pid)
		}
		return len(pids) == 2
	})
	for _, pid := range pids {
		if !alive(pid) {
			t.Fatalf("process %d is not there", pid)
		}
	}
	if err := host.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = host.Wait() // it was killed
	for _, pid := range pids {
		until(t, "nothing outlives the host", func() bool { return !alive(pid) })
	}
}

func hostToBeKilled(t *testing.T, dir string) {
	f := newFolder(t)
	child := filepath.Join(dir, "child")
	f.add("fork", "fork", "FILE="+child)
	s := f.load()
	s.Run()
	p := only(t, s)
	until(t, "running", func() bool { return p.status().PID != 0 })
	raw, err := os.ReadFile(child)
	if err != nil {
		t.Fatal(err)
	}
	temp := filepath.Join(dir, "pids.tmp")
	if err := os.WriteFile(temp, fmt.Appendf(nil, "%d %s", p.status().PID, raw), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(temp, filepath.Join(dir, "pids")); err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Hour) // until killed
}

type lockedBuilder struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *lockedBuilder) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuilder) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}
