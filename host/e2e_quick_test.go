package host_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/holdfast-bot/holdfast/host"
)

const (
	// quickHost names the variable by which this test binary becomes a host.
	quickHost = "HOLDFAST_TEST_QUICK_HOST"
	// quickIdentify is what a simulator for quick hosts takes between two identifies.
	quickIdentify = 100 * time.Millisecond
)

// quickConfig is a host's whose times a test does not wait for.
func quickConfig(s host.Settings, token string, log io.Writer) host.Config {
	return host.Config{
		Settings: s, Token: token, Log: hclog.New(&hclog.LoggerOptions{Name: "holdfast", Output: log, Level: hclog.Debug}),
		HandoverSkew: time.Second, IdentifyInterval: quickIdentify + 50*time.Millisecond,
	}
}

func pluginSettings(env map[string]map[string]string) map[string]host.PluginSettings {
	out := make(map[string]host.PluginSettings)
	for name, values := range env {
		out[name] = host.PluginSettings{Env: values}
	}
	return out
}

// quickSettings are what such a process is told.
type quickSettings struct {
	PluginsDir, StateDir, APIURL string
	Plugins                      map[string]host.PluginSettings
	GlobalRate, InvalidLimit     int
}

// makeQuick makes of a command to run holdfast one to run a quick host.
func makeQuick(t testing.TB, cmd *exec.Cmd, s host.Settings, invalidLimit int) {
	t.Helper()
	raw, err := json.Marshal(quickSettings{s.PluginsDir, s.StateDir, s.APIURL, s.Plugins, int(s.GlobalRate), invalidLimit})
	if err != nil {
		t.Fatal(err)
	}
	cmd.Path, cmd.Args = os.Args[0], os.Args[:1]
	cmd.Env = append(cmd.Env, quickHost+"="+string(raw))
}

// runQuickHost is such a process.
func runQuickHost(settings string) (code int) {
	var q quickSettings
	err := json.Unmarshal([]byte(settings), &q)
	s := host.Settings{PluginsDir: q.PluginsDir, StateDir: q.StateDir, APIURL: q.APIURL, Plugins: q.Plugins, GlobalRate: host.Count(q.GlobalRate)}
	if err == nil {
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
		defer stop()
		var h *host.Host
		c := quickConfig(s, os.Getenv("DISCORD_TOKEN"), os.Stderr)
		c.InvalidLimit = q.InvalidLimit
		if h, err = host.New(c); err == nil {
			err = h.Run(ctx)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}
