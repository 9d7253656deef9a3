// Package simulator is a Discord on loopback: its gateway, its REST API, a world of guilds, a driver that lets
// things happen and faults. It is strict, so that it can be a witness: what Discord refuses is refused in the
// same way and counted as a [Breach]. It imports nothing of Holdfast and shares none of its mistakes.
//
//	s, err := simulator.Start(simulator.Config{Seed: 1})
//	…run a bot against s.URL() with s.Token()…
//	g := s.Guilds()[0]
//	s.Say(g.ID, g.Channels[0], g.Members[0], "hello")
//	if b := s.Breaches(); len(b) > 0 { … }
//
// # Sessions
//
// A session is a numbered list of frames that outlives its connections:
//
//	first            written           seq
//	  │  kept for resume │  to be written │
//	  ▼                  ▼                ▼
//	  ├──────────────────┼────────────────┤
//
// Heartbeats move first (what is reported needs no replay), the writer moves written, dispatch moves seq. RESUME
// sets written back to the number that the client has. What is dropped below first cannot be resumed: op 9 false.
// Guilds are introduced (GUILD_CREATE) by the writer when it has nothing else to write, or before the first event
// of that guild, whichever comes first, so that a start with many guilds needs little memory.
//
// # Goroutines
//
// Each websocket has two. The reader is the HTTP handler's goroutine; it decodes what the client sends and owns
// the rate of payloads. The writer is started and waited for by it; it owns compression and everything that is
// written, and watches the heartbeat. The reader closes done, the writer closes gone; notes and wake are never
// closed. Server.Close closes the links, which ends both, and waits for every handler.
//
// Locks are taken in this order: an interaction, a guild, then the world's list, a session or a counter. Nobody
// waits for a client while holding one: drivers wait for room before they take the guild, and what REST causes
// is never waited for, as at Discord.
package simulator
