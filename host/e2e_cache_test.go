package host_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-bot/holdfast/host/control"
	"github.com/holdfast-bot/holdfast/host/simulator"
)

// watched are the events of which watchers read the guild.
const watched = "GUILD_CREATE,GUILD_UPDATE,GUILD_DELETE,CHANNEL_CREATE,CHANNEL_UPDATE,CHANNEL_DELETE," +
	"THREAD_CREATE,THREAD_UPDATE,THREAD_DELETE,THREAD_MEMBER_UPDATE,THREAD_MEMBERS_UPDATE,GUILD_ROLE_CREATE,GUILD_ROLE_UPDATE,GUILD_ROLE_DELETE," +
	"GUILD_EMOJIS_UPDATE,GUILD_STICKERS_UPDATE,GUILD_MEMBER_ADD,GUILD_MEMBER_UPDATE,GUILD_MEMBER_REMOVE,MESSAGE_CREATE"

// tellLate is how much later than they happen events may be told.
const tellLate = 40 * time.Millisecond

// watchers are options for two plugins that read the guild of each event: one has
// it loaded before its handlers run, one asks for it in them.
func watchers(t testing.TB) (o options, files []string) {
	t.Helper()
	o = options{plugins: map[string]string{}, env: map[string]map[string]string{}}
	dir := t.TempDir()
	for i, name := range []string{"watcher", "watcher-with-guild"} {
		files = append(files, filepath.Join(dir, name))
		o.plugins[name] = "./host/testdata/watcher"
		o.env[name] = map[string]string{"NAME": name, "FILE": files[i], "EVENTS": watched}
		if i > 0 {
			o.env[name]["WITH_GUILD"] = "1"
		}
	}
	return o, files
}

// seedOf is the seed of a random test: HOLDFAST_SEED, or a new one.
func seedOf(t testing.TB) uint64 {
	t.Helper()
	seed, err := strconv.ParseUint(os.Getenv("HOLDFAST_SEED"), 10, 64)
	if err != nil {
		seed = rand.Uint64()
	}
	t.Logf("HOLDFAST_SEED=%d", seed)
	return seed
}

