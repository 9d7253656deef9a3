package host_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/holdfast-bot/holdfast/host/simulator"
)

// thirdParty builds a program of a module of its own, which uses a library that
// knows nothing of Holdfast.
func thirdParty(t *testing.T, folder string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), filepath.Base(folder))
	for _, args := range [][]string{{"mod", "download"}, {"build", "-o", path, "."}} {
		command := exec.CommandContext(t.Context(), "go", args...)
		command.Dir = folder
		command.Env = append(os.Environ(), "GOFLAGS=-buildvcs=false")
		out, err := command.CombinedOutput()
		if err != nil {
			t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	return path
}

// TestAnotherLibraryUsesTheProxy: discordgo, with its base URL changed and the key for
// a token, does through a running host what it would do at Discord, meets no limit of
// Discord's although it sends more than they allow, and is refused as Discord would.
func TestAnotherLibraryUsesTheProxy(t *testing.T) {
	t.Parallel() // most of its time is waiting
	if !full() {
		t.Skip("it downloads and builds a library: HOLDFAST_FULL=1 runs it")
	}
	discordgo := thirdParty(t, "testdata/discordgo")
	sim := discord(t, simulator.Config{World: simulator.World{ChannelsPerGuild: 3}})
	o := options{plugins: map[string]string{"hello": "./examples/hello"}, args: []string{"--rest-proxy", "127.0.0.1:0"}}
	h := start(t, sim, o)
	var keys []string
	for i, guild := range sim.Guilds() { // the second one of a host that was killed and started again
		raw, err := os.ReadFile(filepath.Join(h.state, "proxy.key"))
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, strings.TrimSpace(string(raw)))
		command := exec.CommandContext(t.Context(), discordgo)
		command.Env = []string{
			"BASE=" + regexp.MustCompile(`http://127\.0\.0\.1:\d+/api/v10`).FindString(regexp.MustCompile(`key stands in.*`).FindString(h.log.String())),
			"KEY=" + keys[i], fmt.Sprint("GUILD=", guild.ID),
		}
		if out, err := command.CombinedOutput(); err != nil || !strings.Contains(string(out), "reads holdfast "+guild.Name) || !strings.Contains(string(out), "refusals") {
			t.Fatalf("%v: %s", err, out)
		}
		c := h.caller("rest proxy")
		if c.Requests < 30 || c.Invalid+int(c.Limited) != 0 {
			t.Errorf("counted %+v", c)
		}
		if log := h.log.String(); strings.Contains(log, keys[i]) || strings.Contains(log, sim.Token()) {
			t.Error("the log tells the key or the token")
		}
		if i == 0 {
			_ = h.cmd.Process.Kill()
			<-h.exited
			again := o
			again.again = h
			h = start(t, sim, again)
		}
	}
	if keys[0] != keys[1] || keys[0] == sim.Token() {
		t.Errorf("keys %v", keys)
	}
	for _, r := range sim.Requests() {
		if r.Method == "DELETE" && r.Reason != "why not" {
			t.Errorf("%s came for the reason %q", r.Path, r.Reason)
		}
	}
	if n := sim.Counts().Limited; n != 0 {
		t.Errorf("%d answers of 429", n)
	}
	h.stop()
}
