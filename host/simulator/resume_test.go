package simulator

import (
	"fmt"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// say lets a user say n numbered messages, beginning with from.
func say(s *Server, from, n int) {
	g := s.Guilds()[0]
	for i := range n {
		s.Say(g.ID, g.Channels[0], g.Members[0], fmt.Sprint(from+i))
	}
}

// hear expects n numbered messages, beginning with from.
func (c *client) hear(from, n int) {
	c.t.Helper()
	for i := range n {
		if p := c.until("MESSAGE_CREATE"); contentOf(p) != fmt.Sprint(from+i) {
			c.t.Fatalf("heard %q, want %d", contentOf(p), from+i)
		}
	}
}

func oneGuild() Config { return Config{Seed: 1, World: World{Guilds: 1}} }

func TestResume(t *testing.T) {
	faults := map[string]func(s *Server, c *client){
		"drop":  func(s *Server, _ *client) { s.Drop(0) },
		"reset": func(s *Server, _ *client) { s.Reset(0) },
		"op 7": func(s *Server, c *client) {
			s.Reconnect(0)
			c.until("op 7")
			_ = c.ws.Close()
		},
		"op 9 true": func(s *Server, c *client) {
			s.Invalidate(0, true)
			if p := c.until("op 9"); string(p.D) != "true" {
				c.t.Errorf("op 9 %s, want true", p.D)
			}
		},
		"close 4000": func(s *Server, c *client) {
			s.CloseCode(0, 4000)
			if code := c.closed(); code != 4000 {
				c.t.Errorf("close code %d, want 4000", code)
			}
		},
		"client closes with 4900": func(_ *Server, c *client) { c.bye(4900) },
		"client closes TCP":       func(_ *Server, c *client) { _ = c.ws.Close() },
		"half-open": func(s *Server, c *client) {
			s.Stall(0, true)
			_ = c.ws.Close()
		},
	}
	for name, fault := range faults {
		for _, compress := range []string{"", "zlib-stream", "zstd-stream"} {
			t.Run(name+" "+compress, func(t *testing.T) {
				s := start(t, oneGuild())
				c := dial(t, s.GatewayURL(), compress)
				c.identify(s, 0, 1, allIntents)
				say(s, 0, 10)
				c.hear(0, 10)
				fault(s, c)
				say(s, 10, 10)
				c = c.again(s, compress)
				c.hear(10, 10)
				if p := c.until("RESUMED"); *p.S != c.seq {
					t.Errorf("RESUMED has seq %v", p.S)
				}
				say(s, 20, 5)
				c.hear(20, 5)
				wantBreaches(t, s, nil)
				n := s.Counts()
				if n.Identifies != 1 || n.Resumes != 1 || n.Connections != 2 {
					t.Errorf("identifies %d resumes %d connections %d, want 1 1 2", n.Identifies, n.Resumes, n.Connections)
				}
			})
		}
	}
}

// bye closes with a code and waits for the answer.
func (c *client) bye(code int) {
	msg := websocket.FormatCloseMessage(code, "")
	if err := c.ws.WriteControl(websocket.CloseMessage, msg, time.Now().Add(patience)); err != nil {
		c.t.Fatal(err)
	}
	c.closed()
	_ = c.ws.Close()
}

// refused resumes and expects op 9 false.
func (c *client) refused(s *Server) {
	c.t.Helper()
	n := dial(c.t, c.resume, "")
	n.until("op 10")
	n.send(resumeText(s.Token(), c.session, c.seq))
	if p, err := n.read(); err != nil || p.Op != 9 || string(p.D) != "false" {
		c.t.Fatalf("resume is answered with op %d %s %v, want op 9 false", p.Op, p.D, err)
	}
}

func TestResumeRefused(t *testing.T) {
	tests := map[string]struct {
		cfg  Config
		harm func(s *Server, c *client)
	}{
		"closed with 1000": {oneGuild(), func(_ *Server, c *client) { c.bye(1000) }},
		"closed with 1001": {oneGuild(), func(_ *Server, c *client) { c.bye(1001) }},
		"op 9 false": {oneGuild(), func(s *Server, c *client) {
			s.Invalidate(0, false)
			c.until("op 9")
		}},
		"close 4009": {oneGuild(), func(s *Server, c *client) {
			s.CloseCode(0, 4009)
			c.closed()
		}},
		"too long ago": {Config{World: World{Guilds: 1}, ReplayWindow: time.Nanosecond}, func(s *Server, c *client) {
			s.Drop(0)
			eventually(c.t, "the connection is gone", func() bool { n := s.Sessions(); return len(n) == 0 || !n[0].Connected })
			time.Sleep(time.Millisecond)
		}},
		"unknown session": {oneGuild(), func(_ *Server, c *client) { c.session = "nonsense" }},
		"below what heartbeats reported": {oneGuild(), func(s *Server, c *client) {
			say(s, 0, 10)
			c.hear(0, 10)
			c.send(fmt.Sprintf(`{"op":1,"d":%d}`, c.seq))
			c.until("op 11")
			c.seq--
		}},
		"more than the replay holds": {Config{World: World{Guilds: 1}, ReplayLimit: 5}, func(s *Server, c *client) {
			s.Drop(0)
			eventually(c.t, "the connection is gone", func() bool { return !s.Sessions()[0].Connected })
			say(s, 0, 6)
		}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := start(t, tt.cfg)
			c := connect(t, s, intentMessages|intentContent)
			tt.harm(s, c)
			c.refused(s)
			wantBreaches(t, s, nil)
			if n := s.Counts().ResumesRefused; n != 1 {
				t.Errorf("%d refused resumes counted, want 1", n)
			}
		})
	}
}

