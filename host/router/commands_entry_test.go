package router

import (
	"encoding/json"
	"strings"
	"testing"
)

// TestTheEntryPointIsRenamedAndNeverLeftOut: Discord has made one ("Launch"), a
// plugin declares its own, and goes again. The id, and with it what users have
// pinned, stays all the time; no overwrite is refused.
func TestTheEntryPointIsRenamedAndNeverLeftOut(t *testing.T) {
	d := startDirect(t)
	store := &memory{}
	id := d.sim.Register(0, json.RawMessage(`{"name":"Launch","type":4,"handler":2}`))
	sync := func(o SyncOptions, want string, commands ...Command) ScopeReport {
		t.Helper()
		report, err := SyncCommands(t.Context(), d, store, d.sim.Bot(), merged(t, commands...), o)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, c := range d.sim.Commands(0) {
			names = append(names, c.Name)
			if c.Type == entryPoint && c.ID != id {
				t.Errorf("the entry point has another id: %s", c.JSON)
			}
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("registered: %s, want %s", got, want)
		}
		return report.Scopes[0]
	}
	ping := command("a", 0, `{"name":"ping"}`)
	play := command("games", 0, `{"name":"Play","type":4,"description":"Plays","handler":1}`)
	sync(SyncOptions{}, "Launch ping", ping)
	if r := sync(SyncOptions{}, "ping Play", ping, play); r.Names(ActionTakeOver)[0] != "Play" || len(r.Names(ActionAdd)) != 0 {
		t.Errorf("report %+v", r)
	}
	if m, _ := readMemories(store); len(m.creations) != 1 || m.creations[0].created != 1 {
		t.Errorf("created: %v", m.creations)
	}
	if r := sync(SyncOptions{}, "ping Play", ping, play); r.Written {
		t.Errorf("unchanged, but written: %+v", r)
	}
	other := command("games", 0, `{"name":"Go","type":4}`)
	if r := sync(SyncOptions{Present: []string{"games"}}, "ping Go", ping, other); r.Names(ActionChange)[0] != "Go" {
		t.Errorf("report %+v", r)
	}
	sync(SyncOptions{}, "Go ping", command("a", 0, `{"name":"ping","description":"e"}`))
	if r := sync(SyncOptions{Prune: true, Exclusive: true}, "Go"); r.Names(ActionForeign)[0] != "Go" || r.Names(ActionRemove)[0] != "ping" {
		t.Errorf("report %+v", r)
	}
	if breaches := d.sim.Breaches(); len(breaches) != 0 || store.ours() != 0 {
		t.Errorf("breaches: %v, remembered: %v", breaches, store.lines)
	}
}

// TestForeignCommandsOfEveryKindGoBackAsTheyCame, to Discord's own checks.
func TestForeignCommandsOfEveryKindGoBackAsTheyCame(t *testing.T) {
	a := author{testSeed(t)}
	d := startDirect(t)
	guild := d.sim.Guilds()[0].ID
	for _, scope := range []uint64{0, guild} {
		theirs := make(map[string]string)
		for kind := chatInput; kind <= messageOne; kind++ {
			for n := range 10 {
				d.sim.Register(scope, written(t, a.command(kind, n)))
			}
		}
		for _, c := range d.sim.Commands(scope) {
			theirs[string(c.JSON)] = c.Name
		}
		ours := command("a", scope, `{"name":"ping"}`)
		mustWrite(t, d, merged(t, ours))
		for _, c := range d.sim.Commands(scope) {
			same := func(json string) bool { return withoutVersion(t, json) == withoutVersion(t, string(c.JSON)) }
			found := c.Name == "ping"
			for before := range theirs {
				found = found || same(before)
			}
			if !found {
				t.Errorf("became %s", c.JSON)
			}
		}
		if n := len(d.sim.Commands(scope)); n != 31 {
			t.Errorf("%d commands", n)
		}
	}
	if breaches := d.sim.Breaches(); len(breaches) != 0 {
		t.Errorf("breaches: %v", breaches)
	}
}

func withoutVersion(t *testing.T, raw string) string {
	t.Helper()
	fields, err := readObject(json.RawMessage(raw))
	if err != nil {
		t.Fatal(err)
	}
	delete(fields, "version") // the simulator counts the spelling as a change
	return string(written(t, fields))
}
