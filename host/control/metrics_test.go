package control

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestMetrics: what a host counts is there under its name, with the labels that
// tell shards, plugins and reasons apart.
func TestMetrics(t *testing.T) {
	seven := 7
	status := Status{
		Version: "v1", Phase: "running", Started: time.Unix(1_700_000_000, 0),
		Events: Events{Received: 10, Delivered: 9, Dropped: 3, DroppedByName: map[string]uint64{"TYPING_START": 3}},
		REST: REST{Requests: 5, Limited: 1, Invalid: 2, Queued: 4, Banned: true, Callers: []Caller{
			{Name: "hello", Requests: 5, Invalid: 2, Stopped: 3, Standing: "stopped"}, {Name: "guild cache", Standing: "good"},
		}},
		Identifies: &Identifies{Total: 1000, Remaining: 990},
		Shards:     []Shard{{Shard: 0, State: "ready", LatencyMS: 40, Guilds: &seven, Resumes: 2}, {Shard: 1, State: "waiting"}},
		Plugins:    []Plugin{{Name: "hello", State: "running", Generation: 3, Acked: 8, Restarts: 1, Unlogged: 9, Dropped: 3, DeadLetters: 4}},
		Journal:    &Journal{Bytes: 100, LimitBytes: 200, InMemory: MemoryForNow},

		Interactions: &Interactions{Waiting: 1, Deferred: 5, Late: 4, Expired: 2},
		Cache:        &Cache{Rejected: 12, Loading: 13, Awaited: 14, Remembered: 15, Guilds: 6, Bytes: 600, Hits: 60, Loads: 5, Failed: 1, Missing: map[string]uint64{"guard open": 2}, Guard: "open", Tokens: 0.5},
	}
	m, err := ListenMetrics("127.0.0.1:0", func() Status { return status }, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- m.Serve(ctx) }()
	if code, _ := read(t, "http://"+m.Address()+"/v1/status"); code != http.StatusNotFound {
		t.Errorf("the operators' door answers %d on the metrics' address", code)
	}
	code, body := read(t, "http://"+m.Address()+"/metrics")
	if code != http.StatusOK {
		t.Errorf("answered %d", code)
	}
	for _, want := range []string{
		`holdfast_info{phase="running",version="v1"} 1`, `holdfast_start_time_seconds 1.7e+09`,
		`holdfast_events_received_total 10`, `holdfast_events_dropped_total{event="TYPING_START"} 3`,
		`holdfast_requests_invalid 2`, `holdfast_identifies_remaining 990`,
		`holdfast_requests_banned 1`, `holdfast_requests_stopped 0`, `holdfast_caller_requests_total{caller="hello"} 5`,
		`holdfast_caller_requests_invalid{caller="hello"} 2`, `holdfast_caller_requests_not_sent_total{caller="hello"} 3`,
		`holdfast_caller_throttled{caller="guild cache"} 0`, `holdfast_caller_throttled{caller="hello"} 1`,
		`holdfast_shard_ready{shard="0"} 1`, `holdfast_shard_ready{shard="1"} 0`, `holdfast_shard_latency_seconds{shard="0"} 0.04`,
		`holdfast_shard_guilds{shard="0"} 7`, `holdfast_shard_resumes_total{shard="0"} 2`,
		`holdfast_plugin_lines_left_out_total{plugin="hello"} 9`,
		`holdfast_plugin_acknowledged_total{plugin="hello"} 8`, `holdfast_plugin_generation{plugin="hello"} 3`,
		`holdfast_plugin_dropped_total{plugin="hello"} 3`, `holdfast_plugin_dead_letters_total{plugin="hello"} 4`, `holdfast_journal_off_disk 1`,
		`holdfast_journal_bytes 100`, `holdfast_cache_guilds 6`, `holdfast_cache_failed_loads_total 1`,
		`holdfast_cache_rejected_total 12`, `holdfast_cache_loading 13`, `holdfast_cache_awaited 14`, `holdfast_cache_remembered 15`,
		`holdfast_cache_missing_total{reason="guard open"} 2`, `holdfast_guard_state{state="open"} 1`, `holdfast_guard_state{state="closed"} 0`,
		`holdfast_interactions_waiting 1`, `holdfast_interactions_deferred_total 5`, `holdfast_interactions_expired_total 2`,
		`holdfast_guard_tokens 0.5`, `go_goroutines `,
	} {
		if !strings.Contains(body, "\n"+want) {
			t.Errorf("%s is missing", want)
		}
	}
	if strings.Contains(body, `shard_guilds{shard="1"}`) {
		t.Error("a number of guilds that is not known is told")
	}
	stop()
	if err := <-served; err != nil {
		t.Error(err)
	}
}

// TestMetricsOnATakenAddress: the error names the setting.
func TestMetricsOnATakenAddress(t *testing.T) {
	m, err := ListenMetrics("127.0.0.1:0", func() Status { return Status{} }, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ListenMetrics(m.Address(), nil, nil); err == nil || !strings.Contains(err.Error(), "in use: give another --metrics") {
		t.Errorf("said %v", err)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if err := m.Serve(ctx); err != nil {
		t.Error(err)
	}
}

func read(t *testing.T, url string) (code int, body string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
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
	return response.StatusCode, string(raw)
}
