package host_test

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/holdfast-bot/holdfast/host/control"
	"github.com/holdfast-bot/holdfast/host/simulator"
)

// TestHostStartsBeforeItsNetwork: a host that does not reach Discord goes on trying,
// says so, and comes up when it does.
func TestHostStartsBeforeItsNetwork(t *testing.T) {
	t.Parallel()
	sim := discord(t, simulator.Config{World: simulator.World{Guilds: 1}})
	base, err := url.Parse(sim.URL())
	if err != nil {
		t.Fatal(err)
	}
	var up atomic.Bool
	pass := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(&url.URL{Scheme: base.Scheme, Host: base.Host}) }}
	between := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !up.Load() {
			panic(http.ErrAbortHandler) // the connection breaks off
		}
		pass.ServeHTTP(w, r)
	}))
	defer between.Close()
	h := launch(t, sim, options{prepare: func(cmd *exec.Cmd, _ *running) {
		for n, arg := range cmd.Args {
			if arg == sim.URL() {
				cmd.Args[n] = between.URL + base.Path
			}
		}
	}})
	h.await("the host says what it waits for", func(s control.Status) bool {
		return s.Phase == "starting" && strings.HasSuffix(s.Doing, ": the host goes on trying") && strings.HasPrefix(s.Doing, "reach Discord at "+between.URL)
	})
	eventually(t, "it tries again", func() bool {
		return strings.Count(h.log.String(), "Discord is not reached: the host goes on trying") > 1
	})
	up.Store(true)
	h.await("the host is up", func(s control.Status) bool {
		return s.Phase == "running" && s.Doing == "" && len(s.Shards) == 1 && s.Shards[0].State == "ready"
	})
	h.stop()
}

// TestHostThatReachesNothingStops when it is told to.
func TestHostThatReachesNothingStops(t *testing.T) {
	t.Parallel()
	sim := discord(t, simulator.Config{})
	h := launch(t, sim, options{prepare: func(cmd *exec.Cmd, _ *running) {
		for n, arg := range cmd.Args {
			if arg == sim.URL() {
				cmd.Args[n] = "http://127.0.0.1:1/api/v10"
			}
		}
	}})
	h.await("the host says what it waits for", func(s control.Status) bool {
		return strings.Contains(s.Doing, "connection refused: check the network and --api-url: the host goes on trying")
	})
	h.stop()
}
