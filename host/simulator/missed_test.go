package simulator

import (
	"testing"
	"time"
)

// missedOf gives the messages among what is missed, by their content.
func missedOf(s *Server) map[string]Missed {
	out := make(map[string]Missed)
	for _, m := range s.Missed() {
		if m.Name == "MESSAGE_CREATE" {
			out[contentOf(payload{D: m.Data})] = m
		}
	}
	return out
}

// What no session can bring is listed: what was emitted without one, and what ended ones had left.
func TestMissed(t *testing.T) {
	cfg := oneGuild()
	cfg.KeepMissed = true
	s := start(t, cfg)
	say(s, 0, 1)
	c := connect(t, s, intentMessages|intentContent)
	say(s, 1, 3)
	c.hear(1, 3)
	c.send(`{"op":1,"d":3}`) // READY and two messages need no replay
	c.until("op 11")
	s.Vanish(0)
	say(s, 4, 1)
	eventually(t, "it is written, to nobody", func() bool { return s.Sessions()[0].Written == 5 })
	s.Stall(0, true)
	say(s, 5, 1)
	if n := s.Invalidate(0, false); n != 1 {
		t.Errorf("%d sessions ended", n)
	}
	say(s, 6, 1)
	s.Stall(0, false)
	c.refused(s)
	want := map[string]Missed{
		"0": {}, "3": {Session: c.session, Seq: 4, Written: true}, "4": {Session: c.session, Seq: 5, Written: true},
		"5": {Session: c.session, Seq: 6}, "6": {},
	}
	got := missedOf(s)
	for n, m := range want {
		if g, ok := got[n]; !ok || g.Session != m.Session || g.Seq != m.Seq || g.Written != m.Written && n != "5" {
			t.Errorf("message %s: %+v, want %+v", n, g, m)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d missed, want %d: %+v", len(got), len(want), got)
	}
	wantBreaches(t, s, nil)
}

// A session that ends between the look at it and the event does not count as having got it.
func TestUnseenAtTheEnd(t *testing.T) {
	s := start(t, oneGuild())
	connect(t, s, intentMessages|intentGuilds)
	ses := (*s.live.Load())[0]
	ses.end(&Config{})
	g := s.world.all()[0]
	for _, ev := range []*event{{name: "MESSAGE_CREATE", guild: g.id, data: []byte(`{}`)}, {name: "GUILD_CREATE", guild: g.id}} {
		if s.push(ses, g, ev) {
			t.Errorf("%s was taken by a session that is over", ev.name)
		}
	}
	say(s, 0, 3)
	if n := s.Counts().Shards[0].Unseen; n != 3 {
		t.Errorf("%d unseen, want 3", n)
	}
}

// What the connection of before is told does not end a session that has gone to another one.
func TestSessionHasMoved(t *testing.T) {
	s := start(t, oneGuild())
	c := connect(t, s, intentMessages|intentContent)
	before := s.connsOf(0)[0]
	ses := before.ses.Load()
	c = c.again(s, "")
	c.until("RESUMED")
	before.ses.Store(ses) // as a fault has it that found the connection just before
	before.condemn(4009)
	say(s, 0, 3)
	c.hear(0, 3)
}

// The peer vanishes: nothing arrives, not even an end, nothing that is sent counts, and no rule is broken by it.
func TestVanish(t *testing.T) {
	for _, compress := range []string{"", "zlib-stream", "zstd-stream"} {
		t.Run(compress, func(t *testing.T) {
			s := start(t, oneGuild())
			c := dial(t, s.GatewayURL(), compress)
			c.identify(s, 0, 1, intentMessages|intentContent)
			if n := s.Vanish(0); n != 1 {
				t.Errorf("%d have vanished, want 1", n)
			}
			say(s, 0, 100)
			c.send(`{"op":1,"d":1}`)
			c.send(`nonsense`)
			s.Reconnect(0)
			if n := s.Drop(0) + s.Reset(0) + s.Vanish(0); n != 0 {
				t.Errorf("%d of what has vanished were hit", n)
			}
			late := writer{conn: s.connsOf(0)[0]}
			late.check(time.Now().Add(time.Hour))
			if st := s.Sessions()[0]; !st.Connected || st.Reported != 0 {
				t.Errorf("%+v", st)
			}
			again := c.again(s, compress)
			again.hear(0, 100)
			again.until("RESUMED")
			if p, err := c.read(); err == nil { // the resume has ended it
				t.Errorf("op %d %s arrived", p.Op, p.name())
			}
			wantBreaches(t, s, nil)
		})
	}
}

// A client that gives up a connection whose peer has vanished leaves nothing behind.
func TestVanishedIsLeft(t *testing.T) {
	s := start(t, oneGuild())
	c := connect(t, s, intentMessages)
	s.Vanish(0)
	_ = c.ws.Close()
	eventually(t, "the session has no connection", func() bool { return !s.Sessions()[0].Connected })
	eventually(t, "the connection is gone", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.conns) == 0
	})
}