// What heartbeats have reported is not replayed and not kept; exactly that seq can still be resumed.
func TestHeartbeatTrims(t *testing.T) {
	s := start(t, oneGuild())
	c := connect(t, s, intentMessages|intentContent)
	say(s, 0, 10)
	c.hear(0, 10)
	if n := s.Sessions()[0].Kept; n != 11 {
		t.Errorf("%d events kept, want 11", n)
	}
	c.send(fmt.Sprintf(`{"op":1,"d":%d}`, c.seq))
	c.until("op 11")
	if n := s.Sessions()[0]; n.Kept != 0 || n.Reported != 11 {
		t.Errorf("%d events kept and %d reported, want 0 and 11", n.Kept, n.Reported)
	}
	s.Drop(0)
	say(s, 10, 3)
	c = c.again(s, "")
	c.hear(10, 3)
	c.until("RESUMED")
	wantBreaches(t, s, nil)
}

func TestResumeBreaches(t *testing.T) {
	t.Run("seq above what was sent", func(t *testing.T) {
		s := start(t, oneGuild())
		c := connect(t, s, 0)
		s.Drop(0)
		n := dial(t, c.resume, "")
		n.until("op 10")
		n.send(resumeText(s.Token(), c.session, c.seq+1))
		if code := n.closed(); code != 4007 {
			t.Errorf("close code %d, want 4007", code)
		}
		wantBreaches(t, s, map[Rule]int{RuleSeq: 1})
		c.refused(s)
	})
	t.Run("at the gateway's URL", func(t *testing.T) {
		s := start(t, oneGuild())
		c := connect(t, s, 0)
		s.Drop(0)
		c.resume = s.GatewayURL()
		c.again(s, "").until("RESUMED")
		wantBreaches(t, s, map[Rule]int{RuleResumeURL: 1})
	})
	t.Run("identify too soon after op 9", func(t *testing.T) {
		s := start(t, Config{IdentifyInterval: time.Nanosecond, InvalidWait: time.Hour})
		c := connect(t, s, 0)
		s.Invalidate(0, false)
		c.until("op 9")
		c.send(identifyText(s.Token(), 0, 1, 0))
		c.until("op 9")
		wantBreaches(t, s, map[Rule]int{RuleIdentifyAfter9: 1})
	})
	t.Run("identify after op 9", func(t *testing.T) {
		s := start(t, Config{IdentifyInterval: time.Nanosecond, InvalidWait: time.Nanosecond})
		c := connect(t, s, 0)
		s.Invalidate(0, false)
		c.until("op 9")
		c.seq = 0
		c.send(identifyText(s.Token(), 0, 1, 0))
		c.until("READY")
		wantBreaches(t, s, nil)
	})
}

// What is dispatched before a session ends still arrives; what is dispatched after that is counted.
func TestUnseen(t *testing.T) {
	s := start(t, oneGuild())
	say(s, 0, 3)
	if n := s.Counts(); n.Shards[0].Unseen != 3 || n.Unseen["MESSAGE_CREATE"] != 3 {
		t.Errorf("unseen %+v %+v, want 3", n.Shards, n.Unseen)
	}
	c := connect(t, s, intentMessages|intentContent)
	say(s, 3, 100)
	s.CloseCode(0, 4007)
	say(s, 103, 7)
	c.hear(3, 100)
	if code := c.closed(); code != 4007 {
		t.Errorf("close code %d, want 4007", code)
	}
	if n := s.Counts().Shards[0].Unseen; n != 10 {
		t.Errorf("%d unseen, want 10", n)
	}
	wantBreaches(t, s, nil)
}

// A session that reads slowly slows the driver down; nothing is dropped.
func TestBackPressure(t *testing.T) {
	cfg := oneGuild()
	cfg.Outgoing = 10
	s := start(t, cfg)
	c := connect(t, s, intentMessages|intentContent)
	const n = 8000 // more than socket buffers hold
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range n {
			say(s, i, 1)
			if st := s.Sessions()[0]; st.Seq-st.Written > uint64(cfg.Outgoing) {
				t.Errorf("%d events wait for the client, want at most %d", st.Seq-st.Written, cfg.Outgoing)
				return
			}
		}
	}()
	c.hear(0, n)
	<-done
	if st := s.Sessions()[0]; st.Dropped != 0 {
		t.Errorf("%d dropped", st.Dropped)
	}
	wantBreaches(t, s, nil)
}

// A driver that waits for a client which does not read is freed by Close.
func TestCloseFreesDriver(t *testing.T) {
	cfg := oneGuild()
	cfg.Outgoing = 10
	s := start(t, cfg)
	connect(t, s, intentMessages|intentContent)
	done := make(chan struct{})
	go func() { defer close(done); say(s, 0, 20_000) }()
	eventually(t, "the driver waits", func() bool {
		st := s.Sessions()[0]
		return st.Seq-st.Written >= 10
	})
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	<-done
}

// A stalled link does not slow the driver down; what the replay cannot hold ends the session.
func TestStall(t *testing.T) {
	t.Run("continued", func(t *testing.T) {
		cfg := oneGuild()
		cfg.Outgoing = 10
		s := start(t, cfg)
		c := connect(t, s, intentMessages|intentContent)
		s.Stall(0, true)
		say(s, 0, 1000)
		s.Stall(0, false)
		c.hear(0, 1000)
		wantBreaches(t, s, nil)
	})
	t.Run("for too long", func(t *testing.T) {
		cfg := oneGuild()
		cfg.ReplayLimit = 500
		s := start(t, cfg)
		c := connect(t, s, intentMessages|intentContent)
		s.Stall(0, true)
		say(s, 0, 10_000)
		s.Stall(0, false)
		if code := c.closed(); code != 4009 {
			t.Errorf("close code %d, want 4009", code)
		}
		c.refused(s)
		wantBreaches(t, s, nil)
	})
}
