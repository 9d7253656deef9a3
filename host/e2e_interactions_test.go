package host_test

import (
	"fmt"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/holdfast-bot/holdfast/host/control"
	"github.com/holdfast-bot/holdfast/host/simulator"
)

const answerer = "./host/testdata/answerer"

// user is somebody who uses the bot in a guild.
type user struct {
	sim     *simulator.Server
	guild   simulator.Guild
	member  uint64
	message uint64 // of the bot, with components
}

func newUser(t testing.TB, sim *simulator.Server, n int) *user {
	t.Helper()
	g := sim.Guilds()[n%len(sim.Guilds())]
	u := &user{sim: sim, guild: g, member: g.Members[0]}
	answer, err := u.slash("quick").Wait(t.Context())
	if err != nil || answer.Message == 0 {
		t.Fatalf("/quick: %+v: %v", answer, err)
	}
	u.message = answer.Message
	return u
}

func (u *user) slash(name string, args ...simulator.Option) *simulator.Interaction {
	return u.sim.Slash(u.guild.ID, u.guild.Channels[0], u.member, name, args...)
}

func (u *user) types(name, text string) *simulator.Interaction {
	return u.sim.Autocomplete(u.guild.ID, u.guild.Channels[0], u.member, name, simulator.Option{Name: "what", Value: text, Focused: true})
}

func (u *user) clicks(id string) *simulator.Interaction {
	return u.sim.Click(u.guild.ID, u.guild.Channels[0], u.member, u.message, id)
}

func (u *user) submits(id string) *simulator.Interaction {
	return u.sim.Submit(u.guild.ID, u.guild.Channels[0], u.member, id, map[string]string{"text": "kelp"})
}

// does lets the user do what leads to a kind of answer.
func (u *user) does(kind, suffix string) *simulator.Interaction {
	name, rest, _ := strings.Cut(kind, " ")
	switch rest {
	case "button":
		return u.clicks(name + suffix + ":1")
	case "modal":
		return u.submits(name + suffix + ":1")
	case "":
		return u.slash(name + suffix)
	}
	return u.types(name+suffix, rest)
}

// ways are what comes of each kind of interaction: the first step if it is answered
// in time, then those after the host's deferral.
func ways() map[string]struct{ inTime, late string } {
	const answered, refused = "callback 4 answer", "callback 4 only apology"
	const edited = "callback 5, edit answer"
	return map[string]struct{ inTime, late string }{
		"quick":          {answered, edited},
		"late":           {answered, edited},
		"secret":         {"callback 4 only answer", "callback 5 only, edit only answer"},
		"whisper":        {"callback 4 only answer", "callback 5, delete, followup only answer"},
		"fail":           {refused, "callback 5, delete, followup only apology"},
		"twice":          {answered, edited},
		"own":            {"callback 5, edit answer", edited},
		"form":           {"callback 9", "callback 5, delete, followup only apology"},
		"prompt":         {"callback 9", "callback 9"},
		"hush":           {"callback 5 only, delete", "callback 5, delete"},
		"none":           {"callback 5 only, delete", "callback 5, delete"},
		"later":          {answered, edited},
		"hush button":    {"callback 6", "callback 6"},
		"none button":    {"callback 6", "callback 6"},
		"find early":     {"callback 8 answer", "callback 8"},
		"find later":     {"callback 8 answer", "callback 8"},
		"quick button":   {"callback 7 answer", "callback 6, edit answer"},
		"message button": {answered, "callback 6, followup answer"},
		"update button":  {"callback 7 answer", "callback 6, edit answer"},
		"form modal":     {answered, edited},
	}
}

