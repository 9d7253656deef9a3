package host_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/holdfast-bot/holdfast/host/control"
	"github.com/holdfast-bot/holdfast/host/simulator"
)

// leftBound is the journal's bound: a few rounds write far more.
const leftBound = 4 << 20

// leftHouse is a host through whose life go rounds of all that can happen to it.
type leftHouse struct {
	t     *testing.T
	sim   *simulator.Server
	h     *running
	o     options
	files []string // of the recorders
	temp  string   // the host's temporary folder
	said  int
	build int
	lost  int // connections
}

// TestNothingIsLeft: rounds of messages, reloads, crashes, refused builds, lost
// connections and mass events leave no goroutine, descriptor, process, socket or
// file behind, and restarts of the host leave none either.
func TestNothingIsLeft(t *testing.T) {
	beside(t)
	rounds := size(1, 3)
	house := newLeftHouse(t)
	house.round()
	base := house.settled()
	for n := range rounds {
		house.round()
		house.tidy()
		t.Logf("after round %d: %v", n+1, house.look())
	}
	house.emptied()
	house.noMoreThan(base)

	house.stop()
	house.again()
	house.life()
	house.tidy()
	house.noMoreThan(base)
	if !full() { // what a killed host leaves other tests look at, too
		house.stop()
		return
	}

	processes := append(children(t, house.h.cmd.Process.Pid), house.h.pids()...)
	if err := house.h.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-house.h.exited
	for _, pid := range processes {
		eventually(t, "the killed host's process "+strconv.Itoa(pid)+" is gone", func() bool { return !alive(pid) })
	}
	house.again()
	house.life()
	house.tidy()
	house.noMoreThan(base)
	house.stop()
}

func newLeftHouse(t *testing.T) *leftHouse {
	t.Helper()
	// Each reload asks for the commands; as many reloads as here would wait for
	// Discord's limit.
	often := simulator.Limit{Requests: 1000, Per: time.Second}
	sim := discord(t, simulator.Config{
		Shards: 2, World: simulator.World{Guilds: 60, MembersPerGuild: 800},
		RateLimits: simulator.RateLimits{Routes: map[string]simulator.Limit{"GET /applications/{application}/commands": often}},
	})
	o, files := recorders(t, 2, nil)
	farewell, _ := farewells(t)
	o.plugins["farewell"], o.env["farewell"] = farewell.plugins["farewell"], farewell.env["farewell"]
	o.plugins["counter"] = "./examples/counter"
	o.env["forks"] = map[string]string{"FILE": filepath.Join(t.TempDir(), "forked")}
	temp := t.TempDir()
	o.prepare = func(cmd *exec.Cmd, _ *running) { cmd.Env = append(cmd.Env, "TMPDIR="+temp) }
	o.args = []string{"--journal-bytes", strconv.Itoa(leftBound), "--cache-idle", "1s", "--drain-timeout", "10s"}
	return &leftHouse{t: t, sim: sim, o: o, files: files, temp: temp, h: start(t, sim, o)}
}

// again starts the next host on the same folders.
func (l *leftHouse) again() {
	l.t.Helper()
	o := l.o
	o.plugins = nil // they are there, as they were reloaded last
	o.again = l.h
	l.h = start(l.t, l.sim, o)
}

// round is all that can happen.
func (l *leftHouse) round() {
	l.t.Helper()
	var talking sync.WaitGroup
	talking.Go(func() { l.talk(size(400, 2000)) })
	for range size(2, 8) {
		l.replace("counter", "./examples/counter")
		l.replace("recorder-0", recorder)
	}
	for range 2 {
		l.kill("recorder-1")
	}
	talking.Wait()
	l.ask()
	l.keepDown("recorder-1")
	l.breakBuilds()
	l.addAndRemove()
	l.breakConnections()
	l.leave(size(300, 3000))
}

// life is what a host's life has on a quiet day.
func (l *leftHouse) life() {
	l.t.Helper()
	l.talk(200)
	l.ask()
	l.replace("counter", "./examples/counter")
	l.kill("recorder-1")
	l.leave(100)
}

