package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/holdfast-bot/holdfast/host/control"
)

// reload is what a SIGHUP asks for.
type reload func(context.Context) (control.ReloadReport, error)

// onHangup makes SIGHUP mean reload, from now until stop is called: by default it
// would end the process without any order. Those that come before ready is closed
// wait for it. stop ends the context of a reload under way and waits for it.
func onHangup(ctx context.Context, ready <-chan struct{}, do reload, log hclog.Logger) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	// Room for one: however many come during a reload, it runs once more. The
	// runtime drops a signal that finds no room.
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	done := make(chan struct{})
	go func() {
		defer close(done)
		select {
		case <-ready:
			reloadAt(ctx, hangups, do, log)
		case <-ctx.Done():
		}
	}()
	return func() {
		cancel()
		<-done
		signal.Stop(hangups)
	}
}

// reloadAt reloads at each signal, one reload after the other, until ctx ends.
func reloadAt(ctx context.Context, hangups <-chan os.Signal, do reload, log hclog.Logger) {
	for {
		select {
		case <-hangups:
		case <-ctx.Done():
			return
		}
		if ctx.Err() != nil {
			return // both were ready: a host that stops begins nothing
		}
		log.Info("reload asked for by SIGHUP")
		begun := time.Now()
		report, err := do(ctx)
		logReload(log, report, err, time.Since(begun))
	}
}

// logReload tells how it went. Each step has been logged where it was done.
func logReload(log hclog.Logger, r control.ReloadReport, err error, took time.Duration) {
	if err != nil {
		log.Warn("reload turned down", "error", err)
		return
	}
	kept := 0
	for _, step := range r.Steps {
		if isKept(step) {
			kept++
		}
	}
	about := []any{"changed", len(r.Steps) - kept, "kept", kept, "commands", r.Commands, "took", took.String()}
	switch err := verdict(r, false); {
	case err != nil:
		log.Warn("the reload has ended, and not all is done", append(about, "error", err)...)
	case kept == len(r.Steps):
		log.Info("nothing reloaded: no plugin's file has changed", about...)
	default:
		log.Info("the reload has ended", about...)
	}
}
