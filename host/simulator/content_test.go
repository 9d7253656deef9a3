package simulator

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestWhatGuildsContainChanges drives every change of what a guild contains: the event tells it, and REST and the next
// GUILD_CREATE answer with it.
func TestWhatGuildsContainChanges(t *testing.T) {
	s := start(t, Config{World: World{Guilds: 1}, IdentifyInterval: time.Nanosecond, RateLimits: RateLimits{Off: true}})
	c := dial(t, s.GatewayURL(), "")
	c.identify(s, 0, 1, intentGuilds|intentExpressions) // none that is privileged
	g := s.Guilds()[0]
	c.until("GUILD_CREATE")
	role, channel, thread := g.Roles[0], g.Channels[0], uint64(0)
	threads := func() string { return string(get(t, s, fmt.Sprintf("/guilds/%d/threads/active", g.ID)).body) }
	steps := []struct {
		what   string
		act    func() bool
		events string
		data   string // in the first of them
	}{
		{"a topic", func() bool { return s.ChangeChannel(g.ID, channel, "room", "about") }, "CHANNEL_UPDATE", `"topic":"about"`},
		{"overwrites", func() bool { return s.SetOverwrites(g.ID, channel, Overwrite{ID: role, Allow: 8}) }, "CHANNEL_UPDATE", `"allow":"8"`},
		{"a role", func() bool { return s.ChangeRole(g.ID, role, "boss", 1024) }, "GUILD_ROLE_UPDATE", `"name":"boss","permissions":"1024"`},
		{"emojis", func() bool { return s.SetEmojis(g.ID, "one", "two") }, "GUILD_EMOJIS_UPDATE", `"name":"two"`},
		{"stickers", func() bool { return s.SetStickers(g.ID, "three") }, "GUILD_STICKERS_UPDATE", `"name":"three"`},
		{"a new thread", func() bool { thread = s.CreateThread(g.ID, channel, "talk"); return thread != 0 }, "THREAD_CREATE", `"newly_created":true`},
		{"joined", func() bool { return s.JoinThread(g.ID, thread, true) }, "THREAD_MEMBERS_UPDATE", `"member_count":2,"added_members":[{"id":"`},
		{"archived", func() bool { return s.Archive(g.ID, thread, true) }, "THREAD_UPDATE", `"archived":true`},
		{"active again", func() bool { return s.Archive(g.ID, thread, false) }, "THREAD_UPDATE THREAD_MEMBER_UPDATE", `"archived":false`},
		{"left", func() bool { return s.JoinThread(g.ID, thread, false) }, "THREAD_MEMBERS_UPDATE", `"removed_member_ids":["`},
		{"joined again", func() bool { return s.JoinThread(g.ID, thread, true) }, "THREAD_MEMBERS_UPDATE", ``},
		{"own roles", func() bool { s.ChangeMember(g.ID, s.Bot(), "me", g.Roles[:2]); return true }, "GUILD_MEMBER_UPDATE", `"nick":"me"`},
		{"a role goes", func() bool { return s.DeleteRole(g.ID, role) }, "GUILD_ROLE_DELETE", ``},
	}
	for _, step := range steps {
		if !step.act() {
			t.Fatalf("%s: refused", step.what)
		}
		for i, name := range strings.Fields(step.events) {
			if p := c.until(name); i == 0 && !bytes.Contains(p.D, []byte(step.data)) {
				t.Errorf("%s: %s tells %s", step.what, name, p.D)
			}
		}
	}
	if list := threads(); !strings.Contains(list, fmt.Sprintf(`"members":[{"id":"%d","user_id":"%d"`, thread, s.Bot())) {
		t.Errorf("threads %s", list)
	}
	agree(t, s, g.ID)

	// What goes with its channel is not told, what stays is.
	if !s.DeleteChannel(g.ID, channel) || strings.Contains(threads(), fmt.Sprint(thread)) {
		t.Error("the thread outlives its channel")
	}
	c.until("CHANNEL_DELETE")
	category := g.ID + channelBase
	if !s.DeleteChannel(g.ID, category) {
		t.Fatal("there is no category")
	}
	c.until("CHANNEL_DELETE")
	for range g.Channels { // one less, and the voice channel
		if p := c.until("CHANNEL_UPDATE"); !bytes.Contains(p.D, []byte(`"parent_id":null`)) {
			t.Errorf("told %s", p.D)
		}
	}
	for what, ok := range map[string]bool{
		"ChangeChannel": s.ChangeChannel(g.ID, channel, "", ""), "ChangeRole": s.ChangeRole(g.ID, role, "", 0),
		"Archive": s.Archive(g.ID, thread, true), "JoinThread": s.JoinThread(g.ID, thread, true),
		"CreateThread": s.CreateThread(g.ID, channel, "") != 0, "Return": s.Return(g.ID), "SetEmojis": s.SetEmojis(1),
	} {
		if ok {
			t.Errorf("%s of what is gone", what)
		}
	}
	agree(t, s, g.ID)

	// The bot goes and comes back as a new member of the same guild.
	s.Remove(g.ID)
	if _, ok := s.Answers(g.ID); ok || !s.Return(g.ID) {
		t.Error("still there, or not to be had back")
	}
	c.until("GUILD_DELETE")
	if p := c.until("GUILD_CREATE"); bytes.Contains(p.D, []byte(`"nick":"me"`)) || !bytes.Contains(p.D, []byte(`"name":"three"`)) {
		t.Errorf("told %s", p.D)
	}
	agree(t, s, g.ID)
	wantBreaches(t, s, nil)
}