// talk sends messages that fill the journal, round the guilds.
func (l *leftHouse) talk(n int) {
	l.t.Helper()
	filling := strings.Repeat("x", 1500)
	guilds := l.sim.Guilds()
	err := l.sim.Run(l.t.Context(), simulator.Rate{PerSecond: 2000, Count: n}, func(i int) bool {
		g := guilds[i%len(guilds)]
		l.sim.Say(g.ID, g.Channels[0], g.Members[0], strconv.Itoa(l.said)+filling)
		l.said++
		return true
	})
	if err != nil {
		l.t.Error(err)
	}
}

// ask calls commands, with and without their guild.
func (l *leftHouse) ask() {
	l.t.Helper()
	for n, g := range l.sim.Guilds()[:10] {
		name := []string{"count", "where"}[n%2]
		answer, err := l.sim.Slash(g.ID, g.Channels[0], g.Members[0], name).WaitMessage(l.t.Context())
		if err != nil || answer.Content == "" {
			l.t.Errorf("/%s in %s answered %q, %v", name, g.Name, answer.Content, err)
		}
	}
}

// place puts a file into the plugins folder as a compiler does, but says that it
// is old, so that a reload need not wait until it is quiet.
func (l *leftHouse) place(name string, raw []byte) {
	l.t.Helper()
	temp := filepath.Join(l.h.plugins, "."+name)
	if err := os.WriteFile(temp, raw, 0o755); err != nil {
		l.t.Fatal(err)
	}
	old := time.Now().Add(-time.Minute)
	if err := os.Chtimes(temp, old, old); err != nil {
		l.t.Fatal(err)
	}
	if err := os.Rename(temp, filepath.Join(l.h.plugins, name)); err != nil {
		l.t.Fatal(err)
	}
}

// replace reloads a plugin with another build of it.
func (l *leftHouse) replace(name, pkg string) {
	l.t.Helper()
	l.build++
	l.place(name, append(mustRead(l.t, program(l.t, pkg)), "build "+strconv.Itoa(l.build)...))
	if step := l.h.step(control.ReloadOptions{}, name); step.Result != control.ResultDone {
		l.t.Fatalf("step %+v", step)
	}
}

// kill kills a plugin's process and waits for the next one.
func (l *leftHouse) kill(name string) {
	l.t.Helper()
	before := l.h.plugin(name)
	if err := syscall.Kill(before.PID, syscall.SIGKILL); err != nil {
		l.t.Fatal(err)
	}
	l.h.await("another instance", func(control.Status) bool {
		p := l.h.plugin(name)
		return p.State == "running" && p.PID != 0 && p.PID != before.PID
	})
}

// keepDown lets a plugin not start until it has to read from the journal.
func (l *leftHouse) keepDown(name string) {
	l.t.Helper()
	broken := filepath.Join(filepath.Dir(l.files[0]), name+".broken")
	if err := os.WriteFile(broken, nil, 0o600); err != nil {
		l.t.Fatal(err)
	}
	if err := syscall.Kill(l.h.plugin(name).PID, syscall.SIGKILL); err != nil {
		l.t.Fatal(err)
	}
	l.h.await("the plugin does not start", func(control.Status) bool { return l.h.plugin(name).State == "waiting" })
	for l.h.plugin(name).Behind == 0 {
		l.talk(200)
	}
	if err := os.Remove(broken); err != nil {
		l.t.Fatal(err)
	}
	if step := l.h.step(control.ReloadOptions{Names: []string{name}}, name); step.Result != control.ResultDone {
		l.t.Fatalf("step %+v", step)
	}
	l.h.await("it has read what it missed", func(control.Status) bool {
		p := l.h.plugin(name)
		return p.Behind == 0 && p.Queued == 0 && p.InFlight == 0
	})
}

