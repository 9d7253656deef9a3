package host_test

import (
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/holdfast-bot/holdfast/host"
	"github.com/holdfast-bot/holdfast/host/simulator"
)

// TestMetricsOfAHost: with --metrics a running host tells Prometheus its counters, and
// never its token.
func TestMetricsOfAHost(t *testing.T) {
	t.Parallel() // most of its time is waiting
	sim := discord(t, simulator.Config{})
	_, log := inProcess(t, sim, options{}, func(c *host.Config) { c.Settings.Metrics = "127.0.0.1:0" })
	address := regexp.MustCompile(`http://127\.0\.0\.1:\d+/metrics`).FindString(log.String())
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`holdfast_shard_ready{shard="0"} 1`, `holdfast_guard_state{state="closed"} 1`, `holdfast_guard_tokens 10`} {
		if !strings.Contains(string(raw), "\n"+want) {
			t.Errorf("%s is missing in\n%s", want, raw)
		}
	}
	if strings.Contains(string(raw), sim.Token()) {
		t.Error("the token is told")
	}
}
