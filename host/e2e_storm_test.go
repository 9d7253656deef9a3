package host_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-bot/holdfast/host/control"
	"github.com/holdfast-bot/holdfast/host/simulator"
)

// stormRate is the global limit of the storms' hosts, in requests a second.
const stormRate = 2000

// stormLimit is the number of invalid requests for which Discord bans: a tenth of its
// own at the small size.
var stormLimit = size(1000, 10_000)

// caller is what the host says of one who sends requests.
func (r *running) caller(name string) control.Caller {
	s, _ := r.status()
	for _, c := range s.REST.Callers {
		if c.Name == name {
			return c
		}
	}
	return control.Caller{}
}

// storm are options for a plugin that sends what Discord refuses, beside one that
// answers commands.
func storm(channel uint64) options {
	return options{
		plugins: map[string]string{"storm": "./host/testdata/storm", "hello": "./examples/hello"},
		env:     map[string]map[string]string{"storm": {"CHANNEL": strconv.FormatUint(channel, 10)}},
		quick:   true,
		rate:    stormRate,
		invalid: stormLimit,
	}
}

// ping has a user call another plugin's command, which must be answered.
func ping(t *testing.T, sim *simulator.Server) {
	t.Helper()
	g := sim.Guilds()[0]
	answer, err := sim.Slash(g.ID, g.Channels[0], g.Members[0], "ping").Wait(t.Context())
	if err != nil || answer.Content != "pong" {
		t.Errorf("/ping answered %q: %v", answer.Content, err)
	}
}

// TestAStormOfForbiddenRequests: a plugin sends nothing but what Discord refuses.
// It is stopped at a quarter of what brings a ban, others do not notice, and a
// host that is killed and started again knows it still.
func TestAStormOfForbiddenRequests(t *testing.T) {
	t.Parallel() // most of its time is waiting
	const workers = 8
	repeats, writes := stormLimit/10, stormLimit/4
	sim := discord(t, simulator.Config{IdentifyInterval: quickIdentify, RateLimits: simulator.RateLimits{Global: stormRate}})
	sim.FailREST("POST /channels/*/messages", simulator.Failure{Status: http.StatusForbidden}, 0)
	channel := sim.Guilds()[0].Channels[0]
	o := storm(channel)
	h := start(t, sim, o)
	h.await("the storm is stopped", func(control.Status) bool {
		ping(t, sim)
		return h.caller("storm").Standing == "writes stopped"
	})
	same := 0
	for _, r := range sim.Requests() {
		if r.Route == "POST /channels/{channel}/messages" && strings.Contains(r.Path, strconv.FormatUint(channel, 10)) {
			same++
		}
	}
	if same > repeats+workers {
		t.Errorf("the same request was refused %d times", same)
	}
	// It goes on trying, in vain.
	stopped := h.caller("storm").Stopped
	h.await("it goes on trying", func(control.Status) bool { return h.caller("storm").Stopped > stopped+100 })
	refused := sim.Counts().Statuses[http.StatusForbidden]
	t.Logf("%d requests were refused, %d of them the same", refused, same)
	if int(refused) < writes || int(refused) > writes+workers {
		t.Errorf("%d requests were refused, want %d", refused, writes)
	}
	s, _ := h.status()
	if s.REST.Standing != "good" || h.caller("hello").Standing != "good" {
		t.Errorf("requests %+v", s.REST)
	}
	for _, said := range []string{"what Discord has refused is not sent again: plugin=storm", "only its interactions and reads go on: plugin=storm"} {
		if n := strings.Count(h.log.String(), said); n != 1 {
			t.Errorf("the log says %d times: %s", n, said)
		}
	}

	_ = h.cmd.Process.Kill()
	<-h.exited
	again := o
	again.again = h
	h = start(t, sim, again)
	h.await("the storm goes on", func(control.Status) bool {
		ping(t, sim)
		return h.caller("storm").Stopped > 100
	})
	if c := h.caller("storm"); c.Invalid != int(refused) || c.Standing != "writes stopped" {
		t.Errorf("after kill -9: %+v, %d were refused", c, refused)
	}
	if n := sim.Counts().Statuses[http.StatusForbidden]; n != refused {
		t.Errorf("%d more were refused after the restart", n-refused)
	}
	if n := sim.Counts().Limited; n != 0 {
		t.Errorf("%d answers of 429", n)
	}
	h.stop()
}

// TestABanIsSatOut: Cloudflare bans the host's address. It sends nothing until
// the ban has ended, also when it is killed and started again meanwhile, and goes
// on by itself.
func TestABanIsSatOut(t *testing.T) {
	t.Parallel() // most of its time is waiting
	const invalid, ban = 40, 6 * time.Second
	sim, err := simulator.Start(simulator.Config{IdentifyInterval: quickIdentify, RateLimits: simulator.RateLimits{Global: stormRate, Invalid: invalid, Ban: ban}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, breach := range sim.Breaches() {
			if breach.Rule != simulator.RuleInvalidRequests { // which is what brings the ban
				t.Errorf("rule of Discord broken: %+v", breach)
			}
		}
		if err := sim.Close(); err != nil {
			t.Errorf("close simulator: %v", err)
		}
	})
	// One more than are allowed; after the ban the storm's messages are welcome.
	sim.FailREST("POST /channels/*/messages", simulator.Failure{Status: http.StatusForbidden}, invalid+1)
	o := storm(sim.Guilds()[0].Channels[0])
	h := start(t, sim, o)
	h.await("the ban", func(s control.Status) bool {
		return s.REST.Banned && strings.Contains(h.log.String(), "Cloudflare has banned this address")
	})
	_ = h.cmd.Process.Kill()
	<-h.exited

	again := o
	again.again = h
	h = start(t, sim, again)
	if !strings.Contains(h.log.String(), "the host waits, do not restart it") {
		t.Error("a host that starts during the ban does not say that it waits")
	}
	ping(t, sim)
	var first, last time.Time // answers that were the ban
	banned, early := 0, 0
	for _, r := range sim.Requests() {
		if r.Status == http.StatusTooManyRequests {
			banned++
			last = r.Time
			if first.IsZero() {
				first = r.Time
			}
		}
	}
	for _, r := range sim.Requests() {
		// What was under way when the ban was told cannot be called back.
		if r.Time.After(first.Add(time.Second)) && r.Time.Before(first.Add(ban-time.Second)) {
			early++
		}
	}
	t.Logf("%d requests met the ban, the last %v after the first", banned, last.Sub(first).Round(time.Millisecond))
	if banned == 0 || banned > 10 || early > 0 {
		t.Errorf("%d requests met the ban, %d of them after it was told", banned, early)
	}
	if s, _ := h.status(); s.REST.Banned || s.REST.Invalid < invalid {
		t.Errorf("after the ban: %+v", s.REST)
	}
	h.stop()
}