// steps are what the bot has sent to an interaction, in words.
func steps(i *simulator.Interaction) string {
	var all []string
	for _, a := range i.Answers() {
		step := a.Action
		if a.Type != 0 {
			step += fmt.Sprintf(" %d", a.Type)
		}
		if a.Ephemeral && a.Action != "delete" {
			step += " only"
		}
		said := a.Content
		if a.Type == 8 {
			said = string(a.Data)
		}
		switch {
		case a.Action == "delete" || a.Type == 9:
		case strings.Contains(said, fmt.Sprintf("answer %d", i.ID)):
			step += " answer"
		case strings.Contains(said, "Something went wrong (reference "):
			step += " apology"
		case strings.Contains(said, "Something went wrong. Please"):
			step += " failed"
		case strings.Contains(said, "temporarily unavailable"):
			step += " unavailable"
		case strings.Contains(said, "took too long"):
			step += " too long"
		}
		all = append(all, step)
	}
	return strings.Join(all, ", ")
}

// TestInteractionsOfEveryKind: quick answers go as they are, late ones become the
// edit or follow-up that Discord takes after the host's deferral.
func TestInteractionsOfEveryKind(t *testing.T) {
	t.Parallel() // most of its time is waiting
	sim := discord(t, simulator.Config{World: simulator.World{Guilds: 2}})
	h := start(t, sim, options{
		plugins: map[string]string{"answerer": answerer}, env: map[string]map[string]string{"answerer": {"DELAY": "2600ms"}},
	})
	u := newUser(t, sim, 0)
	slow := []string{"late", "secret", "whisper", "fail", "own", "form", "find later", "message button", "update button", "form modal", "none", "later", "none button"}
	sent := make(map[string]*simulator.Interaction)
	for kind := range ways() {
		sent[kind] = u.does(kind, "")
	}
	for kind, i := range sent {
		want := ways()[kind].inTime
		for _, s := range slow {
			if s == kind {
				want = ways()[kind].late
			}
		}
		eventually(t, kind+": "+want, func() bool { return steps(i) == want || len(steps(i)) > len(want) })
		if got := steps(i); got != want {
			t.Errorf("%s: came %s, want %s", kind, got, want)
		}
	}
	h.await("every handler has ended", func(s control.Status) bool { return s.Plugins[0].InFlight == 0 })
	s, _ := h.status()
	if got := s.Interactions; got.Refused != 3 || got.Deferred != 12 || got.Silent != 4 || got.Expired != 0 || got.Waiting != 0 {
		t.Errorf("status %+v", got) // refused: the second answer, the late modal, the late choices
	}
	for _, line := range []string{"already been acknowledged", "open a modal within 2 s", "the tide is out"} {
		if !strings.Contains(h.log.String(), line) {
			t.Errorf("the author is not told: %s", line)
		}
	}
	h.stop()
}

