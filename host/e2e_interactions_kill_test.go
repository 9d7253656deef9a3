package host_test

import (
	"strings"
	"testing"
	"time"

	"github.com/holdfast-bot/holdfast/host/control"
	"github.com/holdfast-bot/holdfast/host/simulator"
)

// TestInteractionsOverAKill: what the host had deferred when it was killed is
// answered by the next one, as an edit; what it had answered is not answered again;
// what came while there was none, longer ago than 3 s, expires and is counted.
func TestInteractionsOverAKill(t *testing.T) {
	t.Parallel() // most of its time is waiting
	sim := discord(t, simulator.Config{World: simulator.World{Guilds: 1}})
	o := options{plugins: map[string]string{"answerer": answerer}, env: map[string]map[string]string{"answerer": {"DELAY": "4s"}}}
	h := start(t, sim, o)
	u := newUser(t, sim, 0)
	want := map[*simulator.Interaction]string{
		u.slash("late"):              "callback 5, edit answer",
		u.slash("own"):               "callback 5, edit answer",
		u.clicks("message:1"):        "callback 6, followup answer",
		u.slash("secret"):            "callback 5 only, edit only answer",
		u.slash("nobodys"):           "callback 4 only unavailable",
		u.slash("quick"):             "callback 4 answer",
		u.types("find", "late kelp"): "callback 8",
	}
	for i := range want {
		if _, err := i.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if err := h.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-h.exited
	missed := []*simulator.Interaction{u.slash("quick"), u.slash("nobodys"), u.clicks("quick:1")}
	time.Sleep(3100 * time.Millisecond) // Discord's clock
	o.again = h
	h = start(t, sim, o)
	for i, end := range want {
		eventually(t, i.Name+": "+end, func() bool { return steps(i) == end || len(steps(i)) > len(end) })
	}
	h.await("what was missed has expired", func(s control.Status) bool { return s.Interactions.Expired == uint64(len(missed)) })
	h.await("every handler has ended", func(s control.Status) bool { return s.Plugins[0].InFlight == 0 })
	for i, end := range want {
		if got := steps(i); got != end {
			t.Errorf("%s: came %s, want %s", i.Name, got, end)
		}
	}
	for _, i := range missed {
		if got := steps(i); got != "" {
			t.Errorf("%s came when nobody waits any more", got)
		}
	}
	if !strings.Contains(h.log.String(), "interaction expired") {
		t.Error("the log does not say what expired")
	}
	if a, err := u.slash("quick").Wait(t.Context()); err != nil || a.Type != 4 {
		t.Errorf("afterwards: %+v: %v", a, err)
	}
	h.stop()
}
