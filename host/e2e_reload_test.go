package host_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/holdfast-bot/holdfast/host/control"
	"github.com/holdfast-bot/holdfast/host/simulator"
	"github.com/holdfast-bot/holdfast/host/state"
)

// rebuilt puts another build of a program into the folder, as a compiler does:
// a new file in the place of the old one. Builds differ by trailing bytes,
// which no loader looks at.
func rebuilt(t *testing.T, folder, name, pkg string, build int) {
	t.Helper()
	raw, err := os.ReadFile(program(t, pkg))
	if err != nil {
		t.Fatal(err)
	}
	raw = append(raw, fmt.Sprintf("build %d", build)...)
	temp := filepath.Join(folder, "."+name)
	if err := os.WriteFile(temp, raw, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(temp, filepath.Join(folder, name)); err != nil {
		t.Fatal(err)
	}
}

// reload asks the host over its socket, as the command does.
func (r *running) reload(o control.ReloadOptions) control.ReloadReport {
	r.t.Helper()
	s, err := control.Reload(r.t.Context(), r.socket(), o)
	if err != nil {
		r.t.Fatalf("reload: %v", err)
	}
	return s
}

func (r *running) socket() string {
	r.t.Helper()
	where, err := state.ReadRuntime(r.state)
	if err != nil {
		r.t.Fatal(err)
	}
	return where.Socket
}

// steps of a report by plugin.
func (r *running) step(o control.ReloadOptions, plugin string) control.ReloadStep {
	r.t.Helper()
	report := r.reload(o)
	for _, step := range report.Steps {
		if step.Plugin == plugin {
			return step
		}
	}
	r.t.Fatalf("no step for %s in %+v", plugin, report)
	return control.ReloadStep{}
}

// counted is what the counter plugin says of a guild.
func counted(t *testing.T, sim *simulator.Server, g simulator.Guild) int {
	t.Helper()
	answer, err := sim.Slash(g.ID, g.Channels[0], g.Members[0], "count").Wait(t.Context())
	if err != nil {
		t.Fatalf("/count in %s: %v", g.Name, err)
	}
	n, err := strconv.Atoi(strings.Fields(answer.Content)[0])
	if err != nil {
		t.Fatalf("/count answered %q", answer.Content)
	}
	return n
}

// TestReloadUnderLoad: reloads by SIGHUP while messages flow.
func TestReloadUnderLoad(t *testing.T) {
	const guilds, shards = 50, 2
	for name, test := range map[string]struct {
		n     int
		rate  float64
		delay string
	}{
		"quick handlers": {size(15_000, 100_000), 5000, ""},
		"slow handlers":  {size(1_000, 5_000), 500, "50ms"},
	} {
		t.Run(name, func(t *testing.T) {
			sim := discord(t, simulator.Config{Shards: shards, World: simulator.World{Guilds: guilds}})
			o, files := recorders(t, 1, map[string]string{"DELAY": test.delay})
			o.plugins["counter"] = "./examples/counter"
			h := start(t, sim, o)
			reloads := size(6, 20)
			var sending sync.WaitGroup
			rate := test.rate
			if raceDetector {
				rate = min(rate, 1500)
			}
			sending.Go(func() { sequence(t, sim, test.n, rate) })
			for build := range reloads {
				rebuilt(t, h.plugins, "recorder-0", recorder, build)
				rebuilt(t, h.plugins, "counter", "./examples/counter", build)
				before := h.plugin("counter").Generation
				if err := h.cmd.Process.Signal(syscall.SIGHUP); err != nil {
					t.Fatal(err)
				}
				h.await("both plugins are another generation", func(s control.Status) bool {
					for _, p := range s.Plugins {
						if p.Generation <= before || p.State != "running" {
							return false
						}
					}
					return true
				})
			}
			sending.Wait()
			h.handled(files, test.n)
			if again := witness(t, files[0], guilds, test.n); again != 0 {
				t.Errorf("%d redelivered", again)
			}
			total := 0
			for _, g := range sim.Guilds() {
				total += counted(t, sim, g)
			}
			if total != test.n {
				t.Errorf("counter has counted %d of %d messages", total, test.n)
			}
			counts := sim.Counts()
			if counts.Identifies != shards || counts.Connections != shards || counts.Resumes != 0 {
				t.Errorf("%d identifies, %d connections, %d resumes", counts.Identifies, counts.Connections, counts.Resumes)
			}
			t.Logf("%d reloads of two plugins each", reloads)
			h.stop()
		})
	}
}

// TestReloadWithStuckHandler: it is called off, the old instance goes on; with
// force it goes through, and what was in hand comes again, marked.
func TestReloadWithStuckHandler(t *testing.T) {
	t.Parallel() // most of its time is waiting
	sim := discord(t, simulator.Config{})
	o, files := recorders(t, 1, map[string]string{"STUCK": "stuck"})
	o.args = []string{"--drain-timeout", "500ms"}
	h := start(t, sim, o)
	guilds := sim.Guilds()
	stuck, other := guilds[0], guilds[1]
	sim.Say(stuck.ID, stuck.Channels[0], stuck.Members[0], "stuck")
	h.await("the handler is stuck", func(s control.Status) bool { return s.Plugins[0].InFlight == 1 })
	before := h.plugin("recorder-0")

	rebuilt(t, h.plugins, "recorder-0", recorder, 1)
	step := h.step(control.ReloadOptions{}, "recorder-0")
	if step.Result != control.ResultCalledOff || !strings.Contains(step.Detail, "MESSAGE_CREATE in guild "+strconv.FormatUint(stuck.ID, 10)) {
		t.Fatalf("step %+v", step)
	}
	sim.Say(other.ID, other.Channels[0], other.Members[0], "1")
	h.await("the old instance goes on", func(control.Status) bool { return lines(files[0]) == 1 })
	if p := h.plugin("recorder-0"); p.PID != before.PID {
		t.Errorf("process %d, before %d", p.PID, before.PID)
	}

	step = h.step(control.ReloadOptions{Force: true}, "recorder-0")
	if step.Result != control.ResultDone {
		t.Fatalf("forced: %+v", step)
	}
	h.await("what was in hand comes again", func(s control.Status) bool { return s.Plugins[0].Redelivered == 1 })
	sim.Say(other.ID, other.Channels[0], other.Members[0], "2")
	if p := h.plugin("recorder-0"); p.PID == before.PID || p.InFlight > 1 {
		t.Errorf("after the forced reload: %+v", p)
	}
}

// TestReloadOfBrokenBuilds: the old instance goes on without a gap, and one
// line tells why.
func TestReloadOfBrokenBuilds(t *testing.T) {
	t.Parallel() // most of its time is waiting
	sim := discord(t, simulator.Config{})
	o, files := recorders(t, 1, nil)
	o.plugins["hello"] = "./examples/hello"
	h := start(t, sim, o)
	before := h.plugin("recorder-0")
	g := sim.Guilds()[0]
	place := func(raw []byte, mode os.FileMode) {
		t.Helper()
		temp := filepath.Join(h.plugins, ".new")
		if err := os.WriteFile(temp, raw, mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(temp, filepath.Join(h.plugins, "recorder-0")); err != nil {
			t.Fatal(err)
		}
	}
	whole, err := os.ReadFile(program(t, recorder))
	if err != nil {
		t.Fatal(err)
	}
	type build struct {
		raw  []byte
		want string
	}
	builds := map[string]build{
		"not executable":           {whole, "chmod +x"},
		"half-written":             {whole[:len(whole)/2], "start plugin recorder-0"},
		"no program":               {[]byte("not a program"), "not a program for this machine"},
		"no handshake":             {[]byte("#!/bin/sh\necho hello\n"), "it is no Holdfast plugin"},
		"ends at once":             {[]byte("#!/bin/sh\necho no config >&2; exit 3\n"), `it ended with exit status 3, it printed "no config"`},
		"another plugin":           {mustRead(t, program(t, "./examples/record")), `record`},
		"panics at start":          {mustRead(t, program(t, "./host/testdata/broken")), "no config file"},
		"command of another":       {mustRead(t, program(t, "./host/testdata/thief")), "/ping"},
		"events without intents":   {mustRead(t, program(t, "./host/testdata/presence")), "gateway intents"},
		"refuses at its own Start": {mustRead(t, program(t, "./host/testdata/refuses")), "database is locked"},
	}
	if full() { // it takes as long as a handshake may
		builds["never answers"] = build{[]byte("#!/bin/sh\nexec sleep 1000\n"), "no handshake within 10s"}
	}
	n := 0
	for name, test := range builds {
		t.Run(name, func(t *testing.T) {
			mode := os.FileMode(0o755)
			if name == "not executable" {
				mode = 0o644
			}
			place(test.raw, mode)
			report := h.reload(control.ReloadOptions{})
			var step control.ReloadStep
			for _, s := range report.Steps {
				if strings.HasSuffix(s.File, "/recorder-0") {
					step = s
				}
			}
			if step.OK() || !strings.Contains(step.Detail, test.want) || strings.Contains(step.Detail, "\n") {
				t.Errorf("step %+v, want one line with %q", step, test.want)
			}
			n++
			sim.Say(g.ID, g.Channels[0], g.Members[0], strconv.Itoa(n))
			h.await("the old build goes on", func(control.Status) bool { return lines(files[0]) == n })
			if p := h.plugin("recorder-0"); name != "refuses at its own Start" && p.PID != before.PID {
				t.Errorf("process %d, before %d", p.PID, before.PID)
			}
			before = h.plugin("recorder-0")
		})
	}
	h.stop()
}

func mustRead(t *testing.T, path string) []byte {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// TestReloadOfBuildThatRefusesTheState: the old build goes on with all that it
// has in memory.
func TestReloadOfBuildThatRefusesTheState(t *testing.T) {
	t.Parallel() // most of its time is waiting
	sim := discord(t, simulator.Config{})
	o := options{plugins: map[string]string{"counter": "./examples/counter"}}
	h := start(t, sim, o)
	before := h.plugin("counter")
	g := sim.Guilds()[0]
	say := func(n int) {
		for i := range n {
			sim.Say(g.ID, g.Channels[0], g.Members[0], strconv.Itoa(i))
		}
	}
	say(30)
	h.await("all counted", func(s control.Status) bool { return s.Plugins[0].Acked == 30 })
	rebuilt(t, h.plugins, "counter", "./host/testdata/forgetful", 1)
	step := h.step(control.ReloadOptions{}, "counter")
	if step.OK() || !strings.Contains(step.Detail, "refuses the state of the old one") || !strings.Contains(step.Detail, "counts of before the flood") {
		t.Errorf("%+v", step)
	}
	say(12)
	h.await("all counted", func(s control.Status) bool { return s.Plugins[0].Acked == 42 })
	if n := counted(t, sim, g); n != 42 || h.plugin("counter").PID != before.PID {
		t.Errorf("%d counted, process %d, before %d", n, h.plugin("counter").PID, before.PID)
	}
	h.stop()
}

// TestReloadAddsAndRemoves: files added, removed and named.
func TestReloadAddsAndRemoves(t *testing.T) {
	t.Parallel() // most of its time is waiting
	sim := discord(t, simulator.Config{})
	o, files := recorders(t, 1, nil)
	h := start(t, sim, o)
	g := sim.Guilds()[0]

	// Events of the new plugin start when it is there. Its intents are: both
	// recorders ask for messages.
	install(t, h.plugins, "hello", "./examples/hello")
	if step := h.step(control.ReloadOptions{DryRun: true}, "hello"); step.Action != control.ActionAdd || step.Result != control.ResultPlanned {
		t.Errorf("dry run: %+v", step)
	}
	h.mustPlan(sim, control.ReloadOptions{DryRun: true}, "commands (global), planned: add ping", 0)
	if len(h.pids()) != 1 {
		t.Error("the dry run started something")
	}
	if step := h.step(control.ReloadOptions{}, "hello"); step.Action != control.ActionAdd || step.Result != control.ResultDone {
		t.Fatalf("added: %+v", step)
	}
	eventually(t, "its command is registered", func() bool { return len(sim.Commands(0)) == 1 })
	if answer, err := sim.Slash(g.ID, g.Channels[0], g.Members[0], "ping").Wait(t.Context()); err != nil || answer.Content != "pong" {
		t.Errorf("/ping answered %q, %v", answer.Content, err)
	}

	before := h.plugin("hello").PID
	if step := h.step(control.ReloadOptions{Names: []string{"hello"}}, "hello"); step.Action != control.ActionRestart || h.plugin("hello").PID == before {
		t.Errorf("restarted: %+v", step)
	}

	if err := os.Remove(filepath.Join(h.plugins, "hello")); err != nil {
		t.Fatal(err)
	}
	h.mustPlan(sim, control.ReloadOptions{DryRun: true, Prune: true}, "commands (global), planned: remove ping", 1)
	pid := h.plugin("hello").PID
	if step := h.step(control.ReloadOptions{}, "hello"); step.Action != control.ActionRemove || step.Result != control.ResultDone {
		t.Fatalf("removed: %+v", step)
	}
	if alive(pid) {
		t.Error("the process of a removed plugin is left")
	}
	if len(sim.Commands(0)) != 1 {
		t.Error("the command of a removed file went without --prune")
	}
	h.mustPlan(sim, control.ReloadOptions{DryRun: true}, "commands (global), planned: keep although their plugins are gone (holdfast reload --prune removes them): ping", 1)
	h.mustPlan(sim, control.ReloadOptions{DryRun: true, Prune: true}, "commands (global), planned: remove ping", 1)
	h.reload(control.ReloadOptions{Prune: true})
	if n := len(sim.Commands(0)); n != 0 {
		t.Errorf("%d commands after --prune", n)
	}
	sim.Say(g.ID, g.Channels[0], g.Members[0], "0")
	// The bot's own answer to /ping is a message, too.
	h.await("the other plugin goes on", func(control.Status) bool { return strings.HasSuffix(read(t, files[0]), " 0 false\n") })
	h.stop()
}

// mustPlan demands what a dry run tells of the commands, and that as many stay
// registered.
func (r *running) mustPlan(sim *simulator.Server, o control.ReloadOptions, want string, registered int) {
	r.t.Helper()
	before := writes(sim)
	if got := r.reload(o).Commands; got != want {
		r.t.Errorf("%+v: told %q, want %q", o, got, want)
	}
	if n := len(sim.Commands(0)); n != registered || writes(sim) != before {
		r.t.Errorf("%+v: %d commands, want %d, after %d writes", o, n, registered, writes(sim)-before)
	}
}

// TestCommandsOfABrokenBuild are not said to be those of a plugin that is gone, and
// nobody is told to remove them, by a host that was started with it.
func TestCommandsOfABrokenBuild(t *testing.T) {
	sim := discord(t, simulator.Config{})
	h := start(t, sim, options{plugins: map[string]string{"hello": "./examples/hello"}})
	h.compared(1)
	h.stop()
	if err := os.WriteFile(filepath.Join(h.plugins, "hello"), []byte("#!/bin/sh\nexit 3\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	h = launch(t, sim, options{again: h}) // no plugin will run
	h.compared(1)
	h.mustPlan(sim, control.ReloadOptions{DryRun: true}, "commands (global) unchanged", 1) // it has declared them before
	h.stop()
	if err := os.Remove(filepath.Join(h.state, "declared", "hello.manifest")); err != nil {
		t.Fatal(err)
	}
	h = launch(t, sim, options{again: h}) // and nobody knows what it is
	h.compared(1)
	if log := h.log.String(); strings.Contains(log, "--prune") || !strings.Contains(log, "kept although their plugins are not running (holdfast status tells why): ping") {
		t.Errorf("told %s", log)
	}
	h.mustPlan(sim, control.ReloadOptions{DryRun: true}, "commands (global), planned: keep although their plugins are not running (holdfast status tells why): ping", 1)
	listed, err := control.GetCommands(t.Context(), h.socket())
	if err != nil || len(listed.Commands) != 1 || listed.Commands[0].Action != "wait" || !listed.Commands[0].Stopped {
		t.Errorf("listed %+v, %v", listed, err)
	}
	h.stop()
}

// TestReloadOfCrashingPlugin: a build that does not start again is replaced by
// one that does, and nothing that waited is lost.
func TestReloadOfCrashingPlugin(t *testing.T) {
	t.Parallel() // most of its time is waiting
	sim := discord(t, simulator.Config{})
	o, files := recorders(t, 1, nil)
	h := start(t, sim, o)
	broken := files[0] + ".broken"
	if err := os.WriteFile(broken, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(h.plugin("recorder-0").PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	sequence(t, sim, 200, 0)
	h.await("it does not start", func(s control.Status) bool { return s.Plugins[0].Restarts >= 2 && s.Plugins[0].State == "waiting" })
	if err := os.Remove(broken); err != nil {
		t.Fatal(err)
	}
	rebuilt(t, h.plugins, "recorder-0", recorder, 1)
	if step := h.step(control.ReloadOptions{}, "recorder-0"); step.Result != control.ResultDone {
		t.Fatalf("step %+v", step)
	}
	h.handled(files, 200)
	witness(t, files[0], 2, 200)
	h.stop()
}
