package simulator

import (
	"bytes"
	"time"
)

// event is something that happened, on its way to the sessions that should see it.
type event struct {
	name  string
	guild uint64 // 0: none
	need  uint64 // any of these intents; 0: always
	data  []byte
	bare  []byte // for sessions without MESSAGE_CONTENT; nil: data
}

// dispatch numbers an event in every session that should see it. The caller holds the lock of the event's guild
// (if it has one), so that a GUILD_CREATE which is still to come comes before it. That has in it what the event's act
// has changed already, and nothing of later acts.
func (s *Server) dispatch(g *guildState, ev *event) {
	if g != nil {
		g.emitted++
	}
	if s.cfg.Emitted != nil {
		s.cfg.Emitted(s.emission(g, ev))
	}
	covered := false
	now := time.Time{}
	for _, ses := range *s.live.Load() {
		if !ses.covers(ev.guild) {
			continue
		}
		if now.IsZero() {
			now = time.Now()
		}
		if ses.expired(s.cfg.ReplayWindow, now) {
			s.remove(ses)
			continue
		}
		// One that has ended since the list was read takes nothing.
		covered = !ses.takes(ev) || s.push(ses, g, ev) || covered
	}
	if !covered {
		s.unseen(ev)
	}
}

// push gives an event to one session. False: the session is over.
func (s *Server) push(ses *session, g *guildState, ev *event) bool {
	if g != nil && g.id != 0 && !s.introduced(ses, g, ev) {
		return true
	}
	data := ev.data
	switch {
	case ev.name == "GUILD_CREATE" && data == nil:
		return s.create(ses, g, g.emitted)
	case ev.bare != nil && ses.intents&intentContent == 0:
		data = ev.bare
	}
	if !ses.push(ev.guild, ev.name, data, &s.cfg) {
		return false
	}
	s.sent(ses.shard, ev.name)
	return true
}

// introduced lets the session know a guild before the first event of it. False: it is to know it later, and
// nothing that happens there before.
func (s *Server) introduced(ses *session, g *guildState, ev *event) bool {
	switch claimed, early := ses.claim(g.id); {
	case early && ev.name == "GUILD_DELETE" && !g.down:
		ses.disown(g.id)
	case early:
		return false
	case !claimed || ev.name == "GUILD_CREATE" || g.down:
		// The event itself is what the session waits for, or the guild has no content to show.
	default:
		s.create(ses, g, g.emitted-1)
	}
	return true
}

// create sends GUILD_CREATE to one session, which is told of so many emissions before; the caller holds the guild's
// lock. False: the session is over.
func (s *Server) create(ses *session, g *guildState, after uint64) bool {
	o := s.scratch()
	o.guildCreate(s, g, ses.intents, ses.large)
	data := s.finish(o)
	if s.cfg.Introduced != nil {
		s.cfg.Introduced(Introduction{Guild: g.id, Session: ses.id, After: after, Data: data})
	}
	if !ses.push(g.id, "GUILD_CREATE", data, &s.cfg) {
		return false
	}
	s.sent(ses.shard, "GUILD_CREATE")
	return true
}

// emit builds an event's data and dispatches it; the caller holds the guild's lock.
func (s *Server) emit(g *guildState, name string, build func(o *jsonOut)) {
	o := s.scratch()
	build(o)
	s.dispatch(g, &event{name: name, guild: g.id, need: needed(name, g.id != 0), data: s.finish(o)})
}

// emitMessage dispatches MESSAGE_CREATE or MESSAGE_UPDATE, with and without what MESSAGE_CONTENT guards.
func (s *Server) emitMessage(g *guildState, name string, m *message) {
	ev := event{name: name, guild: g.id, need: needed(name, g.id != 0)}
	o := s.scratch()
	o.messageEvent(s, g, m, false)
	ev.data = s.finish(o)
	if !m.open(s, g) && s.anyBare() {
		o = s.scratch()
		o.messageEvent(s, g, m, true)
		ev.bare = s.finish(o)
	}
	s.dispatch(g, &ev)
}

// anyBare tells whether some session has not asked for message content.
func (s *Server) anyBare() bool {
	for _, ses := range *s.live.Load() {
		if ses.intents&intentContent == 0 {
			return true
		}
	}
	return false
}

func (s *Server) scratch() *jsonOut {
	o, ok := s.buffers.Get().(*jsonOut)
	if !ok {
		o = &jsonOut{b: make([]byte, 0, 2048)}
	}
	o.b, o.rest = o.b[:0], false
	return o
}

// finish gives a copy of what was built and takes the buffer back.
func (s *Server) finish(o *jsonOut) []byte {
	data := bytes.Clone(o.b)
	if cap(o.b) < 1<<20 {
		s.buffers.Put(o)
	}
	return data
}

// await waits until every session of a guild has room: a driver is as fast as the slowest client. It returns at
// once when the server is closed.
func (s *Server) await(guild uint64) {
	for _, ses := range *s.live.Load() {
		if !ses.covers(guild) {
			continue
		}
		for {
			room := ses.crowded(s.cfg.Outgoing)
			if room == nil {
				break
			}
			select {
			case <-room:
			case <-s.done:
				return
			}
		}
	}
}
