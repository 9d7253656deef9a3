package host_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-bot/holdfast/host/control"
	"github.com/holdfast-bot/holdfast/host/simulator"
)

// TestUsersNameWrongGuilds: users have a plugin read guilds that the bot is not in, and
// members of them. Discord is not asked, and others go on reading cold guilds, before a
// restart and after it; a guild that the bot joins is there at once.
func TestUsersNameWrongGuilds(t *testing.T) {
	t.Parallel()
	const wrong = 60 // far more than open the guard, or than it has tokens for
	sim := discord(t, simulator.Config{Shards: 2, World: simulator.World{Guilds: 6}})
	all := sim.Guilds()
	a := startAuthors(t, sim, []string{"--shards", "2"}, 0)
	for round := range 2 {
		if round == 1 {
			a.stop()
			a.o.again = a.running
			a.running = start(t, sim, a.o)
			a.await("both sessions go on", func(s control.Status) bool {
				return len(s.Shards) == 2 && s.Shards[0].Resumes == 1 && s.Shards[1].Resumes == 1
			})
		}
		speaker, since := all[0], time.Now()
		for n := range wrong {
			message := fmt.Sprintf("guild %d", uint64(1000*round+n+1)<<22)
			if n%2 == 0 {
				message = fmt.Sprintf("member %d %d", speaker.Owner, uint64(1000*round+n+1)<<22)
			}
			sim.Say(speaker.ID, speaker.Channels[0], speaker.Members[0], message)
		}
		a.await("every one is answered", func(control.Status) bool { return lines(a.files[0]) == (round+1)*wrong+3*round })
		if _, asked := loadsOf(sim, since); asked != 0 {
			t.Errorf("round %d: %d requests", round, asked)
		}
		if got := results(a.files[0], fmt.Sprintf("guild %d", uint64(1000*round+2)<<22)); len(got) != 1 || !strings.Contains(got[0], "removed") {
			t.Errorf("round %d: %q", round, got)
		}
		s, _ := a.status()
		if c := s.Cache; c == nil || c.Guard != "closed" || c.Tokens < 10 || c.Remembered != 0 {
			t.Errorf("round %d: cache %+v", round, c)
		}
		for n := range 2 {
			cold := all[1+2*round+n]
			if got, asked := a.read(speaker, "guild", cold.ID); !strings.HasPrefix(got[0], cold.Name+" with") || len(asked) != 4 {
				t.Errorf("round %d: a cold guild of the bot is %q after %q", round, got, asked)
			}
		}
		joined := sim.Invite()
		a.await("the bot has joined", func(s control.Status) bool { return s.Cache.Guilds == 3 })
		if got, asked := a.read(speaker, "guild", joined); strings.Contains(got[0], "removed") || len(asked) != 0 {
			t.Errorf("round %d: the guild that the bot has joined is %q after %q", round, got, asked)
		}
	}
	a.stop()
}
