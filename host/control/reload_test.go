package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
)

// reloader is a source whose reload is the test's.
type reloader func(context.Context, ReloadOptions) (ReloadReport, error)

func (reloader) Status() Status { return Status{} }

func (r reloader) Reload(ctx context.Context, o ReloadOptions) (ReloadReport, error) {
	return r(ctx, o)
}

func (reloader) RestartShard(context.Context, ShardRestart, func(string)) error { return errNotAsked }
func (reloader) Commands(context.Context) (Commands, error)                     { return Commands{}, errNotAsked }
func (reloader) Reshard(context.Context, Reshard, func(string)) error           { return errNotAsked }

func fullReport() ReloadReport {
	return ReloadReport{
		Steps:    []ReloadStep{{Plugin: "hello", File: "hello.bin", Action: ActionReplace, Result: ResultCalledOff, Detail: "try --force", PauseMS: 1.25, Generation: 3}},
		Commands: "unchanged", Sessions: "others", SessionsError: "none",
	}
}

func TestAReloadCrossesWhole(t *testing.T) {
	path := filepath.Join(folder(t), "control")
	want, wantReport := ReloadOptions{Names: []string{"hello", "a\nb"}, Force: true, DryRun: true, Prune: true, Reidentify: true, Asker: "a b&c"}, fullReport()
	eachFieldIsSet(t, reflect.ValueOf(want), "ReloadOptions")
	eachFieldIsSet(t, reflect.ValueOf(wantReport), "ReloadReport")
	var got ReloadOptions
	serve(t, path, reloader(func(_ context.Context, o ReloadOptions) (ReloadReport, error) {
		got = o
		return wantReport, nil
	}), nil)
	report, err := Reload(t.Context(), path, want)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("asked for %+v, want %+v", got, want)
	}
	if !reflect.DeepEqual(report, wantReport) {
		t.Errorf("got  %+v\nwant %+v", report, wantReport)
	}
}

func TestAReloadThatIsTurnedDownSaysWhy(t *testing.T) {
	path := filepath.Join(folder(t), "control")
	const why = "no plugin is called nope: holdfast status lists them"
	serve(t, path, reloader(func(context.Context, ReloadOptions) (ReloadReport, error) {
		return ReloadReport{}, errors.New(why)
	}), nil)
	if _, err := Reload(t.Context(), path, ReloadOptions{}); err == nil || err.Error() != why {
		t.Errorf("got %v, want %s", err, why)
	}
	code, _ := post(t, path, "{}")
	if code != http.StatusConflict {
		t.Errorf("got code %d", code)
	}
}

func TestWithoutAHostNothingIsReloaded(t *testing.T) {
	if _, err := Reload(t.Context(), filepath.Join(folder(t), "control"), ReloadOptions{}); !errors.Is(err, ErrNotRunning) {
		t.Errorf("got %v", err)
	}
}

// post sends a body as somebody else's client may.
func post(t *testing.T, path, body string) (code int, said string) {
	t.Helper()
	return postTo(t, path, "/v1/reload", body)
}

func postTo(t *testing.T, path, door, body string) (code int, said string) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", path)
	}}}
	response, err := client.Post("http://holdfast"+door, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, strings.TrimSpace(string(raw))
}

func TestOnlyAnUnderstoodRequestReloads(t *testing.T) {
	path := filepath.Join(folder(t), "control")
	asked := 0
	serve(t, path, reloader(func(context.Context, ReloadOptions) (ReloadReport, error) {
		asked++
		return ReloadReport{}, nil
	}), nil)
	for name, test := range map[string]struct{ body, want string }{
		"nothing":       {"", "EOF"},
		"no JSON":       {"reload", "send names, force, dry_run, prune and reidentify"},
		"misspelt":      {`{"dryrun":true}`, `unknown field "dryrun"`},
		"wrong type":    {`{"names":"hello"}`, "cannot unmarshal string"},
		"two objects":   {`{}{"force":true}`, "more than one JSON object"},
		"cut":           {`{"names":["hel`, "unexpected EOF"},
		"far too large": {`{"names":["` + strings.Repeat("x", requestLimit) + `"]}`, "too large"},
	} {
		t.Run(name, func(t *testing.T) {
			if code, said := post(t, path, test.body); code != http.StatusBadRequest || !strings.Contains(said, test.want) {
				t.Errorf("got %d %q, want 400 and %q", code, said, test.want)
			}
		})
	}
	if asked != 0 {
		t.Errorf("reloaded %d times", asked)
	}
	if code, said := post(t, path, " {} \n"); code != http.StatusOK || said != `{"steps":[]}` || asked != 1 {
		t.Errorf("an empty object: %d %q, reloaded %d times", code, said, asked)
	}
}

// A reload waits for handlers: the server's time-outs must not cut it, and the
// operator must not be taken for gone.
func TestAReloadMayTakeLongerThanOtherAnswers(t *testing.T) {
	path := filepath.Join(folder(t), "control")
	var log lockedBuffer
	s, err := Listen(path, reloader(func(context.Context, ReloadOptions) (ReloadReport, error) {
		time.Sleep(200 * time.Millisecond) // four times what a request may take
		return fullReport(), nil
	}), hclog.New(&hclog.LoggerOptions{Output: &log}))
	if err != nil {
		t.Fatal(err)
	}
	s.timeout = 50 * time.Millisecond
	run(t, s)
	if report, err := Reload(t.Context(), path, ReloadOptions{}); err != nil || len(report.Steps) != 1 {
		t.Errorf("got %+v, %v", report, err)
	}
	if log.String() != "" {
		t.Errorf("logged %s", log.String())
	}
}

