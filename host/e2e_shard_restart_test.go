package host_test

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/holdfast-bot/holdfast/host/control"
	"github.com/holdfast-bot/holdfast/host/simulator"
)

// command runs holdfast with the host's state folder and returns its exit code and
// what it said.
func (r *running) command(args ...string) (code int, said string) {
	r.t.Helper()
	cmd := exec.Command(program(r.t, "./host/holdfast"), append(args, "--state", r.state)...)
	out, _ := cmd.CombinedOutput() // the exit code tells
	return cmd.ProcessState.ExitCode(), string(out)
}

// TestShardRestart: an operator has one shard's connection replaced under load: nothing is lost, nothing comes twice,
// no IDENTIFY, and the other shards do not notice. With --identify there is one.
func TestShardRestart(t *testing.T) {
	t.Parallel() // most of its time is waiting
	const guilds, n, times = 20, 3000, 3
	sim := discord(t, simulator.Config{Shards: 3, World: simulator.World{Guilds: guilds}})
	o, files := recorders(t, 1, nil)
	h := start(t, sim, o)
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		sequence(t, sim, n, 1500)
	}()
	for range times {
		if code, said := h.command("shard", "restart", "1"); code != 0 || !strings.Contains(said, "shard 1: session resumed after ") {
			t.Fatalf("exit code %d: %s", code, said)
		}
	}
	<-sent
	h.handled(files, n)
	if again := witness(t, files[0], guilds, n) + twice(t, files[0]); again != 0 {
		t.Errorf("%d redelivered, or twice", again)
	}
	judge := func(identifies, connections uint64) {
		t.Helper()
		s, _ := h.status()
		for _, shard := range s.Shards {
			want := control.Shard{Connections: 1, Identifies: 1}
			if shard.Shard == 1 {
				want = control.Shard{Connections: connections, Identifies: identifies, Resumes: times}
			}
			if shard.State != "ready" || shard.Connections != want.Connections || shard.Identifies != want.Identifies || shard.Resumes != want.Resumes || shard.Lost != 0 {
				t.Errorf("%+v", shard)
			}
		}
	}
	judge(1, 1+times)
	if code, said := h.command("shard", "restart", "1", "--identify"); code != 0 || !strings.Contains(said, "shard 1: identified anew after ") {
		t.Errorf("exit code %d: %s", code, said)
	}
	judge(2, 2+times)
	if code, said := h.command("shard", "restart", "3"); code != 1 || said != "holdfast: shard 3 does not run here: this host runs the shards 0-2\n" {
		t.Errorf("exit code %d: %s", code, said)
	}
	judge(2, 2+times)
	h.stop()
}

// TestShardRestartKeepsTheReserve: a session is not given up for an IDENTIFY that may not be sent.
func TestShardRestartKeepsTheReserve(t *testing.T) {
	sim := discord(t, simulator.Config{SessionStarts: 14, Shards: 2})
	h := start(t, sim, options{}) // 12 left: the reserve and one start of both
	code, said := h.command("shard", "restart", "0", "--identify")
	if code != 1 || !strings.Contains(said, "shard 0 is left as it is: it may not identify before 20") {
		t.Errorf("exit code %d: %s", code, said)
	}
	s, _ := h.status()
	if s.Shards[0].State != "ready" || s.Shards[0].Connections != 1 || s.Identifies.Waiting != 0 {
		t.Errorf("%+v, %+v", s.Shards[0], s.Identifies)
	}
	if code, said = h.command("shard", "restart", "0"); code != 0 {
		t.Errorf("exit code %d: %s", code, said)
	}
	h.stop()
	if c := sim.Counts(); c.Identifies != 2 || c.Resumes != 1 || strings.Contains(h.log.String(), "too many identifies") {
		t.Errorf("%d identifies, %d resumes", c.Identifies, c.Resumes)
	}
}
