package control

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
)

// sharder is a source whose work with shards is the test's.
type sharder struct {
	noWork

	reshard func(context.Context, Reshard, func(string)) error
	restart func(context.Context, ShardRestart, func(string)) error
}

func (sharder) Status() Status { return Status{} }

func (s sharder) Reshard(ctx context.Context, to Reshard, tell func(string)) error {
	return s.reshard(ctx, to, tell)
}

func (s sharder) RestartShard(ctx context.Context, o ShardRestart, tell func(string)) error {
	return s.restart(ctx, o, tell)
}

func TestWorkIsToldAsItIsDone(t *testing.T) {
	path := filepath.Join(folder(t), "control")
	want := Reshard{Shards: 7}
	eachFieldIsSet(t, reflect.ValueOf(want), "Reshard")
	heard := make(chan string)
	serve(t, path, sharder{reshard: func(_ context.Context, got Reshard, tell func(string)) error {
		if got != want {
			t.Errorf("asked for %+v", got)
		}
		for _, line := range []string{"one", "two\nlines", "three"} {
			tell(line)
			if l := <-heard; l != line { // before the next is said
				t.Errorf("heard %q", l)
			}
		}
		return nil
	}}, nil)
	var all []string
	err := AskReshard(t.Context(), path, want, func(line string) {
		all = append(all, line)
		heard <- line
	})
	if err != nil || !slices.Equal(all, []string{"one", "two\nlines", "three"}) {
		t.Errorf("got %q, %v", all, err)
	}
}

func TestAShardRestartCrossesWhole(t *testing.T) {
	path := filepath.Join(folder(t), "control")
	want := ShardRestart{Shard: 3, Identify: true}
	eachFieldIsSet(t, reflect.ValueOf(want), "ShardRestart")
	serve(t, path, sharder{restart: func(_ context.Context, got ShardRestart, _ func(string)) error {
		if got != want {
			t.Errorf("asked for %+v", got)
		}
		return nil
	}}, nil)
	if err := RestartShard(t.Context(), path, want, func(line string) { t.Errorf("said %s", line) }); err != nil {
		t.Error(err)
	}
}

// Before or after the first line, a person reads the same.
func TestWorkThatFailsSaysWhy(t *testing.T) {
	path := filepath.Join(folder(t), "control")
	const why = "shard 3 of 4 did not come up: try again later"
	serve(t, path, sharder{reshard: func(_ context.Context, to Reshard, tell func(string)) error {
		for range to.Shards {
			tell("a step")
		}
		return errors.New(why)
	}}, nil)
	for steps := range 3 {
		told := 0
		err := AskReshard(t.Context(), path, Reshard{Shards: steps}, func(string) { told++ })
		if err == nil || err.Error() != why || told != steps {
			t.Errorf("after %d steps: %v, told %d", steps, err, told)
		}
	}
	if code, _ := postTo(t, path, "/v1/reshard", "{}"); code != http.StatusConflict {
		t.Errorf("got code %d", code)
	}
	if code, said := postTo(t, path, "/v1/reshard", `{"shards":1}`); code != http.StatusOK || said != `{"line":"a step"}`+"\n"+`{"error":"`+why+`"}` {
		t.Errorf("got %d %s", code, said)
	}
}

func TestOnlyAnUnderstoodRequestWorks(t *testing.T) {
	path := filepath.Join(folder(t), "control")
	serve(t, path, sharder{
		reshard: func(context.Context, Reshard, func(string)) error { return errNotAsked },
		restart: func(context.Context, ShardRestart, func(string)) error { return errNotAsked },
	}, nil)
	for _, test := range []struct{ door, body, want string }{
		{"/v1/reshard", `{"shard":2}`, `decode the request for a resharding: json: unknown field "shard": send shards as a JSON object`},
		{"/v1/reshard", `{"shards":-1.5}`, "cannot unmarshal number -1.5"},
		{"/v1/shard/restart", `{"shard":2,"identity":true}`, `unknown field "identity": send shard and identify`},
		{"/v1/shard/restart", `{"shard":2}{}`, "more than one JSON object"},
		{"/v1/shard/restart", `{"shard":"` + strings.Repeat("2", requestLimit) + `"}`, "too large"},
	} {
		if code, said := postTo(t, path, test.door, test.body); code != http.StatusBadRequest || !strings.Contains(said, test.want) {
			t.Errorf("%s %.40s: got %d %.200q", test.door, test.body, code, said)
		}
	}
}