func TestAReloadGoesOnWithoutItsOperator(t *testing.T) {
	for name, test := range map[string]struct {
		err  error
		want []string
	}{
		"report": {nil, []string{"its operator has gone", "steps=1", "not_done=1"}},
		"error":  {errors.New("not up yet"), []string{`error="not up yet"`}},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(folder(t), "control")
			entered, free := make(chan struct{}), make(chan struct{})
			var during error
			var log lockedBuffer
			stop := serve(t, path, reloader(func(ctx context.Context, _ ReloadOptions) (ReloadReport, error) {
				close(entered)
				<-free
				during = ctx.Err()
				return fullReport(), test.err
			}), hclog.New(&hclog.LoggerOptions{Output: &log}))
			conn, err := net.Dial("unix", path)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.WriteString(conn, "POST /v1/reload HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"); err != nil {
				t.Fatal(err)
			}
			<-entered
			conn.Close()
			close(free)
			log.await(t, test.want...)
			stop()
			if during != nil {
				t.Errorf("the reload was told to end: %v", during)
			}
		})
	}
}

func TestTheClientLeavesAReloadWithItsContext(t *testing.T) {
	path := filepath.Join(folder(t), "control")
	entered, free := make(chan struct{}), make(chan struct{})
	serve(t, path, reloader(func(context.Context, ReloadOptions) (ReloadReport, error) {
		close(entered)
		<-free
		return ReloadReport{}, nil
	}), nil)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-entered; cancel() }()
	_, err := Reload(ctx, path, ReloadOptions{})
	close(free)
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "it goes on") {
		t.Errorf("got %v", err)
	}
}

func TestTheServerEndsAReloadAndAnswers(t *testing.T) {
	path := filepath.Join(folder(t), "control")
	entered := make(chan struct{})
	stop := serve(t, path, reloader(func(ctx context.Context, _ ReloadOptions) (ReloadReport, error) {
		close(entered)
		<-ctx.Done()
		return ReloadReport{}, errors.New("holdfast is stopping")
	}), nil)
	answer := make(chan error, 1)
	go func() {
		_, err := Reload(t.Context(), path, ReloadOptions{})
		answer <- err
	}()
	<-entered
	stop()
	if err := <-answer; err == nil || err.Error() != "holdfast is stopping" {
		t.Errorf("got %v", err)
	}
}

// A reload that takes things down after the server's grace is waited for all the
// same, although its operator has been cut off.
func TestNoReloadOutlivesTheServer(t *testing.T) {
	path := filepath.Join(folder(t), "control")
	entered := make(chan struct{})
	over := false
	s, err := Listen(path, reloader(func(ctx context.Context, _ ReloadOptions) (ReloadReport, error) {
		close(entered)
		<-ctx.Done()
		time.Sleep(100 * time.Millisecond)
		over = true
		return ReloadReport{}, nil
	}), nil)
	if err != nil {
		t.Fatal(err)
	}
	s.grace = time.Millisecond
	stop := run(t, s)
	answer := make(chan error, 1)
	go func() {
		_, err := Reload(t.Context(), path, ReloadOptions{})
		answer <- err
	}()
	<-entered
	stop()
	if !over {
		t.Error("Serve returned while a reload was running")
	}
	if err := <-answer; err == nil || !strings.Contains(err.Error(), "ended before it answered") {
		t.Errorf("got %v", err)
	}
}

func TestAHostThatEndsMeanwhileIsTold(t *testing.T) {
	path := filepath.Join(folder(t), "control")
	listen, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer listen.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		conn, err := listen.Accept()
		if err != nil {
			return
		}
		_, _ = conn.Read(make([]byte, 4096))
		conn.Close()
	}()
	if _, err := Reload(t.Context(), path, ReloadOptions{}); err == nil || !strings.Contains(err.Error(), "ended before it answered") {
		t.Errorf("got %v", err)
	}
	<-done
}

// A host of an older version has no such door.
func TestAHostThatCannotReloadIsTold(t *testing.T) {
	path := filepath.Join(folder(t), "control")
	listen, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.NotFoundHandler()}
	done := make(chan struct{})
	go func() { defer close(done); _ = server.Serve(listen) }()
	defer func() { server.Close(); <-done }()
	if _, err := Reload(t.Context(), path, ReloadOptions{}); err == nil || !strings.Contains(err.Error(), "another version") {
		t.Errorf("got %v", err)
	}
}

func TestReloadFieldNames(t *testing.T) {
	raw, err := json.Marshal(fullReport())
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"steps":[{"plugin":"hello","file":"hello.bin","action":"replace","result":"called off","detail":"try --force","pause_ms":1.25,"generation":3}],"commands":"unchanged","sessions":"others","sessions_error":"none"}`
	if string(raw) != want {
		t.Errorf("got  %s\nwant %s", raw, want)
	}
}

func TestStepsThatAreNotDone(t *testing.T) {
	for result, want := range map[string]bool{"": true, "done": true, "planned": true, "called off": false, "refused": false, "failed": false, "something new": false} {
		if got := (ReloadStep{Result: result}).OK(); got != want {
			t.Errorf("%q: got %v", result, got)
		}
	}
}

// lockedBuffer is a log that tests read while it is written.
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

// await waits until all texts are there; go test's own limit ends it if they
// never come.
func (b *lockedBuffer) await(t *testing.T, texts ...string) {
	t.Helper()
	for _, text := range texts {
		for !strings.Contains(b.String(), text) {
			time.Sleep(time.Millisecond)
		}
	}
}
