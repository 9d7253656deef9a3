package host_test

import (
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/holdfast-bot/holdfast/host/control"
	"github.com/holdfast-bot/holdfast/host/simulator"
)

// stuck is the suffix of the plugin that is stopped for half of the trial.
const stuck = "-b"

// TestInteractionsThroughTheWorst: users go on while a plugin is rebuilt and killed
// again and again and another one is stuck. Each interaction is answered or
// deferred within 3 s by the simulator's clock, none twice, and late answers arrive
// as the right edit or follow-up.
func TestInteractionsThroughTheWorst(t *testing.T) {
	beside(t)
	reloads, crashes := size(3, 20), size(1, 5)
	total := size(60, 500)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	sim := discord(t, simulator.Config{World: simulator.World{Guilds: 20}})
	h := start(t, sim, options{
		plugins: map[string]string{"answerer": answerer, "stuck": answerer},
		env:     map[string]map[string]string{"answerer": {"DELAY": "2200ms"}, "stuck": {"DELAY": "2200ms", "SUFFIX": stuck}},
	})
	users := make([]*user, 20)
	for n := range users {
		users[n] = newUser(t, sim, n)
	}
	kinds := slices.Sorted(maps.Keys(ways()))
	sent := make(map[*simulator.Interaction]string)
	use := func(n int) {
		for range n {
			kind, suffix := kinds[len(sent)%len(kinds)], ""
			if random.IntN(8) == 0 {
				suffix = stuck
			}
			sent[users[random.IntN(len(users))].does(kind, suffix)] = kind
			time.Sleep(time.Duration(random.IntN(60)) * time.Millisecond)
		}
	}
	step := func(do func()) {
		var using sync.WaitGroup
		pause := time.Duration(random.IntN(300)) * time.Millisecond
		using.Go(func() { use(total / (reloads + crashes)) })
		time.Sleep(pause)
		do()
		using.Wait()
	}
	faults := append(slices.Repeat([]string{"reload"}, reloads), slices.Repeat([]string{"crash"}, crashes)...)
	random.Shuffle(len(faults), func(a, b int) { faults[a], faults[b] = faults[b], faults[a] })
	for n, what := range faults {
		switch n {
		case len(faults) / 4:
			h.signal("answerer-b", syscall.SIGSTOP)
		case len(faults) * 3 / 4:
			h.signal("answerer-b", syscall.SIGCONT)
		}
		step(func() {
			if what == "crash" {
				h.signal("answerer", syscall.SIGKILL)
				return
			}
			rebuilt(t, h.plugins, "answerer", answerer, n)
			if s := h.step(control.ReloadOptions{}, "answerer"); s.Result != "done" {
				t.Errorf("reload: %+v", s)
			}
		})
	}
	unavailable := judgeAnswers(t, sent)
	s, _ := h.status()
	t.Logf("%d interactions, %d reloads, %d crashes: %d deferred, %d of them answered then, %d told that it is unavailable",
		len(sent), reloads, crashes, s.Interactions.Deferred, s.Interactions.Late, unavailable)
	if n := sim.Counts().Unanswered; n != 0 || s.Interactions.Expired != 0 {
		t.Errorf("%d unanswered, %d expired", n, s.Interactions.Expired)
	}
	h.stop()
}

// signal sends a signal to a plugin's process.
func (r *running) signal(plugin string, signal syscall.Signal) {
	r.t.Helper()
	pid := 0
	r.await("a process of "+plugin, func(s control.Status) bool {
		for _, p := range s.Plugins {
			if p.Name == plugin {
				pid = p.PID
			}
		}
		return pid != 0
	})
	if err := syscall.Kill(pid, signal); err != nil {
		r.t.Fatal(err)
	}
}

// excused says that the host has told the user that no answer comes, once and in the
// right form. That something went wrong is right for the stuck plugin alone, whose
// handlers have had all the time that they have.
func excused(i *simulator.Interaction, got string) bool {
	switch got {
	case "callback 4 only unavailable", "callback 4 only too long",
		"callback 5, edit unavailable", "callback 5 only, edit only unavailable", "callback 6, followup only unavailable":
		return true
	case "callback 5, edit failed", "callback 5 only, edit only failed", "callback 6, followup only failed":
		return strings.Contains(i.Name, stuck)
	}
	return false
}

// judgeAnswers waits until every interaction has come to its end, and says what is not as
// it should be. It returns how many were told that nobody is there.
func judgeAnswers(t *testing.T, sent map[*simulator.Interaction]string) (unavailable int) {
	t.Helper()
	t.Cleanup(func() {
		for i, kind := range sent {
			if way, got := ways()[kind], steps(i); t.Failed() && got != way.inTime && got != way.late {
				t.Logf("interaction %d, %s: came %q", i.ID, kind, got)
			}
		}
	})
	for i, kind := range sent {
		way := ways()[kind]
		told := false
		eventually(t, kind+": "+way.inTime+" or "+way.late, func() bool {
			got := steps(i)
			told = excused(i, got)
			// Choices that come late are none; a modal that never comes is no better.
			return got == way.inTime || got == way.late || told || i.Kind == simulator.KindAutocomplete && got == "callback 8" || t.Failed()
		})
		if told {
			unavailable++
		}
		if all := i.Answers(); len(all) == 0 || all[0].Took > 3*time.Second {
			t.Errorf("%s: answered late: %+v", kind, all)
		}
	}
	time.Sleep(time.Second) // what should not come would
	for i, kind := range sent {
		way := ways()[kind]
		if got := steps(i); got != way.inTime && got != way.late && got != "callback 8" && !excused(i, got) {
			t.Errorf("%s: came %s", kind, got)
		}
	}
	return unavailable
}
