// Package gateway keeps sessions with Discord's gateway: one websocket a shard,
// identified in order, kept alive, resumed after whatever lets it be resumed, and read raw.
// What arrives goes to one bounded channel as Events; nobody here decodes them.
//
// # Life of a session
//
//	start without saved values
//	  │
//	  v     turn and permit             HELLO               READY
//	queued ──────────────────> connecting ───> identifying ───────> ready
//	  ^                         ^      │            │                │
//	  │ no session to resume    │      │ HELLO      │                │
//	  │                         │      v            │                │
//	waiting ────────────────────┘   resuming ───────┼── RESUMED ──> ready
//	  ^ ^    session to resume         │            │                │
//	  │ └──────────────────────────────┴────────────┴────────────────┘
//	  │  the connection ends: close code, op 7, op 9, no ACK, no answer, fault
//	  │
//	start with saved values (Config.Resume)
//
// Set.Restart ends a connection, too: what follows is to resume, or to identify if that was asked for.
// What follows from any other end of a connection is decided in one place
// (session.lose) by the table of close codes (closeRules): resume, renew the session, or
// end the set with a *CloseError.
//
// # Who owns what
//
//   - Set.Run starts one goroutine for each session and waits for all of them.
//     A session's goroutine is in session.run, one select; it owns the session's fields and is
//     the only one that writes data to the websocket and sends on Config.Events.
//   - A session opens one link at a time. The link's goroutine dials, reads, inflates and
//     scans; it is the only sender on link.frames and closes it at its end; link.close
//     waits for that. The session closes the old link before it opens the next.
//   - identifyQueue is shared by the sessions of a set under a mutex and closes each turn's channel
//     once; it asks Config.Permits under that mutex. progress is shared with the router, which reports what it has
//     handled. gauges are atomics that the session writes and Set.Status reads.
//
// # Sets side by side
//
// Another number of shards, or other intents, need other sessions. A second Set runs
// beside the first until all of its sessions are ready, and a Handover recognises in
// the events of both what the other has shown; it draws the switch. The sets share one identify queue.
// Set.End closes sessions for good.
//
// # Promises
//
// Events of a shard arrive in Discord's order, none twice, none missing while the
// session can be resumed. When Config.Events is full, a session stops reading and goes
// on beating; nothing is dropped. RESUME continues after the last event received here;
// heartbeats report the last event the router has handled (Set.Handled), so that Discord keeps what
// could still be lost with this process. A later one whose Config.Resume has the session's id,
// resume URL and that last handled number goes on there: a set closes its connections so
// that Discord keeps the sessions, as it does when they break off. What can no longer be resumed
// is identified anew, and the log tells the span whose events are missed.
package gateway
