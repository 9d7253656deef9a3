package sdk_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/holdfast-bot/holdfast/sdk"
	"github.com/holdfast-bot/holdfast/sdk/sdktest"
	"github.com/holdfast-bot/holdfast/sdk/wire"
)

func save(t *testing.T, c wire.PluginClient) (*wire.State, error) {
	t.Helper()
	return c.SaveState(t.Context(), &wire.SaveStateRequest{})
}

func expectStatus(t *testing.T, what string, err error, code codes.Code, message string) {
	t.Helper()
	if s := status.Convert(err); s.Code() != code || s.Message() != message {
		t.Errorf("%s: %v, want %s: %s", what, err, code, message)
	}
}

func TestManifestTellsOfState(t *testing.T) {
	for want, p := range map[bool]*sdk.Plugin{true: kept(new(int)), false: sdk.New("none")} {
		c, _ := bare(t, p)
		m, err := c.Describe(t.Context(), &wire.DescribeRequest{})
		if err != nil || m.GetHasState() != want {
			t.Errorf("has_state %v, want %v: %v", m.GetHasState(), want, err)
		}
	}
}

func TestStateCallsOutOfOrder(t *testing.T) {
	five := &wire.State{Schema: 1, Data: []byte("5")}
	load := func(c wire.PluginClient) error {
		_, err := c.RestoreState(t.Context(), five)
		return err
	}
	none, _ := bare(t, sdk.New("none"))
	const keepsNone = "the plugin keeps no state: register it with State or SaveRestore"
	expectStatus(t, "restore without state", load(none), codes.Unimplemented, keepsNone)
	start(t, none)
	_, err := save(t, none)
	expectStatus(t, "save without state", err, codes.Unimplemented, keepsNone)

	n := 1
	c, _ := bare(t, kept(&n))
	_, err = save(t, c)
	expectStatus(t, "save first", err, codes.FailedPrecondition, "SaveState was called before Start")
	if err := load(c); err != nil || n != 5 {
		t.Fatalf("restored %d: %v", n, err)
	}
	expectStatus(t, "restore again", load(c), codes.FailedPrecondition, "RestoreState was called twice")
	start(t, c)
	expectStatus(t, "restore after Start", load(c), codes.FailedPrecondition, "RestoreState was called after Start")
	for range 2 { // a reload can be called off after it
		if state, err := save(t, c); err != nil || string(state.GetData()) != "5" {
			t.Errorf("saved %s: %v", state, err)
		}
	}
	if _, err := c.Stop(t.Context(), &wire.StopRequest{}); err != nil {
		t.Fatal(err)
	}
	if state, err := save(t, c); err != nil || string(state.GetData()) != "5" {
		t.Errorf("after Stop: saved %s: %v", state, err)
	}
}

// TestRefusedStateEndsIt: what is half restored must not run.
func TestRefusedStateEndsIt(t *testing.T) {
	p := kept(new(int))
	p.OnStart(func(context.Context, *sdk.Bot) error { t.Error("OnStart ran"); return nil })
	c, _ := bare(t, p)
	if _, err := c.RestoreState(t.Context(), &wire.State{Schema: 1, Data: []byte("{}")}); err == nil {
		t.Fatal("an object was restored into an int")
	}
	_, err := c.RestoreState(t.Context(), &wire.State{Schema: 1, Data: []byte("1")})
	expectStatus(t, "restore again", err, codes.FailedPrecondition, "RestoreState was called twice")
	_, err = c.Start(t.Context(), &wire.StartRequest{HostSocket: "/nowhere"})
	expectStatus(t, "start", err, codes.FailedPrecondition, "Start was called after the state was refused: start another process")
}

func TestStartThatFailedHasNoState(t *testing.T) {
	p := kept(new(int))
	p.OnStart(func(context.Context, *sdk.Bot) error { return errors.New("no database") })
	c, _ := bare(t, p)
	_, err := c.Start(t.Context(), &wire.StartRequest{HostSocket: "/nowhere"})
	expectStatus(t, "start", err, codes.Aborted, "OnStart: no database")
	_, err = save(t, c)
	expectStatus(t, "save", err, codes.FailedPrecondition, "SaveState was called before Start")
}

func TestOnStartSeesTheState(t *testing.T) {
	n, seen := 0, 0
	p := kept(&n)
	p.OnStart(func(context.Context, *sdk.Bot) error { seen = n; return nil })
	sdktest.Start(t, p, sdktest.Options{State: &sdktest.State{Schema: 1, Data: []byte("8")}})
	if seen != 8 {
		t.Errorf("OnStart saw %d, want 8", seen)
	}
}

// TestFunctionsThatFail are told to the host; a panic's stack is logged, for
// nobody else has it.
func TestFunctionsThatFail(t *testing.T) {
	long := "x" + strings.Repeat("ö", 400) // 500 bytes end within a letter
	tests := []struct {
		name string
		fail func() error
		want string
	}{
		{"error", func() error { return errors.New("disk is full") }, "disk is full"},
		{"panic", func() error { panic("no map") }, "panic: no map"},
		{"long", func() error { return errors.New(long) }, long[:499] + "…"},
		{"token", func() error { return errors.New("POST /webhooks/1/secret 404") }, "POST /webhooks/1/… 404"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p := sdk.New("failing")
			p.SaveRestore(1, func() ([]byte, error) { return []byte("never"), test.fail() }, func(uint32, []byte) error { return test.fail() })
			c, _ := bare(t, p)
			start(t, c)
			_, err := save(t, c)
			expectStatus(t, "save", err, codes.Aborted, test.want)
			expectStatus(t, "restore", restore(t, p, &wire.State{Schema: 1}), codes.Aborted, test.want)
		})
	}
}

