package host_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-bot/holdfast/host/control"
	"github.com/holdfast-bot/holdfast/host/simulator"
)

// opMembers and opPresence are Discord's opcodes.
const (
	opPresence = 3
	opMembers  = 8
)

// memberPlugins are options for n plugins that do as messages tell them, and the
// files they write.
func memberPlugins(t testing.TB, n int) (o options, files []string) {
	t.Helper()
	dir := t.TempDir()
	o.plugins, o.env = make(map[string]string), make(map[string]map[string]string)
	for i := range n {
		name := fmt.Sprint("members-", i)
		file := filepath.Join(dir, name)
		o.plugins[name] = "./host/testdata/members"
		o.env[name] = map[string]string{"FILE": file, "NAME": name}
		files = append(files, file)
	}
	return o, files
}

// told are the lines of a file that begin with a word.
func told(file, word string) (out []string) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil // nothing written yet
	}
	for line := range strings.Lines(string(raw)) {
		if strings.HasPrefix(line, word) {
			out = append(out, strings.TrimSpace(line))
		}
	}
	return out
}

// listed waits until each plugin has had n answers, and checks them all.
func (r *running) listed(files []string, n int, want string) {
	r.t.Helper()
	r.await(fmt.Sprint(n, " answers for each plugin"), func(control.Status) bool {
		return !slices.ContainsFunc(files, func(file string) bool {
			return len(told(file, "members"))+len(told(file, "error")) < n
		})
	})
	for _, file := range files {
		if all := append(told(file, "members"), told(file, "error")...); slices.ContainsFunc(all, func(line string) bool { return line != want }) {
			r.t.Errorf("%s was told %q, want %q", filepath.Base(file), all, want)
		}
	}
}

// TestPluginsShareAListOfMembers: three plugins want the same 2,501 members at
// the same time, and then again. Discord is asked once. Who asked for the event
// sees the chunks all the same.
func TestPluginsShareAListOfMembers(t *testing.T) {
	t.Parallel() // most of its time is waiting
	const plugins = 3
	sim := discord(t, simulator.Config{World: simulator.World{Guilds: 1, MembersPerGuild: 2500}})
	g := sim.Guilds()[0]
	o, files := memberPlugins(t, plugins)
	h := start(t, sim, o)
	for n := range 2 {
		sim.Say(g.ID, g.Channels[0], g.Members[0], fmt.Sprint("list ", g.ID))
		h.listed(files, n+1, "members 2501 2501 3")
	}
	h.await("every plugin sees the chunks", func(control.Status) bool {
		return !slices.ContainsFunc(files, func(file string) bool { return len(told(file, "chunk")) < 3 })
	})
	if c := sim.Counts(); c.Payloads[opMembers] != 1 || c.Events["GUILD_MEMBERS_CHUNK"] != 3 || c.Events["RATE_LIMITED"] != 0 {
		t.Errorf("%d requests, %v", c.Payloads[opMembers], c.Events)
	}

	sim.Say(g.ID, g.Channels[0], g.Members[0], fmt.Sprint("join ", g.Voice[0]))
	eventually(t, "the bot is told the voice server", func() bool { return sim.Counts().Events["VOICE_SERVER_UPDATE"] >= plugins })
	h.stop()
}

// TestMembersWithoutTheirIntent: the author is told what is missing, and Discord
// is not asked.
func TestMembersWithoutTheirIntent(t *testing.T) {
	t.Parallel() // most of its time is waiting
	sim := discord(t, simulator.Config{World: simulator.World{Guilds: 1}})
	g := sim.Guilds()[0]
	o, files := memberPlugins(t, 1)
	o.env["members-0"]["MODEST"] = "yes"
	h := start(t, sim, o)
	sim.Say(g.ID, g.Channels[0], g.Members[0], fmt.Sprint("list ", g.ID))
	h.listed(files, 1, fmt.Sprintf("error request members of guild %d: the whole list of a guild's members: the sessions do not have the intent GUILD_MEMBERS: "+
		"call Intents(disgo.FlagIntentGUILD_MEMBERS) before Run, switch the Server Members Intent on in Discord's developer portal, then run holdfast reload --reidentify, with which nothing is missed", g.ID))
	if n := sim.Counts().Payloads[opMembers]; n != 0 {
		t.Errorf("%d requests", n)
	}
	h.stop()
}

// TestMembersOutliveTheirSession: the connection breaks when the request is on
// its way, and with it the request is lost. It comes again with the session that
// is resumed, or with the new one, and that has the presence that was set.
func TestMembersOutliveTheirSession(t *testing.T) {
	t.Parallel() // most of its time is waiting
	for name, test := range map[string]struct {
		window     time.Duration // in which Discord lets sessions be resumed
		identifies uint64
	}{
		"resumed":    {time.Minute, 1},
		"identified": {time.Nanosecond, 2},
	} {
		t.Run(name, func(t *testing.T) {
			const far = 1 // the shard whose guild is asked for; the message comes by the other
			sim := discord(t, simulator.Config{Shards: 2, ReplayWindow: test.window, World: simulator.World{Guilds: 2, MembersPerGuild: 1500}})
			guilds := sim.Guilds()
			slices.SortFunc(guilds, func(a, b simulator.Guild) int { return int(a.ID>>22%2) - int(b.ID>>22%2) })
			near, wanted := guilds[0], guilds[1]
			if near.ID>>22%2 != 0 || wanted.ID>>22%2 != far {
				t.Fatalf("the guilds are not on two shards: %+v", guilds)
			}
			o, files := memberPlugins(t, 1)
			h := start(t, sim, o)
			present := func() bool {
				all := sim.Sessions()
				return len(all) == 2 && !slices.ContainsFunc(all, func(s simulator.SessionState) bool {
					return !strings.Contains(string(s.Presence), `"dnd"`) || !strings.Contains(string(s.Presence), "roll call")
				})
			}
			eventually(t, "both sessions have the presence", present)

			sim.Stall(far, true)
			sim.Say(near.ID, near.Channels[0], near.Members[0], fmt.Sprint("list ", wanted.ID))
			h.await("the request is sent", func(control.Status) bool { return strings.Contains(h.log.String(), "members asked for") })
			if n := sim.Counts().Payloads[opMembers]; n != 0 {
				t.Fatalf("the stalled connection has taken %d requests", n)
			}
			presences := sim.Counts().Payloads[opPresence]
			sim.Reset(far)
			h.listed(files, 1, "members 1501 1501 2")
			eventually(t, "both sessions have the presence again", present)
			c := sim.Counts()
			if c.Payloads[opMembers] != 1 || c.Shards[far].Identifies != test.identifies {
				t.Errorf("%d requests arrived, %d identifies", c.Payloads[opMembers], c.Shards[far].Identifies)
			}
			if test.identifies > 1 && c.Payloads[opPresence] != presences {
				t.Errorf("%d presences were sent although IDENTIFY brought it along", c.Payloads[opPresence]-presences)
			}
			h.stop()
		})
	}
}
