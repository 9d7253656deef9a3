package simulator

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"
)

// away begins a session whose client is not there: nothing introduces a guild to it but what happens in it.
func away(s *Server, intents uint64) *session {
	ses := s.newSession(identity{shards: 1, intents: intents, large: defaultLarge})
	s.world.mu.Lock()
	defer s.world.mu.Unlock()
	ses.expect(s.world.sharded(0, 1), 0)
	s.addSession(ses)
	return ses
}

// names are those of the frames that a session keeps.
func (ses *session) names() (list []string) {
	ses.mu.Lock()
	defer ses.mu.Unlock()
	for _, f := range ses.frames {
		list = append(list, f.name)
	}
	return list
}

// A guild that is introduced because of an event has in it the event's whole act: a channel goes with its threads.
func TestIntroductionIsWhole(t *testing.T) {
	s := start(t, Config{World: World{Guilds: 1}})
	g := s.Guilds()[0]
	thread := s.CreateThread(g.ID, g.Channels[1], "goes with its channel")
	ses := away(s, intentGuilds)
	s.DeleteChannel(g.ID, g.Channels[1])
	if got := ses.names(); !slices.Equal(got, []string{"GUILD_CREATE", "CHANNEL_DELETE"}) {
		t.Fatalf("told %v", got)
	}
	var told struct {
		Channels, Threads []struct {
			ID     string
			Parent string `json:"parent_id"`
		}
	}
	if err := json.Unmarshal(ses.frames[0].data, &told); err != nil {
		t.Fatal(err)
	}
	gone := fmt.Sprint(g.Channels[1])
	for _, ch := range slices.Concat(told.Channels, told.Threads) {
		if ch.ID == gone || ch.Parent == gone || ch.ID == fmt.Sprint(thread) {
			t.Errorf("introduced with %+v, though channel %s is deleted", ch, gone)
		}
	}
	if len(told.Channels) == 0 || len(told.Threads) == 0 {
		t.Errorf("introduced with %+v", told)
	}
}

// Where a GUILD_CREATE stands among the emissions is told of each: of one that is an emission, of one that comes ahead
// of an event, and of one for which there was time.
func TestIntroductionsAreTold(t *testing.T) {
	var told []Introduction
	var emitted []string
	s := start(t, Config{
		World: World{Guilds: 1}, IdentifyInterval: time.Nanosecond,
		Emitted:    func(e Emission) { emitted = append(emitted, e.Name) }, // the guild's lock is held
		Introduced: func(i Introduction) { told = append(told, i) },
	})
	g := s.Guilds()[0]
	s.RenameGuild(g.ID, "nobody sees it")
	ses := away(s, intentGuilds)
	s.RenameGuild(g.ID, "ahead of it")
	s.Restore(g.ID)
	s.remove(ses)
	c := connect(t, s, intentGuilds)
	heard := c.until("GUILD_CREATE").D

	s.in(g.ID, func(*guildState) { // after whoever tells of it
		want := []Introduction{
			{Guild: g.ID, Session: ses.id, After: 1, Data: ses.frames[0].data},
			{Guild: g.ID, Session: ses.id, After: 3, Data: ses.frames[2].data},
			{Guild: g.ID, Session: c.session, After: 3, Data: heard},
		}
		same := func(a, b Introduction) bool {
			return a.Guild == b.Guild && a.Session == b.Session && a.After == b.After && bytes.Equal(a.Data, b.Data)
		}
		if !slices.EqualFunc(told, want, same) {
			t.Errorf("told %v, want %v", brief(told), brief(want))
		}
		if !slices.Equal(emitted, []string{"GUILD_UPDATE", "GUILD_UPDATE", "GUILD_CREATE"}) {
			t.Errorf("emitted %v", emitted)
		}
	})
}

// Between two introductions there is time for something to happen, and that introduces its guild at once.
func TestIntroduceEvery(t *testing.T) {
	s := start(t, Config{World: World{Guilds: 3}, IntroduceEvery: time.Hour})
	c := connect(t, s, intentGuilds)
	all := s.Guilds()
	first, _ := idsOf(t, c.until("GUILD_CREATE").D)
	var rest []uint64
	for _, g := range all {
		if fmt.Sprint(g.ID) != first {
			rest = append(rest, g.ID)
		}
	}
	s.RenameGuild(rest[1], "here")
	for _, name := range []string{"GUILD_CREATE", "GUILD_UPDATE"} {
		if id, _ := idsOf(t, c.until(name).D); id != fmt.Sprint(rest[1]) {
			t.Errorf("%s of %s, want of %d", name, id, rest[1])
		}
	}
	if n := s.Counts().Events["GUILD_CREATE"]; n != 2 {
		t.Errorf("%d guilds are introduced", n)
	}
}

// brief says a few words of each.
func brief(list []Introduction) (out []string) {
	for _, i := range list {
		out = append(out, fmt.Sprintf("guild %d to %q after %d: %.60s…", i.Guild, i.Session, i.After, i.Data))
	}
	return out
}