func TestStackOfAPanicIsLogged(t *testing.T) {
	var out bytes.Buffer
	p := sdk.New("failing")
	p.SaveRestore(1, func() ([]byte, error) { panic("no map") }, func(uint32, []byte) error { return nil })
	h := sdktest.Start(t, p, sdktest.Options{Log: hclog.New(&hclog.LoggerOptions{Output: &out})})
	if _, err := h.SaveState(); err == nil || err.Error() != "save the plugin's state: panic: no map" {
		t.Errorf("got %v", err)
	}
	if text := out.String(); !strings.Contains(text, "state not saved") || !strings.Contains(text, "TestStackOfAPanicIsLogged") {
		t.Errorf("logged %q", text)
	}
}

// TestSaveWaitsForHandlers: the last acknowledgement may be seen before its
// handler's goroutine is done, and what a handler wrote must be in the state.
func TestSaveWaitsForHandlers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		p := kept(&n)
		sdk.OnRaw(p, "MESSAGE_CREATE", func(context.Context, *sdk.Bot, json.RawMessage) error {
			time.Sleep(1500 * time.Millisecond) // not a part of the 2 s that a save waits
			n++
			return nil
		})
		c, _ := bare(t, p)
		stream := start(t, c)
		send(t, stream, event(1, 7))
		synctest.Wait()
		if state, err := save(t, c); err != nil || string(state.GetData()) != "1" {
			t.Errorf("saved %s: %v", state, err)
		}

		send(t, stream, event(2, 7), event(3, 7), event(4, 7))
		synctest.Wait()
		began := time.Now()
		_, err := save(t, c)
		expectStatus(t, "save beside handlers", err, codes.FailedPrecondition, "a handler of MESSAGE_CREATE in guild 7 still runs: drain the plugin first")
		if took := time.Since(began); took != 2*time.Second {
			t.Errorf("waited %s, want 2 s", took)
		}
		acked(t, stream, 4)
		if state, err := save(t, c); err != nil || string(state.GetData()) != "4" {
			t.Errorf("saved %s: %v", state, err)
		}
	})
}

// TestSaveBesideAnAbandonedHandler: one that was given up, and may never end,
// does not keep its plugin from being reloaded; it is said.
func TestSaveBesideAnAbandonedHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		n := 3
		p := kept(&n)
		sdk.OnRaw(p, "MESSAGE_CREATE", func(context.Context, *sdk.Bot, json.RawMessage) error { <-release; return nil })
		var out bytes.Buffer
		h := sdktest.Start(t, p, sdktest.Options{Log: hclog.New(&hclog.LoggerOptions{Output: &out})})
		if err := h.Send("MESSAGE_CREATE", `{"guild_id":"1"}`); err == nil {
			t.Error("the handler was not given up")
		}
		if state, err := h.SaveState(); err != nil || string(state.Data) != "3" {
			t.Errorf("saved %s: %v", state.Data, err)
		}
		if !strings.Contains(out.String(), "saving the state beside handlers that were given up") || !strings.Contains(out.String(), "abandoned=1") {
			t.Errorf("logged %q", out.String())
		}
		close(release)
	})
}

// TestStateCallsDoNotOverlap: the plugin's functions never run at once, and a
// call that hangs is told instead of waited for.
func TestStateCallsDoNotOverlap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		p := sdk.New("slow")
		p.SaveRestore(1, func() ([]byte, error) { <-release; return []byte("late"), nil },
			func(uint32, []byte) error { <-release; return nil })
		const busy = "the plugin has not returned from an earlier Start, SaveState or RestoreState"
		c, _ := bare(t, p)
		first := make(chan error)
		go func() {
			_, err := c.RestoreState(t.Context(), &wire.State{Schema: 1})
			first <- err
		}()
		synctest.Wait()
		_, err := c.RestoreState(t.Context(), &wire.State{Schema: 1})
		expectStatus(t, "second restore", err, codes.FailedPrecondition, busy)
		_, err = c.Start(t.Context(), &wire.StartRequest{HostSocket: "/nowhere"})
		expectStatus(t, "start", err, codes.FailedPrecondition, "Start was called while another call goes on")
		release <- struct{}{}
		if err := <-first; err != nil {
			t.Error(err)
		}
		start(t, c)
		go func() {
			_, err := save(t, c)
			first <- err
		}()
		synctest.Wait()
		_, err = save(t, c)
		expectStatus(t, "second save", err, codes.FailedPrecondition, busy)
		close(release)
		if err := <-first; err != nil {
			t.Error(err)
		}
		if state, err := save(t, c); err != nil || string(state.GetData()) != "late" {
			t.Errorf("saved %s: %v", state, err)
		}
	})
}

// TestSaveRightAfterTheLastAcknowledgement is how a host reloads under load.
// The race detector watches that handlers' writes are seen without a lock.
func TestSaveRightAfterTheLastAcknowledgement(t *testing.T) {
	n := 0
	p := kept(&n)
	sdk.OnRaw(p, "MESSAGE_CREATE", func(context.Context, *sdk.Bot, json.RawMessage) error { n++; return nil })
	c, _ := bare(t, p)
	stream := start(t, c)
	for sent := 1; sent <= 500; sent++ {
		send(t, stream, event(uint64(sent), 1))
		acked(t, stream, 1)
		if state, err := save(t, c); err != nil || string(state.GetData()) != fmt.Sprint(sent) {
			t.Fatalf("after %d: saved %s: %v", sent, state, err)
		}
	}
}
