package plugins

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-bot/holdfast/sdk/wire"
)

func reloadOf(f *folder, s *Set) []Step {
	f.t.Helper()
	return reloadWith(f, s, ReloadOptions{Drain: time.Minute})
}

// reloadWith has no objections to any build.
func reloadWith(f *folder, s *Set, o ReloadOptions) []Step {
	f.t.Helper()
	if o.Check == nil {
		o.Check = func([]*wire.Manifest, *wire.Manifest) error { return nil }
	}
	o.Changed = func() {}
	steps, err := s.Reload(f.t.Context(), o)
	if err != nil {
		f.t.Fatal(err)
	}
	return steps
}

// rebuild puts another build of the plugin into the folder, which does what
// mode says whatever its environment says.
func (f *folder) rebuild(name, mode string) {
	f.t.Helper()
	self, err := os.Executable()
	if err != nil {
		f.t.Fatal(err)
	}
	raw, err := os.ReadFile(self)
	if err != nil {
		f.t.Fatal(err)
	}
	temp := filepath.Join(f.dir, ".new")
	if err := os.WriteFile(temp, append(raw, buildMark()+mode...), 0o700); err != nil {
		f.t.Fatal(err)
	}
	if err := os.Rename(temp, filepath.Join(f.dir, name)); err != nil {
		f.t.Fatal(err)
	}
}

// atBarrier delivers ten events, every second of them a MESSAGE_DELETE, which
// wait behind the barrier until the reload is over.
func atBarrier(t *testing.T, p *Plugin) {
	t.Helper()
	until(t, "running", func() bool { return p.status().PID != 0 })
	p.queue.pause()
	for n := range uint64(10) {
		e := numbered(n)
		if n%2 == 0 {
			e.Name = "MESSAGE_DELETE"
		}
		p.Deliver(e)
	}
}

