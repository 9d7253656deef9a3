// Command quick is "holdfast run" for tests that cannot wait for Discord's times:
// QUICK_IDENTIFY is the time between two IDENTIFYs. It takes the flags that the
// tests use, each with a value.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/holdfast-bot/holdfast/host"
	"github.com/holdfast-bot/holdfast/host/control"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "quick:", err)
		os.Exit(1)
	}
}

func run() error {
	environ, file := flags(os.Args[2:]) // after "run"
	settings, err := host.LoadSettings(file, environ)
	if err != nil {
		return err
	}
	token, err := settings.WithDefaults().Token(environ)
	if err != nil {
		return err
	}
	h, err := host.New(host.Config{
		Settings: settings, Token: token, IdentifyInterval: duration("QUICK_IDENTIFY"),
		Log: hclog.New(&hclog.LoggerOptions{Name: "holdfast", Level: hclog.Debug, Output: os.Stderr}),
	})
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	reloading := make(chan struct{})
	go func() { // until ctx ends
		defer close(reloading)
		for {
			select {
			case <-hangups:
				_, _ = h.Reload(ctx, control.ReloadOptions{}) // the tests look at what came of it
			case <-ctx.Done():
				return
			}
		}
	}()
	err = h.Run(ctx)
	stop()
	<-reloading
	return err
}

// flags turns --some-name VALUE into the variable that sets the same.
func flags(args []string) (environ []string, file string) {
	environ = os.Environ()
	for n := 0; n+1 < len(args); n += 2 {
		name := strings.TrimPrefix(args[n], "--")
		switch name {
		case "config":
			file = args[n+1]
			continue
		case "plugins", "state":
			name += "-dir"
		}
		environ = append(environ, "HOLDFAST_"+strings.ToUpper(strings.ReplaceAll(name, "-", "_"))+"="+args[n+1])
	}
	return environ, file
}

func duration(variable string) time.Duration {
	d, _ := time.ParseDuration(os.Getenv(variable)) // 0: as ever
	return d
}