// Steps may be further apart than a request may last.
func TestWorkMayTakeLongerThanOtherAnswers(t *testing.T) {
	path := filepath.Join(folder(t), "control")
	var log lockedBuffer
	s, err := Listen(path, sharder{reshard: func(_ context.Context, _ Reshard, tell func(string)) error {
		time.Sleep(400 * time.Millisecond) // twice what a request may take
		tell("a step")
		time.Sleep(400 * time.Millisecond)
		return nil
	}}, hclog.New(&hclog.LoggerOptions{Output: &log}))
	if err != nil {
		t.Fatal(err)
	}
	s.timeout = 200 * time.Millisecond
	run(t, s)
	told := 0
	if err := AskReshard(t.Context(), path, Reshard{}, func(string) { told++ }); err != nil || told != 1 {
		t.Errorf("got %v, told %d", err, told)
	}
	if log.String() != "" {
		t.Errorf("logged %s", log.String())
	}
}

// TestWorkGoesOnWithoutItsOperator: it is not told to end, and what it does is in the log from then on.
func TestWorkGoesOnWithoutItsOperator(t *testing.T) {
	for name, test := range map[string]struct {
		err  error
		want string
	}{
		"done":   {nil, "[INFO]  the resharding has ended, and its operator has gone"},
		"failed": {errors.New("no luck"), `[WARN]  the resharding has failed, and its operator has gone: error="no luck"`},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(folder(t), "control")
			entered, free := make(chan struct{}), make(chan struct{})
			var during error
			var log lockedBuffer
			stop := serve(t, path, sharder{reshard: func(ctx context.Context, _ Reshard, tell func(string)) error {
				tell("first")
				close(entered)
				<-free
				tell("second")
				tell("third")
				during = ctx.Err()
				return test.err
			}}, hclog.New(&hclog.LoggerOptions{Output: &log, DisableTime: true}))
			conn, err := net.Dial("unix", path)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.WriteString(conn, "POST /v1/reshard HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"); err != nil {
				t.Fatal(err)
			}
			<-entered
			conn.Close()
			close(free)
			log.await(t, "goes on, and its operator has gone: did=second", "did=third", test.want)
			stop()
			if during != nil {
				t.Errorf("it was told to end: %v", during)
			}
		})
	}
}

func TestTheClientLeavesWorkWithItsContext(t *testing.T) {
	path := filepath.Join(folder(t), "control")
	free := make(chan struct{})
	serve(t, path, sharder{reshard: func(_ context.Context, _ Reshard, tell func(string)) error {
		tell("begun")
		<-free
		return nil
	}}, nil)
	ctx, cancel := context.WithCancel(t.Context())
	err := AskReshard(ctx, path, Reshard{}, func(string) { cancel() })
	close(free)
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "wait for the resharding") || !strings.Contains(err.Error(), "it goes on") {
		t.Errorf("got %v", err)
	}
}

// A server that stops ends the work and waits for it, also when its operator has been cut off.
func TestNoWorkOutlivesTheServer(t *testing.T) {
	path := filepath.Join(folder(t), "control")
	over := false
	s, err := Listen(path, sharder{reshard: func(ctx context.Context, _ Reshard, tell func(string)) error {
		tell("begun")
		<-ctx.Done()
		time.Sleep(100 * time.Millisecond)
		over = true
		return ctx.Err()
	}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	s.grace = time.Millisecond
	stop := run(t, s)
	begun := make(chan struct{})
	answer := make(chan error, 1)
	go func() { answer <- AskReshard(t.Context(), path, Reshard{}, func(string) { close(begun) }) }()
	<-begun
	stop()
	if !over {
		t.Error("Serve returned while it was under way")
	}
	if err := <-answer; err == nil || !strings.Contains(err.Error(), "ended before it was done: its log tells why") {
		t.Errorf("got %v", err)
	}
}

func TestWithoutAHostNothingIsDone(t *testing.T) {
	path := filepath.Join(folder(t), "control")
	nothing := func(string) { t.Error("told something") }
	if err := AskReshard(t.Context(), path, Reshard{}, nothing); !errors.Is(err, ErrNotRunning) {
		t.Errorf("got %v", err)
	}
	if err := RestartShard(t.Context(), path, ShardRestart{}, nothing); !errors.Is(err, ErrNotRunning) {
		t.Errorf("got %v", err)
	}
}
