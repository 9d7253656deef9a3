package host_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/holdfast-bot/holdfast/host"
	"github.com/holdfast-bot/holdfast/host/control"
	"github.com/holdfast-bot/holdfast/host/simulator"
	"github.com/klauspost/compress/zstd"
)

// weighedHost names the variable by which this test binary becomes a host that
// tells, for each line that it reads, how many bytes of its heap live.
const weighedHost = "HOLDFAST_TEST_WEIGHED_HOST"

// weighedSettings are what such a process is told.
type weighedSettings struct {
	quickSettings

	Compress string
}

func runWeighedHost(settings string) (code int) {
	var w weighedSettings
	err := json.Unmarshal([]byte(settings), &w)
	if err == nil {
		s := host.Settings{PluginsDir: w.PluginsDir, StateDir: w.StateDir, APIURL: w.APIURL, Plugins: w.Plugins, Compress: w.Compress}
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
		defer stop()
		go weigh(os.Stdin, os.Stdout) // ends with the process
		var h *host.Host
		log := hclog.New(&hclog.LoggerOptions{Output: os.Stderr, Level: hclog.Warn})
		if h, err = host.New(host.Config{Settings: s, Token: os.Getenv("DISCORD_TOKEN"), Log: log}); err == nil {
			err = h.Run(ctx)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func weigh(in io.Reader, out io.Writer) {
	for lines := bufio.NewScanner(in); lines.Scan(); {
		for range 3 { // what pools keep goes with the second collection
			runtime.GC()
		}
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		fmt.Fprintln(out, m.HeapAlloc)
	}
}

// burst is what a start with so many guilds costs a host that keeps none of them.
type burst struct {
	guilds int
	bytes  uint64 // of what it was told
	heap   uint64 // that lives afterwards
	cpu    time.Duration
}

// startBurst starts a host whose guilds all arrive, and a plugin that wants none.
// The simulator runs in this process and is not counted.
func startBurst(tb testing.TB, guilds, shards, guildBytes int, compress string) (b burst) {
	tb.Helper()
	sim, err := simulator.Start(simulator.Config{
		Shards: shards, MaxConcurrency: shards, GuildsPerShard: guilds, ReplayBytes: 1 << 20,
		World: simulator.World{Guilds: guilds, MembersPerGuild: 1, GuildBytes: func(int) int { return guildBytes }},
	})
	if err != nil {
		tb.Fatal(err)
	}
	defer sim.Close()
	o, _ := recorders(tb, 1, map[string]string{"IDLE": "1"})
	var ask io.WriteCloser
	var answers io.ReadCloser
	o.prepare = func(cmd *exec.Cmd, r *running) {
		raw, err := json.Marshal(weighedSettings{quickSettings{PluginsDir: r.plugins, StateDir: r.state, APIURL: sim.URL(), Plugins: pluginSettings(o.env)}, compress})
		if err != nil {
			tb.Fatal(err)
		}
		cmd.Path, cmd.Args, cmd.Stdout = os.Args[0], os.Args[:1], nil
		cmd.Env = append(cmd.Env, weighedHost+"="+string(raw))
		if ask, err = cmd.StdinPipe(); err == nil {
			answers, err = cmd.StdoutPipe()
		}
		if err != nil {
			tb.Fatal(err)
		}
	}
	h := start(tb, sim, o)
	h.await("the guilds are told", func(control.Status) bool { return introduced(sim) == guilds })
	var events uint64
	for _, s := range sim.Sessions() {
		events += s.Seq
		b.bytes += s.Bytes
	}
	h.await("all events are routed", func(s control.Status) bool { return s.Events.Received >= events })
	b.guilds, b.cpu = guilds, cpuOf(tb, h.cmd.Process.Pid)
	if _, err := fmt.Fprintln(ask, "weigh"); err != nil {
		tb.Fatal(err)
	}
	if _, err := fmt.Fscan(answers, &b.heap); err != nil {
		tb.Fatal(err)
	}
	h.stop()
	return b
}

// introduced counts the guilds that sessions were told of.
func introduced(sim *simulator.Server) int {
	return int(sim.Counts().Events["GUILD_CREATE"])
}

// BenchmarkStartBurst reports what a start with many guilds costs the host, which
// keeps none of them: CPU for each KB, from the websocket to the router's end, and
// what of its heap lives because of each guild. Both are differences to a start
// with a tenth of the guilds, so that what a start costs anyhow does not count.
// Beside it stands what json.Valid and the zstd decoder take for such guilds at that
// moment: CPU time says little while others work on the machine, the ratio to
// json.Valid does. Below the decoder's time no host can come.
//
//	go test -run '^$' -bench StartBurst -benchtime 100000x ./host
func BenchmarkStartBurst(b *testing.B) {
	const shards, guildBytes = 64, 25_000
	payloads := guildPayloads(b, guildBytes)
	few := startBurst(b, max(b.N/10, shards), shards, guildBytes, "zstd-stream")
	valid, inflated := validCPU(b, payloads), zstdCPU(b, payloads)
	all := startBurst(b, max(b.N, 2*shards), shards, guildBytes, "zstd-stream")
	valid, inflated = (valid+validCPU(b, payloads))/2, (inflated+zstdCPU(b, payloads))/2
	perKB := float64((all.cpu - few.cpu).Microseconds()) / (float64(all.bytes-few.bytes) / 1000)
	b.ReportMetric(perKB, "host-cpu-µs/KB")
	b.ReportMetric(valid, "json.Valid-µs/KB")
	b.ReportMetric(inflated, "zstd-µs/KB")
	b.ReportMetric(perKB/valid, "ratio")
	b.ReportMetric((float64(all.heap)-float64(few.heap))/float64(all.guilds-few.guilds), "heap-bytes/guild")
	b.ReportMetric(float64(all.bytes)/float64(all.guilds), "told-bytes/guild")
	b.ReportMetric(0, "ns/op")
}

// guildPayloads are GUILD_CREATEs of some guilds, each of so many bytes.
func guildPayloads(tb testing.TB, guildBytes int) (payloads [][]byte) {
	tb.Helper()
	sim, err := simulator.Start(simulator.Config{
		World: simulator.World{Guilds: 100, MembersPerGuild: 1, GuildBytes: func(int) int { return guildBytes }},
		Emitted: func(e simulator.Emission) {
			if e.Name == "GUILD_CREATE" {
				payloads = append(payloads, bytes.Clone(e.Data))
			}
		},
	})
	if err != nil {
		tb.Fatal(err)
	}
	defer sim.Close()
	for _, g := range sim.Guilds() {
		sim.Restore(g.ID)
	}
	return payloads
}

// cpuPerKB is what the thread takes for a KB, in µs of CPU, when do reads all payloads.
func cpuPerKB(tb testing.TB, payloads [][]byte, do func()) float64 {
	tb.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	const rounds = 20
	began := threadCPU(tb)
	for range rounds {
		do()
	}
	return float64((threadCPU(tb) - began).Nanoseconds()) / float64(rounds*len(bytes.Join(payloads, nil)))
}

// validCPU is what json.Valid takes now for a KB of a GUILD_CREATE, in µs of CPU.
func validCPU(tb testing.TB, payloads [][]byte) float64 {
	tb.Helper()
	return cpuPerKB(tb, payloads, func() {
		for _, p := range payloads {
			if !json.Valid(p) {
				tb.Fatal("the guild is no JSON")
			}
		}
	})
}

// zstdCPU is what the decoder alone takes now for a KB of a GUILD_CREATE, in µs of CPU,
// without websocket: one stream, compressed as the simulator does it.
func zstdCPU(tb testing.TB, payloads [][]byte) float64 {
	tb.Helper()
	var stream bytes.Buffer
	w, err := zstd.NewWriter(&stream, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithWindowSize(256<<10))
	if err != nil {
		tb.Fatal(err)
	}
	for _, p := range payloads {
		if _, err := w.Write(p); err != nil {
			tb.Fatal(err)
		}
		if err := w.Flush(); err != nil {
			tb.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	r, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(false), zstd.IgnoreChecksum(true))
	if err != nil {
		tb.Fatal(err)
	}
	defer r.Close()
	want := int64(len(bytes.Join(payloads, nil)))
	return cpuPerKB(tb, payloads, func() {
		// More than a reader of bytes, that it is read as a stream and not as a whole.
		if err := r.Reset(io.MultiReader(bytes.NewReader(stream.Bytes()))); err != nil {
			tb.Fatal(err)
		}
		if n, err := r.WriteTo(io.Discard); n != want || err != nil {
			tb.Fatalf("%d bytes of %d: %v", n, want, err)
		}
	})
}

// threadCPU is what the goroutine's thread, to which it is locked, has run.
func threadCPU(tb testing.TB) time.Duration {
	tb.Helper()
	raw, err := os.ReadFile("/proc/thread-self/schedstat")
	if err != nil {
		tb.Skip("no schedstat on this machine")
	}
	var ran int64
	if _, err := fmt.Sscan(string(raw), &ran); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(ran)
}

// TestGuildsThatAreNotKeptCostNoMemory: what a host has in memory of a guild that
// it does not keep is its id, among those of its shard.
func TestGuildsThatAreNotKeptCostNoMemory(t *testing.T) {
	if raceDetector {
		t.Skip("with the race detector the heap is another")
	}
	t.Parallel() // most of its time is waiting
	const shards, guildBytes, most = 4, 3400, 64
	few, all := size(500, 2000), size(8000, 20_000)
	a, b := startBurst(t, few, shards, guildBytes, "none"), startBurst(t, all, shards, guildBytes, "none")
	each := (float64(b.heap) - float64(a.heap)) / float64(all-few)
	t.Logf("%d bytes live with %d guilds, %d with %d: %.1f for each", a.heap, few, b.heap, all, each)
	if each > most {
		t.Errorf("%.1f bytes for each guild, want %d at most", each, most)
	}
}