// TestPluginThatIsNotThere: stopped in its tracks it is deferred for; dead and not
// coming back its users are told; both within 3 s.
func TestPluginThatIsNotThere(t *testing.T) {
	t.Parallel() // most of its time is waiting
	sim := discord(t, simulator.Config{World: simulator.World{Guilds: 1}})
	h := start(t, sim, options{plugins: map[string]string{"answerer": answerer}})
	u := newUser(t, sim, 0)
	if err := syscall.Kill(h.plugin("answerer").PID, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	var all []*simulator.Interaction
	var wait sync.WaitGroup
	for range 70 { // more than a plugin has in hand at a time
		i := u.slash("quick")
		all = append(all, i)
		wait.Go(func() {
			if a, err := i.Wait(t.Context()); err != nil || a.Type != 5 {
				t.Errorf("while the plugin is stuck: %+v: %v", a, err)
			}
		})
	}
	wait.Wait()
	if err := syscall.Kill(h.plugin("answerer").PID, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	for _, i := range all {
		eventually(t, "the late answer", func() bool { return len(i.Answers()) > 1 })
		if got := steps(i); got != "callback 5, edit answer" {
			t.Errorf("came %s", got)
		}
	}
	// A build that ends at once is started again later and later.
	for n := range 6 {
		pid := 0
		h.await("a process", func(s control.Status) bool { pid = s.Plugins[0].PID; return pid != 0 })
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		h.await("its crash", func(s control.Status) bool { return s.Plugins[0].PID == 0 || s.Plugins[0].Restarts > n })
	}
	h.await("the plugin is down", func(s control.Status) bool { return s.Plugins[0].State == "waiting" })
	i := u.slash("quick")
	gone := u.slash("nobodys")
	for _, i := range []*simulator.Interaction{i, gone} {
		if a, err := i.Wait(t.Context()); err != nil || a.Type != 4 || !a.Ephemeral || !strings.Contains(a.Content, "temporarily unavailable") {
			t.Errorf("while the plugin is down: %+v: %v", a, err)
		}
	}
	h.await("the plugin is back", func(s control.Status) bool { return s.Plugins[0].State == "running" })
	if a, err := u.slash("quick").Wait(t.Context()); err != nil || a.Type != 4 || !strings.HasPrefix(a.Content, "answer") {
		t.Errorf("when it is back: %+v: %v", a, err)
	}
	if got := steps(i); got != "callback 4 only unavailable" {
		t.Errorf("came %s", got)
	}
	h.stop()
}

// TestOracle is the example that takes 5 s.
func TestOracle(t *testing.T) {
	t.Parallel() // most of its time is waiting
	sim := discord(t, simulator.Config{World: simulator.World{Guilds: 1}})
	h := start(t, sim, options{plugins: map[string]string{"oracle": "./examples/oracle"}})
	g := sim.Guilds()[0]
	i := sim.Slash(g.ID, g.Channels[0], g.Members[0], "ask", simulator.Option{Name: "question", Value: "Is it green?"})
	first, err := i.Wait(t.Context())
	if err != nil || first.Type != 5 {
		t.Errorf("first came %+v: %v", first, err)
	}
	answer, err := i.WaitMessage(t.Context())
	if err != nil || answer.Message != first.Message || !strings.HasPrefix(answer.Content, "Is it green? – ") || answer.Took < 5*time.Second {
		t.Errorf("then came %+v: %v", answer, err)
	}
	click := sim.Click(g.ID, g.Channels[0], g.Members[0], answer.Message, "oracle:Is it green?")
	if again, err := click.WaitMessage(t.Context()); err != nil || again.Action != "edit" || again.Message != answer.Message {
		t.Errorf("the button brought %+v: %v", again, err)
	}
	h.stop()
}

// TestADetachedAnswerEndsWithItsProcess: a handler has left its answer to a goroutine,
// and the process is replaced, killed, or stopped with the host before it comes. The
// user is told.
func TestADetachedAnswerEndsWithItsProcess(t *testing.T) {
	t.Parallel() // most of its time is waiting
	sim := discord(t, simulator.Config{World: simulator.World{Guilds: 1}})
	h := start(t, sim, options{
		plugins: map[string]string{"answerer": answerer}, env: map[string]map[string]string{"answerer": {"DELAY": "10m"}},
	})
	u := newUser(t, sim, 0)
	for name, end := range map[string]func(){
		"replaced": func() { h.step(control.ReloadOptions{Names: []string{"answerer"}}, "answerer") },
		"killed":   func() { h.signal("answerer", syscall.SIGKILL) },
	} {
		i := u.slash("later")
		if a, err := i.Wait(t.Context()); err != nil || a.Type != 5 {
			t.Fatalf("%s: first came %+v: %v", name, a, err)
		}
		h.await("its handler has ended", func(s control.Status) bool { return s.Plugins[0].InFlight == 0 })
		end()
		eventually(t, name+": the user is told", func() bool { return steps(i) == "callback 5, edit unavailable" })
	}
	i := u.slash("later")
	if a, err := i.Wait(t.Context()); err != nil || a.Type != 5 {
		t.Fatalf("first came %+v: %v", a, err)
	}
	h.await("its handler has ended", func(s control.Status) bool { return s.Plugins[0].InFlight == 0 })
	h.stop()
	if got := steps(i); got != "callback 5, edit unavailable" {
		t.Errorf("when the host stops: came %s", got)
	}
}
