package host_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/holdfast-bot/holdfast/host/control"
	"github.com/holdfast-bot/holdfast/host/simulator"
)

// meant are the rules that the plugin breaks on purpose; answers that come late or
// twice are not among them.
var meant = []simulator.Rule{simulator.RuleUnacknowledged, simulator.RuleForm, simulator.RuleWrongAnswer}

// TestAwkwardAnswers: what authors try and Discord refuses, handlers that end badly,
// and interactions from every place. Each user sees an end of it, and no line of the
// log has a token.
func TestAwkwardAnswers(t *testing.T) {
	t.Parallel() // most of its time is waiting
	sim, err := simulator.Start(simulator.Config{World: simulator.World{Guilds: 1}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, b := range sim.Breaches() {
			if !slices.Contains(meant, b.Rule) {
				t.Errorf("rule of Discord broken: %+v", b)
			}
		}
		if err := sim.Close(); err != nil {
			t.Error(err)
		}
	})
	h := start(t, sim, options{plugins: map[string]string{"awkward": "./host/testdata/awkward"}, args: []string{"--handler-timeout", "3s", "--log-level", "trace"}})
	h.compared(1)
	g := sim.Guilds()[0]
	u := &user{sim: sim, guild: g, member: g.Members[0]}
	direct, _ := sim.DirectMessage(u.member, "hello")
	menu := func(kind int, target uint64) *simulator.Interaction {
		return sim.Menu(g.ID, g.Channels[0], u.member, "file", kind, target)
	}
	click := func(id string) *simulator.Interaction { return sim.Click(g.ID, g.Channels[0], u.member, 1, id) }
	const wrong = "Something went wrong (reference "
	all := map[string]struct {
		i    *simulator.Interaction
		want string // the steps
		said string // in the last of them
	}{
		"file":                     {u.slash("file"), "callback 4", "file"},
		"late file":                {u.slash("late-file"), "callback 5, edit", "file"},
		"follow-up too early":      {u.slash("early"), "callback 4 only apology", wrong},
		"panic":                    {u.slash("panics"), "callback 4 only apology", wrong},
		"goroutine ended":          {u.slash("ends"), "callback 4 only failed", ""},
		"hung":                     {u.slash("hangs"), "callback 5, edit failed", ""},
		"no JSON":                  {u.slash("no-json"), "callback 4 only apology", wrong},
		"too long":                 {u.slash("too-long"), "callback 4 only apology", wrong},
		"follow-up alone":          {u.slash("followed"), "callback 5, followup", "more"},
		"reads its message":        {u.slash("fetched"), "callback 5, edit", "read"},
		"modal":                    {u.slash("modal"), "callback 9", ""},
		"modal to a modal":         {u.submits("m:1"), "callback 4 only apology", wrong},
		"user command":             {menu(2, g.Members[1]), "callback 4", fmt.Sprintf("user %d", g.Members[1])},
		"message command":          {menu(3, 77), "callback 4", "message 77"},
		"subcommand of a group":    {u.slash("deep a b", simulator.Option{Name: "text", Value: "x"}), "callback 4", "deep x"},
		"subcommand of none":       {u.slash("deep x y"), "callback 4 only apology", wrong},
		"huge option":              {u.slash("deep a b", simulator.Option{Name: "text", Value: strings.Repeat("ü", 1990)}), "callback 4", "deep ü"},
		"no such option":           {u.slash("deep a b", simulator.Option{Name: "text", Type: 99, Value: map[string]any{}}), "callback 4 only apology", wrong},
		"direct message":           {sim.Slash(0, direct, u.member, "file"), "callback 4", "file"},
		"component":                {click("c:1"), "callback 4", "short"},
		"custom id of 100":         {click("c" + strings.Repeat("x", 99)), "callback 4", "longest"},
		"component of nobody":      {click("d"), "callback 4 only unavailable", ""},
		"modal of nobody":          {u.submits("x"), "callback 4 only unavailable", ""},
		"command of nobody":        {u.slash("gone"), "callback 4 only unavailable", ""},
		"autocomplete of nobody":   {u.types("gone", "x"), "callback 8", ""},
		"autocomplete of no sugg.": {u.types("deep", "x"), "callback 8", ""},
	}
	for name, test := range all {
		eventually(t, name+": "+test.want, func() bool { return steps(test.i) == test.want || len(steps(test.i)) > len(test.want) })
		answers := test.i.Answers()
		if got := steps(test.i); got != test.want || !strings.Contains(answers[len(answers)-1].Content, test.said) {
			t.Errorf("%s: came %s: %+v", name, got, answers)
		}
	}
	h.await("every handler has ended", func(s control.Status) bool { return s.Plugins[0].InFlight == 0 })
	if n := sim.Counts().Unanswered; n != 0 {
		t.Errorf("%d unanswered", n)
	}
	for name, test := range all {
		if strings.Contains(h.log.String(), test.i.Token) {
			t.Errorf("%s: its token is in the log", name)
		}
	}
	if !strings.Contains(h.log.String(), "CreateInteractionResponse first") {
		t.Error("the author of the early follow-up is not told what to do")
	}
	h.stop()
}