// TestRollbackLosesNothing: a new build that asks for less does not start; what
// waited for the old one, of kinds that only it asks for, is still there.
func TestRollbackLosesNothing(t *testing.T) {
	f := newFolder(t)
	file := filepath.Join(t.TempDir(), "seen")
	f.add("echo", "both", "FILE="+file)
	s := f.load()
	s.Run()
	p := only(t, s)
	atBarrier(t, p)
	f.rebuild("echo", "refuse")
	steps := reloadOf(f, s)
	if steps[0].Result != NotDone || !strings.Contains(steps[0].Detail, "database is locked; the old build runs again") {
		t.Fatalf("step %+v", steps[0])
	}
	if err := s.Drain(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	if got := len(readLines(t, file)); got != 10 {
		t.Errorf("%d events handled after the rollback, want 10", got)
	}
	if n := len(p.Manifest().GetEvents()); n != 2 {
		t.Errorf("the manifest names %d events, want those of the old build", n)
	}
}

// TestNewBuildWithFewerEvents: what it does not ask for counts as handled.
func TestNewBuildWithFewerEvents(t *testing.T) {
	f := newFolder(t)
	file := filepath.Join(t.TempDir(), "seen")
	f.add("echo", "both", "FILE="+file)
	s := f.load()
	s.Run()
	p := only(t, s)
	atBarrier(t, p)
	f.rebuild("echo", "one")
	if steps := reloadOf(f, s); steps[0].Result != Done {
		t.Fatalf("step %+v", steps[0])
	}
	if err := s.Drain(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	if got := len(readLines(t, file)); got != 5 {
		t.Errorf("%d events handled, want 5", got)
	}
}

// TestReloadOfAbsentPluginHasARollback: between two crashes, too, a build that
// does not start does not stay.
func TestReloadOfAbsentPluginHasARollback(t *testing.T) {
	f := newFolder(t)
	f.add("refuse", "refuse")
	s := f.load()
	s.Run()
	p := only(t, s)
	until(t, "waiting", func() bool { return p.status().State == Waiting })
	before := p.current().Hash
	f.rebuild("refuse", "fork") // FILE is not set: its Start fails, too
	if steps := reloadOf(f, s); steps[0].Result != NotDone {
		t.Fatalf("step %+v", steps[0])
	}
	if p.current().Hash != before {
		t.Error("the build that did not start has stayed")
	}
}

// TestReloadAfterTheEnd starts nothing, and ends.
func TestReloadAfterTheEnd(t *testing.T) {
	f := newFolder(t)
	f.add("echo", "")
	s := f.load()
	s.Run()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	f.rebuild("echo", "one")
	if steps := reloadOf(f, s); steps[0].Result == Done {
		t.Errorf("reloaded after the end: %+v", steps)
	}
}

// TestStagedCopiesFollowTheFolder: a reload leaves no copy of what it replaced.
func TestStagedCopiesFollowTheFolder(t *testing.T) {
	f := newFolder(t)
	f.add("echo", "")
	s := f.load()
	s.Run()
	first := only(t, s).current()
	raw, err := os.ReadFile(first.Staged)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(f.dir, "echo")
	if err := os.Remove(path); err != nil { // it is a link to this test
		t.Fatal(err)
	}
	if err := os.WriteFile(path, append(raw, "another build"...), 0o700); err != nil {
		t.Fatal(err)
	}
	steps := reloadOf(f, s)
	if len(steps) != 1 || steps[0].Action != Replace || steps[0].Result != Done || steps[0].Generation != 2 {
		t.Fatalf("steps %+v", steps)
	}
	entries, err := os.ReadDir(f.config.Staging)
	if err != nil {
		t.Fatal(err)
	}
	now := only(t, s).current()
	if len(entries) != 1 || entries[0].Name() != now.Hash || now.Hash == first.Hash {
		t.Errorf("staged %v, running %s", entries, now.Hash)
	}
	if steps := reloadOf(f, s); steps[0].Action != Keep {
		t.Errorf("reloaded again: %+v", steps)
	}
}

// TestRenamedFileIsTheSamePlugin: mv of a plugin's file is no end of the plugin,
// built anew or not.
func TestRenamedFileIsTheSamePlugin(t *testing.T) {
	f := newFolder(t)
	f.add("echo", "memory")
	j := newMemoryJournal()
	f.config.Journal, f.config.Cursors = j, j
	f.config.Env["again"] = f.config.Env["echo"]
	s := f.load()
	s.Run()
	p := only(t, s)
	until(t, "running", func() bool { return p.status().PID != 0 })
	for n := range uint64(10) {
		p.Deliver(j.add(*numbered(n)))
	}
	until(t, "handled", func() bool { return p.status().Acked == 10 })
	if err := os.Rename(filepath.Join(f.dir, "echo"), filepath.Join(f.dir, "again")); err != nil {
		t.Fatal(err)
	}
	steps := reloadOf(f, s)
	if len(steps) != 1 || steps[0].Action != Replace || steps[0].Result != Done || steps[0].Generation != 2 || steps[0].Plugin != "again" {
		t.Fatalf("steps %+v", steps)
	}
	if only(t, s) != p || filepath.Base(p.current().Path) != "again" || p.Name() != "echo" {
		t.Errorf("runs %s from %s", p.Name(), p.current().Path)
	}
	if low, _, _ := j.cursors["echo"].Position(); low != 10 {
		t.Errorf("its place in the journal is %d", low)
	}
	if steps := reloadOf(f, s); len(steps) != 1 || steps[0].Action != Keep {
		t.Errorf("reloaded again: %+v", steps)
	}
}

// TestAddedPluginThatDoesNotStart: a reload does not call done what has not
// begun.
func TestAddedPluginThatDoesNotStart(t *testing.T) {
	f := newFolder(t)
	s := f.load()
	s.Run()
	f.add("echo", "refuse")
	steps := reloadOf(f, s)
	if len(steps) != 1 || steps[0].Result != NotDone || !strings.Contains(steps[0].Detail, "database is locked") {
		t.Fatalf("steps %+v", steps)
	}
}

// TestStagedCopyIsUsedAgain: what is there already needs no room on the disk, and
// what a power loss has cut is copied anew.
func TestStagedCopyIsUsedAgain(t *testing.T) {
	folder, staging := t.TempDir(), t.TempDir()
	path := filepath.Join(folder, "plugin")
	if err := os.WriteFile(path, []byte("a program"), 0o700); err != nil {
		t.Fatal(err)
	}
	c := candidate{name: "plugin", path: path}
	first, err := stage(c, staging)
	if err != nil {
		t.Fatal(err)
	}
	before, err := os.Stat(first.Staged)
	if err != nil {
		t.Fatal(err)
	}
	again, err := stage(c, staging)
	if err != nil || again != first {
		t.Fatalf("%+v, %v", again, err)
	}
	if after, err := os.Stat(again.Staged); err != nil || !os.SameFile(before, after) {
		t.Errorf("copied once more: %v", err)
	}
	if err := os.Truncate(first.Staged, 3); err != nil {
		t.Fatal(err)
	}
	if _, err := stage(c, staging); err != nil {
		t.Fatal(err)
	}
	if raw, err := os.ReadFile(first.Staged); err != nil || string(raw) != "a program" {
		t.Errorf("runs %q, %v", raw, err)
	}
}

// TestReloadOfAStoppedProcess: a process that cannot answer is called by that name,
// not by its handlers' or its state's; force goes on without them, and says so.
func TestReloadOfAStoppedProcess(t *testing.T) {
	for name, events := range map[string]uint64{"at rest": 0, "with events": 3} {
		t.Run(name, func(t *testing.T) {
			f := newFolder(t)
			f.config.stateTimeout = 500 * time.Millisecond
			f.add("echo", "memory")
			s := f.load()
			s.Run()
			p := only(t, s)
			until(t, "running", func() bool { return p.status().PID != 0 })
			pid := p.status().PID
			halt(t, pid)
			deliver(t, p, 0, events)
			until(t, "handed over", func() bool { return uint64(p.status().InFlight) == events })
			f.rebuild("echo", "memory")
			step := reloadWith(f, s, ReloadOptions{Drain: 100 * time.Millisecond})[0]
			want := fmt.Sprintf("the running instance (process %d) answers nothing: it was stopped (kill -CONT %d", pid, pid)
			if step.Result != CalledOff || !strings.Contains(step.Detail, want) {
				t.Fatalf("step %+v", step)
			}
			if st := p.status(); st.ReloadResult != CalledOff || st.ReloadDetail != step.Detail || st.ReloadAt.IsZero() || st.PID != pid {
				t.Errorf("status %+v", st)
			}
			step = reloadWith(f, s, ReloadOptions{Drain: 100 * time.Millisecond, Force: true})[0]
			if step.Result != Done || step.Generation != 2 || !strings.HasSuffix(step.Detail, "; what it kept in memory is dropped") {
				t.Fatalf("step %+v", step)
			}
			if st := p.status(); st.ReloadResult != "" {
				t.Errorf("status %+v", st)
			}
			if alive(pid) {
				t.Errorf("process %d is still there", pid)
			}
			if err := s.Drain(t.Context(), false); err != nil {
				t.Fatal(err)
			}
			if acked := p.status().Acked; acked != events {
				t.Errorf("%d events handled, want %d", acked, events)
			}
		})
	}
}

// TestStuckHandlerIsNamed: a process that answers is not called a stopped one.
func TestStuckHandlerIsNamed(t *testing.T) {
	f := newFolder(t)
	f.add("echo", "stuck")
	s := f.load()
	s.Run()
	p := only(t, s)
	p.Deliver(numbered(1))
	until(t, "in flight", func() bool { return p.status().InFlight == 1 })
	f.rebuild("echo", "one")
	step := reloadWith(f, s, ReloadOptions{Drain: 100 * time.Millisecond})[0]
	if step.Result != CalledOff || !strings.HasPrefix(step.Detail, "a handler of MESSAGE_CREATE has been running for ") {
		t.Errorf("step %+v", step)
	}
	step = reloadWith(f, s, ReloadOptions{Drain: 100 * time.Millisecond, Force: true})[0]
	if want := "handlers did not end within 100ms and were cut off; what they had is delivered again"; step.Result != Done || step.Detail != want {
		t.Errorf("step %+v, want %q", step, want)
	}
}

// TestRefusedBuildsAreNoGenerations: what was refused shows in the status until a
// reload succeeds, and counts as nothing.
func TestRefusedBuildsAreNoGenerations(t *testing.T) {
	f := newFolder(t)
	f.add("echo", "")
	s := f.load()
	s.Run()
	p := only(t, s)
	until(t, "running", func() bool { return p.status().PID != 0 })
	for _, mode := range []string{"exit", "badmanifest", "impostor"} {
		f.rebuild("echo", mode)
		step := reloadOf(f, s)[0]
		if st := p.status(); step.Result != Refused || step.Generation != 1 || st.Generation != 1 || st.ReloadResult != Refused || st.ReloadDetail != step.Detail {
			t.Errorf("%s: step %+v, status %+v", mode, step, st)
		}
	}
	if st := p.status(); !strings.Contains(st.ReloadDetail, "it calls itself another now") || st.LastError != "" {
		t.Errorf("status %+v", st)
	}
	f.rebuild("echo", "refuse") // its Start fails: the old build is the second one
	if step := reloadOf(f, s)[0]; step.Result != NotDone || step.Generation != 2 || p.status().ReloadResult != NotDone {
		t.Errorf("step %+v", step)
	}
	f.rebuild("echo", "one")
	if step := reloadOf(f, s)[0]; step.Result != Done || step.Generation != 3 || p.status().ReloadResult != "" {
		t.Errorf("step %+v", step)
	}
}

// TestRefusedAdditionIsInTheStatus, and is tried again with the next reload.
func TestRefusedAdditionIsInTheStatus(t *testing.T) {
	f := newFolder(t)
	s := f.load()
	s.Run()
	f.add("echo", "")
	f.rebuild("echo", "exit")
	step := reloadOf(f, s)[0]
	all := s.Status()
	if step.Result != Refused || step.Generation != 0 || len(all) != 1 || all[0].State != Failed || all[0].LastError != step.Detail {
		t.Fatalf("step %+v, status %+v", step, all)
	}
	f.rebuild("echo", "one")
	step = reloadOf(f, s)[0]
	if all = s.Status(); step.Result != Done || step.Generation != 1 || len(all) != 1 || all[0].State != Running || all[0].ReloadResult != "" {
		t.Fatalf("step %+v, status %+v", step, all)
	}
	f.add("second", "exit")
	reloadOf(f, s)
	if err := os.Remove(filepath.Join(f.dir, "second")); err != nil {
		t.Fatal(err)
	}
	reloadOf(f, s)
	if all = s.Status(); len(all) != 1 {
		t.Errorf("status %+v", all)
	}
}

// TestDryRunSaysWhatTheReloadWillSay, and changes nothing.
func TestDryRunSaysWhatTheReloadWillSay(t *testing.T) {
	f := newFolder(t)
	for _, name := range []string{"broken", "gone", "good", "kept"} {
		f.add(name, "")
	}
	s := f.load()
	s.Run()
	before := make(map[string]int)
	for _, p := range s.Plugins() {
		until(t, "running", func() bool { return p.status().PID != 0 })
		before[p.Name()] = p.status().PID
	}
	f.rebuild("broken", "exit")
	f.rebuild("good", "both")
	f.add("new", "")
	f.add("twin", "", "NAME=kept")
	f.config.Env["twin"] = []string{"NAME=kept"}
	if err := os.Remove(filepath.Join(f.dir, "gone")); err != nil {
		t.Fatal(err)
	}
	var seen []string
	o := ReloadOptions{DryRun: true, Check: func(others []*wire.Manifest, m *wire.Manifest) error {
		names := []string{m.GetName() + ":"}
		for _, other := range others {
			names = append(names, fmt.Sprint(other.GetName(), len(other.GetEvents())))
		}
		slices.Sort(names)
		seen = append(seen, strings.Join(names, " "))
		return nil
	}}
	planned := reloadWith(f, s, o)
	foreseen := seen
	for _, st := range s.Status() {
		if before[st.Name] != st.PID || st.Generation != 1 || st.ReloadResult != "" {
			t.Errorf("changed: %+v", st)
		}
	}
	o.DryRun, seen = false, nil
	done := reloadWith(f, s, o)
	if !slices.Equal(seen, foreseen) {
		t.Errorf("asked about %q in the dry run, then about %q", foreseen, seen)
	}
	if len(planned) != len(done) || len(done) != 6 {
		t.Fatalf("planned %+v\ndone %+v", planned, done)
	}
	want := map[string]Result{"broken": Refused, "gone": Done, "good": Done, "kept": Done, "new": Done, "twin": Refused}
	for n, step := range done {
		plan := planned[n]
		if step.Result != want[filepath.Base(step.File)] {
			t.Errorf("done %+v", step)
		}
		if step.Result == Done && step.Action != Keep {
			step.Result = Planned
		}
		if plan.File != step.File || plan.Action != step.Action || plan.Result != step.Result || plan.Detail != step.Detail || plan.Plugin != step.Plugin {
			t.Errorf("planned %+v\ndone    %+v", plan, step)
		}
	}
}

// TestSettingsOfStrangersAreToldOnce, and the name of the file that was meant is told.
func TestSettingsOfStrangersAreToldOnce(t *testing.T) {
	f := newFolder(t)
	f.add("file", "")
	f.config.Env["file"] = []string{"NAME=manifest"}
	f.config.Env["manifest"], f.config.Env["nobody"], f.config.Env["later"] = nil, nil, []string{"NAME=later"}
	s := f.load()
	s.Run()
	reloadOf(f, s)
	f.add("later", "")
	reloadOf(f, s)
	for want, times := range map[string]int{
		"settings for a plugin": 3, "plugin=nobody": 1, "plugin=later folder": 1, "plugin=manifest folder=" + f.dir + " its_file=file": 1, "its_file=": 1,
	} {
		if got := strings.Count(f.log.String(), want); got != times {
			t.Errorf("%q is told %d times, want %d:\n%s", want, got, times, f.log)
		}
	}
}
