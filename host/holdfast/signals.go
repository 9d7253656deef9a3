package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// echoTime is how long after the first signal another one is taken for the same
// request: timeout(1), for one, signals its child and then the child's group.
const echoTime = 300 * time.Millisecond

// untilSignal returns a context that ends with the first SIGINT or SIGTERM, for a
// stop in order. Who asks a second time does not want to wait: then it calls
// again. stop gives the signals back; it must be called.
func untilSignal(again func()) (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	over, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		obey(signals, over, cancel, again)
	}()
	return ctx, func() {
		signal.Stop(signals)
		close(over)
		<-ended
		cancel()
	}
}

// obey calls first at the first signal and again at the next one that is no echo
// of it. It returns after that, or when over is closed.
func obey(signals <-chan os.Signal, over <-chan struct{}, first, again func()) {
	select {
	case <-signals:
		first()
	case <-over:
		return
	}
	asked := time.Now()
	for {
		select {
		case <-signals:
			if time.Since(asked) >= echoTime {
				again()
				return
			}
		case <-over:
			return
		}
	}
}
