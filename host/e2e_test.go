package host_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/holdfast-bot/holdfast/host"
	"github.com/holdfast-bot/holdfast/host/control"
	"github.com/holdfast-bot/holdfast/host/simulator"
	"github.com/holdfast-bot/holdfast/host/state"
)

// full says whether long tests run at full size, as .ci/run wants them.
func full() bool { return os.Getenv("HOLDFAST_FULL") != "" }

// size is a test's size: small for a quick answer, whole for .ci/run.
func size(small, whole int) int {
	if full() {
		return whole
	}
	return small
}

// programs builds each program once for all tests, with the race detector when
// the tests have it.
type programs struct {
	once  sync.Once
	dir   string
	err   error
	mu    sync.Mutex
	built map[string]string
}

var built programs

// beside lets a test of small size run beside others: then most of its time is
// waiting. At full size it takes what processors there are, and those beside it would
// be judged by how they starve.
func beside(t *testing.T) {
	t.Helper()
	if !full() {
		t.Parallel()
	}
}

func TestMain(m *testing.M) {
	if settings := os.Getenv(quickHost); settings != "" {
		os.Exit(runQuickHost(settings))
	}
	if settings := os.Getenv(weighedHost); settings != "" {
		os.Exit(runWeighedHost(settings))
	}
	// Tests that mostly wait run beside each other, whatever the number of processors;
	// a flag on the command line still wins.
	if f := flag.Lookup("test.parallel"); f != nil {
		beside := 8
		if full() || raceDetector { // they have more to do
			beside = 4
		}
		_ = f.Value.Set(strconv.Itoa(max(beside, runtime.GOMAXPROCS(0))))
	}
	code := m.Run()
	if built.dir != "" {
		_ = os.RemoveAll(built.dir)
	}
	os.Exit(code)
}

// program returns the path of the built package, which is named from the root.
func program(t testing.TB, pkg string) string {
	t.Helper()
	built.mu.Lock()
	defer built.mu.Unlock()
	built.once.Do(func() {
		built.built = make(map[string]string)
		built.dir, built.err = os.MkdirTemp("", "holdfast-test-")
		if built.err == nil {
			built.err = os.Chmod(built.dir, 0o755) // other users run them too
		}
	})
	if built.err != nil {
		t.Fatal(built.err)
	}
	if path, ok := built.built[pkg]; ok {
		return path
	}
	path := filepath.Join(built.dir, filepath.Base(pkg))
	args := []string{"build", "-o", path}
	if raceDetector {
		args = append(args, "-race")
	}
	build := exec.CommandContext(t.Context(), "go", append(args, pkg)...)
	build.Dir = ".."
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", pkg, err, out)
	}
	built.built[pkg] = path
	return path
}

// install puts a program into a plugins folder under a name.
func install(t testing.TB, folder, name, pkg string) {
	t.Helper()
	raw, err := os.ReadFile(program(t, pkg))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, name), raw, 0o755); err != nil {
		t.Fatal(err)
	}
}

// discord starts a simulator that lets shards identify as fast as they like to
// within its rules, and at the end demands that none was broken.
func discord(t testing.TB, c simulator.Config) *simulator.Server {
	t.Helper()
	if c.Shards > c.MaxConcurrency {
		c.MaxConcurrency = c.Shards
	}
	sim, err := simulator.Start(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, breach := range sim.Breaches() {
			t.Errorf("rule of Discord broken: %+v", breach)
		}
		if err := sim.Close(); err != nil {
			t.Errorf("close simulator: %v", err)
		}
	})
	return sim
}

// running is one holdfast process.
type running struct {
	t       testing.TB
	cmd     *exec.Cmd
	plugins string
	state   string
	log     *lockedBuffer
	exited  chan struct{}
	last    control.Status // for the one who looks for a reason
}

// options of a host process.
type options struct {
	plugins map[string]string            // file name to package
	env     map[string]map[string]string // by file name
	args    []string
	prepare func(*exec.Cmd, *running)
	again   *running // take its folders
	quick   bool     // shorten the times that Discord and the host's own rules give
	// Of a quick host: the invalid requests that bring a ban, and the requests a second.
	invalid, rate int
}

