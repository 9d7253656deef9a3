package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/holdfast-bot/holdfast/host/control"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"holdfast": main})
}

// TestStories runs testdata/*.txt with the real command in processes of its own.
func TestStories(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":   exits,
			"answer":  answer,
			"discord": discord,
			"hold":    hold,
		},
		Setup: func(env *testscript.Env) error {
			// What the developer has set is not part of the story.
			for _, name := range []string{"DISCORD_TOKEN", "HOLDFAST_FULL"} {
				env.Setenv(name, "")
			}
			return nil
		},
	})
}

// exits runs a program and demands its exit code: exits 2 holdfast run.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM [ARG…]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		exit, ok := errors.AsType[*exec.ExitError](err)
		if !ok {
			ts.Fatalf("run %v: %v", args[1:], err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("%v exited with %d, want %d", args[1:], got, want)
	}
}

// answer plays a running host: answer STATE-DIR STATUS.json [REPORT.json]. A
// reload waits if the status says that the host does something. It
// writes down what it was asked to reload, and without a report it refuses.
func answer(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 || len(args) > 3 {
		ts.Fatalf("usage: answer STATE-DIR STATUS.json [REPORT.json]")
	}
	dir := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(dir, 0o700))
	socket := filepath.Join(dir, "c")
	runtime := fmt.Sprintf(`{"version":1,"content":{"pid":1,"socket":%q}}`, socket)
	ts.Check(os.WriteFile(filepath.Join(dir, "runtime.json"), []byte(runtime), 0o600))
	says := told{asked: filepath.Join(dir, "asked.json"), looks: make(chan struct{}, 100), asker: new(atomic.Value)}
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[1])), &says.status))
	if len(args) == 3 {
		says.report = new(control.ReloadReport)
		ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[2])), says.report))
	}
	server, err := control.Listen(socket, says, nil)
	ts.Check(err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- server.Serve(ctx) }()
	ts.Defer(func() {
		cancel()
		ts.Check(<-done)
	})
}

// told is a host that says what it was told to say.
type told struct {
	status control.Status
	report *control.ReloadReport
	asked  string // where it writes down what to reload
	looks  chan struct{}
	asker  *atomic.Value // of the reload that waits
}

// ownDoing stands in a status for whoever asks for a reload.
const ownDoing = "whoever asks"

func (s told) Status() control.Status {
	select {
	case s.looks <- struct{}{}:
	default:
	}
	if asker, ok := s.asker.Load().(string); ok && s.status.DoingFor == ownDoing {
		s.status.DoingFor = asker
	}
	return s.status
}

func (s told) Reload(_ context.Context, o control.ReloadOptions) (control.ReloadReport, error) {
	if s.report == nil {
		return control.ReloadReport{}, fmt.Errorf("no plugin is called %s: see holdfast status", o.Names[0])
	}
	s.asker.Store(o.Asker)
	raw, err := json.Marshal(o)
	if err != nil {
		return control.ReloadReport{}, err
	}
	if s.status.Doing != "" { // the reload waits, until whoever asked for it has looked three times what for
		for range 3 {
			<-s.looks
		}
	}
	return *s.report, os.WriteFile(s.asked, append(raw, '\n'), 0o600)
}

// RestartShard tells two lines and refuses shard 9.
func (s told) RestartShard(_ context.Context, o control.ShardRestart, tell func(string)) error {
	if o.Shard == 9 {
		return errors.New("shard 9 does not run here: this host runs the shards 0-3")
	}
	tell(fmt.Sprintf("restart %+v", o))
	tell("and is\nready")
	return nil
}

// Reshard tells two lines and fails for more than 100 shards.
func (s told) Reshard(_ context.Context, to control.Reshard, tell func(string)) error {
	tell(fmt.Sprintf("reshard to %+v", to))
	if to.Shards > 100 {
		return errors.New("shard 4 did not come up: try again later")
	}
	tell("it is done")
	return nil
}

// Commands are the test's own words, from commands.json beside what was asked;
// without that file the host is not up.
func (s told) Commands(context.Context) (commands control.Commands, err error) {
	raw, err := os.ReadFile(filepath.Join(filepath.Dir(s.asked), "commands.json"))
	if err != nil {
		return commands, errors.New("the host is not up (starting): ask again when it runs")
	}
	err = json.Unmarshal(raw, &commands)
	return commands, err
}

// discord starts a server that answers every request alike, and puts its base
// URL into $API: discord 401 BODY.
func discord(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: discord CODE BODY")
	}
	code, err := strconv.Atoi(args[0])
	ts.Check(err)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(code)
		_, _ = w.Write([]byte(args[1]))
	}))
	ts.Defer(server.Close)
	ts.Setenv("API", server.URL+"/api/v10")
}

// hold locks a state folder as a running host with pid 4242 does: hold STATE-DIR.
func hold(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: hold STATE-DIR")
	}
	dir := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(dir, 0o700))
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	ts.Check(err)
	ts.Defer(func() { lock.Close() })
	_, err = lock.WriteString("4242\n")
	ts.Check(err)
	ts.Check(syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB))
}
