package simulator

// Emission is something that happened. It is told while its guild is locked, so call nothing of the server.
type Emission struct {
	Name  string
	Guild uint64 // 0: none
	// Intents bring it, any of them; 0: it always comes.
	Intents uint64
	// Data is what a session with all intents sees; it is shared.
	Data []byte
	// Bare, if not nil, is what a session without MESSAGE_CONTENT sees.
	Bare []byte
}

// Introduction is a GUILD_CREATE as a session gets it: an emission in that session's words, or what introduces a guild
// that READY has listed. It is told while its guild is locked, so call nothing of the server.
type Introduction struct {
	Guild   uint64
	Session string
	// After is how many emissions of the guild come before it in that session, itself included if it is one. It has in
	// it what they changed. If it comes only because of the next emission, right before that, it has in it what that
	// changes, too, and perhaps what the rest of its act does.
	After uint64
	Data  []byte // shared
}

// emission tells an event; the caller holds the guild's lock.
func (s *Server) emission(g *guildState, ev *event) Emission {
	e := Emission{Name: ev.name, Guild: ev.guild, Intents: ev.need, Data: ev.data, Bare: ev.bare}
	if e.Data == nil {
		o := s.scratch()
		o.guildCreate(s, g, knownIntents, defaultLarge)
		e.Data = s.finish(o)
	}
	return e
}