type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// launch starts holdfast run against sim and returns at once.
func launch(t testing.TB, sim *simulator.Server, o options) *running {
	t.Helper()
	r := &running{t: t, log: new(lockedBuffer), exited: make(chan struct{})}
	if o.again != nil {
		r.plugins, r.state = o.again.plugins, o.again.state
	} else {
		base := t.TempDir()
		r.plugins, r.state = filepath.Join(base, "plugins"), filepath.Join(base, "state")
		if err := os.Mkdir(r.plugins, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, pkg := range o.plugins {
		install(t, r.plugins, name, pkg)
	}
	config := filepath.Join(filepath.Dir(r.plugins), "holdfast.yaml")
	if err := os.WriteFile(config, []byte(yamlEnv(o.env)), 0o600); err != nil {
		t.Fatal(err)
	}
	args := append([]string{"run", "--config", config, "--plugins", r.plugins, "--state", r.state, "--api-url", sim.URL(), "--log-level", "debug"}, o.args...)
	r.cmd = exec.Command(program(t, "./host/holdfast"), args...)
	r.cmd.Env = append(os.Environ(), "DISCORD_TOKEN="+sim.Token())
	if o.quick {
		makeQuick(t, r.cmd, host.Settings{PluginsDir: r.plugins, StateDir: r.state, APIURL: sim.URL(), Plugins: pluginSettings(o.env), GlobalRate: host.Count(o.rate)}, o.invalid)
	}
	r.cmd.Stdout, r.cmd.Stderr = r.log, r.log
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if o.prepare != nil {
		o.prepare(r.cmd, r)
	}
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = r.cmd.Wait() // the exit code is in ProcessState
		close(r.exited)
	}()
	t.Cleanup(func() {
		_ = r.cmd.Process.Kill()
		<-r.exited
		if t.Failed() {
			t.Logf("its last status: %+v", r.last)
			t.Logf("holdfast said:\n%s", tail(r.log.String(), 100))
		}
	})
	return r
}

func yamlEnv(env map[string]map[string]string) string {
	var b strings.Builder
	if len(env) > 0 {
		b.WriteString("plugins:\n")
	}
	for name, values := range env {
		fmt.Fprintf(&b, "  %s:\n    env:\n", name)
		for key, value := range values {
			fmt.Fprintf(&b, "      %s: %q\n", key, value)
		}
	}
	return b.String()
}

func tail(s string, lines int) string {
	all := strings.Split(s, "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// start is launch, and waits until every shard and every plugin is up.
func start(t testing.TB, sim *simulator.Server, o options) *running {
	t.Helper()
	r := launch(t, sim, o)
	r.await("all shards ready and plugins running", func(s control.Status) bool {
		for _, shard := range s.Shards {
			if shard.State != "ready" {
				return false
			}
		}
		up := 0
		for _, p := range s.Plugins {
			if p.State == "running" {
				up++
			}
		}
		return len(s.Shards) > 0 && up == len(s.Plugins)
	})
	return r
}

// status asks the host; ok is false while it does not answer.
func (r *running) status() (s control.Status, ok bool) {
	where, err := state.ReadRuntime(r.state)
	if err != nil {
		return s, false
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	s, err = control.GetStatus(ctx, where.Socket)
	if err == nil {
		r.last = s
	}
	return s, err == nil
}

func (r *running) plugin(name string) control.Plugin {
	s, _ := r.status()
	for _, p := range s.Plugins {
		if p.Name == name {
			return p
		}
	}
	return control.Plugin{}
}

// await polls the host's status until it is as wanted. It ends with the host,
// or with the test's own deadline.
func (r *running) await(what string, done func(control.Status) bool) {
	r.t.Helper()
	eventually(r.t, what, func() bool {
		select {
		case <-r.exited:
			r.t.Fatalf("holdfast ended (%s) before: %s\n%s", r.cmd.ProcessState, what, tail(r.log.String(), 40))
		default:
		}
		s, ok := r.status()
		return ok && done(s)
	})
}

// eventually polls a condition of another process. Its limit is generous: it
// keeps a broken test from hanging, it judges no speed.
func eventually(t testing.TB, what string, done func() bool) {
	t.Helper()
	limit := time.After(eventuallyLimit)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("never: %s (after %s)", what, eventuallyLimit)
		}
	}
}

// stop ends the host with SIGTERM and checks that it ended well.
func (r *running) stop() {
	r.t.Helper()
	if err := r.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		r.t.Fatal(err)
	}
	<-r.exited
	if code := r.cmd.ProcessState.ExitCode(); code != 0 {
		r.t.Errorf("holdfast exited with %s", r.cmd.ProcessState)
	}
}

// eventuallyLimit ends a test that hangs. HOLDFAST_HANG shortens it for the one
// who looks for the reason.
var eventuallyLimit = func() time.Duration {
	if d, err := time.ParseDuration(os.Getenv("HOLDFAST_HANG")); err == nil {
		return d
	}
	return 2 * time.Minute
}()
