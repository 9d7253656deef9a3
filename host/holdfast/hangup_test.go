package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/holdfast-bot/holdfast/host/control"
)

// hangUp does what the runtime does with a signal: it never waits for room.
func hangUp(to chan<- os.Signal) {
	select {
	case to <- syscall.SIGHUP:
	default:
	}
}

func TestHangupsDuringAReloadAreOneMore(t *testing.T) {
	for name, test := range map[string]struct{ during, want int }{
		"none": {0, 1},
		"one":  {1, 2},
		"many": {5, 2},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				hangups := make(chan os.Signal, 1)
				runs := 0
				ended := make(chan struct{})
				go func() {
					defer close(ended)
					reloadAt(ctx, hangups, func(context.Context) (control.ReloadReport, error) {
						runs++
						time.Sleep(time.Minute)
						return control.ReloadReport{}, nil
					}, hclog.NewNullLogger())
				}()
				hangUp(hangups)
				synctest.Wait()
				for range test.during {
					hangUp(hangups)
					time.Sleep(time.Second)
				}
				time.Sleep(time.Hour)
				cancel()
				<-ended
				if runs != test.want {
					t.Errorf("reloaded %d times, want %d", runs, test.want)
				}
			})
		})
	}
}

func TestAHostThatStopsEndsItsReloadAndBeginsNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		hangups := make(chan os.Signal, 1)
		runs := 0
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			reloadAt(ctx, hangups, func(ctx context.Context) (control.ReloadReport, error) {
				runs++
				<-ctx.Done()
				return control.ReloadReport{}, ctx.Err()
			}, hclog.NewNullLogger())
		}()
		hangUp(hangups)
		synctest.Wait()
		hangUp(hangups) // one more waits when the host stops
		cancel()
		<-ended
		if runs != 1 {
			t.Errorf("reloaded %d times", runs)
		}
	})
}

// Real signals: those that come while the host starts wait until it is up, and
// those that come during a reload are one more.
func TestHangupsWaitUntilTheHostIsUp(t *testing.T) {
	ready, begun, free := make(chan struct{}), make(chan struct{}, 10), make(chan struct{})
	stop := onHangup(t.Context(), ready, func(context.Context) (control.ReloadReport, error) {
		begun <- struct{}{}
		<-free
		return control.ReloadReport{}, nil
	}, hclog.NewNullLogger())
	defer stop()
	hangUpSelf(t)
	hangUpSelf(t)
	time.Sleep(20 * time.Millisecond) // for what must not happen
	if len(begun) != 0 {
		t.Error("reloaded before the host was up")
	}
	close(ready)
	<-begun
	for range 3 {
		hangUpSelf(t)
	}
	close(free)
	<-begun
	time.Sleep(20 * time.Millisecond) // the same
	if len(begun) != 0 {
		t.Errorf("reloaded %d times more than once more", len(begun))
	}
}

func TestAHostThatNeverCameUpStopsListening(t *testing.T) {
	stop := onHangup(t.Context(), make(chan struct{}), func(context.Context) (control.ReloadReport, error) {
		t.Error("reloaded")
		return control.ReloadReport{}, nil
	}, hclog.NewNullLogger())
	hangUpSelf(t)
	stop()
}

// hangUpSelf returns when the signal has arrived: it may take its time, and
// nobody may have stopped listening by then.
func hangUpSelf(t *testing.T) {
	t.Helper()
	arrived := make(chan os.Signal, 1)
	signal.Notify(arrived, syscall.SIGHUP)
	defer signal.Stop(arrived)
	if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	<-arrived
}

func TestWhatTheLogSaysOfAReload(t *testing.T) {
	kept := control.ReloadStep{Plugin: "hello", File: "/p/hello", Action: control.ActionKeep, Result: control.ResultDone, Generation: 1}
	done := control.ReloadStep{Plugin: "counter", File: "/p/counter", Action: control.ActionReplace, Result: control.ResultDone, Generation: 2}
	refused := control.ReloadStep{Plugin: "ping", File: "/p/ping", Action: control.ActionReplace, Result: control.ResultRefused, Generation: 1}
	for name, test := range map[string]struct {
		steps []control.ReloadStep
		err   error
		want  string
	}{
		"no plugins": {nil, nil, "[INFO]  nothing reloaded: no plugin's file has changed: changed=0 kept=0"},
		"unchanged":  {[]control.ReloadStep{kept}, nil, "[INFO]  nothing reloaded: no plugin's file has changed: changed=0 kept=1"},
		"done":       {[]control.ReloadStep{kept, done}, nil, "[INFO]  the reload has ended: changed=1 kept=1"},
		"refused":    {[]control.ReloadStep{kept, done, refused}, nil, "[WARN]  the reload has ended, and not all is done: changed=2 kept=1"},
		"turned down": {
			nil, errors.New("another one waits"), `[WARN]  reload turned down: error="another one waits"`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			log := hclog.New(&hclog.LoggerOptions{Output: &out, DisableTime: true})
			logReload(log, control.ReloadReport{Steps: test.steps, Commands: "unchanged"}, test.err, time.Second)
			if got := out.String(); !strings.HasPrefix(got, test.want) || strings.Count(got, "\n") != 1 {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}