// agree checks that Answers is what REST answers, and that an introduction tells the same of what both tell.
func agree(t *testing.T, s *Server, guild uint64) {
	t.Helper()
	a, ok := s.Answers(guild)
	for path, told := range map[string]json.RawMessage{
		"?with_counts=true": a.Guild, "/channels": a.Channels, "/threads/active": a.Threads, fmt.Sprintf("/members/%d", s.Bot()): a.Member,
	} {
		if r := get(t, s, fmt.Sprintf("/guilds/%d%s", guild, path)).want(200); !ok || !bytes.Equal(r.body, told) {
			t.Errorf("%s answers\n%s\nand not\n%s", path, r.body, told)
		}
	}
	c := dial(t, s.GatewayURL(), "")
	c.identify(s, 0, 1, intentGuilds)
	var created, rest struct {
		Name            string
		Roles, Stickers []struct{ ID, Name, Permissions string }
		Channels        []struct{ ID, Name, Topic string }
		Threads         []struct {
			ID     string
			Member *struct {
				ID   string
				Join string `json:"join_timestamp"`
			}
		}
		Members []struct {
			Roles []string
			Nick  *string
		}
	}
	if err := json.Unmarshal(c.until("GUILD_CREATE").D, &created); err != nil {
		t.Fatal(err)
	}
	joined := map[string]string{}
	for i := range created.Threads {
		if m := created.Threads[i].Member; m != nil {
			joined[created.Threads[i].ID] = m.Join + m.ID // which is left out there
		}
		created.Threads[i].Member = nil
	}
	var threads struct {
		Threads json.RawMessage
		Members []struct {
			ID   string
			Join string `json:"join_timestamp"`
		}
	}
	err := json.Unmarshal(a.Threads, &threads)
	for _, part := range []struct {
		raw json.RawMessage
		to  any
	}{{a.Guild, &rest}, {a.Channels, &rest.Channels}, {threads.Threads, &rest.Threads}, {fmt.Appendf(nil, "[%s]", a.Member), &rest.Members}} {
		if err == nil {
			err = json.Unmarshal(part.raw, part.to)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range threads.Members {
		if joined[m.ID] != m.Join {
			t.Errorf("thread %s was joined %q, REST tells %q", m.ID, joined[m.ID], m.Join)
		}
	}
	left, _ := json.Marshal(created)
	right, _ := json.Marshal(rest)
	if !bytes.Equal(left, right) || len(joined) != len(threads.Members) {
		t.Errorf("GUILD_CREATE tells\n%s\nREST\n%s", left, right)
	}
}

// TestAnswersMayBeOld: an answer that comes late tells what was when it was made, and Done says when that was.
func TestAnswersMayBeOld(t *testing.T) {
	s := start(t, oneGuild())
	g := s.Guilds()[0]
	s.FailREST("GET /guilds/**", Failure{Late: 300 * time.Millisecond}, 1)
	began := time.Now()
	answered := make(chan reply)
	go func() { answered <- get(t, s, fmt.Sprintf("/guilds/%d", g.ID)) }()
	time.Sleep(100 * time.Millisecond) // it is made long before, unless the machine sleeps
	s.RenameGuild(g.ID, "another")
	renamed := time.Now()
	r := <-answered
	if time.Since(began) < 300*time.Millisecond {
		t.Error("it was not late")
	}
	requests := s.Requests()
	if done := requests[len(requests)-1].Done; done.Before(renamed) != (r.object()["name"] == g.Name) {
		t.Errorf("made %v after the change tells %v", done.Sub(renamed), r.object()["name"])
	}
	if again := get(t, s, fmt.Sprintf("/guilds/%d", g.ID)).object()["name"]; again != "another" {
		t.Errorf("then %v", again)
	}
}