// breakBuilds offers builds that are refused, each in its own way.
func (l *leftHouse) breakBuilds() {
	l.t.Helper()
	whole := mustRead(l.t, filepath.Join(l.h.plugins, "recorder-0"))
	for name, raw := range map[string][]byte{
		"half-written":     whole[:len(whole)/2],
		"no program":       []byte("not a program"),
		"no handshake":     []byte("#!/bin/sh\necho hello\n"),
		"ends at once":     []byte("#!/bin/sh\nexit 3\n"),
		"panics at start":  mustRead(l.t, program(l.t, "./host/testdata/broken")),
		"refuses to start": mustRead(l.t, program(l.t, "./host/testdata/refuses")),
	} {
		l.place("recorder-0", raw)
		if step := l.h.step(control.ReloadOptions{Names: []string{"recorder-0"}}, "recorder-0"); step.OK() {
			l.t.Errorf("%s: step %+v", name, step)
		}
	}
	l.place("recorder-0", whole)
	if step := l.h.step(control.ReloadOptions{}, "recorder-0"); !step.OK() {
		l.t.Errorf("the good build again: %+v", step)
	}
	forked := l.o.env["forks"]["FILE"]
	l.place("forks", []byte("#!/bin/sh\nsleep 1000 &\necho $! > $FILE\nexit 3\n"))
	if step := l.h.step(control.ReloadOptions{}, "forks"); step.OK() {
		l.t.Errorf("a program that forks and ends: %+v", step)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(read(l.t, forked)))
	if err != nil {
		l.t.Fatal(err)
	}
	eventually(l.t, "what a refused build has forked is gone", func() bool { return !alive(pid) })
	if err := os.Remove(filepath.Join(l.h.plugins, "forks")); err != nil {
		l.t.Fatal(err)
	}
}

// addAndRemove has a plugin for a while.
func (l *leftHouse) addAndRemove() {
	l.t.Helper()
	l.place("hello", mustRead(l.t, program(l.t, "./examples/hello")))
	if step := l.h.step(control.ReloadOptions{}, "hello"); step.Result != control.ResultDone {
		l.t.Fatalf("added: %+v", step)
	}
	g := l.sim.Guilds()[0]
	if answer, err := l.sim.Slash(g.ID, g.Channels[0], g.Members[0], "ping").Wait(l.t.Context()); err != nil || answer.Content != "pong" {
		l.t.Errorf("/ping answered %q, %v", answer.Content, err)
	}
	if err := os.Remove(filepath.Join(l.h.plugins, "hello")); err != nil {
		l.t.Fatal(err)
	}
	if step := l.h.step(control.ReloadOptions{Prune: true}, "hello"); step.Result != control.ResultDone {
		l.t.Fatalf("removed: %+v", step)
	}
}

// breakConnections loses each shard's connection, each time in another way. A
// session that is lost twice within seconds takes its time, so this is once a
// round.
func (l *leftHouse) breakConnections() {
	l.t.Helper()
	faults := []func(int) int{
		l.sim.Reset, l.sim.Reconnect, l.sim.Drop,
		func(shard int) int { return l.sim.Invalidate(shard, true) },
		func(shard int) int { return l.sim.CloseCode(shard, 4000) },
	}
	for shard := range 2 {
		before, _ := l.h.status()
		if faults[l.lost%len(faults)](shard) != 1 {
			l.t.Fatalf("shard %d has no connection to break", shard)
		}
		l.lost++
		l.h.await("the shard is resumed", func(s control.Status) bool {
			return s.Shards[shard].Resumes > before.Shards[shard].Resumes && s.Shards[shard].State == "ready"
		})
	}
}

// leave has members leave guilds that are not in the cache.
func (l *leftHouse) leave(n int) {
	l.t.Helper()
	var ids []uint64
	for _, g := range l.sim.Guilds() {
		ids = append(ids, g.ID)
	}
	before := l.h.plugin("farewell").Acked
	left := l.sim.MassLeave(l.t.Context(), ids, n, 0)
	if left != n {
		l.t.Fatalf("%d left, want %d", left, n)
	}
	l.h.await("all farewells are said", func(control.Status) bool { return l.h.plugin("farewell").Acked >= before+uint64(n) })
}
