package simulator

import "time"

// The faults of the gateway act on the connections that a shard has at the moment and return how many those
// were: 0 means that nothing happened. What is connected later is not touched.

// Aim lets faults of the gateway hit only the sets of so many shards; 0: all.
func (s *Server) Aim(shards int) { s.aim.Store(int64(shards)) }

func (s *Server) connsOf(shard int) []*conn {
	var list []*conn
	aim := int(s.aim.Load())
	for _, ses := range *s.live.Load() {
		ses.mu.Lock()
		if c := ses.conn; c != nil && ses.shard == shard && (aim == 0 || ses.shards == aim) && c.ses.Load() == ses { // else it is being welcomed
			list = append(list, c)
		}
		ses.mu.Unlock()
	}
	return list
}

// sever hits the connections that have not vanished: nothing comes of those any more, not even their end.
func (s *Server) sever(shard int, fault func(l *link)) (n int) {
	for _, c := range s.connsOf(shard) {
		if !c.link.vanished.Load() {
			fault(c.link)
			n++
		}
	}
	return n
}

func (s *Server) hit(shard int, fault func(c *conn)) int {
	list := s.connsOf(shard)
	for _, c := range list {
		fault(c)
	}
	return len(list)
}

// Drop closes the TCP connection of a shard without a close frame. The session can be resumed.
func (s *Server) Drop(shard int) int {
	return s.sever(shard, func(l *link) { _ = l.Close() })
}

// Reset ends the TCP connection of a shard with RST. The session can be resumed.
func (s *Server) Reset(shard int) int {
	return s.sever(shard, (*link).reset)
}

// Vanish makes a shard's peer disappear: a link that is half open for good. Nothing more arrives at the client, no FIN and
// no RST either, and what it sends goes nowhere. The session can be resumed.
func (s *Server) Vanish(shard int) int {
	return s.sever(shard, func(l *link) { l.vanished.Store(true) })
}

// Reconnect sends op 7. Events go on; a client that is still there after 10 s is closed.
func (s *Server) Reconnect(shard int) int {
	return s.hit(shard, func(c *conn) {
		c.leave.Store(time.Now().Add(reconnectGrace).UnixNano())
		c.send(note{payload: []byte(`{"t":null,"s":null,"op":7,"d":null}`)})
	})
}

// RequestHeartbeat sends op 1: the client is to send a heartbeat at once.
func (s *Server) RequestHeartbeat(shard int) int {
	return s.hit(shard, func(c *conn) {
		c.mu.Lock()
		c.pulse.asked++
		c.mu.Unlock()
		c.send(note{payload: []byte(`{"t":null,"s":null,"op":1,"d":null}`)})
	})
}

// Invalidate sends op 9. When resumable the session is kept and can be resumed; else it is over from now on, and
// what was dispatched until now still arrives before the op.
func (s *Server) Invalidate(shard int, resumable bool) int {
	return s.hit(shard, func(c *conn) {
		ses := c.ses.Load()
		if ses == nil {
			return
		}
		if resumable {
			ses.detach(c)
			c.send(note{payload: []byte(`{"t":null,"s":null,"op":9,"d":true}`), release: true})
			return
		}
		if !ses.endOn(c) {
			return
		}
		s.remove(ses)
		s.mu.Lock()
		s.starts.refuse(ses.place(), time.Now())
		s.mu.Unlock()
		c.send(note{payload: []byte(`{"t":null,"s":null,"op":9,"d":false}`), release: true, last: true})
	})
}

// CloseCode closes the websocket of a shard with this code. Codes after which a session cannot be resumed end it
// at once; what was dispatched until then still arrives before the close frame.
func (s *Server) CloseCode(shard, code int) int {
	return s.hit(shard, func(c *conn) { c.shut(code, closeReason(code)) })
}

// NoACK stops (or continues) answering heartbeats.
func (s *Server) NoACK(shard int, on bool) int {
	return s.hit(shard, func(c *conn) { c.noACK.Store(on) })
}

// Mute lets a shard of a set of so many never get READY (or lets it, again): its IDENTIFY is taken and counted, and
// then nothing comes but heartbeat ACKs. What is ready already stays so.
func (s *Server) Mute(shard, shards int, on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if on {
		s.mute[place{shard, shards}] = true
	} else {
		delete(s.mute, place{shard, shards})
	}
}

func (s *Server) isMute(at place) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mute[at]
}

// Stall stops (or continues) all reading and writing. Events are kept for the session, within the bounds of its
// replay.
func (s *Server) Stall(shard int, on bool) int {
	list := s.connsOf(shard)
	if !on {
		list = s.stalled(shard)
	}
	for _, c := range list {
		c.mu.Lock()
		c.pulse.last = time.Now()
		c.mu.Unlock()
		c.stalledShard.Store(int64(shard))
		c.link.stall(on)
		if ses := c.ses.Load(); ses != nil && on {
			ses.mu.Lock()
			ses.release()
			ses.mu.Unlock()
		}
		c.nudge()
	}
	return len(list)
}

// stalled lists the stalled connections of a shard: their sessions may be gone by now.
func (s *Server) stalled(shard int) []*conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []*conn
	for c := range s.conns {
		if c.link.isStalled() && c.stalledShard.Load() == int64(shard) {
			list = append(list, c)
		}
	}
	return list
}