// TestGuildsAreTrue lets guilds change in all that they contain while loads are
// slow, late and fail, guilds leave the cache, connections break and sessions are
// lost, and two plugins read the guild of every event: none is ever older than its
// event, none is newer but after a load or with a later event, and at rest each is
// what Discord has, field by field.
func TestGuildsAreTrue(t *testing.T) {
	beside(t)
	const shards = 2
	acts, rate, reidentifies := size(1500, 12_000), 250.0, size(2, 6)
	guilds := size(40, 100)
	if raceDetector {
		acts, rate = size(1000, 4000), 100 // all of it has two processors, or less
	}
	seed := seedOf(t)
	var told chronicle
	sim := discord(t, simulator.Config{
		Seed: seed, Shards: shards, VaryKeys: true, Skew: tellLate, Emitted: told.note, Introduced: told.introduced,
		// Things happen in guilds before a session knows them; in every other run it is not told of the first of them.
		IntroduceEvery: 10 * time.Millisecond, IntroduceWithin: time.Duration(seed%2) * 300 * time.Millisecond,
		World: simulator.World{Guilds: guilds, ChannelsPerGuild: 3, RolesPerGuild: 3, MembersPerGuild: 3},
	})
	a := newActor(sim, seed)
	for _, id := range a.guilds {
		sim.Restore(id) // what it is at the start: its first GUILD_CREATE
	}
	o, files := watchers(t)
	// Few bytes make guilds go and come; the time is longer than most sessions are lost for.
	o.args = []string{"--cache-bytes", "64KiB", "--cache-idle", "4s", "--guard-rate", "50", "--guard-burst", "50", "--log-level", "info"}
	h := start(t, sim, o)

	dice := rand.New(rand.NewPCG(seed, 3))
	err := sim.Run(t.Context(), simulator.Rate{PerSecond: rate, Count: acts}, func(i int) bool {
		a.act()
		trouble(sim, dice, dice.IntN(shards), i < acts*2/3)
		if i%(acts/(reidentifies+1)) == acts/(reidentifies+1)-1 && i < acts-acts/10 {
			sim.Invalidate(dice.IntN(shards), false)
		}
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	sim.ClearFailures()
	gone := a.mend()
	v := atRest(t, h, a, gone, files)

	pasts := told.pasts(t, sim.Bot())
	loads := noteAnswers(sim, pasts)
	for i, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		seen := newJudgement(pasts)
		if err := seen.judge(raw); err != nil {
			t.Fatal(err)
		}
		for _, fault := range seen.faults[:min(len(seen.faults), 10)] {
			t.Errorf("%s: %s", filepath.Base(file), fault)
		}
		t.Logf("%s: %d events, %d with their guild (%d held against whole states, %d mixed by a load, %d looks), %d told of early, missing %v; %d faults",
			filepath.Base(file), seen.events, seen.found, seen.exact, seen.newer, seen.looks, seen.ahead, seen.missing, len(seen.faults))
		if seen.found < seen.events/3 || seen.exact < acts/20 || seen.newer < acts/50 {
			t.Errorf("%s: too little was seen to say anything", filepath.Base(file))
		}
		seen.rest(t, sim, a.guilds, v[i])
	}
	counts := sim.Counts()
	s, _ := h.status()
	t.Logf("%d acts, %d loads, %d resumes, %d identifies; cache %+v", acts, loads, counts.Resumes, counts.Identifies, s.Cache)
	if counts.Resumes == 0 || counts.Identifies < shards+1 || loads < guilds {
		t.Errorf("too little happened: %+v", counts)
	}
	h.stop()
}

// trouble lets something go wrong now and then: a connection, or, if loads may
// fail, REST.
func trouble(sim *simulator.Server, dice *rand.Rand, shard int, loads bool) {
	const guilds = "GET /guilds/**"
	switch dice.IntN(200) {
	case 0:
		sim.Drop(shard)
	case 1:
		sim.Reset(shard)
	case 2:
		sim.Reconnect(shard)
	case 3, 4, 5, 6:
		sim.FailREST(guilds, simulator.Failure{Delay: time.Duration(dice.IntN(300)) * time.Millisecond}, 1+dice.IntN(4))
	case 7, 8, 9, 10, 11, 12, 13, 14:
		sim.FailREST(guilds, simulator.Failure{Late: time.Duration(dice.IntN(600)) * time.Millisecond}, 1+dice.IntN(8))
	case 15:
		if loads {
			sim.FailREST(guilds, oneOf(dice, []simulator.Failure{{Status: 500}, {CloseConn: true}, {Garbage: true}}), 1)
		}
	}
}

// atRest has the plugins look at every guild until each has the guild, or, of those
// that the bot is out of, is told so. They are looked at by a few: a plugin that
// wants all guilds at once is refused most of them.
func atRest(t *testing.T, h *running, a *actor, gone map[uint64]bool, files []string) []map[string]*sight {
	t.Helper()
	const atOnce = 5
	quiet := time.Now() // since when the host has all that there is
	h.await("all that happened has arrived", func(s control.Status) bool {
		sessions := a.sim.Sessions()
		if len(sessions) < len(s.Shards) { // one is lost, and not yet begun anew
			quiet = time.Now()
		}
		for _, told := range sessions {
			if told.Awaiting > 0 || !told.Connected || !slices.ContainsFunc(s.Shards, func(shard control.Shard) bool {
				return shard.Shard == told.Shard && shard.State == "ready" && shard.Seq == told.Seq
			}) {
				quiet = time.Now()
			}
		}
		return time.Since(quiet) > 10*tellLate
	})
	at := slices.IndexFunc(a.guilds, func(id uint64) bool { return !gone[id] })
	talk, _ := a.sim.Guild(a.guilds[at]) // where the bot is asked
	var seen []map[string]*sight
	var followed []*follower
	for _, file := range files {
		seen, followed = append(seen, make(map[string]*sight)), append(followed, &follower{file: file})
	}
	asked := make(map[uint64]bool) // and not answered by all
	answers := make(map[uint64]int)
	eventually(t, "each plugin sees each guild", func() bool {
		for i, f := range followed {
			for _, s := range f.looks(t) {
				seen[i][s.Guild] = s
				id, _ := strconv.ParseUint(s.Guild, 10, 64)
				if answers[id]++; answers[id] == len(files) {
					delete(asked, id)
					delete(answers, id)
				}
			}
		}
		open := 0
		for _, id := range a.guilds {
			if asked[id] || slices.ContainsFunc(seen, func(m map[string]*sight) bool { return !m[strconv.FormatUint(id, 10)].settled(gone[id]) }) {
				open++
				if !asked[id] && len(asked) < atOnce {
					asked[id] = true
					a.sim.Say(talk.ID, talk.Channels[0], talk.Owner, "look "+strconv.FormatUint(id, 10))
				}
			}
		}
		return open == 0
	})
	return seen
}

// settled says whether a guild, which the bot may be out of, was seen as it will
// stay.
func (s *sight) settled(gone bool) bool {
	return s != nil && (gone && s.Reason == "removed" || !gone && s.Reason == "")
}

// follower reads what a watcher adds to its file.
type follower struct {
	file string
	read int64
	rest string // of a line that is being written
}

// looks are the looks at guilds that were added since the last time.
func (f *follower) looks(t *testing.T) (out []*sight) {
	t.Helper()
	file, err := os.Open(f.file)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	raw, err := io.ReadAll(io.NewSectionReader(file, f.read, 1<<40))
	if err != nil {
		t.Fatal(err)
	}
	f.read += int64(len(raw))
	whole := f.rest + string(raw)
	f.rest = ""
	for text := range strings.Lines(whole) {
		switch {
		case !strings.HasSuffix(text, "\n"):
			f.rest = text
		case strings.Contains(text, `"look":true`):
			out = append(out, decoded(t, text))
		}
	}
	return out
}

// noteAnswers tells the judge when REST told of guilds, and counts loads.
func noteAnswers(sim *simulator.Server, pasts map[uint64]*past) (loads int) {
	for _, r := range sim.Requests() {
		rest, ok := strings.CutPrefix(r.Path, "/guilds/")
		if r.Method != "GET" || !ok || r.Status != 200 {
			continue
		}
		id, _ := strconv.ParseUint(rest[:strings.IndexAny(rest+"/", "/?")], 10, 64)
		if p := pasts[id]; p != nil {
			p.answered = append(p.answered, r.Done)
		}
		if r.Route == "GET /guilds/{guild}" {
			loads++
		}
	}
	return loads
}

// rest compares what a plugin saw last of each guild with what Discord has.
func (v *judgement) rest(t *testing.T, sim *simulator.Server, guilds []uint64, last map[string]*sight) {
	t.Helper()
	for _, id := range guilds {
		s := last[strconv.FormatUint(id, 10)]
		answers, there := sim.Answers(id)
		if !there {
			continue // atRest has seen that it is told to be removed
		}
		want, err := flatAnswers(answers)
		if err != nil {
			t.Fatal(err)
		}
		got := v.contents[s.Sum]
		for _, difference := range want.differences(got) {
			t.Errorf("guild %d at rest: %s", id, difference)
		}
		if m := v.pasts[id]; m.digests[len(m.digests)-1] != want.digest() {
			t.Errorf("guild %d: the events do not say what REST does: %v", id, want.differences(m.now()))
		}
	}
}

// differences names the fields that differ.
func (f flat) differences(got flat) (out []string) {
	for place, is := range f {
		if got[place] != is {
			out = append(out, fmt.Sprintf("%s is %q, and Discord has %q", place, got[place], is))
		}
	}
	for place, is := range got {
		if _, there := f[place]; !there {
			out = append(out, fmt.Sprintf("%s is %q, and Discord has no such thing", place, is))
		}
	}
	return out
}
